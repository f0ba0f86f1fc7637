"""What nginx refuses by itself, before any gateway: each answer is a problem as the gateway's are."""

import json
import socket

# Larger than the edge takes; the body follows only as far as it is sent.
LARGE = 2_000_000
# A request, and the status and code of its problem.
REFUSED = [
    (f"POST /api/articles HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n", 413, "body-too-large"),
    (f"PUT /api/articles/1 HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n" + "x" * LARGE, 413, "body-too-large"),
    (
        f"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{LARGE:x}\r\n" + "x" * LARGE + "\r\n0\r\n\r\n",
        413,
        "body-too-large",
    ),
    ("GET /" + "x" * 70_000 + " HTTP/1.1\r\nHost: a\r\n\r\n", 414, "uri-too-long"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: " + "x" * 70_000 + "\r\n\r\n", 431, "headers-too-large"),
    ("GET / HTTP/1.1\r\nHost: a\r\n" + "X: {}\r\n".format("x" * 4000) * 20 + "\r\n", 431, "headers-too-large"),
    ("GET / FOO/1.2\r\nHost: a\r\n\r\n", 400, "malformed-request"),
    ("GET / HTTP/1.1\r\n\r\n", 400, "malformed-request"),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "malformed-request"),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400, "malformed-request"),
    ("\x01\x02\x03\r\n\r\n", 400, "malformed-request"),
    ("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", 405, "method-not-allowed"),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "not-implemented"),
    ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, "http-version-not-supported"),
    ("GET /refused HTTP/1.1\r\nHost: a\r\n\r\n", 404, "no-such-path"),
]


def exchange(port, request):
    """Status, headers and body of the first answer to `request`, which is sent as it stands."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        try:
            client.sendall(request.encode("latin-1"))
        except (BrokenPipeError, ConnectionResetError):
            pass  # Refused before its end: the answer is there.
        answer = client.makefile("rb")
        status = int(answer.readline().split(b" ")[1])
        headers = {}
        while line := answer.readline().strip():
            name, value = line.decode().split(": ", 1)
            headers.setdefault(name.lower(), []).append(value)
        return status, headers, answer.read(int(headers["content-length"][0]))


def wrong_with(answer, status, code):
    """What is not as it has to be in the answer of this status and code; nothing, when all is."""
    found, headers, body = answer
    if found != status:
        return f"status {found}, not {status}"
    wanted = {
        "content-type": "application/problem+json",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
    }
    for name, value in wanted.items():
        if headers.get(name) != [value]:
            return f"{name} is {headers.get(name)}"
    if len(headers.get("x-correlation-id", [])) != 1:
        return "no correlation id"
    if (status == 405) != ("allow" in headers):
        return f"Allow is {headers.get('allow')}"
    problem = json.loads(body)
    if list(problem) != ["type", "title", "status", "detail"] or not problem["title"] or not problem["detail"]:
        return f"the problem is {problem}"
    if (problem["status"], problem["type"]) != (status, f"urn:newswire:problem:{code}"):
        return f"the problem is {problem}"
    return None


def wrong_refusals(port):
    """Of each request that the edge at `port` should refuse and does not as it should: what is wrong."""
    wrong = []
    for request, status, code in REFUSED:
        if found := wrong_with(exchange(port, request), status, code):
            wrong.append(f"{request[:60]!r}: {found}")
    return wrong
