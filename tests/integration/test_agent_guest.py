# SPDX-License-Identifier: MIT
"""The agent as a guest: what an application does to its descriptors, in its fork handlers, under its
locks and in its finalizers is the application's own business."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from looptop_client import Closed, environment, python_with, run, version, wait_for
from test_agent_life import PRELUDE, fork_warnings, inline


# ---- descriptors that the application closes


@pytest.mark.parametrize("again", [False, True], ids=["free", "taken"])
def test_every_descriptor_is_closed(python, again):
    """As a daemon does: the agent listens again, and touches none that has its numbers now."""
    with inline(python, """
import socket
assert looptop.start()
os.closerange(3, 4096)
pipes = [os.pipe() for _ in range(%d)]
pairs = [socket.socketpair() for _ in range(%d)]
print("READY", flush=True)
sys.stdin.readline()

async def main():
    task = spawn(1, "name")[0]
    print("RUNS", flush=True)
    await line()
asyncio.run(main())
looptop.stop()
for read, write in pipes:
    os.set_blocking(read, False)
    try:
        print("FOREIGN", os.read(read, 100))
    except BlockingIOError:
        os.close(read), os.close(write)
for one, other in pairs:
    for end in one, other:
        end.setblocking(False)
        try:
            print("FOREIGN", end.recv(100))
        except BlockingIOError:
            pass
    one.close(), other.close()
print("WHOLE", flush=True)
""" % ((4, 4) if again else (0, 0))) as service:
        service.expect("READY")

        def answers():
            # who came before the socket was lost is sent away
            try:
                client = service.client()
                return client if client.call("hello")["pid"] == service.pid else None
            except (OSError, Closed):
                return None
        first = wait_for(answers)
        service.tell()
        service.expect("RUNS")
        assert first.wait_row("name 0", state="wait")
        task = first.row("name 0")["id"]
        assert first.call("cancel", ids=[task])["results"][0]["outcome"] == "cancelled"
        service.tell()
        service.expect("WHOLE")
        assert service.wait() == 0
        assert service.sockets() == []


def test_a_daemon_gets_its_three_descriptors(python, tmp_path):
    """What it opens first after it has closed all are 0, 1 and 2."""
    said = tmp_path / "said"
    with inline(python, """
assert looptop.start()
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 4096)
got = [os.open("/dev/null", os.O_RDWR), os.dup2(0, 1), os.dup2(0, 2)]

async def main():
    print("written", flush=True)
    return [os.readlink("/proc/self/fd/%%d" %% fd) for fd in range(3)]
got.append(asyncio.run(main()))
with open(%r, "w") as file:
    print(got, end="", file=file)
os.rename(file.name, %r)
""" % (str(said) + ".new", str(said)), options=fork_warnings(python)) as service:
        assert service.wait() == 0
        wait_for(said.exists)
        assert said.read_text() == str([0, 1, 2, ["/dev/null"] * 3])


def test_numbers_are_as_without_the_agent(python):
    """The next descriptor that is opened has the lowest free number, also where 0, 1 and 2 are free."""
    with inline(python, """
saved = [os.dup(fd) for fd in range(3)]
for fd in range(3):
    os.close(fd)
started = looptop.start()
got = [os.open("/dev/null", os.O_RDONLY) for _ in range(3)]
for fd in range(3):
    os.dup2(saved[fd], fd)
print(started, got, [os.dup(0) - saved[0] for _ in range(2)], flush=True)
sys.stdin.readline()
print(os.dup(0) - saved[0], flush=True)
""") as service:
        assert service.line() == "True [0, 1, 2] [3, 4]"
        clients = [service.client() for _ in range(3)]
        assert {client.call("hello")["pid"] for client in clients} == {service.pid}
        service.tell()
        assert service.line() == "5"
        assert service.wait() == 0


@pytest.mark.parametrize("which", [":", "0:1", "1:2", "2:3"], ids=["all", "first", "second", "third"])
def test_the_io_thread_rests_after_its_descriptors_were_closed(python, which):
    with inline(python, """
def sockets():
    for name in sorted(os.listdir("/proc/self/fd"), key=int):
        try:
            if os.readlink("/proc/self/fd/" + name).startswith("socket:"):
                yield int(name)
        except OSError:
            pass
assert looptop.start()
found = list(sockets())
assert len(found) == 3
for fd in found[%s]:
    os.close(fd)
