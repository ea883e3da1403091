# SPDX-License-Identifier: MIT
"""Start and stop, fork and exec, loops and threads that come and go, and the end of the interpreter."""

import os
import signal
import socket
import time

import pytest

from looptop_client import (
    Closed, RpcError, Service, full_version, python_with, run, version, wait_for)

PRELUDE = """
import asyncio, os, sys
import looptop

async def sleeper(seconds=3600):
    await asyncio.sleep(seconds)

def spawn(n, name="sleeper"):
    return [asyncio.create_task(sleeper(), name="%s %d" % (name, i)) for i in range(n)]

async def line():
    # without a thread: fork() warns of those
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(0, ready.set_result, None)
    await ready
    loop.remove_reader(0)
    return os.read(0, 1000)
"""


TSAN = "tsan" in os.environ.get("LD_PRELOAD", "")


def fork_warnings(python):
    """Lets fork() warn of threads. 3.13.0 counts those that are started again after the fork;
    ThreadSanitizer has one of its own."""
    if full_version(python) == "3.13.0" or TSAN:
        return ["-W", "ignore::DeprecationWarning"]
    return ["-W", "default::DeprecationWarning"]


def inline(python, source, *arguments, **keywords):
    return Service.inline(python, PRELUDE + source, *arguments, **keywords)


# ---- fork and exec


def up_s(pid):
    start = open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[19]
    return float(open("/proc/uptime").read().split()[0]) - int(start) / os.sysconf("SC_CLK_TCK")


def test_fork_in_a_running_task(python):
    with inline(python, """
async def child_main():
    tasks = spawn(3, "child's")
    await asyncio.sleep(0)
    print("CHILD", os.getpid(), flush=True)
    await asyncio.sleep(3600)

async def main():
    tasks = spawn(5, "parent's")
    await asyncio.sleep(0)
    await line() # a second later: the child's age is not the parent's
    pid = os.fork()
    if pid == 0:
        asyncio.run(child_main())
    print("PARENT", flush=True)
    await line()
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    for task in tasks:
        task.cancel()
assert looptop.start()
asyncio.run(main())
""", options=fork_warnings(python)) as service:
        parents = service.client()
        wait_for(lambda: parents.call("status")["agent_up_ns"] > 1.2e9)
        service.tell()
        lines = sorted(service.line() for _ in range(2))
        child = int(lines[0].split()[1])
        assert lines[1] == "PARENT"
        childs = service.client(child)
        assert parents.call("hello")["pid"] == service.pid
        assert childs.call("hello")["pid"] == child
        assert service.sockets() == sorted("%d.sock" % pid for pid in (service.pid, child))

        wait_for(lambda: parents.totals()["steps"] == 8)
        totals = parents.totals()
        assert (totals["created"], totals["tasks"]) == (6, 6)
        assert {row["name"] for row in parents.rows()} == {"Task-1"} | {
            "parent's %d" % n for n in range(5)}

        def all_there():
            names = {row["name"]: row for row in childs.rows()}
            return names if len([name for name in names if name.startswith("child's")]) == 3 else None
        rows = wait_for(all_there)
        assert all(rows["child's %d" % n]["state"] == "wait" for n in range(3))
        # what was there at the fork lives on, if only as objects
        assert childs.call("status")["hooks"]["state"] == "active"
        childs.call("cancel", ids=[rows["child's 1"]["id"]])
        assert childs.row("child's 1")["state"] == "cancelled"
        assert parents.totals()["cancelled"] == 0

        # each speaks of its own process; the kernel's figure is in hundredths of a second
        for client, pid in ((parents, service.pid), (childs, child)):
            status = client.call("status")
            assert status["process_up_ns"] >= status["agent_up_ns"] - 2e7
            assert abs(status["process_up_ns"] / 1e9 - up_s(pid)) < 1

        service.tell()
        assert service.wait() == 0
        # the child was killed and could not tidy up
        assert service.sockets() == ["%d.sock" % child]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(python, method):
    with inline(python, """
import multiprocessing
async def child_main():
    tasks = spawn(3)
    await asyncio.sleep(0)
    print("CHILD", os.getpid(), flush=True)
    await asyncio.sleep(3600)

def child():
    asyncio.run(child_main())

assert looptop.start()
if __name__ == "__main__":
    process = multiprocessing.get_context("%s").Process(target=child)
    process.start()
    sys.stdin.readline()
    process.terminate()
    process.join()
    print("JOINED", process.exitcode)
""" % method, options=fork_warnings(python)) as service:
        child = int(service.line().split()[1])
        client = service.client(child)
        wait_for(lambda: client.totals()["tasks"] == 4)
        wait_for(lambda: client.totals()["steps"] == 5)
        assert client.totals()["created"] == 4
        assert service.client().totals()["created"] == 0
        service.tell()
        service.expect("JOINED -15")
        assert service.wait() == 0


