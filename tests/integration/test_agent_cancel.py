# SPDX-License-Identifier: MIT
"""Cancelling tasks through the agent: each outcome, identity, threads, and the record of who did it."""

import os
import time

import pytest

from looptop_client import DEADLINE_S, RpcError, Service, python_with, wait_for

SOURCE = """
import asyncio, os, sys, threading
import looptop
if sys.argv[1] == "uvloop":
    import uvloop
    new_loop = uvloop.new_event_loop
else:
    new_loop = asyncio.SelectorEventLoop

async def sleeper():
    await asyncio.sleep(3600)

async def notes():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError as error:
        print(error.args, flush=True)
        raise

async def finishes():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        return 5

async def fails():
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        raise LookupError("x")

async def goes_on():
    while True:
        try:
            await asyncio.sleep(3600)  # at first
        except asyncio.CancelledError:
            pass
        try:
            await asyncio.sleep(3600)  # at second
        except asyncio.CancelledError:
            pass

async def slow_end():
    try:
        await asyncio.sleep(3600)
    finally:
        await asyncio.sleep(0.05)

def spawn(*coros):
    return [asyncio.create_task(coro, name=coro.__name__) for coro in coros]

async def line():
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(0, ready.set_result, None)
    await ready
    loop.remove_reader(0)
    return os.read(0, 1000).decode().strip()

def run(main):
    assert looptop.start()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main)
"""


@pytest.fixture(params=["asyncio", "uvloop"])
def start(request, python):
    """Starts a service of SOURCE and what is given; services are ended with the test."""
    if request.param == "uvloop":
        python, reason = python_with(python, "uvloop")
        if python is None:
            pytest.skip(reason)
    services = []

    def start(source, **keywords):
        service = Service.inline(python, SOURCE + source, request.param, **keywords)
        services.append(service)
        service.expect("READY")
        return service
    try:
        yield start
    except BaseException as error:
        for service in services:
            service.__exit__(type(error), error, None)
        raise
    for service in services:
        service.__exit__(None, None, None)


MAIN = """
async def main():
    tasks = spawn(notes(), finishes(), fails(), goes_on(), sleeper(), slow_end())
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
run(main())
"""


def ids(client, *names):
    rows = {row["name"]: row["id"] for row in client.rows()}
    return [rows[name] for name in names]


def test_outcomes(start):
    service = start(MAIN)
    client = service.client()
    names = ["notes", "finishes", "fails", "goes_on", "slow_end"]
    before = time.time()
    results = client.call("cancel", ids=ids(client, *names) + [10**6], message="be gone, 99 €",
                          wait_ns=500_000_000)["results"]
    assert [result["outcome"] for result in results] == [
        "cancelled", "finished", "failed", "suppressed", "cancelled", "gone"]
    assert [result["name"] for result in results[:5]] == names
    service.expect("('be gone, 99 €',)")
    stuck = results[3]
    assert stuck["at"] == "%s:%d goes_on" % (service.script, service.line_of("at second"))
    assert stuck["after_ns"] >= 500_000_000
    assert results[2]["reason"] == "LookupError"
    assert results[4]["after_ns"] >= 45_000_000
    assert all(result["after_ns"] < 500_000_000 for result in results[:3])
    rows = {row["name"]: row for row in client.rows()}
    assert rows["goes_on"]["state"] == "cancelling"
    assert rows["sleeper"]["state"] == "wait"
    assert [rows[name]["state"] for name in names[:3]] == ["cancelled", "done", "failed"]

    # once more: it has gone on, and goes on again; those that have ended are gone
    (again,) = client.call("cancel", ids=ids(client, "goes_on"), wait_ns=100_000_000)["results"]
    assert (again["outcome"], again["at"].split(":")[-1]) == (
        "suppressed", "%d goes_on" % service.line_of("at first"))
    (gone,) = client.call("cancel", ids=ids(client, "notes"))["results"]
    assert gone["outcome"] == "gone"

    events = client.call("events")["events"]
    assert [event["seq"] for event in events] == list(range(1, 9))
    assert {event["kind"] for event in events} == {"cancel"}
    assert [event["task"] for event in events[:6]] == [result["id"] for result in results]
    assert events[0]["name"] == "notes" and events[0]["text"].startswith("cancelled after ")
    assert all(event["peer"] == {"pid": os.getpid(), "uid": os.getuid()} for event in events)
    assert all(before - 1 < event["time_s"] < time.time() + 1 for event in events)
    assert client.call("events", after=6)["events"] == events[6:]
    assert len(client.call("events", limit=2)["events"]) == 2
    assert client.call("status")["events"] == 8


