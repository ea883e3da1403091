# SPDX-License-Identifier: MIT
"""Counts whenever code of its classes runs: counting.py CASE LOOP [agent].

Attributes looked up in classes and objects, descriptors, comparisons, overridden methods. With
"agent" it starts one. At each pause it says where it stands and waits for a line, and no code of its
own runs meanwhile; at the end it says what was counted. What an agent did shows in the difference to
a run without one.
"""

import asyncio
import builtins
import collections
import collections.abc
import gc
import json
import os
import selectors
import sys
import types

CASE, LOOP, AGENT = sys.argv[1], sys.argv[2], sys.argv[3:] == ["agent"]
if LOOP == "uvloop":
    import uvloop

    Base = uvloop.Loop
else:
    Base = asyncio.SelectorEventLoop

EAGER = sys.version_info >= (3, 12)
counts = collections.Counter()
gc.disable()  # what a collection runs depends on when it comes


def start():
    if AGENT:
        import looptop

        assert looptop.start()


def pause(where):
    before = +counts
    print(where, flush=True)
    sys.stdin.readline()
    counts.update({"while %s: %s" % (where, name): n for name, n in (counts - before).items()})


def end():
    print(json.dumps(counts), flush=True)
    os._exit(0)


# ---- classes that notice everything


def counting(name, function):
    def method(self, *args, **keywords):
        counts[name] += 1
        return function(self, *args, **keywords)

    return method


class Descriptor:
    """An attribute of a class that says when it is looked up."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __get__(self, instance, owner):
        counts["get " + self.name] += 1
        return self.value.__get__(instance, owner)


class Meta(type):
    """The class of classes that say when anything is asked of them."""

    def __getattribute__(cls, name):
        counts["class attribute " + name] += 1
        return super().__getattribute__(name)

    def __getattr__(cls, name):
        counts["no class attribute " + name] += 1
        raise AttributeError(name)

    def __subclasses__(cls):
        counts["subclasses"] += 1
        return super().__subclasses__()

    __instancecheck__ = counting("class __instancecheck__", type.__instancecheck__)
    __subclasscheck__ = counting("class __subclasscheck__", type.__subclasscheck__)
    __eq__ = counting("class __eq__", type.__eq__)
    __hash__ = counting("class __hash__", type.__hash__)
    __repr__ = counting("class __repr__", type.__repr__)


class Looks:
    """An object that says when an attribute of it is asked for."""

    def __getattribute__(self, name):
        counts["attribute " + name] += 1
        return super().__getattribute__(name)


class Shows:
    """One that says when it is shown, compared, measured, taken for something."""

    __class__ = property(counting("__class__", lambda self: int))
    __eq__ = counting("__eq__", lambda self, other: self is other)
    __hash__ = counting("__hash__", object.__hash__)
    __repr__ = counting("__repr__", lambda self: "shown")
    __str__ = counting("__str__", lambda self: "shown")
    __bool__ = counting("__bool__", lambda self: True)
    __len__ = counting("__len__", lambda self: 1)
    __iter__ = counting("__iter__", lambda self: iter(()))
    __index__ = counting("__index__", lambda self: 1)
    __del__ = counting("__del__", lambda self: None)


class Key(str):
    """A keyword or name that is no plain str."""

    __eq__ = counting("key __eq__", str.__eq__)
    __hash__ = counting("key __hash__", str.__hash__)
    __str__ = counting("key __str__", str.__str__)


# ---- tasks


class Task(Looks, asyncio.Task, metaclass=Meta):
    __init__ = counting("task __init__", asyncio.Task.__init__)
    __eq__ = counting("task __eq__", asyncio.Task.__eq__)
    __hash__ = counting("task __hash__", asyncio.Task.__hash__)
    __del__ = counting("task __del__", asyncio.Task.__del__)
    _coro = Descriptor("_coro", asyncio.Task._coro)
    get_name = Descriptor("get_name", asyncio.Task.get_name)
    _state = property(counting("_state", lambda self: "PENDING"))


class Deeper(Task):
    pass


class Future(Looks, asyncio.Future, metaclass=Meta):
    pass


class Awaitable(Looks, metaclass=Meta):
    def __await__(self):
        yield
        yield from asyncio.sleep(0).__await__()


class Coroutine(Looks, collections.abc.Coroutine):
    """No coroutine of the interpreter's, but acts as one."""

    def __init__(self, inner):
        self.inner = inner

    def send(self, value):
        return self.inner.send(value)

    def throw(self, *args):
        return self.inner.throw(*args)

    def close(self):
        return self.inner.close()

    def __await__(self):
        return self


class Failure(Looks, Shows, Exception, metaclass=Meta):
    pass


class Name(Looks, Shows, str):
    pass


def values():
    number = type("Number", (Looks, Shows, int), {})(7)
    table = type("Table", (Looks, Shows, dict), {})()
    deque = type("collections.deque", (Looks, Shows, collections.deque), {})()
    return Looks(), Shows(), Key("x"), Name("x"), number, table, deque, Meta("Made", (), {})


async def steps(n):
    a, b, c, d, e, f, g, h = values()
    for _ in range(n):
        await asyncio.sleep(0)
    await Awaitable()
    return lambda: (a, b)  # in cells