print("READY", flush=True)
sys.stdin.readline()
""" % which) as service:
        service.expect("READY")
        assert service.rests("looptop-io")
        assert service.client().call("hello")["pid"] == service.pid
        service.tell()
        assert service.wait() == 0


# ---- fork handlers of the application


# what is registered, and whether the agent runs afterwards; None: in the parent only
HANDLERS = {
    # a start in the child, before the agent's own handler comes to it
    "child": ("os.register_at_fork(after_in_child=looptop.start)\nlooptop.start()", True),
    "child later": ("looptop.start()\nos.register_at_fork(after_in_child=looptop.start)", True),
    "child stops": ("os.register_at_fork(after_in_child=looptop.stop)\nlooptop.start()", None),
    "starts": ("os.register_at_fork(before=looptop.start)", True),
    "starts again": ("os.register_at_fork(before=looptop.start)\nlooptop.start()", True),
    "stops": ("os.register_at_fork(before=looptop.stop)\nlooptop.start()", False),
    "stops first": ("looptop.start()\nos.register_at_fork(before=looptop.stop)", False),
    "forks": ("""
nested = []
def fork():
    if not nested:
        nested.append(0)
        nested[0] = os.fork()
        if nested[0] == 0:
            os._exit(0 if looptop._agent.socket_path() else 1)
        assert os.waitpid(nested[0], 0)[1] == 0
os.register_at_fork(before=fork)
looptop.start()""", True),
}


@pytest.mark.parametrize("case", HANDLERS)
def test_fork_handlers_start_and_stop(python, case):
    setup, runs = HANDLERS[case]
    done = run(python, PRELUDE + setup + """
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        async def main():
            print("CHILD", bool(looptop._agent.socket_path()), flush=True)
        asyncio.run(main())
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
print("PARENT", bool(looptop._agent.socket_path()), flush=True)
looptop.stop()
assert looptop.start()
looptop.stop()
print("END")
""", options=fork_warnings(python) if "start" not in case else ["-W", "ignore::DeprecationWarning"])
    assert (done.returncode, done.stderr, done.sockets) == (0, "", [])
    assert done.stdout.split("\n") == ["CHILD %s" % bool(runs)] * 3 + [
        "PARENT %s" % (runs is not False), "END", ""]


def test_two_threads_fork_and_a_third_starts_and_stops(python):
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a sanitizer's allocator may be locked for ever by a fork beside other threads")
    done = run(python, PRELUDE + """
import threading, time

# before and after what the agent does for a fork
def slow():
    time.sleep(0.001)
os.register_at_fork(before=slow, after_in_parent=slow)
looptop.start()
os.register_at_fork(before=slow, after_in_parent=slow)

def forks():
    for _ in range(20):
        pid = os.fork()
        if pid == 0:
            # the third thread may have been in the middle of it, and is not here
            os._exit(0 if looptop.start() else 1)
        assert os.waitpid(pid, 0)[1] == 0
over = False
def stops():
    while not over:
        looptop.stop()
        looptop.start()
threads = [threading.Thread(target=forks) for _ in range(2)]
third = threading.Thread(target=stops)
third.start()
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
over = True
third.join()
print(bool(looptop._agent.socket_path()))
""", options=["-W", "ignore::DeprecationWarning"])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


def test_no_thread_of_the_agent_is_there_at_a_fork(python):
    """Another thread starts it between the agent's own part in the fork and the fork itself."""
    done = run(python, PRELUDE + """
import threading, time

def name(tid):
    try:
        return open("/proc/self/task/%s/comm" % tid).read()
    except OSError:
        return "" # ended
def threads():
    return sum("looptop" in name(tid) for tid in os.listdir("/proc/self/task"))
def start():
    looptop.start()
    started.append(looptop._agent.socket_path())

def before():
    looptop.stop()
    others.append(threading.Thread(target=start))
    others[-1].start()
    # long enough to see one
    until = time.monotonic() + 0.1
    while not threads() and time.monotonic() < until:
        time.sleep(0.001)
    counts.append(threads())

def after():
    others[-1].join()
    counts.append(threads())
counts, others, started = [], [], []
os.register_at_fork(before=before)
looptop.start()
os.register_at_fork(after_in_parent=after)
async def main():
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
asyncio.run(main())
print(counts, len(started))
""", options=["-W", "ignore::DeprecationWarning"])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "[0, 2, 0, 2, 0, 2] 3\n")


