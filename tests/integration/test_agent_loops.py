# SPDX-License-Identifier: MIT
"""Many loops: one after the other, kept though closed, and one in each of hundreds of threads."""

import json
import os
import re
import resource
import subprocess

import pytest

from looptop_client import BUILD, DEADLINE_S, ROOT, Service, python_with, wait_for

with open(ROOT + "/include/looptop/limits.h") as limits:
    LOOPS_MAX = int(re.search(r"LOOPTOP_LOOPS_MAX (\d+)", limits.read()).group(1))

PRELUDE = """
import asyncio, sys
import looptop

LOOPS_MAX = %d

async def nothing():
    await asyncio.sleep(0)

def used(close):
    loop = asyncio.new_event_loop()
    loop.run_until_complete(nothing())
    if close:
        loop.close()
    return loop
""" % LOOPS_MAX


def inline(python, source, *arguments, **keywords):
    return Service.inline(python, PRELUDE + source, *arguments, **keywords)


def test_tasks_that_ended_keep_their_loop(python):
    """More loops than have a place, while what ended on the first is still to be seen."""
    with inline(python, """
async def main(n):
    await asyncio.create_task(nothing(), name="task-%d" % n)

assert looptop.start()
for n in range(200):
    asyncio.run(main(n))
print("READY", flush=True)
sys.stdin.readline()
""") as service:
        service.expect("READY")
        client = service.client()
        rows = {row["name"]: row for row in client.rows()}
        ids = {row["id"]: row for row in rows.values()}
        loops = [rows["task-%d" % n]["loop"] for n in range(200)]
        assert 0 not in loops and len(set(loops)) == 200
        for n in range(200):
            assert ids[rows["task-%d" % n]["parent"]]["loop"] == loops[n]
        one = rows["task-7"]
        of_one = client.rows(filter="loop:%d" % one["loop"])
        assert {one["id"], one["parent"]} <= {row["id"] for row in of_one}
        assert {row["loop"] for row in of_one} == {one["loop"]}
        by_loop = [row["loop"] for row in client.rows(sort="loop")]
        assert by_loop == sorted(by_loop, reverse=True)
        service.tell()
        assert service.wait() == 0


def test_closed_loops_give_way(python):
    """The application keeps them; loops that are open stay to be seen."""
    with inline(python, """
async def main():
    asyncio.current_task().set_name("main")
    print("READY", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

assert looptop.start()
kept = [used(close=False) for _ in range(5)]
kept += [used(close=True) for _ in range(LOOPS_MAX * 9 // 10)]
print("FILLED", flush=True)
sys.stdin.readline()
kept += [used(close=True) for _ in range(LOOPS_MAX // 5)]
asyncio.run(main())
for loop in kept:
    loop.close()
""") as service:
        service.expect("FILLED")
        client = service.client()

        def states():
            return [loop["state"] for loop in client.call("loops")["loops"]]
        wait_for(lambda: states() == ["stopped"] * 5)
        service.tell()
        service.expect("READY")
        row = client.row("main")
        assert row["loop"] == max(loop["id"] for loop in client.call("loops")["loops"])
        wait_for(lambda: states().count("running") == 1 and states().count("stopped") == 5)
        service.tell()
        assert service.wait() == 0


def test_stopped_loops_give_way_to_one_that_runs(python):
    """The longest stopped first, which may run again."""
    need, (_, hard) = 4 * LOOPS_MAX + 300, resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < need:
        pytest.skip("not so many descriptors are allowed")
    with inline(python, """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (%d, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))

async def main(text):
    print(text, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)

async def waits():
    await event.wait()

assert looptop.start()
event = asyncio.Event()
kept = [used(close=False) for _ in range(LOOPS_MAX + 50)]
kept[0].run_until_complete(main("FIRST"))
task = kept[1].create_task(waits(), name="waits")
kept[1].run_until_complete(nothing())
for loop in kept[2:]:
    loop.run_until_complete(nothing())
kept[1].run_until_complete(main("AGAIN"))
event.set()
kept[1].run_until_complete(task)
print("DONE", flush=True)
sys.stdin.readline()
for loop in kept:
    loop.close()
""" % need) as service:
        service.expect("FIRST")
        client = service.client()

        def running():
            return [loop["id"] for loop in client.call("loops")["loops"] if loop["state"] == "running"]
        (first,) = running()
        assert [row["loop"] for row in client.rows(finished=False)] == [first]
        service.tell()
        service.expect("AGAIN")
        (again,) = running()
        assert again > first
        assert {row["loop"] for row in client.rows(finished=False)} >= {again}
        assert client.row("waits")["state"] == "wait"
        service.tell()
        service.expect("DONE")
        row = client.row("waits")
        assert (row["state"], row["steps"]) == ("done", 2)
        assert running() == []
        service.tell()
        assert service.wait() == 0