def test_fork_again_and_again(python):
    """Children that end at once, some of them grandchildren; the parent's agent answers all the time."""
    with inline(python, """
async def main():
    tasks = spawn(10)
    for n in range(20):
        pid = os.fork()
        if pid == 0:
            if n % 4 == 0 and os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.waitpid(pid, 0)
        await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
assert looptop.start()
client_may_come = print("STARTED", flush=True)
sys.stdin.readline()
asyncio.run(main())
""", options=fork_warnings(python)) as service:
        service.expect("STARTED")
        client = service.client()
        service.tell()
        while True:
            assert client.call("status")["pid"] == service.pid
            if not service._lines.empty():
                break
        service.expect("READY")
        totals = client.totals()
        assert totals["created"] == 11
        wait_for(lambda: client.totals()["steps"] == 1 + 10 + 20)
        wait_for(lambda: service.sockets() == ["%d.sock" % service.pid])
        service.tell()
        assert service.wait() == 0


@pytest.mark.skipif(TSAN, reason="libtsan cannot be preloaded into a shell")
def test_subprocesses(python):
    """Children that are no Python of ours: descriptors are not inherited, the socket stays."""
    with inline(python, """
async def main():
    process = await asyncio.create_subprocess_exec("ls", "-l", "/proc/self/fd",
                                                   stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert b"eventpoll" not in out and b"socket" not in out.replace(b"pipe", b""), out
    assert os.system("exit 3") >> 8 == 3
    print("READY", flush=True)
    await line()
assert looptop.start()
asyncio.run(main())
""") as service:
        service.expect("READY")
        assert service.client().totals()["tasks"] >= 1
        service.tell()
        assert service.wait() == 0
        assert service.sockets() == []


def test_exec(python):
    """The socket goes before the program does; an exec that fails leaves everything as it was."""
    with inline(python, """
async def main():
    tasks = spawn(3)
    await asyncio.sleep(0)
    for call, arguments in ((os.execv, ("/no/such/file", ["x"])), (os.execvp, ("no such", ["x"])),
                            (os.execve, ("/no/such/file", ["x"], {}))):
        try:
            call(*arguments)
        except FileNotFoundError as error:
            print(type(error).__name__, flush=True)
    await line()
    if len(sys.argv) > 1:
        os.execv("/bin/sleep", ["sleep", "3600"])
    os.execve("/bin/sleep", ["sleep", "3600"], dict(os.environ))
assert looptop.start()
asyncio.run(main())
""") as service:
        for _ in range(3):
            service.expect("FileNotFoundError")
        client = service.client()
        rows = client.rows()
        assert len(rows) == 4 and all(row["age_exact"] == 1 for row in rows)
        assert {row["name"]: row["steps"] for row in rows}["sleeper 0"] == 1
        assert client.totals()["created"] == 4
        service.tell()
        wait_for(lambda: os.readlink("/proc/%d/exe" % service.pid).endswith("/sleep"))
        assert service.sockets() == []


@pytest.mark.parametrize("how", ["os._exit(7)", "sys.exit(7)", "raise SystemExit(7)"])
def test_ends_leave_no_socket(python, how):
    done = run(python, PRELUDE + """
async def main():
    spawn(3)
    await asyncio.sleep(0)
    %s
assert looptop.start()
asyncio.run(main())
""" % how)
    assert (done.returncode, done.stderr, done.sockets) == (7, "", [])


