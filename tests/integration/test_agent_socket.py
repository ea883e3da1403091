# SPDX-License-Identifier: MIT
"""The socket: who may connect, clients that behave badly, bounds, subscriptions, paging."""

import json
import os
import socket
import stat
import subprocess
import time

import pytest

from looptop_client import (
    DEADLINE_S, PYTHONS, Closed, Client, RpcError, Service, environment, wait_for)

IDLE = """
import asyncio, os, sys
import looptop

async def sleeper():
    await asyncio.sleep(3600)

async def main():
    tasks = [asyncio.create_task(sleeper(), name="sleeper %d" % n) for n in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    print("READY", flush=True)
    await sleeper()

assert looptop.start()
asyncio.run(main())
"""


def idle(python, tasks=10, **keywords):
    service = Service.inline(python, IDLE, str(tasks), **keywords)
    service.expect("READY")
    return service


@pytest.fixture(scope="module")
def shared():
    """One service for all that does no harm: what is behind the socket is the same on each Python."""
    with idle(PYTHONS[-1]) as service:
        yield service


def error_of(client, data):
    client.send(data)
    answer = client.line()
    assert set(answer) == {"jsonrpc", "id", "error"}, answer
    return answer["error"]["code"]


# ---- who


def test_the_directory_and_the_socket_are_private(python):
    with idle(python) as service:
        directory = os.path.dirname(service.socket_path())
        assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
        mode = os.stat(service.socket_path()).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_without_a_runtime_directory():
    with idle(PYTHONS[-1], XDG_RUNTIME_DIR="") as service:
        path = "/tmp/looptop-%d/%d.sock" % (os.getuid(), service.pid)
        with Client(path) as client:
            assert client.call("hello")["pid"] == service.pid
        service.process.kill()
        service.wait()
        os.unlink(path)


REFUSED = """
import logging, sys
logging.basicConfig(stream=sys.stdout, format="%(message)s")
import looptop
print(looptop.start())
"""


def start_in(directory, uid=None):
    return subprocess.run(
        [PYTHONS[0], "-c", REFUSED], env=environment(directory), text=True, timeout=DEADLINE_S,
        user=uid, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout


needs_root = pytest.mark.skipif(os.getuid() != 0, reason="needs root")


@needs_root
def test_a_directory_of_somebody_else_is_refused(tmp_path):
    os.mkdir(tmp_path / "looptop", 0o700)
    os.chown(tmp_path / "looptop", 65534, 65534)
    out = start_in(str(tmp_path))
    assert "False" in out and "cannot use the socket directory" in out
    assert os.listdir(tmp_path / "looptop") == []


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o777])
def test_a_directory_others_can_enter_is_not_left_so(tmp_path, mode):
    os.mkdir(tmp_path / "looptop")
    os.chmod(tmp_path / "looptop", mode)
    out = start_in(str(tmp_path))
    assert "False" in out or stat.S_IMODE(os.stat(tmp_path / "looptop").st_mode) == 0o700


def test_a_directory_that_is_a_link_is_refused(tmp_path):
    os.mkdir(tmp_path / "elsewhere", 0o700)
    os.symlink(tmp_path / "elsewhere", tmp_path / "looptop")
    assert "False" in start_in(str(tmp_path))


CONNECT = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
try:
    s.connect(sys.argv[1])
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello"}\\n')
    print(s.recv(65536).decode().strip())
    print(s.recv(65536))
except OSError as error:
    print("OSError", error)