async def fails():
    local = values()
    await asyncio.sleep(0)
    raise Failure(local is None)


async def parked(future):
    a, b, c, d, e, f, g, h = values()
    await future


def make_tasks(loop):
    future = Future(loop=loop)

    def bodies():
        return [steps(0), steps(3), fails(), Coroutine(steps(2)), parked(future)]

    made = [cls(body, loop=loop) for cls in (asyncio.Task, Task, Deeper) for body in bodies()]
    made += [asyncio.Task(steps(1), **{Key("loop"): loop, Key("name"): Name("named %d" % n)})
             for n in range(3)]
    made.append(asyncio.Task(parked(future), loop=loop, name=Shows()))
    made[-2].set_name(Name("renamed"))
    made[1].cancel()
    return made


def make_eager(loop):
    options = {Key("loop"): loop, Key("eager_start"): True, Key("name"): Name("eager")}
    return [cls(steps(n), **options) for n in range(2) for cls in (asyncio.Task, Task)]


async def use_tasks(older):
    asyncio.current_task().set_name("main")
    loop = asyncio.get_running_loop()
    made = make_tasks(loop) + (make_eager(loop) if EAGER else [])
    for _ in range(8):
        await asyncio.sleep(0)
    pause("running")
    await asyncio.sleep(0)
    for task in older + made:
        if asyncio.Task.done(task) and not asyncio.Task.cancelled(task):
            asyncio.Task.exception(task)
    return made


def case_tasks():
    loop = Base()
    older = make_tasks(loop)
    loop.call_soon(loop.stop)
    loop.run_forever()
    start()
    pause("begun")
    made = loop.run_until_complete(use_tasks(older))
    pause("stopped")
    older.clear()
    made.clear()
    pause("dropped")


# ---- loops


class Asks(Looks, Base, metaclass=Meta):
    call_soon = counting("call_soon", Base.call_soon)
    call_soon_threadsafe = Descriptor("call_soon_threadsafe", Base.call_soon_threadsafe)
    is_closed = counting("is_closed", Base.is_closed)
    is_running = counting("is_running", Base.is_running)
    _check_closed = counting("_check_closed", getattr(Base, "_check_closed", None))


class Overrides(Base):
    call_soon_threadsafe = counting("own call_soon_threadsafe", Base.call_soon_threadsafe)
    is_closed = counting("own is_closed", Base.is_closed)
    is_running = counting("own is_running", Base.is_running)


class Computes(Base):
    """Its state is no plain attribute."""

    kept = {}
    _closed = property(counting("get _closed", lambda self: self.kept.get("closed")),
                       lambda self, value: self.kept.update(closed=value))
    _thread_id = property(counting("get _thread_id", lambda self: self.kept.get("thread")),
                          lambda self, value: self.kept.update(thread=value))


class Keyed(Base):
    """The names of its attributes are no plain str."""

    def __init__(self):
        super().__init__()
        for name in {"_closed", "_thread_id", "_selector"} & self.__dict__.keys():
            self.__dict__[Key(name)] = self.__dict__.pop(name)


class Misses(Base):
    """Does not have every attribute that is asked for."""

    def __getattr__(self, name):
        counts["missing " + name] += 1
        raise AttributeError(name)


class Wakes(Base):
    """Has its own way of being woken, which an inherited call_soon_threadsafe takes."""

    _write_to_self = counting("_write_to_self", getattr(Base, "_write_to_self", None))


async def use_loop(where="running"):
    asyncio.current_task().set_name("main")
    await asyncio.create_task(asyncio.sleep(0))
    pause(where)


def case_loops():
    start()
    loops = [cls() for cls in (Asks, Overrides, Computes, Keyed, Misses)]
    for loop in loops:
        loop.run_until_complete(use_loop())
    if LOOP == "asyncio":
        loops.append(Wakes(selectors.PollSelector()))  # whose iterations are not seen
        loops[-1].run_until_complete(use_loop("unseen"))
    pause("stopped")
    for loop in loops:
        loop.close()
    pause("closed")
    loops.clear()
    del loop
    gc.collect()
    pause("gone")


# ---- modules


class Module(types.ModuleType):
    def __getattribute__(self, name):
        if name != "__spec__":  # what every import looks at
            counts["module attribute " + name] += 1
        return super().__getattribute__(name)


def case_modules():
    for name in ("asyncio", "asyncio.tasks", "asyncio.events", "asyncio.base_events", "asyncio.runners",
                 "asyncio.taskgroups", "asyncio.timeouts", "asyncio.unix_events", "_asyncio", "select",
                 "selectors", "gc", "_collections", "_signal"):
        sys.modules[name].__class__ = Module
    if AGENT:
        import looptop  # noqa: F401 -- which has classes of its own
    builtins.__build_class__ = counting("__build_class__", builtins.__build_class__)
    loop = Base()
    older = [asyncio.Task(steps(1), loop=loop)]
    start()
    pause("begun")
    loop.run_until_complete(use_loop())
    pause("stopped")
    loop.close()
    older.clear()
    pause("closed")


{"tasks": case_tasks, "loops": case_loops, "modules": case_modules}[CASE]()
end()