def test_a_loop_in_each_of_many_threads(python):
    """As many as a thread pool of synchronous workers with asyncio.run() has."""
    count = 200
    with inline(python, """
import threading
COUNT = %d
stop, up = threading.Event(), threading.Barrier(COUNT + 1)

async def main(n):
    task = asyncio.create_task(asyncio.sleep(3600), name="of %%d" %% n)
    await asyncio.sleep(0)
    up.wait()
    while not stop.is_set():
        await asyncio.sleep(0.05)

assert looptop.start()
threading.stack_size(256 * 1024)
threads = [threading.Thread(target=asyncio.run, args=(main(n),)) for n in range(COUNT)]
for each in threads:
    each.start()
up.wait()
print("READY", flush=True)
sys.stdin.readline()
stop.set()
for each in threads:
    each.join()
print("JOINED", flush=True)
sys.stdin.readline()
""" % count) as service:
        service.expect("READY")
        client = service.client()
        loops = {loop["id"]: loop for loop in client.call("loops", history=True)["loops"]}
        assert len(loops) == count
        assert {(loop["state"], loop["tasks"]) for loop in loops.values()} == {("running", 2)}
        assert len({loop["thread"]["tid"] for loop in loops.values()}) == count
        rows = client.rows()
        assert {row["loop"] for row in rows} == set(loops)
        of = {row["id"]: row for row in rows}
        for row in rows:
            assert row["parent"] == 0 or of[row["parent"]]["loop"] == row["loop"]
        with_history = wait_for(lambda: (lambda found: found if min(
            len(loop["history"]["lag_ns"]) for loop in found) > 0 else None)(
                client.call("loops", history=True)["loops"]))
        assert len(with_history) == count

        shown = subprocess.run(
            [BUILD + "/looptop", "ps", "--json", str(service.pid)], stdout=subprocess.PIPE,
            env=dict(os.environ, XDG_RUNTIME_DIR=service.directory), timeout=DEADLINE_S, check=True)
        assert {loop["id"] for loop in json.loads(shown.stdout)["loops"]} == set(loops)
        service.tell()
        service.expect("JOINED")
        wait_for(lambda: client.totals()["tasks"] == 0)
        assert client.rows() and {row["loop"] for row in client.rows()} <= set(loops)
        service.tell()
        assert service.wait() == 0


@pytest.mark.parametrize("when", ["before", "after"])
def test_places_in_many_threads(python, when):
    """Tasks in a step show where it stands, whether or not the agent saw it begin."""
    count = 150
    with inline(python, """
import threading
COUNT, WHEN = %d, "%s"
go_on, up = threading.Event(), threading.Barrier(COUNT + 1)

def blocked():
    go_on.wait()

def deeper(depth):
    return deeper(depth - 1) if depth else blocked()

async def main(n):
    await asyncio.sleep(0)
    up.wait()
    deeper(n // 10)
    await asyncio.sleep(0)

if WHEN == "before":
    assert looptop.start()
threading.stack_size(512 * 1024)
threads = [threading.Thread(target=asyncio.run, args=(main(n),)) for n in range(COUNT)]
threads += [threading.Thread(target=go_on.wait) for _ in range(50)]
for each in threads:
    each.start()
up.wait()
if WHEN == "after":
    assert looptop.start()
print("READY", flush=True)
sys.stdin.readline()
go_on.set()
for each in threads:
    each.join()
""" % (count, when)) as service:
        service.expect("READY")
        client = service.client()

        def places():
            return [(row["state"], row["at"] and row["at"][2]) for row in client.rows()]
        wait_for(lambda: places() == [("run", "blocked")] * count, what=r"%d blocked tasks" % count)
        for row in client.rows()[::10]:
            stack = client.call("stack", id=row["id"])
            functions = [frame["function"] for frame in stack["frames"]]
            if "blocked" in functions or stack["complete"]:  # a slice may have had no time for all of it
                functions = functions[:functions.index("blocked")]
            if stack["complete"]:
                assert functions.pop(0) == "main"
            assert set(functions) <= {"main", "deeper"}
        service.tell()
        assert service.wait() == 0


def test_a_uvloop_that_was_closed_while_the_agent_was_stopped(python):
    """The io thread reads nothing of it, though the GIL keeps the hooks from coming back."""
    python, reason = python_with(python, "uvloop")
    if python is None:
        pytest.skip(reason)
    with inline(python, """
import ctypes, glob, os, uvloop

async def main():
    await asyncio.sleep(0)
    looptop.stop()

assert looptop.start()
loop = uvloop.new_event_loop()
loop.run_until_complete(main())
loop.close()
(agent,) = glob.glob("%s/*cpython-%d%d-*" % (os.environ["LOOPTOP_AGENT_DIR"], *sys.version_info[:2]))
assert ctypes.PyDLL(agent).looptop_agent_start(1) == 0  # LOOPTOP_AGENT_LISTEN
ctypes.PyDLL(None).usleep(2500000)  # with the GIL: two samples long
print("READY", flush=True)
sys.stdin.readline()
""") as service:
        service.expect("READY")
        client = service.client()
        wait_for(lambda: client.call("status")["hooks"]["state"] == "active")
        service.tell()
        assert service.wait() == 0


def test_a_loop_tells_its_thread_as_threading_does(python):
    with Service.inline(python, """
import asyncio, sys, threading
import looptop
assert looptop.start()

async def rest():
    await asyncio.sleep(3600)
threading.Thread(target=lambda: asyncio.run(rest()), name="side-thread", daemon=True).start()
print("READY", flush=True)
asyncio.run(rest())
""") as service:
        service.expect("READY")
        client = service.client()
        wait_for(lambda: {loop["thread"]["name"] for loop in client.call("loops")["loops"]} == {
            "MainThread", "side-thread"})
