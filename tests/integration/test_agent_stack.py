# SPDX-License-Identifier: MIT
"""Stacks of tasks: every kind of chain, every kind of local, and nothing of the application's run."""

import json
import os
import re
import subprocess

import pytest

from looptop_client import BUILD, RpcError, Service, python_with, wait_for

LOOPTOP = os.path.join(BUILD, "looptop")

SOURCE = """
import asyncio, collections, enum, functools, os, sys, types
import looptop
loop = None
new_loop = asyncio.SelectorEventLoop
calls = 0

async def forever():
    await loop.create_future()

def spawn(coro, name):
    return asyncio.create_task(coro, name=name)

async def line():
    ready = loop.create_future()
    loop.add_reader(0, ready.set_result, None)
    await ready
    loop.remove_reader(0)
    return os.read(0, 1000)

async def start():
    global loop
    loop = asyncio.get_running_loop()
    tasks = fill()
    for _ in range(20):
        await asyncio.sleep(0)
    print("READY", flush=True)
    await line()
    print(calls, flush=True)
    os._exit(0)

def run():
    assert looptop.start()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(start())
"""


@pytest.fixture
def serve(python):
    services = []

    def serve(source, interpreter=None, **keywords):
        service = Service.inline(interpreter or python, SOURCE + source + "\nrun()\n", **keywords)
        services.append(service)
        service.expect("READY")
        return service, service.client()
    try:
        yield serve
    except BaseException as error:
        for service in services:
            service.__exit__(type(error), error, None)
        raise
    for service in services:
        service.__exit__(None, None, None)


def short(stack):
    return [(frame["kind"], frame["function"]) for frame in stack["frames"]]


KINDS = """
async def inner():
    await forever()

async def outer(n):
    x = n + 1
    await inner()  # at outer

@types.coroutine
def generator():
    yield from forever()

async def of_generator():
    await generator()

class Awaitable:
    def __await__(self):
        return (yield from forever().__await__())

class Delegates:
    def __await__(self):
        return forever().__await__()

async def of_awaitable():
    await Awaitable()

async def of_delegates():
    await Delegates()

async def agen():
    try:
        yield 1
        await forever()
    finally:
        pass

async def of_agen():
    async for x in agen():
        pass

async def of_asend():
    g = agen()
    await g.asend(None)
    await g.asend(None)

async def of_athrow():
    async def catches():
        try:
            yield 1
        except ValueError:
            await forever()
    g = catches()
    await g.asend(None)
    await g.athrow(ValueError())

async def of_aclose():
    async def closing():
        try:
            yield 1
        finally:
            await forever()
    g = closing()
    await g.asend(None)
    await g.aclose()

async def of_anext():
    g = agen()
    await anext(g)
    await anext(g, None)

async def of_task():
    await spawn(forever(), "inner task")

async def of_gather():
    await asyncio.gather(forever(), forever())

async def of_wait():
    await asyncio.wait_for(forever(), 3600)

async def of_partial():
    await functools.partial(forever)()

async def finishes():
    return 1

class Sends(collections.abc.Coroutine):
    def send(self, value):
        return loop.create_future().__await__().send(None)
    def throw(self, *args):
        raise args[0]
    def close(self):
        pass
    def __await__(self):
        return self

def fill():
    never = loop.create_task(outer(1), name="cancelled early")
    never.cancel()
    return [never] + [spawn(each(), each.__name__) for each in (
        of_generator, of_awaitable, of_delegates, of_agen, of_asend, of_athrow, of_aclose, of_anext,
        of_task, of_gather, of_wait, of_partial, finishes)] + [
        spawn(outer(3), "outer"), spawn(Sends(), "object")]
"""


