#!/usr/bin/env python3
"""Tests deploy/edge/nginx.conf with a real nginx on loopback. `make edge-test` finds or unpacks the nginx."""

import os
import signal
import socket
import subprocess
import sys
import time
import traceback

from edge import OWN_PROBLEM, PROJECT, Edge, Gateway, free_port
from refusals import REFUSED, exchange, wrong_refusals, wrong_with

WRITES = ["POST", "PUT", "DELETE"]
OUTCOME_UNKNOWN, UNAVAILABLE = (504, "outcome-unknown"), (503, "unavailable")


def ask(edge, method, path="/api/articles", correlation_id="mine"):
    claims = "X-Forwarded-For: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\n"
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\n{claims}X-Correlation-Id: {correlation_id}\r\nContent-Length: 2\r\n\r\n"
    return exchange(edge.port, head + "{}")


def expect(what, answer, problem):
    assert not (wrong := wrong_with(answer, *problem)), f"{what}: {wrong}"
    assert answer[1]["retry-after"] == ["1"], f"{what}: when to come back is {answer[1].get('retry-after')}"


def a_write_that_was_received_is_no_503(gateway, edge):
    for path in ["/api/articles", "/silent"]:
        for method in [*WRITES, "GET"]:
            gateway.requests.clear()
            answer = ask(edge, method, path)
            expect(f"{method} {path}", answer, UNAVAILABLE if method == "GET" else OUTCOME_UNKNOWN)
            assert len(gateway.requests) == 1, f"{method} {path} was sent {len(gateway.requests)} times"


def a_write_that_nobody_received_is_a_503(_, __):
    with Edge(free_port()) as edge:
        for method in [*WRITES, "GET"]:
            expect(method, ask(edge, method), UNAVAILABLE)


def a_write_goes_to_another_gateway_only_unsent(gateway, _):
    other = Gateway()
    with Edge(gateway.port, other.port) as edge:
        for method in WRITES:
            gateway.requests.clear(), other.requests.clear()
            expect(method, ask(edge, method), OUTCOME_UNKNOWN)
            sent = len(gateway.requests) + len(other.requests)
            assert sent == 1, f"{method} was sent {sent} times"
    gateway.requests.clear()
    with Edge(free_port(), gateway.port) as edge:
        for _ in range(4):
            expect("POST past a gateway that is away", ask(edge, "POST"), OUTCOME_UNKNOWN)
    assert len(gateway.requests) == 4, f"{len(gateway.requests)} of 4 reached the gateway that is there"


def what_nginx_refuses_is_a_problem(gateway, edge):
    gateway.requests.clear()
    wrong = wrong_refusals(edge.port)
    assert not wrong, "\n".join(wrong)
    assert not gateway.requests, f"a gateway received {gateway.requests[0][:60]!r}"
    print(f"      {len(REFUSED)} requests are refused")


def problems_of_the_gateway_are_left_alone(_, edge):
    status, headers, body = ask(edge, "POST", "/own")
    assert (status, body) == (413, OWN_PROBLEM), (status, body)
    assert headers["content-type"] == ["application/problem+json"], headers


def the_gateway_learns_who_asks(gateway, edge):
    for sent, is_taken in [("mine", True), ("x" * 128, True), ("x" * 129, False), ("two words", False), ("", False)]:
        gateway.requests.clear()
        _, headers, _ = ask(edge, "POST", correlation_id=sent)
        said = headers["x-correlation-id"][0]
        assert (said == sent) == is_taken, f"{sent!r} became {said!r}"
        lines = gateway.requests[0].split("\r\n")
        assert f"X-Correlation-Id: {said}" in lines, lines
        assert "X-Forwarded-For: 127.0.0.1" in lines, lines
        assert "203.0.113.9" not in gateway.requests[0], "the address that the client claims is passed on"


def an_open_socket_does_not_keep_the_edge(_, edge):
    client = socket.create_connection(("127.0.0.1", edge.port))
    client.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert client.recv(4096).startswith(b"HTTP/1.1 101"), "the socket does not open"
    # As a stop of the container.
    edge.process.send_signal(signal.SIGQUIT)
    start = time.monotonic()
    try:
        edge.process.wait(timeout=14)
    except subprocess.TimeoutExpired:
        raise AssertionError("the edge did not end within its grace period") from None
    print(f"      the edge ended {time.monotonic() - start:.1f} s after its signal")


CHECKS = [
    a_write_that_was_received_is_no_503,
    a_write_that_nobody_received_is_a_503,
    a_write_goes_to_another_gateway_only_unsent,
    what_nginx_refuses_is_a_problem,
    problems_of_the_gateway_are_left_alone,
    the_gateway_learns_who_asks,
    an_open_socket_does_not_keep_the_edge,
]


def main():
    os.environ["PATH"] += f":{PROJECT}/.tools/nginx/usr/sbin"
    failed = 0
    gateway = Gateway()
    with Edge(gateway.port) as edge:
        for check in CHECKS:
            name = check.__name__.replace("_", " ")
            try:
                check(gateway, edge)
                print("ok   ", name, flush=True)
            except Exception:
                failed += 1
                print("FAILED", name, flush=True)
                traceback.print_exc()
    sys.exit(1 if failed else 0)


main()