# registers fork handlers so slowly that a fork comes in between
SLOW = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <unistd.h>
typedef void handler(void);
int __register_atfork(handler *a, handler *b, handler *c, void *d)
{
    int (*stock)(handler *, handler *, handler *, void *) =
        (int (*)(handler *, handler *, handler *, void *))dlsym(RTLD_NEXT, "__register_atfork");
    usleep(200000);
    return stock(a, b, c, d);
}
"""


@pytest.mark.parametrize("child", ["sys.exit(0)", "looptop.start(); os._exit(0)",
                                   "os.fork() and os.wait(); os._exit(0)"], ids=["ends", "starts", "forks"])
def test_a_fork_within_the_first_start(python, child, tmp_path):
    """The child waits for no lock that the other thread, which is not there, has held."""
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a sanitizer's allocator may be locked for ever by a fork beside other threads")
    (tmp_path / "slow.c").write_text(SLOW)
    slow = str(tmp_path / "slow.so")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", slow, str(tmp_path / "slow.c"), "-ldl"], check=True)
    done = run(python, PRELUDE + """
import threading, time
go = threading.Event()
def before():
    go.set()
    time.sleep(0.1)
os.register_at_fork(before=before)
def start():
    go.wait()
    looptop.start()
thread = threading.Thread(target=start)
thread.start()
pid = os.fork()
if pid == 0:
    %s
until = time.monotonic() + 20
while os.waitpid(pid, os.WNOHANG)[0] == 0:
    if time.monotonic() > until:
        os.kill(pid, 9)
        print("the child hangs")
    time.sleep(0.01)
thread.join()
print(bool(looptop._agent.socket_path()))
""" % child, options=["-W", "ignore::DeprecationWarning"], LD_PRELOAD=slow)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "True\n")


def test_a_child_has_no_socket_of_a_parent_that_stops_meanwhile(python):
    """The kernel copies descriptors before memory: closed in between they would stay in the child."""
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a sanitizer's allocator may be locked for ever by a fork beside other threads")
    done = run(python, PRELUDE + """
import random, threading, time

def sockets():
    count = 0
    for name in os.listdir("/proc/self/fd"):
        try:
            count += os.readlink("/proc/self/fd/" + name).startswith("socket")
        except OSError:
            pass # of the list itself
    return count
def stop(barrier):
    barrier.wait()
    until = time.perf_counter() + random.random() * 0.0015
    while time.perf_counter() < until:
        pass
    looptop.stop()
found = 0
for _ in range(60):
    looptop.start()
    barrier = threading.Barrier(2)
    thread = threading.Thread(target=stop, args=[barrier])
    thread.start()
    barrier.wait()
    pid = os.fork()
    if pid == 0:
        looptop.stop()
        os._exit(sockets())
    found += os.waitpid(pid, 0)[1] != 0
    thread.join()
print(found)
""", options=["-W", "ignore::DeprecationWarning"])
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "0\n")


def test_no_thread_can_be_made_after_a_fork(python):
    """The agent comes back as soon as one can."""
    done = run(python, PRELUDE + """
import gc, resource, tempfile, time

def name(tid):
    try:
        return open("/proc/self/task/%s/comm" % tid).read().strip()
    except OSError:
        return "" # ended
def threads():
    return sorted(filter(None, (name(tid) for tid in os.listdir("/proc/self/task"))))[:2]
def limit(value):
    resource.setrlimit(resource.RLIMIT_NPROC, (value, hard))
def fork():
    try:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    except BlockingIOError:
        pass
looptop.start()
looptop.stop()
if os.geteuid() == 0: # whom no limit binds
    directory = tempfile.mkdtemp(dir="/tmp")
    os.chown(directory, 65534, 65534)
    os.environ["XDG_RUNTIME_DIR"] = directory
    os.setresuid(65534, 65534, 65534)
soft, hard = resource.getrlimit(resource.RLIMIT_NPROC)
assert looptop.start()
for back in (gc.collect, looptop.start, fork):
    limit(1)
    fork()
    alone = threads()
    assert not any("looptop" in name for name in alone), alone
    assert not looptop.start()
    limit(soft)
    back()
    assert threads() == ["looptop-gil", "looptop-io"], (back, threads())
    assert looptop.start()
looptop.stop()
if os.environ["XDG_RUNTIME_DIR"].startswith("/tmp/tmp"):
    os.rmdir(os.environ["XDG_RUNTIME_DIR"] + "/looptop")
print("END")
""", options=["-W", "ignore::DeprecationWarning"])
    assert (done.returncode, done.stdout) == (0, "END\n"), done.stderr
    assert done.stderr.count("no thread can be started") == 3


def test_a_program_that_forks_all_the_time_is_sampled(python):
    with inline(python, """