def test_kinds_of_chains(serve):
    service, client = serve(KINDS)
    co, gen, agen, forever = "coroutine", "generator", "async generator", ("coroutine", "forever")
    expected = {
        "outer": [(co, "outer"), (co, "inner"), forever],
        "of_generator": [(co, "of_generator"), (gen, "generator"), forever],
        "of_awaitable": [(co, "of_awaitable"), (gen, "Awaitable.__await__"), forever],
        "of_agen": [(co, "of_agen"), (agen, "agen"), forever],
        "of_asend": [(co, "of_asend"), (agen, "agen"), forever],
        "of_athrow": [(co, "of_athrow"), (agen, "of_athrow.<locals>.catches"), forever],
        "of_aclose": [(co, "of_aclose"), (agen, "of_aclose.<locals>.closing"), forever],
        "of_anext": [(co, "of_anext"), (agen, "agen"), forever],
        "of_task": [(co, "of_task")],
        "of_gather": [(co, "of_gather")],
        "of_partial": [(co, "of_partial"), forever],
    }
    stacks = {name: client.stack(name) for name in expected}
    assert {name: short(stack) for name, stack in stacks.items()} == expected
    assert all(stack["complete"] and stack["reason"] is None for stack in stacks.values())
    assert {stack["state"] for stack in stacks.values()} == {"wait"}
    assert stacks["of_task"]["awaits"] == "Task"
    assert stacks["of_gather"]["awaits"] == "_GatheringFuture"
    assert stacks["outer"]["awaits"] == "Future"

    frame = stacks["outer"]["frames"][0]
    assert (frame["file"], frame["line"]) == (service.script, service.line_of("at outer"))
    assert frame["locals"] == [{"name": "n", "type": "int", "value": "3"},
                               {"name": "x", "type": "int", "value": "4"}]
    assert frame["more_locals"] == 0
    # what hides its inner chain behind a C iterator may end there; what is shown is right
    assert short(client.stack("of_delegates"))[0] == (co, "of_delegates")
    assert client.stack("object")["frames"] == []
    assert short(client.stack("of_wait"))[0] == (co, "of_wait")
    finished = client.stack("finishes")
    assert (finished["state"], finished["frames"], finished["complete"]) == ("done", [], True)
    assert client.stack("cancelled early")["state"] == "cancelled"
    for wrong in (10**6, 0):
        with pytest.raises(RpcError) as caught:
            client.call("stack", id=wrong)
        assert caught.value.code == -32003


def test_kinds_of_chains_on_uvloop(serve, python):
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    service, client = serve("from uvloop import new_event_loop as new_loop" + KINDS, interpreter=found)
    assert short(client.stack("outer")) == [
        ("coroutine", "outer"), ("coroutine", "inner"), ("coroutine", "forever")]
    assert short(client.stack("of_agen"))[1] == ("async generator", "agen")


def test_deep_chains(serve):
    service, client = serve("""
sys.setrecursionlimit(10000)
async def deep(n):
    if n == 0:
        await forever()
    else:
        await deep(n - 1)

def fill():
    return [spawn(deep(997), "1000"), spawn(deep(3000), "3000")]
""")
    stack = client.stack("1000")
    assert len(stack["frames"]) == 999 and stack["complete"]
    numbers = [frame["locals"][0]["value"] for frame in stack["frames"][:-1]]
    assert numbers == [str(n) for n in range(997, -1, -1)]
    assert stack["frames"][-1]["function"] == "forever"
    stack = client.stack("3000")
    assert len(stack["frames"]) == 2048 and not stack["complete"] and "deep" in stack["reason"]
    row = client.row("1000")
    assert row["at"] is not None


def test_a_cycle(serve):
    """Two objects that await one another: Python would hang in neither, and nor do we."""
    service, client = serve("""
class Cycle:
    other = None
    def __await__(self):
        return self
    def __iter__(self):
        return self
    def __next__(self):
        return loop.create_future().__await__().__next__()

async def cyclic():
    a, b = Cycle(), Cycle()
    a.other, b.other = b, a
    await a

async def awaits_itself_through_others():
    tasks = []
    async def one():
        await tasks[1]
    async def two():
        await tasks[0]
    tasks += [spawn(one(), "one"), spawn(two(), "two")]
    await forever()

def fill():
    return [spawn(cyclic(), "cyclic"), spawn(awaits_itself_through_others(), "others")]
""")
    assert short(client.stack("cyclic"))[0] == ("coroutine", "cyclic")
    assert client.stack("one")["awaits"] == "Task"