def test_without_a_message(start):
    service = start(MAIN)
    client = service.client()
    (result,) = client.call("cancel", ids=ids(client, "notes"))["results"]
    assert result["outcome"] == "cancelled"
    service.expect("()")


def test_the_client_goes_before_the_outcome_is_known(start):
    service = start(MAIN)
    client, other = service.client(), service.client()
    other.request("cancel", ids=ids(client, "goes_on", "slow_end"), wait_ns=200_000_000)
    other.close()
    events = wait_for(lambda: (lambda e: e if len(e) == 2 else None)(client.call("events")["events"]))
    assert [event["text"].split()[0] for event in events] == ["suppressed", "cancelled"]
    assert client.row("slow_end")["state"] == "cancelled"


def test_a_blocked_loop(start):
    service = start("""
async def main():
    tasks = spawn(sleeper(), notes())
    await asyncio.sleep(0)
    print("READY", flush=True)
    os.read(0, 1000)
    print("RELEASED", flush=True)
    await line()
run(main())
""")
    client = service.client()
    task, main = ids(client, "sleeper", "Task-1")
    (result,) = client.call("cancel", ids=[task], wait_ns=200_000_000)["results"]
    assert (result["outcome"], result["at"] is not None) == ("pending", True)
    assert "loop" in result["reason"]
    # the loop comes free while the next one waits
    number = client.request("cancel", ids=ids(client, "notes"), wait_ns=DEADLINE_S * 10**9)
    service.tell()
    service.expect("RELEASED")
    assert client.answer(number)["result"]["results"][0]["outcome"] == "cancelled"
    assert client.wait_row("sleeper", state="cancelled")


def test_a_call_that_does_not_return(start):
    """The loop's own call_soon_threadsafe lasts: it is that which is waited for, not the GIL."""
    service = start("""
go = threading.Event()
new = new_loop
def new_loop():
    loop = new()
    class Loop(type(loop)):
        def call_soon_threadsafe(self, *arguments, **keywords):
            go.wait()
            return super().call_soon_threadsafe(*arguments, **keywords)
    loop.close()
    return Loop()

async def main():
    tasks = spawn(sleeper(), finishes())
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
    go.set()
    await asyncio.wait(tasks)
    print("ENDED", flush=True)
    await line()
run(main())
""")
    client = service.client()
    both = ids(client, "sleeper", "finishes")
    results = client.call("cancel", ids=both, wait_ns=100_000_000)["results"]
    assert [(result["outcome"], result["reason"]) for result in results] == [
        ("pending", "its loop's call_soon_threadsafe has not returned"),
        ("pending", "it waits its turn: a call_soon_threadsafe before it has not returned")]
    service.tell()
    service.expect("ENDED")
    service.tell()
    assert service.wait() == 0


def test_a_gil_that_is_not_free(start):
    service = start("""
import ctypes
poll = ctypes.PyDLL(None).poll

async def main():
    tasks = spawn(sleeper())
    await asyncio.sleep(0)
    print("READY", flush=True)
    fds = (ctypes.c_int * 2)(0, 1)  # its stdin, POLLIN
    poll(fds, 1, -1)
    await line()
    await asyncio.wait(tasks)
    print("ENDED", flush=True)
    await line()
run(main())
""")
    client = service.client()
    task = ids(client, "sleeper")
    (result,) = client.call("cancel", ids=task, wait_ns=100_000_000)["results"]
    assert (result["outcome"], result["reason"]) == (
        "pending", "it waits to be queued: the GIL is not free")
    service.tell()
    service.expect("ENDED")
    service.tell()
    assert service.wait() == 0


