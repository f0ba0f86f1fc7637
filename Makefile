# `make run` and `make test` are all that is needed; each installs what it lacks into .tools/.

.PHONY: run test lint bench chaos edge-test compose-test build tools test-tools clean
.DEFAULT_GOAL := help

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

run: tools ## Build and start everything in one process, with its data in ./data
	cargo build --locked --release --package newswire
	@exec target/release/newswire run

test: tools test-tools ## Run every test, on real servers
	cargo build --locked --workspace
	cargo test --locked --workspace

lint: ## Check format, lints, documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --locked --workspace --no-deps --quiet

bench: tools ## Measure beside the bare NATS client; takes six to ten minutes
	cargo run --locked --release --package bench

chaos: tools test-tools ## Kill everything, for a quarter of an hour, while commands are sent and read; send hostile requests; fill the disk
	cargo build --locked --workspace
	NEWSWIRE_CHAOS_COMMANDS=10000 NEWSWIRE_CHAOS_SECONDS=300 NEWSWIRE_HOSTILE_REQUESTS=100000 NEWSWIRE_DISK_ROUNDS=10 \
		cargo test --locked --package eventsourcing --package newswire --package notification --package projection -- --nocapture --test-threads=2 chaos hostile full_disk

edge-test: ## Test the configuration of the edge with a real nginx; takes seconds
	@scripts/nginx.sh
	@python3 scripts/edge-test

compose-test: edge-test ## Bring up docker-compose.yml, kill and replace its containers under load; half an hour, most of it the first build
	@scripts/compose-test.sh

build: ## Build every binary, for use
	cargo build --locked --release --workspace

tools: ## Install the nats-server, unless a new one is on PATH
	@scripts/nats-server.sh

test-tools: ## Install what only tests need
	@scripts/python-tools.sh
	@scripts/postgres.sh

clean: ## Remove what was built and installed; data stays
	cargo clean
	rm -rf .tools