def test_a_socket_left_behind_is_swept(python):
    with inline(python, """
async def main():
    if len(sys.argv) == 1:
        pid = os.fork()
        if pid == 0:
            os.kill(os.getpid(), 15)
        os.waitpid(pid, 0)
        print(pid, flush=True)
    await line()
    looptop.stop()
    looptop.start()
    print("AGAIN", flush=True)
    await line()
assert looptop.start()
asyncio.run(main())
""", options=fork_warnings(python)) as service:
        dead = service.line()
        # killed by the signal's default action: nobody could tidy up
        assert service.sockets() == sorted(["%s.sock" % dead, "%d.sock" % service.pid])
        service.tell()
        service.expect("AGAIN")
        assert service.sockets() == ["%d.sock" % service.pid]
        service.process.send_signal(signal.SIGTERM)
        assert service.wait() == -signal.SIGTERM


# ---- loops


def test_asyncio_run_twice(python):
    with inline(python, """
async def main(n):
    tasks = spawn(n)
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
    return n
assert looptop.start()
print(asyncio.run(main(2)), flush=True)
print(asyncio.run(main(3)), flush=True)
sys.stdin.readline()
""") as service:
        service.expect("READY")
        client = service.client()
        assert client.totals()["tasks"] == 3
        first = {row["id"] for row in client.rows()}
        service.tell()
        service.expect("2")
        service.expect("READY")
        rows = client.rows(finished=False)
        assert len(rows) == 4 and not first & {row["id"] for row in rows}
        assert len({row["loop"] for row in rows}) == 1
        loops = client.call("loops")["loops"]
        assert [loop["state"] for loop in loops if loop["id"] == rows[0]["loop"]] == ["running"]
            # one that is closed, but still somewhere, may be there
        assert "running" not in {
            loop["state"] for loop in loops if loop["id"] != rows[0]["loop"]}
        service.tell()
        service.expect("3")
        wait_for(lambda: client.totals()["tasks"] == 0)
        assert client.totals()["cancelled"] == 5
        assert "running" not in {loop["state"] for loop in client.call("loops")["loops"]}
        service.tell()
        assert service.wait() == 0


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_loops_in_threads(python, kind):
    if kind == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    with inline(python, """
import threading
if "%s" == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.new_event_loop
stop, ready = threading.Event(), []

async def main(n):
    tasks = spawn(n, "thread %%d" %% n)
    await asyncio.sleep(0)
    ready.append(n)
    while not stop.is_set():
        await asyncio.sleep(0.001)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

def thread(n):
    loop = new_loop()
    loop.run_until_complete(main(n))
    loop.close()

assert looptop.start()
threads = [threading.Thread(target=thread, args=(n,), name="T%%d" %% n) for n in range(1, 6)]
for each in threads:
    each.start()
while len(ready) < 5:
    pass
print("READY", flush=True)
sys.stdin.readline()
stop.set()
for each in threads:
    each.join()
print("JOINED", flush=True)
sys.stdin.readline()
""" % kind) as service:
        service.expect("READY")
        client = service.client()
        loops = {loop["id"]: loop for loop in client.call("loops")["loops"]}
        assert len(loops) == 5
        assert {loop["kind"] for loop in loops.values()} == {kind}
        assert len({loop["thread"]["tid"] for loop in loops.values()}) == 5
        assert sorted(loop["tasks"] for loop in loops.values()) == [2, 3, 4, 5, 6]
        rows = client.rows()
        assert len(rows) == 20
        for n in range(1, 6):
            mine = [row for row in rows if row["name"].startswith("thread %d " % n)]
            assert len(mine) == n
            (loop,) = {row["loop"] for row in mine}
            assert loops[loop]["tasks"] == n + 1
            (parent,) = {row["parent"] for row in mine}
            assert [row["loop"] for row in rows if row["id"] == parent] == [loop]
        service.tell()
        service.expect("JOINED")
        wait_for(lambda: client.totals()["tasks"] == 0)
        assert (client.totals()["finished"], client.totals()["cancelled"]) == (5, 15)
        assert "running" not in {loop["state"] for loop in client.call("loops")["loops"]}
        service.tell()
        assert service.wait() == 0