async def ticks():
    while True:
        await asyncio.sleep(0.01)
async def main():
    task = asyncio.create_task(ticks())
    while True:
        await asyncio.sleep(0.2)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
assert looptop.start()
asyncio.run(main())
""", options=["-W", "ignore::DeprecationWarning"]) as service:
        client = service.client()
        wait_for(lambda: client.call("status")["rates"]["steps"] > 0)
        wait_for(lambda: len(client.call("loops", history=True)["loops"][0]["history"]["busy_pct"]) >= 3)


def test_a_child_between_fork_and_exec_has_no_agent(python):
    """preexec_fn makes subprocess run the fork handlers; what follows is another program."""
    with inline(python, """
import subprocess
assert looptop.start()
child = subprocess.Popen(["/bin/sleep", "3600"], preexec_fn=lambda: None)
print("READY", flush=True)
sys.stdin.readline()
child.kill()
child.wait()
""", options=["-W", "ignore::DeprecationWarning"]) as service:
        service.expect("READY")
        assert service.sockets() == ["%d.sock" % service.pid]
        service.tell()
        assert service.wait() == 0


def test_a_fork_does_not_wait_for_a_list(python):
    """It is given up for the fork and written after it; no client misses anything."""
    with inline(python, """
import statistics, threading, time
async def forks():
    took = []
    for _ in range(15):
        await asyncio.sleep(0.01)
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        took.append(time.monotonic() - began)
        os.waitpid(pid, 0)
    return statistics.median(took)

async def main():
    tasks = spawn(60_000)
    print(await forks(), flush=True)
    await line()
    print(await forks(), flush=True)
    await line()
    os._exit(0)
assert looptop.start()
asyncio.run(main())
""", options=["-W", "ignore::DeprecationWarning"]) as service:
        alone = float(service.line())
        # one row, for which all of them are looked at: the agent's time, not the client's
        wanted = {"filter": "name:sleeper* coro:sleep*", "sort": "name", "limit": 1}

        def ask(client):
            answers = 0
            while not forks or answers == 0:
                result = client.call("tasks", **wanted)
                assert (len(result["rows"]), result["matched"]) == (1, 60_000)
                answers += 1
            return answers
        forks, clients = [], [service.client() for _ in range(8)]
        took = []
        for _ in range(5):
            began = time.monotonic()
            clients[0].call("tasks", **wanted)
            took.append(time.monotonic() - began)
        with ThreadPoolExecutor() as threads:
            asking = [threads.submit(ask, client) for client in clients]
            service.tell()
            forks.append(service.line())
            assert all(each.result() > 0 for each in asking)
        # eight lists are on their way all the time
        assert float(forks[0]) < alone + 1.5 * min(took)
        service.tell()
        assert service.wait() == 0


# ---- locks and finalizers of the application


FINALIZER = """
import gc, threading
names = set()

class Held:
    def __init__(self):
        self.me = self
    def __del__(self):
        with open("/proc/thread-self/comm") as file:
            names.add(file.read().strip())
"""


def test_no_collection_runs_in_the_agents_threads(python):
    """A cancellation runs the loop's code, which would collect: finalizers of the application."""
    with inline(python, FINALIZER + """
async def main():
    tasks = spawn(200)
    print("READY", flush=True)
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0.001)
        # garbage in the oldest generation's way, for whoever allocates next
        for _ in range(20):
            Held()
    print(sorted(name for name in names if name.startswith("looptop")), flush=True)
    await line()
assert looptop.start()
gc.set_threshold(20, 2, 2)
asyncio.run(main())
gc.set_threshold(0)
print(gc.isenabled(), flush=True)
""") as service:
        service.expect("READY")
        client = service.client()
        client.wait_row("sleeper 199", state="wait")
        for row in client.rows(filter="name:sleeper*", limit=1000):
            client.call("cancel", ids=[row["id"]], wait_ns=1)
        service.expect("[]")
        service.tell()
        service.expect("True")
        assert service.wait() == 0


