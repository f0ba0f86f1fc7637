"""What is done to the installation, and what has to be true then. Each check leaves a healthy installation behind."""

import json
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid

from figures import figure
from load import Listener, Load
from stack import NAME, PROJECT, SERVICES, eventually, run
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

sys.path.append(str(PROJECT / "scripts/edge-test"))
from refusals import wrong_refusals  # noqa: E402


def article_reaches_the_socket(stack, client):
    with connect(f"ws://127.0.0.1:{stack.port}/ws") as socket:
        socket.send(json.dumps({"type": "subscribe", "topics": ["articles"]}))
        assert json.loads(socket.recv(timeout=30))["type"] == "subscribed"
        start = time.monotonic()
        status, _, article = client.create("to the socket", str(uuid.uuid4()))
        assert status == 201, (status, article)
        frame = json.loads(socket.recv(timeout=30))
        figure("POST to frame", (time.monotonic() - start) * 1000, "ms", 2000)
        assert frame["type"] == "article.created" and frame["aggregate_id"] == article["id"], frame
    eventually("the article can be read", lambda: client.request("GET", f"/api/articles/{article['id']}")[0] == 200)


def the_edge_refuses_with_problems(stack, _):
    wrong = wrong_refusals(stack.port)
    assert not wrong, "\n".join(wrong)


def nothing_secret_is_shown(stack, _):
    secrets = stack.secrets()
    for service in [*SERVICES, "provision"]:
        shown = json.dumps(stack.inspect(service)) + stack.logs(service)
        assert not [secret for secret in secrets if secret in shown], f"a secret of {service} is shown"


def limits_are_as_they_are_written(stack, _):
    for service in SERVICES:
        pid = stack.inspect(service)[0]["State"]["Pid"]
        options = ["--rm", "--pid", "host", "--network", "none", "--user", "0:0", "--entrypoint", "/bin/sh"]
        limits = run("docker", "run", *options, "newswire/nats:test", "-c", f"cat /proc/{pid}/limits")
        files = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert files.split()[3:5] == ["20000", "20000"], f"{service}: {files}"


def the_edge_cannot_reach_the_nats_server(stack, _):
    def reaches(service, host, port):
        ask = ["wget", "-q", "-T", "3", "-O", "/dev/null", f"http://{host}:{port}/healthz"]
        try:
            stack.compose("exec", "--no-TTY", service, *ask)
            return True
        except RuntimeError:
            return False

    assert reaches("nats", "127.0.0.1", 8222), "the check itself does not work"
    address = next(iter(stack.inspect("nats")[0]["NetworkSettings"]["Networks"].values()))["IPAddress"]
    for host in ["nats", address]:
        assert not reaches("edge", host, 8222), f"the edge reaches {host}:8222"