# ---- the end of the interpreter

ENDS = {
    "pending tasks": """
loop = asyncio.new_event_loop()
task = loop.create_task(sleeper(), name="never run")
other = loop.create_task(sleeper(), name="run")
loop.run_until_complete(nothing())
loop.close()
""",
    "an open loop": """
loop = asyncio.new_event_loop()
kept = loop.create_task(sleeper(), name="kept")
loop.run_until_complete(nothing())
""",
    "an exception nobody retrieved": """
async def fails():
    raise ValueError("x")
async def main():
    global kept
    kept = asyncio.create_task(fails(), name="fails")
    await asyncio.sleep(0)
asyncio.run(main())
""",
    "sys.exit in a task": """
async def exits():
    sys.exit(4)
async def main():
    task = asyncio.create_task(exits())
    await sleeper()
asyncio.run(main())
""",
    "an exception": """
async def main():
    spawn(4)
    await asyncio.sleep(0)
    raise LookupError("x")
asyncio.run(main())
""",
    "a daemon thread with a loop": """
import threading
started = threading.Event()
async def main():
    started.set()
    while True:
        await asyncio.sleep(0)
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
started.wait()
""",
    "an async generator": """
async def agen():
    try:
        yield 1
    finally:
        print("closed")
async def main():
    async for _ in agen():
        break
asyncio.run(main())
""",
    "in a destructor": """
class Last:
    def __del__(self):
        asyncio.run(nothing())
        print("last")
last = Last()
sys.last_one = last
""",
}


@pytest.mark.parametrize("case", ENDS)
def test_ends_say_what_they_say_without_an_agent(python, case):
    source = PRELUDE + """
looptop.start()
async def nothing():
    await asyncio.sleep(0)
""" + ENDS[case]
    with_agent, without = run(python, source), run(python, source, LOOPTOP="0")
    assert (with_agent.returncode, with_agent.stdout) == (without.returncode, without.stdout)
    clean = [strip_addresses(done.stderr) for done in (with_agent, without)]
    if case == "pending tasks":
        # which of the two goes first depends on when garbage was last collected
        clean = [sorted(text.splitlines()) for text in clean]
    assert clean[0] == clean[1]
    assert with_agent.sockets == []


def strip_addresses(text):
    import re
    return re.sub("0x[0-9a-f]{6,}", "0x", text)


# ---- stop, detach, switches


def test_stop_and_start_again(python):
    with inline(python, """
async def main():
    tasks = spawn(3)
    await asyncio.sleep(0)
    for _ in range(20):
        looptop.stop()
        looptop.stop()
        await asyncio.sleep(0)
        assert looptop.start() and looptop.start()
    looptop.stop()
    more = spawn(2, "more")
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.sleep(0)
    print("STOPPED", flush=True)
    await line()
    assert looptop.start()
    print("STARTED", flush=True)
    await line()
assert looptop.start()
asyncio.run(main())
""") as service:
        service.expect("STOPPED")
        assert service.sockets() == []
        service.tell()
        service.expect("STARTED")
        client = service.client()
        wait_for(lambda: client.call("status")["hooks"] == {
            "state": "active", "message": None, "population": "done"})
        rows = {row["name"]: row for row in client.rows(finished=False)}
        assert set(rows) == {"Task-1", "sleeper 1", "sleeper 2", "more 0", "more 1"}
        assert {rows[name]["age_exact"] for name in ("more 0", "more 1")} == {0}
        assert len({row["id"] for row in rows.values()}) == 5
        assert {row["state"] for name, row in rows.items() if name != "Task-1"} == {"wait"}
        service.tell()
        assert service.wait() == 0
        assert service.sockets() == []


