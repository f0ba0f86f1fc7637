#!/usr/bin/env python3
"""Tests deploy/edge/nginx.conf with the nginx on PATH: a 503 to a write only when no gateway received the write.

Usage: scripts/edge-test.py [nginx.conf]
"""

import http.client
import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

CONF = pathlib.Path(__file__).parent.parent / "deploy/edge/nginx.conf"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """Receives requests, and closes the connection without an answer, as a killed gateway does; `/ws` stays open."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            threading.Thread(target=self.take, args=(client,), daemon=True).start()

    def take(self, client):
        data = client.recv(65536).decode()
        self.requests.append(data)
        if data.startswith("GET /ws"):
            client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            client.recv(1)
        client.close()


class Edge:
    def __init__(self, conf, *gateways):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        text = pathlib.Path(conf).read_text()
        for old, new in [
            ("listen 8080", f"listen 127.0.0.1:{self.port}"),
            ("http {", "http { upstream gateways {" + "".join(f" server 127.0.0.1:{port} max_fails=0;" for port in gateways) + " }"),
            ("http://gateway:8080", "http://gateways"),
            ("http://push:8080", "http://gateways"),
            ("/tmp/", self.folder.name + "/"),
        ]:
            assert old in text, f"{old} is not in {conf}"
            text = text.replace(old, new)
        path = pathlib.Path(self.folder.name, "nginx.conf")
        path.write_text(text)
        command = ["nginx", "-c", str(path), "-e", "stderr", "-g", "daemon off;"]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit("nginx did not start")

    def request(self, method):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(method, "/api/articles", body=b"{}", headers={"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"})
        response = connection.getresponse()
        return response.status, response.getheader("Content-Type"), json.loads(response.read())


def check(what, found, expected):
    print(("ok    " if found == expected else "FAILED"), what, found)
    return found == expected


def main():
    conf = sys.argv[1] if len(sys.argv) > 1 else CONF
    good = True
    gateway = Gateway()
    edge = Edge(conf, gateway.port)
    for method, status in [("POST", 504), ("PUT", 504), ("DELETE", 504), ("GET", 503)]:
        gateway.requests.clear()
        found = edge.request(method)
        good &= check(f"{method}, received by the gateway", found[:2], (status, "application/problem+json"))
        good &= check(f"{method} has the status in its problem", found[2]["status"], status)
        good &= check(f"{method} was sent", len(gateway.requests), 1)
        claimed = "203.0.113.9" in gateway.requests[0]
        good &= check(f"{method} passes the claimed address on", claimed, False)
    nowhere = Edge(conf, free_port())
    for method in ["POST", "PUT", "DELETE", "GET"]:
        found = nowhere.request(method)
        good &= check(f"{method}, refused by the gateway's host", found[0], 503)
    nowhere.process.terminate()

    other = Gateway()
    both = Edge(conf, gateway.port, other.port)
    for method in ["POST", "PUT", "DELETE"]:
        gateway.requests.clear(), other.requests.clear()
        good &= check(f"{method}, received by one of two gateways", both.request(method)[0], 504)
        good &= check(f"{method} was sent to one of them", len(gateway.requests) + len(other.requests), 1)
    both.process.terminate()
    gateway.requests.clear()
    half = Edge(conf, free_port(), gateway.port)
    answers = {half.request("POST")[0] for _ in range(4)}
    good &= check("POST goes to the gateway that is there", (answers, len(gateway.requests)), ({504}, 4))
    half.process.terminate()

    client = socket.create_connection(("127.0.0.1", edge.port))
    client.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    good &= check("a socket is open", client.recv(4096).startswith(b"HTTP/1.1 101"), True)
    edge.process.send_signal(3)  # SIGQUIT, as a stop of the container
    start = time.monotonic()
    try:
        edge.process.wait(timeout=14)
        print(f"      the edge ended {time.monotonic() - start:.1f} s after its signal, with an open socket")
    except subprocess.TimeoutExpired:
        good = check("the edge ends within its grace period", False, True)
        edge.process.kill()
    sys.exit(0 if good else 1)


main()
