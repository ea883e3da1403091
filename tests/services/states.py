# SPDX-License-Identifier: MIT
"""Tasks in known states at known lines; a line that a task stands on ends with `# at NAME`.

    states.py [uvloop]

Says READY when all stand there. Commands on stdin: `hold` blocks the loop in a plain function until
the next line, with some tasks woken just before; `end` finishes all.
"""

import asyncio
import contextlib
import sys
import types

import looptop

loop = None
waiters = {}  # futures by name


def future(name):
    waiters[name] = loop.create_future()
    return waiters[name]


async def deepest(name):
    await future(name)  # at nested


async def middle(name):
    x = [
        1,
        await deepest(name),
    ]
    return x


async def nested(name):
    await middle(name)


async def sleeping():
    await asyncio.sleep(
        3600,
    )  # end of sleeping


async def in_library(queue):
    while True:
        await queue.get()  # at queue


async def in_gather():
    await asyncio.gather(future("gather"), asyncio.sleep(0))  # at gather


async def in_with():
    async with asyncio.timeout(3600):
        await future("with")  # at with


@contextlib.asynccontextmanager
async def manager():
    await future("manager")  # at manager
    yield


async def in_manager():
    async with manager():
        pass


class Awaitable:
    def __init__(self, name):
        self.name = name

    def __await__(self):
        return (yield from future(self.name))  # at awaitable


async def in_awaitable():
    await Awaitable("awaitable")


@types.coroutine
def generator(name):
    yield from future(name)  # at generator


async def in_generator():
    await generator("generator")


async def agen(name):
    yield 1
    await future(name)  # at agen
    yield 2


async def in_agen():
    async for _ in agen("agen"):
        pass


async def in_comprehension():
    return [x async for x in agen("comprehension")]


async def moves():
    await future("moves 1")  # at moves 1
    await future("moves 2")  # at moves 2


async def stubborn():
    try:
        await future("stubborn")
    except asyncio.CancelledError:
        await future("stubborn 2")  # at stubborn


async def parent():
    child = asyncio.create_task(sleeping(), name="child")  # created child
    await child  # at parent


async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(sleeping(), name="grouped")  # created grouped


async def fails():
    raise LookupError("x")


def hold(reader):
    waiters["moves 1"].set_result(None)
    asyncio.create_task(sleeping(), name="new")  # created new
    print("HELD", flush=True)
    reader.readline()  # at held


async def running(reader):
    hold(reader)


async def returns(value):
    return value


async def main():
    global loop
    loop = asyncio.get_running_loop()
    spawn = lambda coro, name: asyncio.create_task(coro, name=name)  # noqa: E731
    tasks = [
        spawn(nested("nested"), "nested"),  # created nested -- not here: a lambda makes it
        spawn(sleeping(), "sleeping"), spawn(in_library(asyncio.Queue()), "queue"),
        spawn(in_gather(), "gather"), spawn(in_with(), "with"), spawn(in_manager(), "manager"),
        spawn(in_awaitable(), "awaitable"), spawn(in_generator(), "generator"),
        spawn(in_agen(), "agen"), spawn(in_comprehension(), "comprehension"),
        spawn(moves(), "moves"), spawn(stubborn(), "stubborn"), spawn(parent(), "parent"),
        spawn(group(), "group")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    tasks[11].cancel()
    ended = [asyncio.create_task(fails(), name="failed"),
             asyncio.create_task(returns(1), name="done"),
             asyncio.create_task(sleeping(), name="cancelled")]
    await asyncio.sleep(0)
    ended[2].cancel()
    await asyncio.gather(*ended, return_exceptions=True)
    await asyncio.sleep(0)

    print("READY", flush=True)
    read = lambda: loop.run_in_executor(None, sys.stdin.readline)  # noqa: E731
    while (command := (await read()).strip()) != "end":  # at main
        if command == "hold":
            await asyncio.create_task(running(sys.stdin), name="running")
            print("RELEASED", flush=True)


def new_loop():
    if "uvloop" not in sys.argv:
        return asyncio.SelectorEventLoop()
    import uvloop
    return uvloop.new_event_loop()


assert looptop.start()
with asyncio.Runner(loop_factory=new_loop) as runner:
    runner.run(main())
