# SPDX-License-Identifier: MIT
"""States, places, parents and outcomes of tasks that stand where tests/services/states.py has put them."""

import os
import subprocess
import time

import pytest

from looptop_client import BUILD, PYTHONS, Service, environment, python_with, wait_for


@pytest.fixture(params=["asyncio", "uvloop"])
def service(request, python):
    arguments = []
    if request.param == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
        arguments = ["uvloop"]
    with Service(python, "states.py", *arguments) as service:
        service.expect("READY")
        yield service
        if service.process.poll() is None:
            service.tell("end")
            assert service.wait() == 0


def fresh(client):
    """The rows by name, once none of their places is of an earlier step."""
    def look():
        rows = {row["name"]: row for row in client.rows()}
        return rows if not any(row["flags"] & 1 and row["ended_ns"] < 0 for row in rows.values()) else None
    return wait_for(look, what="fresh places")


PLACES = {
    "nested": ("nested", "deepest"), "queue": ("queue", "in_library"),
    "gather": ("gather", "in_gather"), "with": ("with", "in_with"),
    "manager": ("manager", "manager"), "awaitable": ("awaitable", "Awaitable.__await__"),
    "generator": ("generator", "generator"), "agen": ("agen", "agen"),
    "comprehension": ("agen", "agen"), "moves": ("moves 1", "moves"),
    "stubborn": ("stubborn", "stubborn"), "parent": ("parent", "parent"),
}


def test_at_is_the_line_of_the_await(service):
    rows = fresh(service.client())
    found = {name: rows[name]["at"] for name in PLACES}
    assert found == {name: (service.script, service.line_of("at " + mark), function)
                     for name, (mark, function) in PLACES.items()}
    assert {rows[name]["state"] for name in PLACES} - {"cancelling"} == {"wait"}


def test_a_call_over_several_lines(service):
    """The line is the one Python itself names for the await."""
    row = fresh(service.client())["sleeping"]
    file, line, function = row["at"]
    assert (file, function) == (service.script, "sleeping")
    assert line == service.line_of("end of sleeping") - 2


def test_made_by_whom_and_where(service):
    client = service.client()
    rows = fresh(client)
    for name, maker, function in (
            ("child", "parent", "parent"), ("grouped", "group", "group"),):
        row = rows[name]
        assert row["parent"] == rows[maker]["id"]
        assert row["created_at"] == (service.script, service.line_of("created " + name), function)
    main = [row for row in rows.values() if row["coroutine"] == "main"][0]
    assert main["parent"] == 0
    assert rows["nested"]["parent"] == main["id"]
    assert rows["nested"]["created_at"][2] == "main.<locals>.<lambda>"
    assert main["created_at"][2] == "<module>"
    assert len({row["loop"] for row in rows.values()}) == 1


def test_waiting_on(service):
    rows = fresh(service.client())
    assert rows["child"]["waiting_on"] == "sleep"
    assert rows["queue"]["waiting_on"] == "Queue.get"
    assert rows["nested"]["waiting_on"] == "Future"
    assert rows["parent"]["waiting_on"] == "Task"
    assert rows["gather"]["waiting_on"] == "_GatheringFuture"


def test_a_held_loop(service):
    client = service.client()
    service.tell("hold")
    service.expect("HELD")
    held = (service.script, service.line_of("at held"), "hold")
    # the line before is where it says so

    def look():
        rows = fresh(client)
        return rows if rows["running"]["at"] == held else None
    rows = wait_for(look, what="the line where it holds the loop")
    states = {name: rows[name]["state"] for name in ("running", "new", "moves", "nested", "stubborn")}
    assert states == {"running": "run", "new": "new", "moves": "ready", "nested": "wait",
                      "stubborn": "cancelling"}
    assert rows["moves"]["at"] == (service.script, service.line_of("at moves 1"), "moves")
    assert rows["new"]["parent"] == rows["running"]["id"]
    assert rows["new"]["created_at"] == (service.script, service.line_of("created new"), "hold")
    assert (rows["new"]["steps"], rows["new"]["coroutine"]) == (0, "sleeping")
    status = client.call("status")
    assert status["totals"]["by_state"]["run"] == 1
    assert status["loops"][0]["running"]["task"] == rows["running"]["id"]
    later = client.row("running")
    assert later["busy_ns"] > rows["running"]["busy_ns"]
    assert later["max_step_ns"] >= rows["running"]["max_step_ns"] > 0

    service.tell()
    service.expect("RELEASED")
    rows = fresh(client)
    assert rows["new"]["state"] == "wait"
    assert rows["running"]["state"] == "done"
    assert rows["moves"]["at"] == (service.script, service.line_of("at moves 2"), "moves")
    wait_for(lambda: client.call("loops")["loops"][0]["running"] is None, what="the end of the step")


def test_outcomes(service):
    client = service.client()
    rows = fresh(client)
    ended = ("failed", "done", "cancelled")
    assert {name: rows[name]["state"] for name in ended} == {name: name for name in ended}
    assert rows["failed"]["exception"] == "LookupError"
    assert rows["done"]["exception"] is None
    assert all(0 <= rows[name]["ended_ns"] < 10e9 for name in ended)
    assert not {row["name"] for row in client.rows(finished=False)} & set(ended)

    totals = client.totals()
    assert (totals["failed"], totals["cancelled"]) == (1, 1)