def test_running(serve):
    """Blocked in a plain function called by a coroutine: the frames down to it, with their locals."""
    service, client = serve("""
def blocks(how):
    what = "blocked"
    os.write(1, b"BLOCKED\\n")
    os.read(0, 1000)  # at blocked

def between(n):
    return blocks(n)

async def coroutine():
    between(7)

async def running():
    await asyncio.sleep(0)
    await coroutine()

async def waits():
    await forever()

def fill():
    loop.call_later(0.01, lambda: spawn(running(), "running"))
    return [spawn(waits(), "waits")]
""")
    service.expect("BLOCKED")
    line = service.line_of("at blocked")  # it says so just before it stands there
    stack = wait_for(lambda: (lambda found: found if found["frames"][-1]["line"] == line else None)(
        client.stack("running")))
    assert stack["state"] == "run" and stack["complete"]
    assert short(stack) == [("coroutine", "running"), ("coroutine", "coroutine"),
                            ("function", "between"), ("function", "blocks")]
    top = stack["frames"][-1]
    assert top["line"] == line
    assert top["locals"] == [{"name": "how", "type": "int", "value": "7"},
                             {"name": "what", "type": "str", "value": "'blocked'"}]
    # others can be read meanwhile
    assert short(client.stack("waits")) == [("coroutine", "waits"), ("coroutine", "forever")]
    assert client.row("running")["at"][1:] == (line, "blocks")


def test_running_in_a_constructor(serve):
    """The interpreter puts a frame of its own below an inlined __init__: it is nobody's code."""
    service, client = serve("""
class Thing:
    def __init__(self, blocks):
        if blocks:
            os.write(1, b"BLOCKED\\n")
            os.read(0, 1000)  # at blocked

async def running():
    await asyncio.sleep(0)
    for n in range(1000):
        Thing(n == 999)

def fill():
    loop.call_later(0.01, lambda: spawn(running(), "running"))
    return []
""")
    service.expect("BLOCKED")
    line = service.line_of("at blocked")
    stack = wait_for(lambda: (lambda found: found if found["frames"][-1]["line"] == line else None)(
        client.stack("running")))
    assert short(stack) == [("coroutine", "running"), ("function", "Thing.__init__")]
    wait_for(lambda: client.row("running")["at"][1:] == (line, "Thing.__init__"))


def test_never_started(serve):
    service, client = serve("""
async def later(a, b=2, *c, **d):
    e = 1

def fill():
    def hold():
        task = spawn(later("x", z=1), "new")
        os.write(1, b"HELD\\n")
        os.read(0, 1000)
    loop.call_later(0.01, hold)
""")
    service.expect("HELD")
    stack = client.stack("new")
    assert stack["state"] == "new"
    assert short(stack) == [("coroutine", "later")]
    assert {local["name"]: local for local in stack["frames"][0]["locals"]} == {
        "a": {"name": "a", "type": "str", "value": "'x'"},
        "b": {"name": "b", "type": "int", "value": "2"},
        "c": {"name": "c", "type": "tuple", "length": 0},
        "d": {"name": "d", "type": "dict", "length": 1}}