def test_detach(python):
    with inline(python, """
async def main():
    tasks = spawn(3)
    print("READY", flush=True)
    await line()
    assert looptop.start()
    print("AGAIN", flush=True)
    await line()
assert looptop.start()
asyncio.run(main())
""") as service:
        service.expect("READY")
        one, other = service.client(), service.client()
        one.call("detach")
        assert service.sockets() == []
        for client in one, other:
            with pytest.raises(Closed):
                client.line()

        def threads():
            names = []
            for tid in os.listdir("/proc/%d/task" % service.pid):
                with open("/proc/%d/task/%s/comm" % (service.pid, tid)) as file:
                    names.append(file.read().strip())
            return names
        wait_for(lambda: not [name for name in threads() if name.startswith("looptop")])
        service.tell()
        service.expect("AGAIN")
        client = service.client()
        wait_for(lambda: len(client.rows()) == 4)
        service.tell()
        assert service.wait() == 0


def test_switched_off(python):
    with inline(python, """
assert not looptop.start()
print("READY", flush=True)
sys.stdin.readline()
""", LOOPTOP="0") as service:
        service.expect("READY")
        assert service.sockets() == []
        assert "looptop_agent" not in open("/proc/%d/maps" % service.pid).read()


def test_readonly(python):
    with inline(python, """
async def main():
    tasks = spawn(1)
    print("READY", flush=True)
    await line()
assert looptop.start()
asyncio.run(main())
""", LOOPTOP_READONLY="1") as service:
        service.expect("READY")
        client = service.client()
        assert client.call("hello")["readonly"] is True
        row = client.wait_row("sleeper 0", state="wait")
        with pytest.raises(RpcError) as caught:
            client.call("cancel", ids=[row["id"]])
        assert caught.value.code == -32002
        assert client.stack("sleeper 0")["frames"]
        assert client.row("sleeper 0")["state"] == "wait"


def test_asyncio_is_not_there_yet(python):
    with Service.inline(python, """
        import sys
        import looptop
        assert looptop.start() and "asyncio" not in sys.modules
        print("READY", flush=True)
        sys.stdin.readline()
        import asyncio
        print("IMPORTED", flush=True)
        async def main():
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        asyncio.run(main())
    """) as service:
        service.expect("READY")
        client = service.client()
        status = client.call("status")
        assert status["hooks"]["state"] == "waiting"
        assert client.rows() == []
        for method, params in (("stack", {"id": 1}), ("cancel", {"ids": [1]})):
            with pytest.raises(RpcError) as caught:
                client.call(method, **params)
            assert caught.value.code == -32007
        service.tell()
        service.expect("IMPORTED")
        assert client.call("status")["hooks"]["state"] == "active"
        row = client.wait_row("Task-1", state="wait")
        assert (row["age_exact"], row["steps"]) == (1, 1)
        service.tell()
        assert service.wait() == 0


# ---- other interpreters of the process


SUBINTERPRETER = """
def make():
    try:
        from concurrent import interpreters
        interpreter = interpreters.create()
        return interpreter.exec
    except ImportError:
        pass
    try:
        import _interpreters as low
    except ImportError:
        import _xxsubinterpreters as low
    number = low.create()
    def execute(code):
        problem = low.run_string(number, code)
        assert problem is None, problem
    return execute
"""


