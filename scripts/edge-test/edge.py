"""The nginx of deploy/edge/nginx.conf on a port of this machine, and stand-ins for what is behind it."""

import pathlib
import socket
import subprocess
import tempfile
import threading
import time

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
CONF = PROJECT / "deploy/edge/nginx.conf"
OWN_PROBLEM = b'{"type":"urn:newswire:problem:of-the-gateway","title":"Payload Too Large","status":413,"detail":"x"}'


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Gateway:
    """Receives requests, and closes the connection without an answer, as a killed gateway does.

    `/ws` stays open, `/silent` gets no answer as long as the edge waits, and `/own` gets a problem.
    """

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
        path = data.split(" ")[1]
        if path == "/ws":
            client.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
        if path in ("/ws", "/silent"):
            client.recv(1)
        if path == "/own":
            head = b"HTTP/1.1 413 Payload Too Large\r\nContent-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n"
            client.sendall(head % len(OWN_PROBLEM) + OWN_PROBLEM)
        client.close()


class Edge:
    """An nginx in front of `gateways`, each a port; `/ws` goes to the same. It waits for an answer no longer than a second."""

    def __init__(self, *gateways):
        self.port = free_port()
        self.folder = tempfile.TemporaryDirectory()
        upstream = "".join(f" server 127.0.0.1:{port} max_fails=0;" for port in gateways)
        text = CONF.read_text()
        for old, new in [
            ("listen 8080", f"listen 127.0.0.1:{self.port}"),
            ("http {", f"http {{ upstream gateways {{{upstream} }}"),
            ("http://gateway:8080", "http://gateways"),
            ("http://push:8080", "http://gateways"),
            ("proxy_read_timeout 60s", "proxy_read_timeout 1s"),
            ("/tmp/", self.folder.name + "/"),
        ]:
            assert old in text, f"{old} is not in {CONF}"
            text = text.replace(old, new)
        path = pathlib.Path(self.folder.name, "nginx.conf")
        path.write_text(text)
        command = ["nginx", "-c", str(path), "-e", "stderr", "-g", "daemon off;"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE)
        self.log = []
        threading.Thread(target=lambda: self.log.extend(self.process.stderr), daemon=True).start()

    def __enter__(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return self
            except OSError:
                time.sleep(0.05)
        self.__exit__()
        raise SystemExit("nginx did not start: " + b"".join(self.log).decode())

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.folder.cleanup()