@pytest.mark.parametrize("how", ["fork", "stop"])
def test_a_lock_that_the_loop_takes_is_held_at_a_fork(python, how):
    """A loop of the application's own takes a lock to be called; who has it may fork and stop."""
    with inline(python, """
import gc, threading, weakref
lock = threading.Lock()

class Cycle:
    def __init__(self):
        self.me = self

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *arguments, **keywords):
        with lock:
            return super().call_soon_threadsafe(*arguments, **keywords)

async def main():
    task = spawn(1)[0]
    await asyncio.sleep(0)
    with lock:
        print("READY", flush=True)
        await line()
        # the agent's thread is in the loop's code: garbage is collected all the same
        cycle = weakref.ref(Cycle())
        gc.collect()
        assert cycle() is None
        if "fork" in sys.argv:
            pid = os.fork()
            if pid == 0:
                os._exit(0)
            print("CHILD", os.waitpid(pid, 0)[1], flush=True)
        else:
            looptop.stop()
            print("STOPPED", flush=True)
    try:
        await task
    except asyncio.CancelledError:
        print("CANCELLED", flush=True)
    await line()

loop = Loop()
assert looptop.start()
loop.run_until_complete(main())
""", how, options=["-W", "ignore::DeprecationWarning"]) as service:
        service.expect("READY")
        client = service.client()
        task = client.wait_row("sleeper 0", state="wait")["id"]
        assert client.call("cancel", ids=[task], wait_ns=10_000_000)["results"][0]["outcome"] == "pending"
        service.tell()
        service.expect("CHILD 0" if how == "fork" else "STOPPED")
        service.expect("CANCELLED")
        if how == "fork":
            assert service.client().row("sleeper 0")["state"] == "cancelled"
        service.tell()
        assert service.wait() == 0


# what the application has put in the way of a callback from another thread, so that it calls held()
PUT = {
    "instance": "loop.call_soon_threadsafe = held(loop.call_soon_threadsafe)",
    "object": "type(loop).call_soon_threadsafe = Partial(type(loop).call_soon_threadsafe)",
    "inside": "type(loop)._write_to_self = held(type(loop)._write_to_self)",
    "attributes": "type(loop).__getattribute__ = held(type(loop).__getattribute__)",
}


@pytest.mark.parametrize("put", PUT)
@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_garbage_is_collected_while_the_applications_code_is_called(python, kind, put):
    """Wherever it is in the way: it may last, and all of the process would hold garbage meanwhile."""
    if kind == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
        if put == "inside":
            pytest.skip("uvloop's own code calls nothing that can be replaced")
    with inline(python, """
import functools, gc, threading, weakref
there, go = threading.Event(), threading.Event()

class Cycle:
    def __init__(self):
        self.me = self

def held(function):
    @functools.wraps(function)
    def wrapper(*arguments, **keywords):
        if threading.current_thread() is not threading.main_thread():
            there.set()
            go.wait()
        return function(*arguments, **keywords)
    return wrapper

class Partial:
    def __init__(self, function):
        self.function = held(function)
    def __get__(self, object, type=None):
        return functools.partial(self.function, object)

async def main():
    task = spawn(1)[0]
    await asyncio.sleep(0)
    print("READY", flush=True)
    there.wait()
    cycle = weakref.ref(Cycle())
    gc.collect()
    print("KEPT" if cycle() else "COLLECTED", flush=True)
    go.set()
    try:
        await task
    except asyncio.CancelledError:
        print("CANCELLED", flush=True)

if sys.argv[1] == "uvloop":
    import uvloop
    class Loop(uvloop.Loop):
        pass
else:
    class Loop(asyncio.SelectorEventLoop):
        pass
loop = Loop()
%s
assert looptop.start()
loop.run_until_complete(main())
sys.stdin.readline()
""" % PUT[put], kind) as service:
        service.expect("READY")
        client = service.client()
        task = client.wait_row("sleeper 0", state="wait")["id"]
        number = client.request("cancel", ids=[task])
        service.expect("COLLECTED")
        service.expect("CANCELLED")
        assert client.answer(number)["result"]["results"][0]["outcome"] == "cancelled"
        service.tell()
        assert service.wait() == 0


def test_a_loop_of_ones_own_finds_a_stack_as_elsewhere(python):
    """What recurses too deep through C ends in a RecursionError there too."""
    with inline(python, """
import threading

def deep(n):
    return max(map(deep, [n + 1]))

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *arguments, **keywords):
        try:
            deep(0)
        except RecursionError:
            print("RECURSION", threading.current_thread() is threading.main_thread(), flush=True)
        return super().call_soon_threadsafe(*arguments, **keywords)

async def main():
    task = spawn(1)[0]
    print("READY", flush=True)
    try:
        await task
    except asyncio.CancelledError:
        print("CANCELLED", flush=True)

loop = Loop()
assert looptop.start()
loop.run_until_complete(main())
sys.stdin.readline()
os._exit(0)
""") as service:
        service.expect("READY")
        client = service.client()
        task = client.wait_row("sleeper 0", state="wait")["id"]
        client.call("cancel", ids=[task])
        service.expect("RECURSION False")
        service.expect("CANCELLED")
        service.tell()
        assert service.wait() == 0