def test_subinterpreters(python):
    """Tasks of another interpreter are not ours. On 3.11 one in a thread beside a running loop would
    disturb asyncio itself, whose C module keeps the running loop once a process."""
    with inline(python, SUBINTERPRETER + """
import threading
INNER = '''
import asyncio, logging, sys
logging.basicConfig(stream=sys.stdout)
sys.path[:0] = %r
import looptop
if looptop.start():
    raise AssertionError("it started in a subinterpreter")
async def sleeper(n):
    for _ in range(n):
        await asyncio.sleep(0)
async def main():
    await asyncio.gather(*(sleeper(20) for n in range(100)))
loop = asyncio.SelectorEventLoop()
loop.run_until_complete(main())
loop.close()
''' % (sys.path,)

async def beside():
    thread = threading.Thread(target=execute, args=(INNER,))
    thread.start()
    while thread.is_alive():
        await asyncio.sleep(0.001)

async def main():
    tasks = spawn(5)
    await asyncio.sleep(0)
    return tasks

assert looptop.start()
execute = make()
loop = asyncio.new_event_loop()
tasks = loop.run_until_complete(main())
execute(INNER)
if sys.version_info >= (3, 12):
    loop.run_until_complete(beside())
print("READY", flush=True)
loop.run_until_complete(line())
""") as service:
        said = service.line()
        while said != "READY":
            assert "main interpreter only" in said
            said = service.line()
        client = service.client()
        made = 7 + (version(python) >= (3, 12))
        rows = wait_for(lambda: (lambda found: found if len(found) == made else None)(
            {row["name"]: row for row in client.rows()}))
        mine = ["sleeper %d" % n for n in range(5)]
        assert [rows[name]["steps"] for name in mine] == [1] * 5
        assert {row["state"] for name, row in rows.items() if name in mine} == {"wait"}
        assert client.totals()["created"] == made
        assert len(client.call("loops")["loops"]) == 1
        # its end is not waited for: 3.12.1 crashes there by itself


def test_waits_of_tasks_are_lag(python):
    """uvloop's iterations are not seen; what a task waits for its turn is, once the loop runs."""
    python, reason = python_with(python, "uvloop")
    if python is None:
        pytest.skip(reason)
    with inline(python, """
import time, uvloop

async def main():
    asyncio.get_running_loop().call_soon(time.sleep, 0.06)
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()

assert looptop.start()
loop = uvloop.new_event_loop()
task = loop.create_task(main())
time.sleep(1.5)
loop.run_until_complete(task)
""") as service:
        service.expect("READY")
        client = service.client()

        def lag():
            (loop,) = client.call("loops")["loops"]
            return loop["lag_ns"]["max"]
        wait_for(lambda: lag() >= 60_000_000)
        assert lag() < 1_500_000_000
        service.tell()
        assert service.wait() == 0


def test_a_blocked_uvloop_that_nobody_watched(python):
    """The step under way counts as busy and as lag, though it has not ended."""
    python, reason = python_with(python, "uvloop")
    if python is None:
        pytest.skip(reason)
    with inline(python, """
import threading, uvloop
go_on = threading.Event()

async def main():
    await asyncio.sleep(1.2)
    print("BLOCKED", flush=True)
    go_on.wait(60)
    print("END", flush=True)

assert looptop.start()
threading.Thread(target=lambda: (sys.stdin.readline(), go_on.set())).start()
uvloop.install()
asyncio.run(main())
""", options=["-W", "ignore::DeprecationWarning"]) as service:
        service.expect("BLOCKED")
        began = time.monotonic()
        client = service.client()

        def loop():
            return client.call("loops")["loops"][0]
        wait_for(lambda: loop()["busy_pct"] > 95)
        assert not loop()["busy_exact"]
        held_ns = (time.monotonic() - began) * 1e9
        assert loop()["lag_ns"]["now"] >= held_ns
        service.tell()
        service.expect("END")
        assert service.wait() == 0


def test_an_eager_task_in_its_first_step(python):
    """It gets its name while it is made, and loses its coroutine before the making is over."""
    if version(python) < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    with inline(python, """
import threading
go_on = threading.Event()

async def handler():
    print("IN", flush=True)
    go_on.wait(60)

async def named():
    pass

async def main():
    # so many that records of ended tasks serve again: no name of theirs is to be seen
    for _ in range(100):
        await asyncio.gather(*[asyncio.create_task(named(), name="of another") for _ in range(50)])
    task = asyncio.Task(handler(), loop=asyncio.get_running_loop(), eager_start=True)
    print("OUT", task.get_name(), flush=True)
    await line()

assert looptop.start()
threading.Thread(target=lambda: (sys.stdin.readline(), go_on.set())).start()
asyncio.run(main())
""") as service:
        service.expect("IN")
        client = service.client()

        def handler():
            (row,) = client.rows(filter="coro:handler")
            return row
        assert handler()["name"] != "of another"
        wait_for(lambda: handler()["name"].startswith("Task-"))
        assert handler()["state"] == "run"
        name = handler()["name"]
        service.tell()
        service.expect("OUT " + name)
        row = handler()
        assert (row["name"], row["state"]) == (name, "done")
        service.tell()
        assert service.wait() == 0


