# SPDX-License-Identifier: MIT
"""Reading runs none of the application's code, and nothing of ours disturbs other tools.

services/counting.py counts whenever code of its classes runs. It runs twice, once bare and once with
an agent that is asked for everything while the program stands still: the counts are the same.
"""

import json

import pytest

from looptop_client import Service, python_with, wait_for


@pytest.fixture(params=["asyncio", "uvloop"])
def interpreter(request, python):
    """An interpreter, and which loop it is to use."""
    if request.param == "asyncio":
        return python, "asyncio"
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    return found, "uvloop"


def ask_everything(client):
    """All there is to be asked; returns the rows."""
    client.call("subscribe", interval_ns=100000000, tasks={"limit": 100, "sort": "id"})
    rows = client.rows()
    for _ in range(3):
        client.update()
    for row in rows:
        client.call("stack", id=row["id"])
    for method in ("loops", "memory"):
        client.call(method, history=True)
    client.call("events")
    assert client.call("status")["hooks"]["state"] == "active"
    client.call("unsubscribe")
    client.updates.clear()
    return rows


def count(interpreter, case, ask=None):
    """What the program has counted, bare or, with `ask`, asked at each of its pauses."""
    python, loop = interpreter
    with Service(python, "counting.py", case, loop, *(["agent"] if ask else [])) as service:
        client = None
        while True:
            line = service.line()
            if line.startswith("{"):
                return json.loads(line)
            if ask:
                client = client or service.client()
                ask(client, line)
            service.tell()


def compare(interpreter, case, ask):
    bare = count(interpreter, case)
    beside = count(interpreter, case, ask)
    assert {name: beside[name] for name in beside if beside[name] != bare.get(name)} == {}
    assert beside == bare
    return bare


def test_nothing_of_a_task_runs(interpreter):
    """Subclasses of Task and Future that notice everything, tasks of every kind, old and new."""
    def ask(client, where):
        if where == "begun":
            wait_for(lambda: len(client.rows()) >= 15, what="the tasks that were there before")
        rows = ask_everything(client)
        if where == "running":
            assert {"main", "shown"} <= {row["name"] for row in rows}
            assert {"Failure"} <= {row["exception"] for row in rows}

    assert compare(interpreter, "tasks", ask)["task __init__"] > 10


def test_nothing_of_a_loop_runs(interpreter):
    """Loops whose classes notice everything, while they run, when they are closed, and after."""
    def states(client):
        return {(loop["kind"], loop["state"]) for loop in client.call("loops")["loops"]}

    def ask(client, where):
        ask_everything(client)
        if where == "unseen":
            # it would be probed twice in this time
            begun = client.call("status")["agent_up_ns"]
            wait_for(lambda: client.call("status")["agent_up_ns"] > begun + 1500000000)
        elif where == "closed":
            # those of which it can be known
            still = {"Computes", "Keyed"} if interpreter[1] == "asyncio" else set()
            wait_for(lambda: {kind for kind, state in states(client) if state != "closed"} == still,
                     what="the loops closed")
        elif where == "gone":
            wait_for(lambda: {state for _, state in states(client)} <= {"closed"},
                     what="the loops gone")

    compare(interpreter, "loops", ask)


def test_nothing_of_a_module_runs(interpreter):
    """The standard library's modules have a class that notices."""
    compare(interpreter, "modules", lambda client, where: ask_everything(client))


@pytest.mark.parametrize("patched", [False, True])
def test_probes_run_only_stock_code(python, patched):
    """A loop on another selector is probed, unless somebody has patched what a probe runs."""
    with Service.inline(python, """
import asyncio, selectors, sys, threading
import looptop
assert looptop.start()
loop = asyncio.SelectorEventLoop(selectors.PollSelector())
woken = []
if %r:
    stock = asyncio.selector_events.BaseSelectorEventLoop._write_to_self
    def wake(self):
        woken.append(threading.get_ident())
        return stock(self)
    asyncio.selector_events.BaseSelectorEventLoop._write_to_self = wake
loop.add_reader(0, loop.stop)
print("READY", flush=True)
loop.run_forever()
print(len(woken), flush=True)
""" % patched) as service:
        service.expect("READY")
        client = service.client()
        client.call("subscribe", interval_ns=100000000)
        (loop,) = wait_for(lambda: client.call("loops")["loops"])
        if patched:
            wait_for(lambda: client.call("status")["agent_up_ns"] > 2000000000)
            (loop,) = client.call("loops")["loops"]
            assert loop["lag_ns"]["p50"] == 0
        else:
            wait_for(lambda: client.call("loops")["loops"][0]["lag_ns"]["p50"] > 0)
        service.tell()
        service.expect("0")
        assert service.wait() == 0


