"""Clients of the installation: one that asks, some that write all the time, one that listens and comes back."""

import http.client
import json
import threading
import time
import uuid

from websockets.exceptions import WebSocketException
from websockets.sync.client import connect


class Client:
    def __init__(self, port, token):
        self.port, self.token = port, token

    def request(self, method, path, body=None, key=None, timeout=30):
        """Status, headers and JSON; the status is 0 when there was no answer."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            text = response.read()
            return response.status, response.headers, json.loads(text) if text.startswith((b"{", b"[")) else text
        except (OSError, http.client.HTTPException):
            return 0, {}, None
        finally:
            connection.close()

    def create(self, title, key, timeout=30):
        return self.request("POST", "/api/articles", {"title": title, "content": "C"}, key, timeout)


class Load:
    """Writers that repeat each write with its key until it is accepted, and note when which answer came."""

    def __init__(self, client, writers=4):
        self.client, self.answers, self.accepted = client, [], []
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.write, daemon=True) for _ in range(writers)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        for thread in self.threads:
            thread.join(60)

    def write(self):
        while not self.done.is_set():
            key = str(uuid.uuid4())
            while True:
                status, _, body = self.client.create(f"under load {key}", key)
                self.answers.append((time.monotonic(), status))
                if status == 201:
                    self.accepted.append(body["id"])
                    break
                time.sleep(0.05)
            time.sleep(0.02)

    def progress(self):
        """Returns when a write that begins now has been accepted."""
        # One write of each writer may have begun before.
        wanted, end = len(self.accepted) + len(self.threads) + 1, time.monotonic() + 60
        while len(self.accepted) < wanted:
            assert time.monotonic() < end, "no write is accepted any more"
            time.sleep(0.02)

    def outage(self, since, until):
        """The longest time without an accepted write, and how often which other answer came."""
        within = [(when, status) for when, status in self.answers if since <= when <= until]
        good = [since] + [when for when, status in within if status == 201] + [until]
        others = {}
        for _, status in within:
            if status != 201:
                others[status] = others.get(status, 0) + 1
        return max(after - before for before, after in zip(good, good[1:])), others


class Listener:
    """Listens to all articles, and comes back with its position whenever it is disconnected."""

    def __init__(self, port):
        self.url, self.ids, self.position, self.ends = f"ws://127.0.0.1:{port}/ws", [], None, []
        self.done, self.listening = threading.Event(), threading.Event()
        threading.Thread(target=self.listen, daemon=True).start()
        assert self.listening.wait(30), "the listener could not subscribe"

    def listen(self):
        while not self.done.is_set():
            try:
                with connect(self.url, open_timeout=5, close_timeout=1) as socket:
                    self.hear(socket)
            except (OSError, WebSocketException, TimeoutError) as error:
                self.ends.append(type(error).__name__)
                time.sleep(0.2)

    def hear(self, socket):
        socket.send(json.dumps({"type": "subscribe", "topics": ["articles"], "since": self.position}))
        while not self.done.is_set():
            try:
                frame = json.loads(socket.recv(timeout=1))
            except TimeoutError:
                continue
            if frame["type"] == "subscribed":
                assert self.position is None or frame["recovered"], frame
                if self.position is None:
                    self.position = frame["position"]
                self.listening.set()
            elif frame["type"] == "article.created":
                self.ids.append(frame["aggregate_id"])
                self.position = frame["position"]
