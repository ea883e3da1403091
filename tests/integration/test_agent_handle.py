# SPDX-License-Identifier: MIT
"""Handle._run in C behaves as asyncio's own: each program says the same with and without the agent."""

import difflib
import re

import pytest

from looptop_client import Service, python_with, run, version

PRELUDE = """
import asyncio, contextvars, os, sys, threading, time, traceback
import looptop
if not looptop.start() and os.environ.get("LOOPTOP") != "0":
    sys.exit("no agent: there is nothing to compare")
var = contextvars.ContextVar("var", default="unset")

def names(error):
    out = []
    while error is not None:
        out.append((type(error).__name__, str(error),
                    [(f.name, f.line) for f in traceback.extract_tb(error.__traceback__)]))
        error = error.__context__
    return out

def handler(loop, context):
    print("handler", sorted(context), context["message"], var.get())
    if "exception" in context:
        print(names(context["exception"]))
    for key in ("handle", "future", "task"):
        if key in context:
            print(key, type(context[key]).__name__, clean(repr(context[key])))

def clean(text):
    import re
    return re.sub("0x[0-9a-f]{6,}", "0x", text)  # longer than by chance in a random name
"""


def compare(python, source, status=0, **environ):
    """Runs the program twice; returns what it said."""
    source = PRELUDE + source
    with_agent = run(python, source, **environ)
    without = run(python, source, LOOPTOP="0", **environ)
    difference = "\n".join(difflib.unified_diff(
        said(without).split("\n"), said(with_agent).split("\n"), "without", "with", lineterm="", n=1))
    assert not difference, difference
    assert without.returncode == status, without.stderr
    return with_agent


def said(done):
    text = "%s\n-- stderr\n%s\n-- status %d" % (done.stdout, done.stderr, done.returncode)
    for pattern, stands_for in ((r"0x[0-9a-f]{6,}", "0x"), (r"when=\d+\.\d+", "when=T"),
                                (r"took \d+\.\d+ seconds", "took N seconds")):
        text = re.sub(pattern, stands_for, text)
    return text


def test_exceptions(python):
    done = compare(python, """
class Fatal(BaseException):
    pass

def fails(error):
    raise error

def chained():
    try:
        fails(KeyError("inner"))
    except KeyError:
        fails(ValueError("outer"))

class Callable:
    def __call__(self, x):
        raise TypeError(x)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    for error in (ValueError("v"), Fatal("f"), StopIteration(1), GeneratorExit(), asyncio.CancelledError("c"),
                  ExceptionGroup("g", [ValueError(1)]), RecursionError("r"), MemoryError()):
        loop.call_soon(fails, error)
    loop.call_soon(chained)
    loop.call_soon(Callable(), "called")
    loop.call_soon(fails)                        # too few arguments
    loop.call_soon(len, 5)                       # raises in C
    loop.call_soon(int, "x")
    loop.call_later(0, fails, ValueError("later"))
    loop.call_at(loop.time(), fails, Fatal("at"))
    loop.call_soon_threadsafe(fails, ValueError("threadsafe"))
    future = loop.create_future()
    future.add_done_callback(lambda f: fails(ValueError("callback")))
    future.set_result(1)
    await asyncio.sleep(0.02)
    loop.call_soon(fails, ValueError("after"))
    await asyncio.sleep(0)

asyncio.run(main())

async def default_handler():
    asyncio.get_running_loop().call_soon(fails, ValueError("logged"))
    await asyncio.sleep(0)
asyncio.run(default_handler())

def failing_handler(loop, context):
    raise RuntimeError("in handler")
async def main3():
    asyncio.get_running_loop().set_exception_handler(failing_handler)
    asyncio.get_running_loop().call_soon(fails, ValueError("logged"))
    await asyncio.sleep(0)
asyncio.run(main3())
""")
    assert done.stdout.count("handler [") == 18
    assert "logged" in done.stderr


@pytest.mark.parametrize("error, status", [("KeyboardInterrupt", -2), ("SystemExit(3)", 3)])
@pytest.mark.parametrize("where", ["callback", "later", "task", "eager"])
def test_exceptions_that_end_the_loop(python, error, status, where):
    if where == "eager" and version(python) < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    done = compare(python, """
def fails():
    raise %s

async def fails_in_task():
    await asyncio.sleep(0)
    fails()

async def main():
    loop = asyncio.get_running_loop()
    if "%s" == "callback":
        loop.call_soon(fails)
    elif "%s" == "later":
        loop.call_later(0.001, fails)
    else:
        if "%s" == "eager":
            loop.set_task_factory(asyncio.eager_task_factory)
        task = asyncio.create_task(fails_in_task())
    try:
        await asyncio.sleep(30)
    except BaseException as error:
        print("main", repr(error))
        raise
try:
    asyncio.run(main())
except BaseException as error:
    print(names(error))
    raise
""" % (error, where, where, where), status=status)
    assert "fails" in done.stdout


