# SPDX-License-Identifier: MIT
"""Births, steps, ends, states and places are exact: compared with what the service itself counted.

See tests/services/exact.py for where its truth comes from, and why tasks that asyncio makes by
itself (on 3.11 wait_for makes one for the coroutine it is given) are part of it.
"""

import pytest

from looptop_client import Service, imports, python_with, version, wait_for


def compare(client, truth):
    rows = client.rows(sort="id", reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    found = []
    for row in rows:
        state = row["state"]
        outcome = state if state in ("done", "failed", "cancelled") else "live"
        found.append([row["steps"], outcome, row["exception"]])
    for number, (ours, theirs) in enumerate(zip(found, truth)):
        assert ours == theirs, "task %d: the agent says %r, the truth is %r; %r" % (
            number, ours, theirs, rows[number])
    assert len(found) == len(truth)

    count = {outcome: sum(entry[1] == outcome for entry in truth)
             for outcome in ("live", "done", "failed", "cancelled")}
    # live tasks are counted anew at most ten times a second
    wait_for(lambda: client.totals()["tasks"] == count["live"], what="the count of live tasks")
    totals = client.totals()
    assert totals["created"] == len(truth)
    assert totals["finished"] == count["done"]
    assert totals["failed"] == count["failed"]
    assert totals["cancelled"] == count["cancelled"]
    assert totals["steps"] == sum(entry[0] for entry in truth)
    assert totals["untracked"] == 0


def run_exact(python, *arguments, **environ):
    with Service(python, "exact.py", *arguments, **environ) as service:
        truth = service.json()
        assert len(truth) > 300
        assert {entry[1] for entry in truth} == {"live", "done", "failed", "cancelled"}
        client = service.client()
        compare(client, truth)
        service.tell()
        compare(client, service.json())
        service.tell()
        assert service.wait() == 0


def uvloop_python(python):
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    return found


def python_for(python, loop):
    return uvloop_python(python) if loop == "uvloop" else python


def modes(python):
    return ["object", "native"] + ["generator"] * (version(python) < (3, 12))


@pytest.mark.parametrize("mode", ["object", "generator", "native"])
def test_asyncio(python, mode):
    if mode not in modes(python):
        pytest.skip("tasks take no generators from 3.12 on")
    run_exact(python, mode, "asyncio")


@pytest.mark.parametrize("mode", ["object", "native"])
def test_uvloop(python, mode):
    run_exact(uvloop_python(python), mode, "uvloop")


@pytest.mark.parametrize("mode", ["object", "native"])
def test_uvloop_of_the_distribution(python, mode):
    if not imports(python, "uvloop"):
        pytest.skip("this interpreter has no uvloop of its own")
    run_exact(python, mode, "uvloop")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_debug_mode(python, loop):
    python = python_for(python, loop)
    run_exact(python, "native", loop, PYTHONASYNCIODEBUG="1")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("mode", ["object", "native"])
def test_eager(python, mode, loop):
    if version(python) < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    python = python_for(python, loop)
    run_exact(python, mode, loop, "eager")


BASE = """
    import asyncio, contextlib, json, sys, warnings
    if sys.argv[1] == "uvloop":
        import uvloop
        Base = uvloop.Loop
    else:
        Base = asyncio.SelectorEventLoop
    import looptop
"""

AT_ONCE = BASE + """
    class Impatient(Base):
        "Runs a callback where others queue it, so that a task's first step comes in its __init__."
        at_once = False

        def call_soon(self, callback, *args, context=None):
            if not self.at_once:
                return super().call_soon(callback, *args, context=context)
            self.at_once = False
            callback(*args)

    async def ends():
        return 1

    async def fails():
        raise KeyError

    async def goes_on():
        await asyncio.sleep(0)
        await asyncio.sleep(3600)

    made = []

    def make(at_once, coro, **keywords):
        loop.at_once = at_once
        try:
            made.append(asyncio.Task(coro, loop=loop, **keywords))
        except TypeError:
            made.append(None)
        finally:
            loop.at_once = False

    def make_all():
        for at_once in (False, True):
            for coro in (ends, fails, goes_on):
                make(at_once, coro())
                make(at_once, coro(), name="Task-of-mine")
            make(at_once, 7)
        if sys.version_info >= (3, 12):
            for asked in (None, False, 0, True, 1, "yes"):
                make(False, goes_on(), eager_start=asked, context=None)
                make(False, ends(), name="x", eager_start=asked)
        loop.call_later(0.01, loop.stop)

    looptop.start()
    loop = Impatient()
    asyncio.set_event_loop(loop)
    loop.call_soon(make_all)
    loop.run_forever()
    truth = []
    for task in filter(None, made):
        error = task.exception() if task.done() else None
        truth.append([1 if task.done() else 2, "live" if not task.done() else "failed" if error else "done",
                      type(error).__name__ if error else None])
    print(json.dumps(truth), flush=True)
    sys.stdin.readline()
    for task in filter(None, made):
        task.cancel()
    looptop.stop()
    loop.run_until_complete(asyncio.wait([task for task in made if task and not task.done()]))
    loop.close()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_first_step_within_init(python, loop):
    """Also where the loop runs it there, and where __init__ fails."""
    python = python_for(python, loop)
    with Service.inline(python, AT_ONCE, loop) as service:
        truth = service.json()
        assert len(truth) == 12 + 12 * (version(python) >= (3, 12))
        compare(service.client(), truth)
        service.tell()
        assert service.wait() == 0


ODD_INIT = BASE + """
    class Task(asyncio.Task):
        def __new__(cls, *args, **keywords):
            Task.last = super().__new__(cls)
            return Task.last

    class Meddles(Base):
        case = None

        def call_soon(self, callback, *args, context=None):
            case, self.case = self.case, None
            if case == "steps and raises":
                callback(*args)
                raise OSError
            handle = super().call_soon(callback, *args, context=context)
            if case == "cancels":
                Task.last.cancel()
            elif case == "sets the result":
                asyncio.Future.set_result(Task.last, 1)
            elif case == "begins again":
                # 3.15.2 and later refuse it
                with contextlib.suppress(RuntimeError):
                    Task.last.__init__(waits(), loop=self)
            return handle

    async def waits():
        await asyncio.get_running_loop().create_future()

    def make(case):
        loop.case = case
        try:
            made.append(Task(waits(), loop=loop, name=case))
        except OSError:
            pass

    def make_all():
        for case in ("steps and raises", "cancels", "sets the result", "begins again"):
            make(case)

    def pause(*then):
        print("made", flush=True)
        sys.stdin.readline()
        loop.call_later(0.01, *then)  # what is ready by now runs before

    made = []
    warnings.simplefilter("ignore")
    looptop.start()
    loop = Meddles()
    loop.set_exception_handler(lambda loop, context: None)
    asyncio.set_event_loop(loop)
    loop.run_until_complete(asyncio.sleep(0))
    loop.call_soon(make_all)
    loop.call_soon(pause, pause, loop.stop)
    loop.run_forever()
    for task in made:
        task._log_destroy_pending = False
    looptop.stop()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_meddled_with_in_init(python, loop):
    """What a loop's call_soon does to a task while its __init__ runs."""
    python = python_for(python, loop)
    with Service.inline(python, ODD_INIT, loop) as service:
        service.expect("made")
        client = service.client()
        states = [row["state"] for row in client.rows(sort="id", reverse=True)]
        assert states == ["done", "cancelling", "new", "new"]
        assert client.totals()["created"] == 4
        service.tell()
        service.expect("made")
        totals = client.totals()
        assert [totals[key] for key in ("created", "finished", "failed", "cancelled")] == [4, 2, 0, 1]
        service.tell()
        assert service.wait() == 0


PARENT = """
    import asyncio, looptop

    async def child():
        await asyncio.sleep(3600)

    async def main():
        looptop.stop()
        looptop.start()
        made = [asyncio.create_task(child()) for _ in range(3)]
        await asyncio.sleep(0)
        made.append(asyncio.create_task(child()))
        print("made", flush=True)
        await asyncio.to_thread(input)

    looptop.start()
    with asyncio.Runner() as runner:
        runner.run(asyncio.sleep(0))  # so that main has another record after the new start
        runner.run(main())
"""


def test_parent_after_a_new_start(python):
    """Also of tasks made in the step in which the agent was stopped and started."""
    with Service.inline(python, PARENT) as service:
        service.expect("made")
        client = service.client()
        rows = wait_for(lambda: [r for r in client.rows() if r["coroutine"] == "child"][3:] and
                        client.rows(sort="id", reverse=True), what="all tasks")
        mine = next(row["id"] for row in rows if row["coroutine"] == "main")
        parents = [row["parent"] for row in rows if row["coroutine"] == "child"]
        # those of the step that no hook saw begin: it is known once the walk has met the task
        assert parents[3] == mine and set(parents[:3]) <= {0, mine}
        service.tell()
        assert service.wait() == 0


MANY_CODES = """
    import asyncio, gc, sys, types
    import looptop

    async def waits():
        await asyncio.sleep(3600)

    def made_by(coro, name):
        return asyncio.Task(coro, loop=loop, name=name)

    def coroutine(line):
        kept.append(types.FunctionType(waits.__code__.replace(co_firstlineno=line), globals()))
        return kept[-1]

    def maker(name):
        code = made_by.__code__.replace(co_name=name, co_qualname=name)
        return types.FunctionType(code, globals())

    kept, tasks = [], []
    looptop.start()
    gc.disable()
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    for i in range(6090):  # the agent watches 6144
        made_by(coroutine(i + 1)(), "fill").cancel()
    loop.run_until_complete(asyncio.sleep(0.01))
    again = 0
    for i in range(80):
        body = coroutine(10000 + i)
        first = maker("first%d" % i)
        where = id(first.__code__)
        tasks.append(first(body(), "first%d" % i))
        coro = body()
        del first
        second = maker("second%d" % i)
        again += id(second.__code__) == where
        tasks.append(second(coro, "second%d" % i))
    print(again, flush=True)
    sys.stdin.readline()
    for task in tasks:
        task._log_destroy_pending = False
        task.cancel()
    loop.run_until_complete(asyncio.wait(tasks))
    loop.close()
"""


def test_place_of_birth_among_many_codes(python):
    """The agent can watch only so many codes; one that is freed after that has its address used again."""
    with Service.inline(python, MANY_CODES) as service:
        assert int(service.line()) > 0
        rows = service.client().rows(filter="name:first* | name:second*")
        assert len(rows) == 160
        assert [row["name"] for row in rows if row["name"] not in row["created_at"]] == []
        service.tell()
        assert service.wait() == 0