def test_a_loop_that_is_not_running_or_closed(start):
    service = start("""
assert looptop.start()
loop = new_loop()
async def nothing():
    pass
stopped = loop.create_task(sleeper(), name="stopped")
loop.run_until_complete(nothing())
other = new_loop()
closed = other.create_task(sleeper(), name="closed")
other.run_until_complete(nothing())
other.close()
print("READY", flush=True)
sys.stdin.readline()
try:
    loop.run_until_complete(stopped)
except asyncio.CancelledError:
    print("CANCELLED", flush=True)
os._exit(0)
""")
    client = service.client()
    results = client.call("cancel", ids=ids(client, "stopped", "closed"), wait_ns=100_000_000)["results"]
    assert [result["outcome"] for result in results] == ["pending", "refused"]
    assert "closed" in results[1]["reason"]
    service.tell()
    service.expect("CANCELLED")
    assert service.wait() == 0


def test_tasks_of_other_threads(start):
    service = start("""
def thread(n):
    async def main():
        tasks = [asyncio.create_task(sleeper(), name="thread %d" % n)]
        await asyncio.sleep(0)
        ready.release()
        try:
            await tasks[0]
        except asyncio.CancelledError:
            assert threading.current_thread().name == "T%d" % n
            os.write(1, b"cancelled in its thread\\n")
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())

assert looptop.start()
ready = threading.Semaphore(0)
threads = [threading.Thread(target=thread, args=(n,), name="T%d" % n) for n in range(4)]
for each in threads:
    each.start()
for each in threads:
    ready.acquire()
print("READY", flush=True)
for each in threads:
    each.join()
print("JOINED", flush=True)
sys.stdin.readline()
""")
    client = service.client()
    results = client.call("cancel", ids=ids(client, *("thread %d" % n for n in range(4))))["results"]
    assert [result["outcome"] for result in results] == ["cancelled"] * 4
    for _ in range(4):
        service.expect("cancelled in its thread")
    service.expect("JOINED")
    service.tell()
    assert service.wait() == 0


def test_many_at_once(start):
    service = start("""
async def main():
    tasks = [asyncio.create_task(sleeper(), name="many") for _ in range(1200)]
    await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
    print(sum(task.cancelled() for task in tasks), flush=True)
run(main())
""")
    client = service.client()
    found = [row["id"] for row in client.rows() if row["name"] == "many"]
    assert len(found) == 1200
    results = client.call("cancel", ids=found[:1000])["results"]
    assert [result["id"] for result in results] == found[:1000]
    assert {result["outcome"] for result in results} == {"cancelled"}
    assert client.totals()["cancelled"] == 1000
    assert len(client.call("events")["events"]) == 256
    with pytest.raises(RpcError) as caught:
        client.call("cancel", ids=found * 2)
    assert caught.value.code == -32602
    service.tell()
    service.expect("1000")


def test_memory_that_is_used_again_is_never_hit(start):
    """Ids of finished tasks, cancelled while thousands of new tasks take their places in memory."""
    service = start("""
hit = 0
async def short():
    global hit
    try:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        hit += 1
async def main():
    addresses = set()
    reused = 0
    reader = asyncio.create_task(line())
    ready = False
    while not reader.done():
        tasks = [asyncio.create_task(short(), name="short") for _ in range(50)]
        reused += sum(id(task) in addresses for task in tasks)
        if reused > 1000 and not ready:
            print("READY", flush=True)
            ready = True
        addresses.update(map(id, tasks))
        await asyncio.gather(*tasks)
        del tasks
    print(hit, flush=True)
run(main())
""")
    client = service.client()
    gone = 0
    while gone < 2000:
        ended = [row["id"] for row in client.rows(filter="name:short") if row["ended_ns"] >= 0][:500]
        if not ended:
            continue
        results = client.call("cancel", ids=ended, wait_ns=100_000_000)["results"]
        assert {result["outcome"] for result in results} == {"gone"}
        gone += len(results)
    service.tell()
    service.expect("0")
    assert service.wait() == 0


