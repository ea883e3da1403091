# SPDX-License-Identifier: MIT
"""Uses asyncio in every way that makes, steps and ends tasks, and counts along.

    exact.py MODE LOOP [eager]      MODE: object, generator, native    LOOP: asyncio, uvloop

The truth comes from a task factory that wraps each coroutine, so tasks that asyncio makes by itself
are counted too (wait_for's on 3.11, gather's, run_until_complete's). A step of a task is one send or
throw into its coroutine; who counts them depends on the mode, since an agent may treat coroutines,
generators and other objects differently:

    object     an object with send, throw and close; counts each
    generator  a generator-based coroutine that passes everything on, and counts (3.12 and later
               take none for a task)
    native     a coroutine that awaits such a generator

A coroutine that is cancelled before its first step never runs a line, so that the last two count
nothing; the task has made one step all the same, and the truth says so.

Prints one line of JSON when all is quiet, a second one after the loop has been closed, and ends when
told so. Tasks stand in it in the order they were made, which is the order of the agent's ids.
"""

import asyncio
import collections.abc
import functools
import json
import sys
import types

import looptop

MODE, LOOP = sys.argv[1:3]
EAGER = "eager" in sys.argv[3:]

truth = []  # [steps, task, coroutine]


class Counting(collections.abc.Coroutine):
    def __init__(self, coro, entry):
        self.coro = coro
        self.entry = entry

    def send(self, value):
        self.entry[0] += 1
        return self.coro.send(value)

    def throw(self, *exception):
        self.entry[0] += 1
        return self.coro.throw(*exception)

    def close(self):
        return self.coro.close()

    def __await__(self):
        raise AssertionError("made for a task")


@types.coroutine
def trampoline(coro, entry):
    value = error = None
    while True:
        entry[0] += 1
        try:
            wanted = coro.send(value) if error is None else coro.throw(error)
        except StopIteration as stop:
            return stop.value
        value = error = None
        try:
            value = yield wanted
        except GeneratorExit:
            coro.close()
            raise
        except BaseException as raised:
            error = raised


async def native(coro, entry):
    return await trampoline(coro, entry)


WRAPPERS = {"object": Counting, "generator": trampoline, "native": native}


def make(cls, coro, *, loop, **keywords):
    entry = [0, None, coro]
    truth.append(entry)
    entry[1] = cls(WRAPPERS[MODE](coro, entry), loop=loop, **keywords)
    return entry[1]


def factory(loop, coro, **keywords):
    if EAGER:
        keywords.setdefault("eager_start", True)
    return make(asyncio.Task, coro, loop=loop, **keywords)


def report():
    out = []
    for steps, task, coro in truth:
        steps += not steps and task.done()  # see above
        if task.done():
            coro.close()  # it may not have been awaited
        error = None if not task.done() or task.cancelled() else task.exception()
        out.append([steps,
                    "live" if not task.done() else "cancelled" if task.cancelled()
                    else "failed" if error else "done",
                    type(error).__name__ if error else None])
    print(json.dumps(out))


def report_and_wait():
    """In a thread, while the loop has nothing to do."""
    report()
    sys.stdin.readline()


# ---- the workload


class Fatal(BaseException):
    pass


async def sleeper(n, delay=0):
    for _ in range(n):
        await asyncio.sleep(delay)
    return n


async def fails(error, n=1):
    await sleeper(n)
    raise error


async def stubborn(times):
    for _ in range(times):
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
    await asyncio.sleep(0)


async def sleeps():
    create = asyncio.create_task
    await asyncio.wait([create(sleeper(n)) for n in range(40)])
    await asyncio.wait([create(sleeper(3, n / 1000)) for n in range(10)])


async def exceptions():
    create = asyncio.create_task
    for n in (0, 1, 5):
        tasks = [create(fails(error, n)) for error in (
            ValueError("x"), Fatal(), StopIteration(), asyncio.CancelledError(), GeneratorExit())]
        await asyncio.wait(tasks)

    @types.coroutine
    def bad(value):
        yield value

    async def awaits_itself():
        await asyncio.current_task()

    tasks = [create(bad(value)) for value in (1, "x", None, create(sleeper(1)))]
    tasks.append(create(awaits_itself()))
    await asyncio.wait(tasks)


async def cancels():
    create = asyncio.create_task
    early = [create(asyncio.sleep(3600)) for _ in range(5)]
    for task in early:
        task.cancel("early")
    late = [create(asyncio.sleep(3600)) for _ in range(5)]
    twice = create(stubborn(2))
    again = create(stubborn(1))
    while_ready = create(sleeper(5))
    await asyncio.sleep(0)
    for task in late:
        task.cancel()
    while_ready.cancel()
    for task in twice, again, twice:
        await asyncio.sleep(0.001)
        task.cancel()
        task.cancel()
    await asyncio.wait([*early, *late, twice, again, while_ready])

    outer = create(asyncio.wait_for(asyncio.shield(create(sleeper(4, 0.001))), 1))
    await asyncio.sleep(0)
    outer.cancel()
    await asyncio.wait([outer])
    await asyncio.sleep(0.01)


async def executors():
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(loop.run_in_executor(None, pow, 2, n) for n in range(10)))
    await asyncio.gather(*(asyncio.to_thread(pow, 2, n) for n in range(10)))


