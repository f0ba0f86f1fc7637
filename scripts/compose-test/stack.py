"""The installation under test: a copy of the project, so that its configuration can be changed, and docker compose on it."""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
NAME = "newswire-test"
SERVICES = ["nats", "article", "comment", "projection", "notification", "gateway", "push", "edge"]
# What the images are made of, and what makes and starts them.
PARTS = ["Cargo.toml", "Cargo.lock", "crates", "services", "tools", "deploy", "scripts", "docker-compose.yml", ".dockerignore"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run(*command, **options):
    """The standard output of a command; its standard error, when it fails, is in the exception's text."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=3600, **options)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
    return done.stdout


def eventually(what, condition, patience=120):
    """What `condition` gives as soon as that is something."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise RuntimeError(f"waited {patience} s in vain for: {what}")


class Stack:
    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="newswire-compose-test-"))
        for part in PARTS:
            source = PROJECT / part
            if source.is_dir():
                shutil.copytree(source, self.folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, self.folder / part)
        self.port, prometheus = free_port(), free_port()
        self.prometheus = prometheus
        self.environment = os.environ | {
            "NEWSWIRE_VERSION": "test",
            "NEWSWIRE_PORT": str(self.port),
            "NEWSWIRE_PROMETHEUS_PORT": str(prometheus),
            "NEWSWIRE_SECRETS": "./secrets",
        }

    def take_binaries(self, binaries):
        """The images get the binaries in a folder, in place of a build of their own."""
        folder = self.folder / "binaries"
        (folder / "data").mkdir(parents=True)
        for service in [*SERVICES, "newswire"]:
            if service not in ("nats", "edge"):
                shutil.copy2(pathlib.Path(binaries) / service, folder / service)
                run("strip", str(folder / service))
        dockerfile = self.folder / "deploy/Dockerfile"
        head, rest = dockerfile.read_text().split("FROM ${RUST_IMAGE} AS build", 1)
        stages = ["FROM scratch AS build\nCOPY binaries /out\n\nFROM ${RUNTIME_IMAGE}", rest.split("FROM ${RUNTIME_IMAGE}", 1)[1]]
        dockerfile.write_text(head + "".join(stages))
        with (self.folder / ".dockerignore").open("a") as ignored:
            ignored.write("!binaries\n")

    def make_secrets(self):
        return run("scripts/init-secrets.sh", cwd=self.folder, env=self.environment)

    def secrets(self):
        found = [file.read_text() for file in (self.folder / "secrets").iterdir()]
        return [secret for secret in found if secret]

    def compose(self, *arguments):
        command = ["docker", "compose", "--project-name", NAME, "--progress", "quiet", *arguments]
        return run(*command, cwd=self.folder, env=self.environment)

    def up(self, *arguments):
        self.compose("--profile", "metrics", "up", "--detach", "--quiet-pull", *arguments)

    def containers(self, service):
        return self.compose("--profile", "metrics", "ps", "--all", "--quiet", service).split()

    def inspect(self, service):
        found = self.containers(service)
        return json.loads(run("docker", "inspect", *found)) if found else []

    def is_healthy(self, service):
        states = [container["State"] for container in self.inspect(service)]
        return bool(states) and all(state.get("Health", {}).get("Status") == "healthy" for state in states)

    def wait_healthy(self, services=SERVICES, patience=120):
        for service in services:
            eventually(f"{service} is healthy", lambda: self.is_healthy(service), patience)

    def kill(self, service):
        """`kill -9` of the process, as the kernel would: what `docker kill` ends, Docker does not start again."""
        pid = self.inspect(service)[0]["State"]["Pid"]
        options = ["--rm", "--pid", "host", "--network", "none", "--user", "0:0", "--entrypoint", "/bin/sh"]
        run("docker", "run", *options, "newswire/nats:test", "-c", f"kill -9 {pid}")
        return pid

    def wait_restarted(self, service, pid):
        def is_another():
            state = self.inspect(service)[0]["State"]
            return state["Running"] and state["Pid"] not in (0, pid)

        eventually(f"{service} is started again", is_another)

    def token(self, user):
        return self.compose("run", "--rm", "--no-TTY", "provision", "token", "--user", user).strip()

    def tar(self, volume, command):
        """Runs tar beside the files of a volume, with the backups of this test at /backup."""
        mounts = ["--volume", f"{NAME}_{volume}:/volume", "--volume", f"{self.folder}/backup:/backup"]
        image = ["--user", "0:0", "--network", "none", "--entrypoint", "/bin/sh", "newswire/nats:test"]
        run("docker", "run", "--rm", *mounts, *image, "-c", command)

    def logs(self, service):
        return self.compose("logs", "--no-log-prefix", service)

    def edit(self, file, old, new):
        path = self.folder / file
        text = path.read_text()
        assert old in text, f"{old} is not in {file}"
        path.write_text(text.replace(old, new, 1))

    def remove(self):
        self.compose("--profile", "metrics", "down", "--volumes", "--remove-orphans", "--timeout", "5")
        shutil.rmtree(self.folder)