def test_a_task_that_is_being_freed(python):
    """Nothing holds it any more, and what it held takes its time to end."""
    with Service.inline(python, """
import asyncio, sys
import looptop

class Slow:
    def __del__(self):
        print("DYING", flush=True)
        sys.stdin.readline()

class Task(asyncio.Task):
    __slots__ = ("slow",)

async def sleeper():
    await asyncio.sleep(3600)

assert looptop.start()
loop = asyncio.new_event_loop()
coro = sleeper()
task = Task(coro, loop=loop, name="dying")
task.slow = Slow()
task._log_destroy_pending = False
print("READY", flush=True)
sys.stdin.readline()
del task
loop.close()
coro.close()
print("END", flush=True)
""") as service:
        service.expect("READY")
        client = service.client()
        number = client.row("dying")["id"]
        service.tell()
        service.expect("DYING")
        (result,) = client.call("cancel", ids=[number], wait_ns=2_000_000_000)["results"]
        assert result["outcome"] == "gone"
        service.tell()
        service.expect("END")
        assert service.wait() == 0


def test_live_and_short_tasks_together(start):
    """Ids that may end any moment: what is said to be cancelled was, and nothing else."""
    service = start("""
cancelled = []
async def short(seconds):
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        cancelled.append(asyncio.current_task().get_name())
        raise
async def main():
    n = 0
    reader = asyncio.create_task(line())
    print("READY", flush=True)
    while not reader.done():
        n += 1
        await asyncio.gather(*(asyncio.create_task(short(0.002 * (i + 1)), name="short %d.%d" % (n, i))
                               for i in range(30)), return_exceptions=True)
    print(*sorted(cancelled), sep=";", flush=True)
run(main())
""")
    client = service.client()
    said, outcomes, tries = [], set(), 0
    end = time.monotonic() + 20
    while tries < 40 or not said and time.monotonic() < end:
        tries += 1
        live = [row["id"] for row in client.rows(filter="name:short*", finished=False)]
        if not live:
            continue
        results = client.call("cancel", ids=live)["results"]
        outcomes.update(result["outcome"] for result in results)
        said += [result["name"] for result in results if result["outcome"] == "cancelled"]
    service.tell()
    assert service.line() == ";".join(sorted(said)) and said
    assert outcomes <= {"cancelled", "gone", "finished"}


def test_readonly(start):
    service = start(MAIN, LOOPTOP_READONLY="1")
    client = service.client()
    with pytest.raises(RpcError) as caught:
        client.call("cancel", ids=ids(client, "sleeper"))
    assert caught.value.code == -32002
    assert client.row("sleeper")["state"] == "wait"
    assert client.call("events")["events"] == []


def test_an_answer_at_once_withdraws_nothing(start):
    """With no time to wait the answer is "pending", and the cancellations arrive all the same."""
    service = start("""
async def main():
    tasks = [asyncio.create_task(sleeper(), name="w") for i in range(300)]
    print("READY", flush=True)
    await asyncio.gather(*tasks, return_exceptions=True)
    print("ALL", flush=True)
run(main())
""")
    client = service.client()
    rows = wait_for(lambda: client.rows(filter="name:w"), what="the tasks")
    results = client.call("cancel", ids=[row["id"] for row in rows], wait_ns=0)["results"]
    assert "pending" in {result["outcome"] for result in results}
    service.expect("ALL")
    assert service.wait() == 0