LOCALS = r"""
def count(*arguments, **keywords):
    global calls
    calls += 1
    raise RuntimeError("application code was run")

class Meta(type):
    __repr__ = __str__ = __len__ = __bool__ = __hash__ = count
    def __getattribute__(cls, name):
        if not name.startswith("__"):
            count()
        return super().__getattribute__(name)
    def __instancecheck__(cls, other):
        count()
    __subclasscheck__ = __instancecheck__

class Hostile(metaclass=Meta):
    __repr__ = __str__ = __len__ = __bool__ = __hash__ = __eq__ = __iter__ = count
    __int__ = __index__ = __float__ = __getattr__ = __await__ = __format__ = __bytes__ = count
    __class__ = property(count)
    __dict__ = property(count)
    value = property(count)

def hostile(base):
    return type("Hostile_" + base.__name__, (base,), {
        name: count for name in ("__repr__", "__str__", "__len__", "__bool__", "__iter__",
                                 "__getitem__", "__format__")} | {"__class__": property(count)})

class Color(enum.IntEnum):
    RED = 1

async def everything(parameter):
    none, yes, no = None, True, False
    zero, negative, big = 0, -5, 2**63
    google, huge = 10**70, 1 << 100000
    negative_big = -2**64
    pi, inf, nan, tiny = 3.14, float("inf"), float("nan"), 5e-324
    text, empty, quotes = "text", "", "it's \"x\"\n\t\\\x00\x7f"
    accents, wide, surrogate = "h\u00e9", "\u4e16\U0001f600", "a\ud800b"
    long_text, long_bytes = "x" * 81, b"y" * 1000
    exact_text = "z" * 80
    data = b"\x00\xff'a\\"
    items, pair, table = [1, 2, 3], (1, 2), {"a": 1}
    group, frozen, queue = {1, 2}, frozenset([1]), collections.deque([1, 2, 3, 4])
    array = bytearray(b"abc")
    number, klass, function = Hostile(), Hostile, count
    my_int, my_str, my_list = hostile(int)(5), hostile(str)("s"), hostile(list)([1])
    my_dict, my_tuple, my_set = hostile(dict)(a=1), hostile(tuple)([1]), hostile(set)([1])
    my_float, my_bytes, my_deque = hostile(float)(1), hostile(bytes)(b"b"), hostile(collections.deque)([1])
    no_deque = type("collections.deque", (), {})()
    red, counter = Color.RED, collections.OrderedDict(a=1)
    module, ellipsis, code = sys, ..., everything.__code__
    gone = 1
    del gone
    cell = "cell"
    def closure():
        return cell, later
    async def uses():
        free = cell
        later2 = later
        await forever()
    later = 5
    await uses()
    unset = 1

async def many():
    %s
    await forever()

def fill():
    return [spawn(everything("p"), "everything"), spawn(many(), "many")]
""" % "; ".join("v%d = %d" % (n, n) for n in range(100))


def test_locals(serve):
    service, client = serve(LOCALS)
    stack = client.stack("everything")
    frame = stack["frames"][0]
    found = {local.pop("name"): local for local in frame["locals"]}
    expected = {
        "parameter": ("str", "'p'"), "none": ("NoneType", "None"), "yes": ("bool", "True"),
        "no": ("bool", "False"), "zero": ("int", "0"), "negative": ("int", "-5"),
        "big": ("int", str(2**63)), "google": ("int", str(10**70)), "huge": ("int", None),
        "negative_big": ("int", str(-2**64)), "pi": ("float", "3.14"), "inf": ("float", "inf"),
        "nan": ("float", "nan"), "tiny": ("float", "5e-324"), "text": ("str", "'text'"),
        "empty": ("str", "''"), "accents": ("str", "'h\u00e9'"), "wide": ("str", "'\u4e16\U0001f600'"),
        "exact_text": ("str", "'%s'" % ("z" * 80)), "array": ("bytearray", None),
        "number": ("Hostile", None), "klass": ("Meta", None), "function": ("function", None),
        "my_int": ("Hostile_int", None), "my_str": ("Hostile_str", None),
        "my_list": ("Hostile_list", None), "my_dict": ("Hostile_dict", None),
        "my_tuple": ("Hostile_tuple", None), "my_set": ("Hostile_set", None),
        "my_float": ("Hostile_float", None), "my_bytes": ("Hostile_bytes", None),
        "my_deque": ("Hostile_deque", None), "no_deque": ("deque", None), "red": ("Color", None),
        "counter": ("OrderedDict", None), "module": ("module", None),
        "ellipsis": ("ellipsis", None), "code": ("code", None),
        "cell": ("str", "'cell'"), "later": ("int", "5"),
        "closure": ("function", None), "uses": ("function", None),
    }
    lengths = {"items": ("list", 3), "pair": ("tuple", 2), "table": ("dict", 1), "group": ("set", 2),
               "frozen": ("frozenset", 1), "queue": ("deque", 4)}
    for name, (kind, value) in expected.items():
        assert found[name] == ({"type": kind, "value": value} if value is not None
                               else {"type": kind}), name
    for name, (kind, length) in lengths.items():
        assert found[name] == {"type": kind, "length": length}, name
    assert "gone" not in found and "unset" not in found

    assert found["long_text"]["length"] == 81
    assert found["long_text"]["value"].startswith("'" + "x" * 80)
    assert "x" * 81 not in found["long_text"]["value"]
    assert found["long_bytes"]["length"] == 1000
    assert found["long_bytes"]["value"].startswith("b'" + "y" * 80)
    # as Python reads them
    assert eval(found["quotes"]["value"]) == "it's \"x\"\n\t\\\x00\x7f"
    assert eval(found["data"]["value"]) == b"\x00\xff'a\\"
    surrogate = found["surrogate"]["value"]
    assert surrogate[:2] == "'a" and surrogate[-2:] == "b'"
    assert len(frame["locals"]) + frame["more_locals"] == len(expected) + len(lengths) + 5

    free = {local["name"]: local.get("value") for local in stack["frames"][1]["locals"]}
    assert free == {"free": "'cell'", "later2": "5", "cell": "'cell'", "later": "5"}

    many = client.stack("many")["frames"][0]
    assert len(many["locals"]) == 64 and many["more_locals"] == 36
    assert [local["name"] for local in many["locals"]] == ["v%d" % n for n in range(64)]

    for _ in range(20):
        client.stack("everything")
    client.rows()
    service.tell()
    service.expect("0")  # calls of the application's code
    assert service.wait() == 0