WATCH = {
    "profile": "threading.setprofile_all_threads(heard)",
    "trace": "threading.settrace_all_threads(heard)",
    "monitoring": """
sys.monitoring.use_tool_id(sys.monitoring.PROFILER_ID, "profiler")
sys.monitoring.register_callback(sys.monitoring.PROFILER_ID, sys.monitoring.events.PY_START, heard)
sys.monitoring.set_events(sys.monitoring.PROFILER_ID, sys.monitoring.events.PY_START)""",
}


@pytest.mark.parametrize("watch", WATCH)
@pytest.mark.parametrize("own", [False, True], ids=["stock", "own"])
def test_a_profiler_of_all_threads_does_not_hear_of_the_agents(python, own, watch):
    if version(python) < (3, 12):
        pytest.skip("there is none before 3.12")
    with inline(python, """
import threading
threads = set()

def heard(*arguments):
    threads.add(threading.get_ident())
    return heard

class Loop(asyncio.SelectorEventLoop):
    if %r:
        def call_soon_threadsafe(self, *arguments, **keywords):
            return super().call_soon_threadsafe(*arguments, **keywords)

async def main():
    task = spawn(1)[0]
    await asyncio.sleep(0)
    print("READY", flush=True)
    try:
        await task
    except asyncio.CancelledError:
        print("HEARD", len(threads - {threading.get_ident()}), flush=True)
    assert threads
    await line()

loop = Loop()
assert looptop.start()
loop.run_until_complete(asyncio.sleep(0))
%s
loop.run_until_complete(main())
""" % (own, WATCH[watch])) as service:
        service.expect("READY")
        client = service.client()
        task = client.wait_row("sleeper 0", state="wait")["id"]
        assert client.call("cancel", ids=[task])["results"][0]["outcome"] == "cancelled"
        service.expect("HEARD 0")
        service.tell()
        assert service.wait() == 0


LEFT = """
import threading
gone = 0

class Big:
    def __del__(self):
        global gone
        gone += 1
        with open("/proc/thread-self/comm") as file:
            os.write(1, b"AGENT\\n" if file.read().startswith("looptop") else b"GONE\\n")

async def victim():
    big = Big()
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return big
"""


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_cancelled_tasks_go_while_the_main_thread_is_blocked(python, kind):
    """Now and then the agent's thread holds the last reference: it goes in the loop's thread, and no
    other cancellation has to come, nor anything else for the loop to do."""
    if kind == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    with inline(python, LEFT + """
async def main():
    tasks = [asyncio.create_task(victim(), name="victim %d" % n) for n in range(100)]
    tasks.clear()
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()

def run():
    if sys.argv[1] == "uvloop":
        import uvloop
        uvloop.new_event_loop().run_until_complete(main())
    else:
        asyncio.run(main())

# the GIL is hard to get: the loop's thread often has it before the agent's
def spin():
    while gone < 100:
        sum(range(1000))

assert looptop.start()
threads = [threading.Thread(target=run), threading.Thread(target=spin)]
for thread in threads:
    thread.start()
threads[0].join()
print("END", gone, flush=True)
""", kind) as service:
        service.expect("READY")
        client = service.client()
        client.wait_row("victim 99", state="wait")
        for row in client.rows(filter="name:victim*"):
            assert client.call("cancel", ids=[row["id"]])["results"][0]["outcome"] == "finished"
        for _ in range(100):
            service.expect("GONE")
        service.tell()
        service.expect("END 100")
        assert service.wait() == 0


def test_what_a_loop_of_ones_own_leaves_goes_at_its_next_turn(python):
    """It returns when the task has ended, so that the last reference is always the agent's."""
    with inline(python, LEFT + """
ended = threading.Event()

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *arguments, **keywords):
        handle = super().call_soon_threadsafe(*arguments, **keywords)
        del arguments, keywords
        ended.wait()
        ended.clear()
        return handle

async def main():
    for n in range(3):
        task = asyncio.create_task(victim(), name="victim %d" % n)
        task.add_done_callback(lambda task: asyncio.get_running_loop().call_later(0.01, ended.set))
        del task
    await asyncio.sleep(0)
    print("READY", flush=True)
    while gone < 3:
        await asyncio.sleep(0.01)
    await line()

assert looptop.start()
loop = Loop()
thread = threading.Thread(target=loop.run_until_complete, args=[main()])
thread.start()
thread.join()
""") as service:
        service.expect("READY")
        client = service.client()
        for n in range(3):
            row = client.wait_row("victim %d" % n, state="wait")
            assert client.call("cancel", ids=[row["id"]])["results"][0]["outcome"] == "finished"
            service.expect("GONE")
        service.tell()
        assert service.wait() == 0