def test_no_garbage_is_collected_in_the_agents_thread(python):
    """Finalizers run in threads of the application, as they did."""
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    with Service.inline(found, """
import gc, os, threading
import looptop, uvloop
wrong = []

class Garbage:
    def __init__(self):
        self.me = self
    def __del__(self):
        if threading.get_ident() not in threading._active:
            wrong.append(1)

assert looptop.start()
loop = uvloop.new_event_loop()
threading.Thread(target=loop.run_forever, daemon=True).start()
print("READY", flush=True)
for _ in range(4):
    gc.disable()
    gc.set_threshold(1, 1, 1)
    garbage = [Garbage() for _ in range(100)]
    del garbage
    gc.enable()
    os.read(0, 1)  # nothing is allocated here
print(len(wrong), flush=True)
os._exit(0)
""") as service:
        service.expect("READY")
        client = service.client()
        client.call("subscribe", interval_ns=100000000)
        for _ in range(4):
            before = client.call("status")["agent_up_ns"]
            wait_for(lambda: client.call("status")["agent_up_ns"] > before + 600000000)
            service.tell()
        service.expect("0")


EXTRAS = """
import asyncio, ctypes, gc, os, sys
import looptop

api = ctypes.pythonapi
if sys.version_info < (3, 12):
    request, put = api._PyEval_RequestCodeExtraIndex, api._PyCode_SetExtra
else:
    request, put = api.PyUnstable_Eval_RequestCodeExtraIndex, api.PyUnstable_Code_SetExtra
request.restype = ctypes.c_ssize_t
put.argtypes = [ctypes.py_object, ctypes.c_ssize_t, ctypes.c_void_p]
freed = []

@ctypes.CFUNCTYPE(None, ctypes.c_void_p)
def free(extra):
    freed.append(extra)

def code(n):
    names = {"asyncio": asyncio}
    exec("async def made_%d():\\n  await asyncio.sleep(0)\\n  await asyncio.sleep(0)\\n" % n, names)
    return names["made_%d" % n]

async def main():
    for n in range(100):
        made = code(n)
        if n % 10 == 0:
            assert put(made.__code__, index, n + 1) == 0
        await asyncio.create_task(made())
        await asyncio.create_task(made(), name="again")
        del made
    gc.collect()
"""


@pytest.mark.parametrize("first", ["the agent", "the tool"])
def test_other_tools_that_mark_codes(python, first):
    """A tool that keeps something with some codes is told of these, never of others."""
    begin = ["assert looptop.start()", "index = request(free)"]
    with Service.inline(python, EXTRAS + "\n".join(begin if first == "the agent" else begin[::-1]) + """
asyncio.run(main())
print(freed, flush=True)
os._exit(0)
""") as service:
        service.expect(str([n + 1 for n in range(0, 100, 10)]))


@pytest.mark.parametrize("kept", [0, 8000], ids=["few", "many"])
def test_places_of_codes_that_come_and_go(python, kept):
    """Codes are freed all the time and others made in their place, or more of them live than are
    watched: each task has the name and the place of its own."""
    with Service.inline(python, """
import asyncio, sys, weakref
import looptop
assert looptop.start()
made, KEPT = {}, int(sys.argv[1])

def make(n):
    names = {"asyncio": asyncio}
    exec("\\n" * (n % 50) + "async def made_%d(ready):\\n  await ready\\n" % n, names)
    made[n] = names["made_%d" % n]
    made.pop(n - KEPT, None)
    return names["made_%d" % n]

async def line():
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(0, ready.set_result, None)
    await ready
    loop.remove_reader(0)
    return sys.stdin.readline()

async def main():
    loop = asyncio.get_running_loop()
    n, step = 0, max(20, KEPT // 10)
    while True:
        ready = loop.create_future()
        tasks = [loop.create_task(make(n + k)(ready), name="made_%d" % (n + k)) for k in range(step)]
        await asyncio.sleep(0)
        print("THERE", flush=True)
        if await line() == "END\\n":
            break
        ready.set_result(None)
        await asyncio.gather(*tasks)
        n += step
    for code in [function.__code__ for function in made.values()]:
        for weak in weakref.getweakrefs(code):
            for argument in (weak, weak, code, None):
                weak.__callback__(argument)  # whose it is does not matter
    made.clear()
    ready.set_result(None)
    await asyncio.gather(*tasks)
asyncio.run(main())
print("ENDED", flush=True)
sys.stdin.readline()
""", str(kept)) as service:
        for _ in range(20):
            service.expect("THERE")
            client = service.client()
            rows = [row for row in client.rows(finished=False) if row["name"].startswith("made_")]
            assert len(rows) == max(20, kept // 10)
            for row in rows:
                number = int(row["name"][5:])
                assert row["coroutine"] == row["name"]
                assert row["at"][1:] == (number % 50 + 2, row["name"]), row
            client.close()
            service.tell()
        service.expect("THERE")
        service.tell("END")
        service.expect("ENDED")
        service.tell()
        assert service.wait() == 0