def test_stacks_of_tasks_that_come_and_go(serve):
    """Read while they step, end and are made: each answer is whole or says why not."""
    service, client = serve("""
async def leaf(n):
    x = "x" * n
    for _ in range(n * 50):
        await asyncio.sleep(0)

async def middle(n):
    await leaf(n)

async def churn():
    while True:
        await asyncio.gather(*(middle(n) for n in range(30)))

def fill():
    return [spawn(churn(), "churn"), spawn(churn(), "churn2")]
""")
    whole = 0
    for _ in range(30):
        rows = client.rows(filter="coro:middle", finished=False)
        numbers = [client.request("stack", id=row["id"]) for row in rows[:20]]
        for number in numbers:
            answer = client.answer(number)
            if "error" in answer:
                # gone, or under a sanitizer no GIL in its time
                assert answer["error"]["code"] in (-32003, -32004)
                continue
            stack = answer["result"]
            functions = [frame["function"] for frame in stack["frames"]]
            assert functions[:2] in ([], ["middle"], ["middle", "leaf"]), functions
            whole += stack["complete"] and len(functions) >= 3
    assert whole > 0
    assert wait_for(lambda: client.row("churn"))["state"] in ("wait", "ready", "run")
    service.tell()
    service.expect("0")


def test_of_a_task_that_has_ended(serve):
    service, client = serve("""
async def fails():
    await asyncio.sleep(0)
    raise KeyError("x")

def fill():
    return spawn(fails(), "doomed")
""")
    row = wait_for(lambda: client.row("doomed"))
    environ = dict(os.environ, XDG_RUNTIME_DIR=service.directory)
    done = subprocess.run([LOOPTOP, "stack", str(service.pid), str(row["id"])], env=environ, capture_output=True,
                          text=True, timeout=60, check=True)
    title, created, end = done.stdout.splitlines()
    assert re.fullmatch(r"task \d+  failed  doomed  age \S+  ended \S+ ago  steps 2", title), title
    assert created.startswith("created at ")
    assert re.fullmatch(r"failed with KeyError; last seen at \S+:\d+ fails", end), end

    def said(*arguments):
        return subprocess.run([LOOPTOP, *arguments], env=environ, capture_output=True, text=True, timeout=60).stdout
    assert json.loads(said("stack", "--json", str(service.pid), str(row["id"])))["exception"] == "KeyError"
    assert "gone: it had ended already" in said("cancel", str(service.pid), str(row["id"]))
