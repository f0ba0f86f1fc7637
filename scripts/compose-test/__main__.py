#!/usr/bin/env python3
"""Builds docker-compose.yml, brings it up, and does to it what happens to installations. Prints figures; ends with 1 when
something is wrong. Needs a container engine: `make compose-test` finds or makes it.

Usage: scripts/compose-test [--keep] [--binaries FOLDER]

--keep leaves everything as it is at the end; --binaries takes binaries that were built elsewhere, as target/debug has them.
"""

import argparse
import sys
import time
import traceback

import checks
from figures import figure, table
from load import Client
from stack import SERVICES, Stack, run

STEPS = [
    checks.article_reaches_the_socket,
    checks.the_edge_refuses_with_problems,
    checks.nothing_secret_is_shown,
    checks.limits_are_as_they_are_written,
    checks.the_edge_cannot_reach_the_nats_server,
    checks.everything_is_measured,
    checks.requests_are_logged_and_probes_are_not,
    checks.a_write_of_unknown_outcome_is_no_503,
    checks.every_container_is_killed_under_load,
    checks.gateways_are_replaced,
    checks.the_edge_ends_with_an_open_socket,
    checks.changed_configuration_is_applied,
    checks.an_older_backup_of_the_stream_is_restored,
]


# MB of an image of ours, and of one on somebody else's base; MiB of a container that has nothing to do.
IMAGE, BASE_IMAGE, MEMORY = 80, 200, 100
UNITS = {"B": 1 / 2**20, "KiB": 1 / 2**10, "MiB": 1, "GiB": 2**10}


def mebibytes(text):
    """`12.5MiB / 128MiB` as 12.5."""
    used = text.split("/")[0].strip()
    number = used.rstrip("BKMGi")
    return float(number) * UNITS[used[len(number) :]]


def sizes(stack):
    """Sizes of the images and resident memory of the containers."""
    for service in [*SERVICES, "newswire"]:
        size = int(run("docker", "image", "inspect", "--format", "{{.Size}}", f"newswire/{service}:test"))
        figure(f"image {service}", size / 1e6, "MB", BASE_IMAGE if service in ("nats", "edge") else IMAGE)
    for service in SERVICES:
        usage = run("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", *stack.containers(service))
        figure(f"memory {service}", mebibytes(usage), "MiB", MEMORY)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--binaries")
    arguments = parser.parse_args()
    stack, failures = Stack(), []
    if arguments.binaries:
        stack.take_binaries(arguments.binaries)
    volumes = set(run("docker", "volume", "ls", "--quiet").split())
    try:
        stack.make_secrets()
        kept = sorted(stack.secrets())
        stack.make_secrets()
        assert sorted(stack.secrets()) == kept, "secrets that are there were changed"
        start = time.monotonic()
        stack.compose("--profile", "metrics", "build")
        print(f"built in {time.monotonic() - start:.0f} s", flush=True)
        start = time.monotonic()
        stack.up()
        stack.wait_healthy()
        figure("healthy after `up -d` on built images", time.monotonic() - start, "s", 60)
        sizes(stack)
        client = Client(stack.port, stack.token("ann"))
        for step in STEPS:
            print(step.__name__.replace("_", " "), flush=True)
            try:
                step(stack, client)
            except Exception:
                failures.append(step.__name__)
                traceback.print_exc()
                stack.up()
                stack.wait_healthy()
    finally:
        if arguments.keep:
            print(f"kept: {stack.folder}, port {stack.port}")
        else:
            stack.remove()
            left = set(run("docker", "volume", "ls", "--quiet").split()) - volumes
            if left:
                failures.append(f"{len(left)} volumes are left behind")
    failures += table()
    print("failed: " + ", ".join(failures) if failures else "all is well")
    sys.exit(1 if failures else 0)


main()