"""


@needs_root
def test_another_user_is_refused(python):
    # sanitizers do not outlive the change of the user
    environ = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    with idle(python) as service:
        def connect():
            return subprocess.run(
                ["/usr/bin/env", "python3", "-c", CONNECT, service.socket_path()], text=True,
                env=environ, timeout=DEADLINE_S, stdout=subprocess.PIPE).stdout
        assert connect().startswith("OSError")
        # and where the modes do not keep them out, the agent itself does
        for path in (service.directory, os.path.dirname(service.socket_path())):
            os.chmod(path, 0o755)
        os.chmod(service.socket_path(), 0o666)
        out = connect()
        assert '"result"' not in out and ("only the owner" in out or out.startswith("OSError")), out
        assert service.client().call("hello")["uid"] == 0


# ---- how many, and how they behave


def test_eight_clients_and_no_more(python):
    with idle(python) as service:
        clients = [service.client() for _ in range(8)]
        assert all(client.call("status")["pid"] == service.pid for client in clients)
        assert clients[0].call("status")["agent"]["clients"] == 8
        for _ in range(3):
            ninth = service.client()
            assert ninth.line()["error"]["code"] == -32006
            with pytest.raises(Closed):
                ninth.line()
        assert all(client.call("status") for client in clients)
        clients.pop().close()
        wait_for(lambda: clients[0].call("status")["agent"]["clients"] == 7)
        assert service.client().call("hello")["pid"] == service.pid


def test_bad_clients_delay_nobody(python):
    """Seven bad ones, and an eighth that asks; what it waits for is compared with what it waits for
    when it is alone, generously: one that were held up by another would wait for seconds."""
    with idle(python, 2000) as service:
        good = service.client()

        def slowest(n=60):
            worst = 0
            for _ in range(n):
                begun = time.monotonic()
                assert len(good.call("tasks", limit=50)["rows"]) == 50
                worst = max(worst, time.monotonic() - begun)
            return worst

        alone = slowest()
        silent = service.client()
        half = service.client()
        half.send(b'{"jsonrpc":"2.0","id":1,"meth')
        slow = service.client(rcvbuf=2048)
        for n in range(500):  # asks for megabytes and never reads
            try:
                slow.socket.settimeout(0.05)
                slow.send({"jsonrpc": "2.0", "id": n, "method": "tasks", "params": {"limit": 4096}})
            except TimeoutError:
                break
        watcher = service.client(rcvbuf=2048)
        watcher.send({"jsonrpc": "2.0", "id": 1, "method": "subscribe",
                      "params": {"interval_ns": 100000000, "tasks": {"limit": 4096}}})
        garbage = service.client()
        garbage.socket.settimeout(0.05)
        gone = service.client()
        gone.send({"jsonrpc": "2.0", "id": 1, "method": "tasks", "params": {"limit": 4096}})
        gone.close()
        try:
            for n in range(2000):
                garbage.send(os.urandom(512) + b"\n")
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        assert slowest() < alone * 20 + 1
        for _ in range(20):
            with Client(service.socket_path()) as client:
                try:
                    client.send({"jsonrpc": "2.0", "id": 1, "method": "stack", "params": {"id": 1}})
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the one before is not gone yet: too many
        assert slowest() < alone * 20 + 1
        # they are served, too, once they behave
        assert silent.call("hello")["pid"] == service.pid
        half.send(b'od":"hello"}\n')
        assert half.line()["result"]["pid"] == service.pid
        status = good.call("status")
        assert status["agent"]["bytes"] < status["agent"]["bytes_max"]
        assert service.process.poll() is None


# ---- lines


@pytest.mark.parametrize("line, code", [
    ("", None), ("{", -32700), ("nonsense", -32700), ("\xff", -32700), ("[" * 17 + "]" * 17, -32700),
    ('{"a":' * 17 + "1" + "}" * 17, -32700), ("[" * 30000, -32700),
    ("[]", -32600), ("1", -32600), ('"x"', -32600), ("null", -32600), ("{}", -32600),
    ('[{"jsonrpc":"2.0","id":1,"method":"status"}]', -32600),
    ('{"jsonrpc":"1.0","id":1,"method":"status"}', -32600),
    ('{"jsonrpc":"2.0","id":1,"method":5}', -32600),
    ('{"jsonrpc":"2.0","id":1}', -32600),
    ('{"jsonrpc":"2.0","id":{},"method":"status"}', -32600),
    ('{"jsonrpc":"2.0","id":1,"method":"no such"}', -32601),
    ('{"jsonrpc":"2.0","id":1,"method":""}', -32600),
    ('{"jsonrpc":"2.0","id":1,"method":"status","params":5}', -32600),
])
def test_lines_that_are_no_request(shared, line, code):
    client = shared.client()
    with client:
        if code is None:
            client.send(b"\n\n\r\n")
        else:
            found = error_of(client, line)
            assert found == code or (code == -32600 and found == -32602), found
        assert client.call("hello")["pid"] == shared.pid


@pytest.mark.parametrize("method, params, field", [
    ("tasks", {"limit": "x"}, "limit"), ("tasks", {"limit": 100000}, "limit"),
    ("tasks", {"limit": -1}, "limit"), ("tasks", {"limit": 1.5}, "limit"),
    ("tasks", {"offset": 1e300}, "offset"), ("tasks", {"sort": "no such"}, "sort"),
    ("tasks", {"sort": 5}, "sort"), ("tasks", {"filter": 5}, "filter"),
    ("tasks", {"filter": "x" * 600}, "filter"), ("tasks", {"reverse": 1}, "reverse"),
    ("tasks", {"ids": {}}, "ids"), ("tasks", {"ids": ["x"]}, "ids"),
    ("tasks", {"ids": list(range(2000))}, "ids"), ("tasks", {"finished": "no"}, "finished"),
    ("stack", {"id": "x"}, "id"), ("stack", {"id": -1}, "id"), ("stack", {"id": True}, "id"),
    ("cancel", {}, "ids"), ("cancel", {"ids": []}, "ids"), ("cancel", {"ids": [1.5]}, "ids"),
    ("cancel", {"ids": [1], "message": 5}, "message"),
    ("cancel", {"ids": [1], "message": "x" * 300}, "message"),
    ("cancel", {"ids": [1], "wait_ns": 61 * 10**9}, "wait_ns"),
    ("loops", {"history": 1}, "history"), ("memory", {"history": "yes"}, "history"),
    ("events", {"after": "x"}, "after"), ("events", {"limit": 1000}, "limit"),
    ("subscribe", {"interval_ns": 1}, "interval_ns"),
    ("subscribe", {"interval_ns": 10**9, "tasks": 5}, "tasks"),
    ("subscribe", {"interval_ns": 10**9, "tasks": {"limit": "x"}}, "limit"),
    ("hello", {"protocol": "x"}, "protocol"),
])
def test_params_that_are_wrong(shared, method, params, field):
    with shared.client() as client:
        with pytest.raises(RpcError) as caught:
            client.call(method, **params)
        assert caught.value.code == -32602
        assert caught.value.data["field"] == field
        assert client.call("hello")["pid"] == shared.pid


def test_other_errors(shared):
    with shared.client() as client:
        for method, params, code in (("hello", {"protocol": 99}, -32001), ("stack", {"id": 10**9}, -32003),
                                     ("stack", {"id": 0}, -32003)):
            with pytest.raises(RpcError) as caught:
                client.call(method, **params)
            assert caught.value.code == code
        for text, column in (("state:", 7), ("name:x no:such", 8), ("age>x", 5)):
            with pytest.raises(RpcError) as caught:
                client.call("tasks", filter=text)
            assert (caught.value.code, caught.value.data["field"]) == (-32602, "filter")
            assert abs(caught.value.data["column"] - column) <= 1, (text, caught.value.data)


def test_long_lines(shared):
    with shared.client() as client:
        def padded(size, number):
            request = '{"jsonrpc":"2.0","id":%d,"method":"hello","params":{"client":"%%s"}}' % number
            return request % ("x" * (size - len(request % "") - 1))
        client.send(padded(64 * 1024, 7))  # the newline included
        assert client.line()["id"] == 7
        for size in (64 * 1024 + 1, 64 * 1024 + 2, 70000, 200000, 3 << 20):
            assert error_of(client, padded(size, 8)) == -32005
            assert client.call("hello")["pid"] == shared.pid


def test_halves_of_lines_and_many_at_once(shared):
    with shared.client() as client:
        request = b'{"jsonrpc":"2.0","id":"%d","method":"hello"}\n'
        for byte in request % 1:
            client.send(bytes([byte]))
        assert client.line()["id"] == "1"
        client.send(b"".join(request % n for n in range(500)).replace(b"\n", b"\r\n", 250))
        assert [client.line()["id"] for _ in range(500)] == [str(n) for n in range(500)]
        # what takes the GIL comes when it is done: matched by id
        client.send(b"".join(
            b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":{"id":1}}\n' % (n, method)
            for n, method in enumerate([b"stack", b"hello", b"tasks", b"stack", b"status"] * 10)))
        answers = {}
        while len(answers) < 50:
            answer = client.line()
            answers[answer["id"]] = answer["result"]
        assert all("frames" in answers[n] for n in range(0, 50, 5))


def test_notifications_get_no_answer(shared):
    with shared.client() as client:
        client.send('{"jsonrpc":"2.0","method":"status"}\n{"jsonrpc":"2.0","method":"no such"}\n'
                    '{"jsonrpc":"2.0","method":"tasks","params":{"limit":"x"}}')
        # and those whose answer takes a while
        row = client.row("sleeper 3")
        client.send('{"jsonrpc":"2.0","method":"stack","params":{"id":%d}}\n'
                    '{"jsonrpc":"2.0","method":"cancel","params":{"ids":[999999]}}' % row["id"])
        number = client.request("stack", id=row["id"])
        assert client.line()["id"] == number
        assert client.answer(client.request("hello"))["result"]["pid"] == shared.pid


@pytest.mark.parametrize("kind", ["id 5", "id -1", "id null", 'id "text"', "id 1.5"])
def test_ids_come_back_as_they_were(shared, kind):
    with shared.client() as client:
        number = kind[3:]
        client.send('{"jsonrpc":"2.0","id":%s,"method":"hello"}' % number)
        answer = client.line()
        assert answer["id"] == json.loads(number)


def test_a_client_that_has_said_all(python):
    """As `echo … | socat - UNIX:…` does: its side is closed, and the answer still comes."""
    with idle(python) as service:
        row = service.client().row("sleeper 3")
        for method, params in (("status", {}), ("stack", {"id": row["id"]}),
                               ("cancel", {"ids": [row["id"]]})):
            client = service.client()
            client.request(method, **params)
            client.socket.shutdown(socket.SHUT_WR)
            assert "result" in client.line()
            with pytest.raises(Closed):
                client.line()


# ---- subscriptions


def test_subscriptions_at_two_rates(python):
    with idle(python) as service:
        fast, slow = service.client(), service.client()
        assert fast.call("subscribe", interval_ns=100000000, tasks={"limit": 3}) == {"subscription": 1}
        assert slow.call("subscribe", interval_ns=400000000) == {"subscription": 1}
        slows = [slow.update() for _ in range(3)]
        fasts = []
        while len(fasts) < 5:
            fasts.append(fast.update())
        assert [update["seq"] for update in fasts] == [1, 2, 3, 4, 5]
        assert [update["seq"] for update in slows] == [1, 2, 3]
        assert len(fasts[0]["tasks"]["rows"]) == 3 and "tasks" not in slows[0]
        assert slows[0]["status"]["pid"] == service.pid

        def mean(updates):
            times = [update["status"]["time_s"] for update in updates]
            return (times[-1] - times[0]) / (len(times) - 1)
        assert mean(slows) > mean(fasts)

        assert fast.call("subscribe", interval_ns=3600 * 10**9)["subscription"] == 1
        while (last := fast.update())["seq"] != 1:  # the new one's first comes at once
            pass
        assert last["seq"] == 1
        slow.call("unsubscribe")
        slow.updates.clear()
        slow.call("hello")
        assert fast.call("hello") and not fast.updates and not slow.updates


# ---- windows


def test_sorts_and_windows(shared):
    with shared.client() as client:
        everything = client.call("tasks", limit=4096)
        columns = everything["columns"]
        for column in columns:
            for reverse in (False, True):
                rows = client.rows(sort=column, reverse=reverse)
                assert len(rows) == everything["total"] == 11
                values = [row[column] for row in rows]
                if column in ("id", "steps", "max_step_ns", "busy_ns", "parent"):
                    assert values == sorted(values, reverse=not reverse), column
                if column == "name":
                    assert values == sorted(values, key=str.lower, reverse=reverse)
        names = [row["name"] for row in client.rows(sort="name")]
        windows = [[row["name"] for row in client.rows(sort="name", offset=n, limit=4)]
                   for n in (0, 4, 8, 12)]
        assert sum(windows, []) == names and [len(window) for window in windows] == [4, 4, 3, 0]
        assert client.rows(limit=0) == []
        target = [row for row in client.rows(sort="name")][6]
        result = client.call("tasks", sort="name", focus=target["id"], limit=1)
        assert result["focus_index"] == 6
        assert client.call("tasks", focus=10**6)["focus_index"] is None
        ids = [row["id"] for row in client.rows()][:3]
        assert {row["id"] for row in client.rows(ids=ids + [10**6])} == set(ids)
        found = client.call("tasks", filter="name:sleeper*")
        assert (found["matched"], found["total"]) == (10, 11)
        assert client.call("tasks", filter="state:wait coro~sleep age>0s")["matched"] == 10
        assert client.call("tasks", filter="name:none | steps>=1000000")["matched"] == 0


def test_pages_while_tasks_come_and_go(python):
    """Over 10,000 tasks that stay, each page of another size: every one of them exactly once."""
    with Service.inline(python, """
        import asyncio
        import looptop
        async def stays():
            await asyncio.sleep(3600)
        async def goes():
            await asyncio.sleep(0.001)
        async def main():
            tasks = []
            for n in range(110):
                tasks += [asyncio.create_task(stays()) for _ in range(100)]
                tasks += [asyncio.create_task(goes()) for _ in range(10)]
                await asyncio.sleep(0)
            print("READY", flush=True)
            while True:
                await asyncio.gather(*(goes() for _ in range(50)))
        assert looptop.start()
        asyncio.run(main())
    """) as service:
        service.expect("READY")
        client = service.client()
        for limit in (4096, 997):
            seen, after = [], 0
            while True:
                rows = client.rows(sort="id", reverse=True, after=after, limit=limit, finished=False)
                if not rows:
                    break
                ids = [row["id"] for row in rows]
                assert ids == sorted(ids) and ids[0] > after
                seen += [row["id"] for row in rows if row["coroutine"] == "stays"]
                after = ids[-1]
                if len(seen) >= 11000 and len(rows) < limit:
                    break
            assert len(seen) == len(set(seen)) == 11000