def test_ended_tasks_stay_for_ten_seconds():
    """Once, with one interpreter: it takes that long, and is the same code for all."""
    with Service(PYTHONS[0], "states.py") as service:
        service.expect("READY")
        client = service.client()
        oldest = 0
        end = time.monotonic() + 15
        while (row := client.row("failed")) is not None:
            oldest = max(oldest, row["ended_ns"])
            assert time.monotonic() < end, "it is still there"
            time.sleep(0.02)
        assert 9e9 < oldest <= 10e9
        service.tell("end")
        assert service.wait() == 0


def test_collections_are_counted_in_a_program_that_never_imports_gc(python):
    with Service.inline(python, """
import asyncio, sys
import looptop

class Cycle:
    def __init__(self):
        self.me = self

async def main():
    while True:
        for _ in range(1000):
            Cycle()
        await asyncio.sleep(0.001)

assert "gc" not in sys.modules
assert looptop.start()
print("READY", flush=True)
asyncio.run(main())
""") as service:
        service.expect("READY")
        client = service.client()
        wait_for(lambda: client.call("memory")["gc"]["collections"][0] > 10)
        assert client.call("memory")["gc"]["pause_total_ns"] > 0


def test_ps_says_when_a_task_has_ended(python):
    """One that has ended waits for nothing any more."""
    with Service.inline(python, """
import asyncio, sys
import looptop

async def short():
    await asyncio.sleep(0.01)

async def main():
    await asyncio.create_task(short(), name="over")
    print("READY", flush=True)
    await asyncio.sleep(3600)

assert looptop.start()
asyncio.run(main())
""") as service:
        service.expect("READY")
        done = subprocess.run(
            [os.path.join(BUILD, "looptop"), "ps", "-c", "name,waiting_on", str(service.pid)],
            env=environment(service.directory), capture_output=True, text=True, timeout=30)
        (line,) = [line for line in done.stdout.splitlines() if "over" in line]
        assert "ended" in line and "ago" in line and "Future" not in line, done.stdout


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_queued_since_the_end_that_woke_it(python, loop):
    """A task that awaited another is queued from the other's end on."""
    if loop == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    with Service.inline(python, """
import asyncio, os, sys
import looptop

def block(task):
    os.write(1, b"BLOCKED\\n")
    os.read(0, 1)

async def short():
    await asyncio.sleep(0.2)

async def main():
    task = asyncio.create_task(short(), name="short")
    task.add_done_callback(block)
    asyncio.current_task().set_name("waits")
    await task

assert looptop.start()
if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main())
""", loop) as service:
        service.expect("BLOCKED")
        rows = {row["name"]: row for row in service.client().rows()}
        assert (rows["waits"]["state"], rows["short"]["state"]) == ("ready", "done")
        assert rows["waits"]["queued_ns"] >= rows["short"]["ended_ns"] > 0
        assert rows["waits"]["idle_ns"] - rows["waits"]["queued_ns"] > 150e6
        assert rows["short"]["queued_ns"] == -1


BLOCKS = """
import asyncio, sys, time
import looptop

async def main():
    asyncio.current_task().set_name("blocks")
    while True:
        print("REST", flush=True)
        await asyncio.sleep(0.7)
        time.sleep(2.5)

assert looptop.start()
if sys.argv[1] == "uvloop":
    import uvloop
    uvloop.install()
asyncio.run(main())
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def blocking(request, python):
    if request.param == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    with Service.inline(python, BLOCKS, request.param) as service:
        yield service


def test_the_lag_now_is_that_of_a_block_just_over(blocking):
    blocking.expect("REST")
    client = blocking.client()
    blocking.expect("REST")
    over, answers = time.monotonic(), []
    while time.monotonic() < over + 0.5:
        lag = client.call("loops")["loops"][0]["lag_ns"]["now"]
        if time.monotonic() < over + 0.5:
            answers.append(lag)
    assert all(lag > 2e9 for lag in answers), answers


def test_the_busy_share_counts_the_step_under_way(python):
    """Also before the second of it is over: a block that begins right after the agent's look."""
    with Service.inline(python, """
import asyncio, sys, time
import looptop

async def main():
    asyncio.current_task().set_name("blocks")
    while await asyncio.to_thread(sys.stdin.readline):
        time.sleep(1.5)

assert looptop.start()
asyncio.run(main())
""") as service:
        client = service.client()
        client.call("subscribe", interval_ns=1000000000)

        def looks():
            return len(client.call("loops", history=True)["loops"][0]["history"]["busy_pct"])

        def shares():
            client.wait_row("blocks", state="wait")
            before = looks()
            wait_for(lambda: looks() >= before + 3)
            service.tell()
            row, found = client.wait_row("blocks", state="run"), []
            while row["state"] == "run":
                if 0.6e9 < row["idle_ns"] < 0.9e9:
                    found.append(row["busy_pct"])
                row = client.row("blocks")
            return found
        found = wait_for(shares)  # none where the machine slept meanwhile
        assert all(share > 50 for share in found), found