def everything_is_measured(stack, _):
    def ask(path):
        with urllib.request.urlopen(f"http://127.0.0.1:{stack.prometheus}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]

    def scraped():
        targets = ask("targets?state=active")["activeTargets"]
        return {target["labels"]["service"] for target in targets if target["health"] == "up"}

    stack.wait_healthy(["prometheus"])
    wanted = set(SERVICES) - {"nats", "edge"}
    eventually("every service is scraped", lambda: scraped() >= wanted)
    for series in [
        'article_commands_total{command="create",outcome="accepted"} > 0',
        'service_requests_total{subject="commands.article.create",service="article"} > 0',
        'push_frames_total{service="push"} > 0',
        'nats_connected == 1',
    ]:
        quoted = urllib.parse.quote(series)
        eventually(series, lambda: ask(f"query?query={quoted}")["result"])


def requests_are_logged_and_probes_are_not(stack, client):
    client.request("GET", "/api/articles?limit=1")
    lines = eventually("the request is logged", lambda: [
        line for line in stack.logs("gateway").splitlines() if "/api/articles" in line and "request served" in line
    ])
    assert all("client.address" in line for line in lines), lines[-1]
    for service in ["gateway", "article", "push"]:
        probes = [line for line in stack.logs(service).splitlines() if "readyz" in line]
        assert not probes, f"{service}: {probes[:1]}"


def a_write_of_unknown_outcome_is_no_503(stack, client):
    answer, key = [], str(uuid.uuid4())
    article, pid = stack.containers("article")[0], stack.inspect("gateway")[0]["State"]["Pid"]
    run("docker", "pause", article)
    try:
        asking = threading.Thread(target=lambda: answer.append(client.create("who knows", key)))
        asking.start()
        # The command is on its way to the article service as soon as the gateway has the request.
        time.sleep(1)
        stack.kill("gateway")
    finally:
        run("docker", "unpause", article)
    asking.join(30)
    status, _, problem = answer[0]
    print(f"  answer: {status} {problem.get('type') if isinstance(problem, dict) else problem}")
    assert status == 504, answer
    stack.wait_restarted("gateway", pid)
    stack.wait_healthy()
    status, headers, _ = eventually("the repeat is accepted", lambda: accepted(client.create("who knows", key)))
    print(f"  repeat: {status}, replayed: {headers.get('Idempotency-Replayed', 'false')}")


def accepted(answer):
    return answer if answer[0] == 201 else None


def every_container_is_killed_under_load(stack, client):
    listener = Listener(stack.port)
    with Load(client) as load:
        load.progress()
        for service in SERVICES:
            since = time.monotonic()
            pid = stack.kill(service)
            stack.wait_restarted(service, pid)
            stack.wait_healthy()
            load.progress()
            outage, others = load.outage(since, time.monotonic())
            figure(f"{service} killed: no accepted write", outage, "s", 30)
            print(f"    other answers {others}", flush=True)
    check_nothing_is_lost(client, load, listener)


def check_nothing_is_lost(client, load, listener):
    wanted = set(load.accepted)
    assert len(wanted) == len(load.accepted), "one article was accepted under two keys"
    eventually("the listener has every article", lambda: set(listener.ids) >= wanted)
    listener.done.set()
    assert len(listener.ids) == len(set(listener.ids)), "an event came twice"
    for article in wanted:
        eventually(f"{article} can be read", lambda: client.request("GET", f"/api/articles/{article}")[0] == 200)
    print(f"  {len(wanted)} accepted, all there, each heard once; the listener came back {len(listener.ends)} times")


def gateways_are_replaced(stack, client):
    with Load(client) as load:
        load.progress()
        since = time.monotonic()
        stack.up("--force-recreate", "gateway")
        stack.wait_healthy(["gateway", "edge"])
        load.progress()
        outage, others = load.outage(since, time.monotonic())
        figure("the only gateway recreated: no accepted write", outage, "s", 10)
        print(f"    other answers {others}")
        since = time.monotonic()
        old = stack.containers("gateway")[0]
        stack.up("--no-deps", "--no-recreate", "--scale", "gateway=2", "gateway")
        stack.wait_healthy(["gateway"])
        # The edge knows of it when the name server's answer is a second old.
        time.sleep(2)
        run("docker", "stop", old)
        run("docker", "rm", old)
        load.progress()
        outage, others = load.outage(since, time.monotonic())
        # Starting a container takes the processors, so writes may be slow meanwhile. None may be refused.
        figure("a second gateway first: no accepted write", outage, "s", 10)
        assert others == {}, others
    stack.up("--no-deps", "--no-recreate", "--scale", "gateway=1", "gateway")
    stack.wait_healthy()


def the_edge_ends_with_an_open_socket(stack, _):
    edge = stack.containers("edge")[0]
    with connect(f"ws://127.0.0.1:{stack.port}/ws") as socket:
        socket.send(json.dumps({"type": "subscribe", "topics": ["articles"]}))
        socket.recv(timeout=30)
        start = time.monotonic()
        stack.compose("stop", "edge")
        took = time.monotonic() - start
        try:
            socket.recv(timeout=10)
            ended = "a frame"
        except ConnectionClosed as closed:
            ended = f"close {closed.rcvd.code}" if closed.rcvd else "end of the connection"
    code = json.loads(run("docker", "inspect", edge))[0]["State"]["ExitCode"]
    figure("the edge ended with an open socket", took, "s", 14)
    print(f"    exit code {code}; the socket saw: {ended}")
    assert code == 0, "the edge had to be killed"
    stack.up()
    stack.wait_healthy()


def changed_configuration_is_applied(stack, client):
    def apply():
        """Which services have other containers after `up`."""
        before = {service: stack.containers(service) for service in SERVICES}
        stack.up()
        stack.wait_healthy()
        return {service for service in SERVICES if stack.containers(service) != before[service]}

    assert apply() == set(), "up without a change replaced something"
    start = time.monotonic()
    stack.edit("deploy/edge/nginx.conf", "server_tokens off;", "server_tokens off;\n    add_header X-Changed yes always;")
    assert apply() == {"edge"}
    _, headers, _ = client.request("GET", "/api/articles?limit=1")
    assert headers.get("X-Changed") == "yes", dict(headers)
    stack.edit("deploy/nats/server.conf", "max_payload: 1MB", "max_payload: 1MB\nmax_connections: 4321")
    # Some versions of Compose also make anew the containers that depend on it.
    assert "nats" in apply()
    figure("changed configuration applied", time.monotonic() - start, "s", 120)
    status = stack.compose("exec", "--no-TTY", "nats", "wget", "-qO-", "http://127.0.0.1:8222/varz")
    assert json.loads(status)["max_connections"] == 4321, "the nats-server has its old configuration"
    status, _, body = client.create("after the change", str(uuid.uuid4()))
    assert status == 201, (status, body)


def an_older_backup_of_the_stream_is_restored(stack, client):
    (stack.folder / "backup").mkdir()
    kept = accepted(client.create("before the backup", str(uuid.uuid4())))[2]["id"]
    stack.compose("stop")
    stack.tar("nats", "tar -C /volume -cf /backup/nats.tar .")
    stack.up()
    stack.wait_healthy()
    lost = [accepted(client.create("after the backup", str(uuid.uuid4())))[2]["id"] for _ in range(3)]
    eventually("the read model has all", lambda: client.request("GET", f"/api/articles/{lost[-1]}")[0] == 200)
    stack.compose("stop")
    stack.tar("nats", "find /volume -mindepth 1 -delete && tar -C /volume -xf /backup/nats.tar")
    start = time.monotonic()
    stack.up()
    stack.wait_healthy()
    eventually("the read model is made anew", lambda: client.request("GET", f"/api/articles/{lost[-1]}")[0] == 404)
    eventually("it has the articles of the backup", lambda: client.request("GET", f"/api/articles/{kept}")[0] == 200)
    figure("older stream under a newer read model: whole again", time.monotonic() - start, "s", 120)
    assert accepted(client.create("goes on", str(uuid.uuid4()))), "no write is accepted"