def test_what_nobody_drops_has_a_bound(python):
    """Neither the main thread nor a loop has a turn: what would leave more is not done until then."""
    with inline(python, LEFT + """
class Failure(Exception):
    def __init__(self):
        self.big = Big()

class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *arguments, **keywords):
        raise Failure

# so many locals that it takes several slices, however fast the machine is
exec('''
async def deep(n):
    %s = ["x" * 70] * 20
    await (deep(n - 1) if n else asyncio.sleep(3600))
''' % ", ".join("local_%d" % i for i in range(20)))

async def main():
    tasks = spawn(1000) + [asyncio.create_task(deep(900), name="deep")]
    await asyncio.sleep(0)
    print("READY", flush=True)
    while True:
        await line()

sys.setrecursionlimit(2000)
assert looptop.start()
loop = Loop()
thread = threading.Thread(target=loop.run_until_complete, args=[main()])
thread.start()
thread.join()
""") as service:
        service.expect("READY")
        client = service.client()
        client.wait_row("sleeper 999", state="wait")
        assert client.stack("deep")["complete"]
        tasks = [row["id"] for row in client.rows(filter="name:sleeper*")]

        def cancel():
            results = client.call("cancel", ids=tasks)["results"]
            assert {result["outcome"] for result in results} == {"refused"}
            return [result["reason"] for result in results].count("Failure: ")
        left = cancel()
        assert 0 < left <= 256
        assert cancel() == 0
        stack = client.stack("deep")
        assert not stack["complete"] and "had a turn" in stack["reason"] and stack["frames"]
        service.tell()
        for _ in range(left):
            service.expect("GONE")
        assert cancel() > 0  # there is room again
        service.tell()
        wait_for(lambda: client.stack("deep")["complete"])


def test_a_blocked_loop_of_ones_own_takes_many(python):
    with inline(python, """
class Loop(asyncio.SelectorEventLoop):
    def call_soon_threadsafe(self, *arguments, **keywords):
        return super().call_soon_threadsafe(*arguments, **keywords)

async def main():
    tasks = spawn(1000)
    await asyncio.sleep(0)
    print("READY", flush=True)
    os.read(0, 100)
    await asyncio.wait(tasks)
    print("CANCELLED", sum(task.cancelled() for task in tasks), flush=True)

loop = Loop()
assert looptop.start()
loop.run_until_complete(main())
sys.stdin.readline()
""") as service:
        service.expect("READY")
        client = service.client()
        client.wait_row("sleeper 999", state="wait")
        tasks = [row["id"] for row in client.rows(filter="name:sleeper*")]
        results = client.call("cancel", ids=tasks, wait_ns=1_000_000_000)["results"]
        assert {result["outcome"] for result in results} == {"pending"}
        service.tell()
        service.expect("CANCELLED 1000")
        service.tell()
        assert service.wait() == 0


def test_an_idle_loop_makes_room_for_what_is_left(python):
    """Each refusal leaves an exception: there are more of them than may wait."""
    with inline(python, """
other = asyncio.new_event_loop()
closed = [other.create_task(sleeper(), name="closed") for _ in range(600)]
other.run_until_complete(asyncio.sleep(0))
other.close()

async def main():
    tasks = spawn(1)
    await asyncio.sleep(0)
    print("READY", flush=True)
    await asyncio.wait(tasks)
    print("CANCELLED", flush=True)
    await line()
    os._exit(0)

assert looptop.start()
asyncio.run(main())
""") as service:
        service.expect("READY")
        client = service.client()
        live = client.wait_row("sleeper 0", state="wait")["id"]
        wait_for(lambda: len(client.rows(filter="name:closed")) == 600)
        closed = [row["id"] for row in client.rows(filter="name:closed")]
        results = client.call("cancel", ids=closed + [live])["results"]
        assert {(result["outcome"], result["reason"]) for result in results[:-1]} == {
            ("refused", "RuntimeError: Event loop is closed")}
        assert results[-1]["outcome"] == "cancelled"
        service.expect("CANCELLED")
        service.tell()
        assert service.wait() == 0