def test_a_loop_that_ends_as_garbage(python):
    """The weak reference of an entry made while the collector finalizes may die without a word."""
    with inline(python, """
import gc
class Client:
    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.me = self
        self.loop.run_until_complete(asyncio.sleep(0))

    def __del__(self):
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()

assert looptop.start()
for _ in range(5):
    Client()
gc.collect()
junk = [bytearray(48 * size) for size in range(200) for _ in range(200)]
print("READY", flush=True)
sys.stdin.readline()
""", stderr=None) as service:  # 3.12 complains of sockets that were collected first
        service.expect("READY")
        client = service.client()
        wait_for(lambda: all(loop["state"] == "closed" for loop in client.call("loops")["loops"]))
        service.tell()
        assert service.wait() == 0


def test_a_second_asyncio(python):
    """Tasks of another import of _asyncio are not ours: their end would not be seen."""
    with inline(python, """
assert looptop.start()
for name in [m for m in sys.modules if m == "_asyncio" or m.split(".")[0] == "asyncio"]:
    del sys.modules[name]
ours = asyncio
import asyncio as fresh

async def work():
    while True:
        await fresh.sleep(0.01)

async def again():
    tasks = [fresh.create_task(work()) for _ in range(20)]
    await fresh.sleep(0.1)

fresh.run(again())
print(fresh.Task is ours.Task, flush=True)
sys.stdin.readline()
""") as service:
        same = service.line() == "True"
        client = service.client()
        assert client.rows(finished=False) == []
        if not same:
            assert client.rows(filter="coro:work") == []
        service.tell()
        assert service.wait() == 0


def test_no_descriptor_is_free(python):
    """The io thread does not ask again and again, and answers when there is one."""
    with inline(python, """
import resource
assert looptop.start()
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
held = []
try:
    while True:
        held.append(os.open("/dev/null", os.O_RDONLY))
except OSError:
    pass
print("READY", flush=True)
sys.stdin.readline()
os.close(held.pop())
sys.stdin.readline()
""") as service:
        service.expect("READY")

        with socket.socket(socket.AF_UNIX) as waiting:
            waiting.settimeout(30)
            waiting.connect(service.socket_path())
            waiting.sendall(b'{"jsonrpc":"2.0","id":1,"method":"hello"}\n')
            assert service.rests("looptop-io")
            service.tell()
            assert b'"result"' in waiting.recv(65536)
        service.tell()
        assert service.wait() == 0


# ---- a population that is older than the agent