def test_a_loop_that_goes_on_after_an_interrupt(python):
    compare(python, """
def fails(error):
    raise error

loop = asyncio.new_event_loop()
loop.set_exception_handler(handler)
for error in KeyboardInterrupt("k"), SystemExit(4), ValueError("v"):
    loop.call_soon(fails, error)
    loop.call_soon(loop.stop)
    try:
        loop.run_forever()
    except BaseException as caught:
        print("out", names(caught))
        loop.run_forever()
loop.close()
""")


def test_context_variables(python):
    compare(python, """
def show(*arguments):
    print(arguments, var.get())
    var.set("changed")

def fails():
    var.set("before failing")
    raise ValueError("x")

async def child(go):
    show("child")
    await go.wait()
    print("child", var.get())

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    var.set("main")
    own = contextvars.copy_context()
    own.run(var.set, "own")
    loop.call_soon(show, 1)
    loop.call_soon(show, 2, context=own)
    loop.call_soon(fails, context=own)
    loop.call_soon(show, 3, context=own)
    go = asyncio.Event()
    task = asyncio.create_task(child(go), context=own)
    loop.call_later(0.001, show, 4, context=own)
    loop.call_later(0.002, go.set)
    await task
    # a context that is in use cannot be entered once more
    inside = contextvars.copy_context()
    def nested():
        handle = asyncio.Handle(show, ("nested",), loop, inside)
        try:
            handle._run()
        except RuntimeError as error:
            print(names(error))
    inside.run(nested)
    print(own[var], inside.get(var), var.get())

asyncio.run(main())
""")


def test_handles_that_cancel_themselves_and_others(python):
    compare(python, """
handles = {}

def cancel(name, fail):
    handle = handles[name]
    handle.cancel()
    print(name, handle.cancelled(), clean(repr(handle)))
    if fail:
        raise ValueError(name)

class Dies:
    def __init__(self, name):
        self.name = name
    def __call__(self):
        handles.pop(self.name).cancel()
        print("called", self.name)
    def __del__(self):
        print("gone", self.name)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    handles["soon"] = loop.call_soon(cancel, "soon", False)
    handles["soon fails"] = loop.call_soon(cancel, "soon fails", True)
    handles["later"] = loop.call_later(0.001, cancel, "later", False)
    handles["later fails"] = loop.call_later(0.002, cancel, "later fails", True)
    handles["dies"] = loop.call_soon(Dies("dies"))
    loop.call_soon(print, "never").cancel()
    await asyncio.sleep(0.02)
    direct = asyncio.Handle(print, ("direct", 1), loop)
    print(direct._run(), clean(repr(direct)))
    direct.cancel()
    try:
        print(direct._run())
    except BaseException as error:
        print(type(error))

asyncio.run(main())
asyncio.run(main(), debug=True)
""")


def test_handles_made_by_hand(python):
    compare(python, """
class Mine(asyncio.Handle):
    def _run(self):
        print("mine")
        return super()._run()

class Context:
    def run(self, callback, *arguments):
        print("context runs", arguments)
        callback(*arguments)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(handler)
    print(Mine(print, ("x",), loop)._run())
    handle = asyncio.Handle(print, ("y",), loop)
    handle._context = Context()
    print(handle._run())
    handle = asyncio.Handle(print, ["a", "list"], loop)
    print(handle._run())
    handle = asyncio.Handle(print, 5, loop)
    try:
        print(handle._run())
    except TypeError as error:
        print(names(error))
    try:
        asyncio.Handle._run(5)
    except (AttributeError, TypeError):
        print("refused")
    handle = asyncio.Handle.__new__(asyncio.Handle)
    try:
        handle._run()
    except AttributeError as error:
        print("attribute")
    timer = asyncio.TimerHandle(0, print, ("timer",), loop)
    print(timer._run(), timer.when())

asyncio.run(main())
""")


def test_slow_callbacks_in_debug_mode(python):
    done = compare(python, """
def slow(seconds):
    time.sleep(seconds)

async def slow_step():
    time.sleep(0.12)

async def main():
    loop = asyncio.get_running_loop()
    loop.call_soon(slow, 0.12)
    loop.call_later(0, slow, 0.11)
    await asyncio.sleep(0.01)
    await asyncio.create_task(slow_step())

asyncio.run(main())
""", PYTHONASYNCIODEBUG="1")
    assert done.stderr.count("took") == 3, done.stderr


# Tools are switched on before the loop runs: a call of _run that is under way at that moment would not
# be seen to return, since it has no frame. That the C methods _run and call_soon are there at all is
# all that a profiler of C calls may see.
TRACED = """
events = []
def own(frame):
    return "program.py" in frame.f_code.co_filename or frame.f_code.co_qualname.startswith("Handle.")

def callback(n):
    return n + 1

async def step():
    await asyncio.sleep(0)
    callback(2)

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: events.append(("handler",)))
    loop.call_soon(callback, 1)
    loop.call_soon(callback, "x")
    await asyncio.sleep(0)
    loop.call_later(0, callback, 3)
    await asyncio.create_task(step())
    await asyncio.sleep(0.001)

def run():
    start()
    try:
        asyncio.run(main())
    finally:
        stop()
"""