async def queues():
    queue = asyncio.Queue(3)

    async def consume():
        while True:
            await queue.get()
            await asyncio.sleep(0)
            queue.task_done()

    async def produce(n):
        for i in range(n):
            await queue.put(i)

    consumers = [asyncio.create_task(consume()) for _ in range(4)]
    await asyncio.gather(*(produce(20) for _ in range(3)))
    await queue.join()
    for task in consumers:
        task.cancel()
    await asyncio.gather(*consumers, return_exceptions=True)


async def gathers():
    await asyncio.gather(sleeper(1), fails(KeyError("k")), sleeper(3), return_exceptions=True)
    try:
        await asyncio.gather(sleeper(2), fails(KeyError("k"), 0))
    except KeyError:
        pass
    whole = asyncio.gather(asyncio.sleep(3600), asyncio.sleep(3600))
    asyncio.get_running_loop().call_soon(whole.cancel)
    try:
        await whole
    except asyncio.CancelledError:
        pass
    for next_done in asyncio.as_completed([sleeper(3), sleeper(1), sleeper(2)]):
        await next_done
    await asyncio.sleep(0.01)


async def timeouts():
    await asyncio.wait_for(sleeper(2), 10)
    for delay in (0.001, 0, -1):
        try:
            await asyncio.wait_for(asyncio.sleep(3600), delay)
        except TimeoutError:
            pass
    try:
        await asyncio.wait_for(fails(ValueError()), 10)
    except ValueError:
        pass
    try:
        await asyncio.wait_for(asyncio.get_running_loop().create_future(), 0.001)
    except TimeoutError:
        pass
    for work in (sleeper(2), asyncio.sleep(3600)):
        try:
            async with asyncio.timeout(0.005) as scope:
                scope.reschedule(scope.when() + 0.001)
                await work
        except TimeoutError:
            pass


async def groups():
    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(sleeper(n))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(asyncio.sleep(3600))
            group.create_task(fails(ValueError("v"), 2))
            group.create_task(stubborn(1))
    except* ValueError:
        pass


async def locks():
    lock, event, gate = asyncio.Lock(), asyncio.Event(), asyncio.Semaphore(2)
    changed = asyncio.Condition()

    async def work(n):
        async with lock, gate:
            await asyncio.sleep(0)
        await event.wait()
        async with changed:
            await changed.wait()

    async def generate():
        try:
            for n in range(5):
                yield n
                await asyncio.sleep(0)
        finally:
            await asyncio.sleep(0)

    async def iterate():
        async for n in generate():
            if n == 3:
                break

    tasks = [asyncio.create_task(work(n)) for n in range(6)]
    await asyncio.gather(*(iterate() for _ in range(3)))
    await asyncio.sleep(0.01)
    event.set()
    await asyncio.sleep(0.01)
    async with changed:
        changed.notify_all()
    await asyncio.gather(*tasks)


async def streams():
    async def serve(reader, writer):
        while data := await reader.readline():
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def ask(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for n in range(5):
            writer.write(b"%d\n" % n)
            assert await reader.readline() == b"%d\n" % n
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    await asyncio.gather(*(ask(server.sockets[0].getsockname()[1]) for _ in range(5)))
    server.close()
    await server.wait_closed()


class Early(asyncio.Task):
    """Made before the agent has started; with an __init__ of its own."""

    def __init__(self, coro, *, loop, extra, **keywords):
        self.extra = extra
        super().__init__(coro, loop=loop, **keywords)
        self.extra += 1


class Plain(asyncio.Task):
    pass


async def subclasses():
    class Late(asyncio.Task):
        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            self.late = True

    class LatePlain(Plain):
        def set_name(self, name):
            super().set_name("late " + name)

    class Mixed(Early, Plain):
        pass

    class Fails(asyncio.Task):
        """The task is made and will run, though its maker never sees it."""

        def __init__(self, *arguments, **keywords):
            super().__init__(*arguments, **keywords)
            truth[-1][1] = self
            raise ValueError

    loop = asyncio.get_running_loop()
    try:
        make(Fails, sleeper(2), loop=loop)
    except ValueError:
        pass
    try:
        asyncio.Task("no coroutine", loop=loop)  # no task, then
    except TypeError:
        pass
    classes = [functools.partial(Early, extra=1), Plain, Late, LatePlain,
               functools.partial(Mixed, extra=1)]
    tasks = [make(cls, work, loop=loop) for cls in classes
             for work in (sleeper(3), fails(ValueError("s")), sleeper(0, 0.001))]
    await asyncio.wait(tasks)


async def waiting():
    future = asyncio.get_running_loop().create_future()
    tasks = [asyncio.create_task(asyncio.wait([future])) for _ in range(3)]
    tasks += [asyncio.create_task(asyncio.wait({tasks[0]}, timeout=0.001))]
    await asyncio.sleep(0.005)
    future.set_result(None)
    await asyncio.wait(tasks)


async def main():
    for part in (sleeps, exceptions, cancels, executors, queues, gathers, timeouts, groups, locks,
                 streams, subclasses, waiting):
        await part()
        await asyncio.create_task(part())
    parked = [asyncio.create_task(sleeper(2, 3600)) for _ in range(5)]
    await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, report_and_wait)
    for task in parked:
        task.cancel()


def new_loop():
    if LOOP == "uvloop":
        import uvloop
        loop = uvloop.new_event_loop()
    else:
        loop = asyncio.SelectorEventLoop()
    loop.set_task_factory(factory)
    return loop


assert looptop.start()
with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
report()
sys.stdin.readline()