@pytest.mark.parametrize("kind", ["asyncio", "uvloop", "debug"])
def test_start_in_the_middle(python, kind):
    environ = {"PYTHONASYNCIODEBUG": "1"} if kind == "debug" else {}
    if kind == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    with inline(python, """
new_loop = asyncio.SelectorEventLoop
if "%s" == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop

async def stubborn():
    while True:
        try:
            await sleeper()
        except asyncio.CancelledError:
            pass

async def done():
    pass

async def main():
    asyncio.get_running_loop().slow_callback_duration = 3600
    tasks = spawn(5000)
    cancelled = asyncio.create_task(stubborn(), name="stubborn")
    ended = [asyncio.create_task(done(), name="ended") for _ in range(100)]
    future = asyncio.get_running_loop().create_future()
    async def wait():
        await future
    woken = asyncio.create_task(wait(), name="woken")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    cancelled.cancel()
    await asyncio.sleep(0)
    new = asyncio.create_task(done(), name="new")
    future.set_result(None)
    assert looptop.start()
    print("HELD", flush=True)
    os.read(0, 1000)
    born = asyncio.create_task(sleeper(), name="born")
    tasks[7].cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
    for task in asyncio.all_tasks():
        if task is not asyncio.current_task():
            task.cancel()
with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
""" % kind, **environ) as service:
        service.expect("HELD")
        client = service.client()
        service_rows = lambda: {row["name"]: row for row in all_rows(client)}  # noqa: E731
        service.tell()
        service.expect("READY")
        wait_for(lambda: client.call("status")["hooks"]["population"] == "done")
        rows = wait_for(lambda: (lambda r: r if len(r) >= 5005 else None)(service_rows()))
        sleepers = [row for name, row in rows.items() if name.startswith("sleeper")]
        assert len(sleepers) == 5000
        assert {row["age_exact"] for row in sleepers} == {0}
        assert {row["state"] for row in sleepers if row["name"] != "sleeper 7"} == {"wait"}
        assert rows["sleeper 7"]["state"] == "cancelled"
        assert {row["at"][1:] for row in sleepers if row["name"] != "sleeper 7"} == {
            (sleepers[0]["at"][1], "sleeper")}
        assert rows["born"]["age_exact"] == 1 and rows["born"]["state"] == "wait"
        assert rows["stubborn"]["state"] == "cancelling"
        assert rows["new"]["state"] == rows["woken"]["state"] == "done"
        assert "ended" not in rows
        assert client.totals()["created"] == 1  # by births seen
        assert len({row["id"] for row in rows.values()}) == len(rows)


def test_states_of_an_older_population(python):
    """Read while the loop is held: nothing has stepped since."""
    with inline(python, """
import time
async def done():
    pass
async def main():
    spawn(2)
    future = asyncio.get_running_loop().create_future()
    async def wait():
        await future
    woken = asyncio.create_task(wait(), name="woken")
    await asyncio.sleep(0)
    new = asyncio.create_task(done(), name="new")
    future.set_result(None)
    assert looptop.start()
    print("HELD", flush=True)
    os.read(0, 1000)  # without the GIL
asyncio.run(main())
""") as service:
        service.expect("HELD")
        client = service.client()
        wait_for(lambda: client.call("status")["hooks"]["population"] == "done")
        states = {row["name"]: row["state"] for row in client.rows()}
        assert states == {"sleeper 0": "wait", "sleeper 1": "wait", "woken": "ready", "new": "new",
                          "Task-1": "run"}
        service.tell()
        assert service.wait() == 0


def all_rows(client):
    """Page by page."""
    rows, after = [], 0
    while True:
        page = client.rows(sort="id", reverse=True, after=after, limit=4096)
        if not page:
            return rows
        rows += page
        after = page[-1]["id"]


# ---- ids


def test_ids_are_never_reused(python):
    with inline(python, """
async def short():
    await asyncio.sleep(0)
async def main():
    for _ in range(200):
        await asyncio.gather(*(asyncio.create_task(short()) for _ in range(100)))
    print("READY", flush=True)
    await line()
assert looptop.start()
print("STARTED", flush=True)
sys.stdin.readline()
asyncio.run(main())
""") as service:
        service.expect("STARTED")
        client = service.client()
        service.tell()
        seen = {}  # id to the time of birth
        while service._lines.empty():
            result = client.call("tasks", sort="id", limit=4096)
            now = time.monotonic_ns()
            ids = [row[0] for row in result["rows"]]
            assert len(set(ids)) == len(ids)
            for row in result["rows"]:
                ended = row[result["columns"].index("ended_ns")]
                age = row[result["columns"].index("age_ns")]
                born = now - age - max(ended, 0)
                assert abs(seen.setdefault(row[0], born) - born) < 5e9
        service.expect("READY")
        assert max(seen) > 4096
        totals = client.totals()
        assert (totals["created"], totals["finished"], totals["untracked"]) == (20001, 20000, 0)
        rows = client.rows(sort="id")
        assert max(row["id"] for row in rows) == 20001
        # records serve again: far fewer than tasks
        assert client.call("status")["agent"]["bytes"] < 4 << 20
        service.tell()
        assert service.wait() == 0