def test_an_interrupt_inside_a_cancel_is_the_applications(python):
    """Ctrl-C while the task's own cancel() runs ends the loop, as it would without an agent."""
    with inline(python, """
class Task(asyncio.Task):
    def cancel(self, *arguments):
        super().cancel(*arguments)
        Task.cancel = asyncio.Task.cancel
        raise KeyboardInterrupt

async def main():
    task = Task(sleeper(), loop=asyncio.get_running_loop(), name="own")
    print("READY", flush=True)
    await asyncio.sleep(3600)

assert looptop.start()
try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("INTERRUPTED", flush=True)
""") as service:
        service.expect("READY")
        client = service.client()
        task = client.wait_row("own", state="wait")["id"]
        client.call("cancel", ids=[task], wait_ns=1)
        service.expect("INTERRUPTED")
        assert service.wait() == 0


# ---- ends that are none


@pytest.mark.parametrize("call", [
    "os._exit('x')",
    "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]), signal.raise_signal(signal.SIGTERM)",
    "signal.raise_signal('x')"], ids=["exit", "blocked", "raise"])
def test_an_end_that_is_none_leaves_the_socket(python, call):
    with inline(python, """
import signal
assert looptop.start()
try:
    %s
except TypeError:
    pass
print("READY", flush=True)
sys.stdin.readline()
""" % call) as service:
        service.expect("READY")
        wait_for(lambda: service.sockets() == ["%d.sock" % service.pid])
        assert service.client().call("hello")["pid"] == service.pid


def test_a_search_along_the_path_leaves_no_socket(python):
    """Each try takes the socket away and brings it back, the last one takes it away for good."""
    for _ in range(8):
        done = run(python, PRELUDE + """
assert looptop.start()
os.environ["PATH"] = ":".join("/nonexistent%d" % n for n in range(200)) + ":/bin"
os.execvp("true", ["true"])
""")
        assert (done.returncode, done.stderr, done.sockets) == (0, "", [])


@pytest.mark.parametrize("number", ["signal.SIGTERM", "int(signal.SIGTERM)"])
def test_a_signal_raised_by_its_name_leaves_no_socket(python, number):
    done = run(python, PRELUDE + """
import signal
assert looptop.start()
signal.raise_signal(%s)
""" % number)
    assert (done.returncode, done.stderr, done.sockets) == (-15, "", [])


# ---- an interpreter that is ended and begun again

EMBED = r"""
#include <Python.h>
int main(void)
{
    for (int i = 0; i < 3; i++) {
        Py_Initialize();
        PyRun_SimpleString(
            "import asyncio, looptop\n"
            "print('START', looptop.start(), flush=True)\n"
            "async def main():\n"
            "    await asyncio.gather(*[asyncio.sleep(0.001) for _ in range(10)])\n"
            "asyncio.run(main())\n"
            "print('RAN', flush=True)\n");
        if (Py_FinalizeEx() < 0)
            return 1;
    }
    return 0;
}
"""


def test_an_interpreter_that_is_begun_again(python, tmp_path):
    """The agent serves its first life, says so in the next ones, and disturbs none."""
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("whether the bare interpreter survives it depends on the allocator")
    script = ("import sysconfig; print(*[sysconfig.get_config_var(name) for name in "
              "('INCLUDEPY', 'LIBDIR', 'LDLIBRARY', 'prefix')], sep='\\n')")
    include, libdir, library, prefix = subprocess.run(
        [python, "-c", script], check=True, capture_output=True, text=True).stdout.split()
    if not library.endswith(".so"):
        pytest.skip("no shared libpython to embed")
    program = str(tmp_path / "embed")
    (tmp_path / "embed.c").write_text(EMBED)
    build = subprocess.run(
        ["cc", "-I", include, "-o", program, program + ".c", "-L", libdir, "-l:" + library,
         "-Wl,-rpath," + libdir], capture_output=True, text=True)
    if build.returncode != 0:
        pytest.skip("libpython cannot be linked: " + build.stderr.strip()[-200:])

    def lives(**environ):
        return subprocess.run(
            [program], env=environment(str(tmp_path), PYTHONHOME=prefix, **environ), text=True,
            capture_output=True, timeout=30)
    if lives(LOOPTOP="0").returncode != 0:
        pytest.skip("this interpreter cannot be begun again, with or without an agent")
    done = lives()
    assert done.returncode == 0
    assert done.stdout == "START True\nRAN\n" + "START False\nRAN\n" * 2
    assert [line for line in done.stderr.splitlines() if "begun again" not in line] == []