def test_setprofile(python):
    done = compare(python, TRACED + """
def profile(frame, event, argument):
    name = getattr(argument, "__name__", None)
    if own(frame) and not (event.startswith("c_") and name in ("call_soon", "_run")):
        events.append((event, frame.f_code.co_qualname, name))
start, stop = lambda: sys.setprofile(profile), lambda: sys.setprofile(None)
run()
print(*events, sep="\\n")
""")
    assert "('call', 'Handle._run', None)" in done.stdout


def test_settrace(python):
    done = compare(python, TRACED + """
def trace(frame, event, argument):
    if own(frame):
        events.append((event, frame.f_code.co_qualname, frame.f_lineno))
        return trace
start, stop = lambda: sys.settrace(trace), lambda: sys.settrace(None)
run()
print(*events, sep="\\n")
""")
    assert "'Handle._run'" in done.stdout


def test_cprofile(python):
    done = compare(python, TRACED + """
import cProfile, pstats
profiler = cProfile.Profile()
start, stop = profiler.enable, profiler.disable
run()
for key, value in sorted(pstats.Stats(profiler).stats.items()):
    if key[0] != "~" and "threading" not in key[0]:
        # a caller in C stands between, where there was none
        callers = [(k, v[:2]) for k, v in value[4].items() if k[0] != "~"]
        if key[2] in ("_run", "call_soon"):
            callers = []
        print(key, value[:2], sorted(callers))
""")
    assert "_run" in done.stdout


def test_monitoring(python):
    if version(python) < (3, 12):
        pytest.skip("sys.monitoring came with 3.12")
    done = compare(python, TRACED + """
monitoring = sys.monitoring
monitoring.use_tool_id(3, "test")
E = monitoring.events
def note(kind):
    def noted(code, *arguments):
        if "program.py" in code.co_filename or code.co_qualname.startswith("Handle."):
            events.append((kind, code.co_qualname))
    return noted
for kind in ("PY_START", "PY_RETURN", "PY_RESUME", "PY_YIELD", "RAISE", "PY_UNWIND", "PY_THROW",
             "CALL", "LINE"):
    monitoring.register_callback(3, getattr(E, kind), note(kind))
def start():
    monitoring.set_events(3, E.PY_START | E.PY_RETURN | E.PY_RESUME | E.PY_YIELD | E.RAISE
                          | E.PY_UNWIND | E.PY_THROW | E.CALL | E.LINE)
def stop():
    monitoring.set_events(3, 0)
run()
print(*events, sep="\\n")
""")
    assert "('PY_START', 'Handle._run')" in done.stdout


def test_frames_seen_from_a_callback(python):
    """What differs, and may: asyncio's own frame is not under a callback. What is above it is the same."""
    compare(python, """
def callback():
    frame = sys._getframe(1)
    while frame.f_code.co_name == "_run":
        frame = frame.f_back
    while frame is not None:
        print(frame.f_code.co_qualname)
        frame = frame.f_back

async def main():
    asyncio.get_running_loop().call_soon(callback)
    await asyncio.sleep(0)
asyncio.run(main())
""")


def test_references(python):
    """Nothing that a handle refers to is kept or lost, however its call ends."""
    compare(python, """
import gc, weakref
class Thing:
    pass

def callback(thing, fail):
    if fail:
        raise ValueError("x")

async def main():
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda loop, context: None)
    for n in range(2000):
        thing, context = Thing(), contextvars.copy_context()
        gone = weakref.ref(thing)
        handle = loop.call_soon(callback, thing, n % 2, context=context)
        if n % 3 == 0:
            loop.call_soon(handle.cancel)
        del thing
        await asyncio.sleep(0)
        before = sys.getrefcount(context), sys.getrefcount(handle)
        del handle
        await asyncio.sleep(0)
        if n in (0, 1, 2, 3, 4, 5, 1998, 1999):
            gc.collect()
            print(n, gone(), before, sys.getrefcount(context))

asyncio.run(main())
""")


def test_aiodebug_keeps_its_own(python):
    found, reason = python_with(python, "aiodebug")
    if found is None:
        pytest.skip(reason)
    with Service.inline(found, """
        import asyncio, sys
        import aiodebug.log_slow_callbacks
        seen = []
        aiodebug.log_slow_callbacks.enable(0, on_slow_callback=lambda name, s: seen.append(name))
        theirs = asyncio.Handle._run
        import looptop
        assert looptop.start()
        async def step(n):
            for _ in range(n):
                await asyncio.sleep(0)
        async def main():
            await asyncio.gather(*(step(n) for n in range(20)))
            assert asyncio.Handle._run is theirs
            assert len(seen) > 200, len(seen)
            print("READY", flush=True)
            await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        asyncio.run(main())
    """) as service:
        service.expect("READY")
        client = service.client()
        totals = client.totals()
        assert (totals["created"], totals["finished"]) == (21, 20)
        steps = sorted(row["steps"] for row in client.rows() if row["coroutine"] == "step")
        assert steps == list(range(1, 21))
        service.tell()
        assert service.wait() == 0
