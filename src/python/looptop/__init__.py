# SPDX-License-Identifier: MIT
"""The agent of looptop(1) inside this process: ``looptop.start()``, ``looptop.stop()``.

    import looptop
    looptop.start()

starts two threads that answer ``looptop PID`` over a Unix socket. Call it before or after asyncio
is imported, at any time and as often as you like. It returns True when the agent runs; otherwise it
logs why, on the logger "looptop", and returns False: nothing about the program changes.

``LOOPTOP=0`` in the environment disables it, ``LOOPTOP_READONLY=1`` refuses cancellation.

All of the work is done by a C extension, one per CPython minor; this file finds and loads it, and
tells it when asyncio has been imported. It is imported at the start of every Python process under
``looptop run``, so it imports nothing that the interpreter has not imported already.
"""

import _imp
import _thread
import os
import sys

__all__ = ["start", "stop"]
__version__ = "0.1.0"

_agent = None  # the C extension, once loaded
_finder = None  # on sys.meta_path while asyncio is not imported yet
_lock = _thread.allocate_lock()  # one start or stop at a time
# whoever holds it in the parent is not in the child to let it go
os.register_at_fork(after_in_child=_lock._at_fork_reinit)


def start(readonly=False):
    """Start the agent; True when it runs, also when it ran already."""
    if os.environ.get("LOOPTOP") == "0":
        return False
    problem = _start(readonly)
    if problem:
        _warn(problem)
    return not problem


def stop():
    """Take the agent out of service: hooks off, threads ended, socket removed."""
    if not _lock.acquire(timeout=10):
        return
    try:
        _forget_asyncio()
        if _agent is not None:
            _agent.stop()
    finally:
        _lock.release()


def _warn(text):
    import logging

    logging.getLogger("looptop").warning("%s", text)


def _start(readonly=False):
    """What start() does; returns why it could not, or None. Raises nothing."""
    if not _lock.acquire(timeout=10):
        return "another thread has been starting or stopping the agent for 10 s"
    try:
        return _start_locked(readonly or os.environ.get("LOOPTOP_READONLY") == "1")
    except Exception as error:
        return "the agent did not start: %s" % (error or type(error).__name__)
    finally:
        _lock.release()


def _start_locked(readonly):
    global _agent
    if _agent is None:
        problem = _refusal()
        if problem:
            return problem
        path, problem = _find_agent()
        if problem:
            return problem
        _agent = _load(path)
    if _agent.socket_path() is not None:
        return None
    if "asyncio" in sys.modules:
        problem = _await_asyncio()
        if problem:
            return problem
    else:
        _expect_asyncio()
    try:
        _agent.start(bool(readonly))
    except BaseException:
        _forget_asyncio()
        raise
    return None


# ---- where the agent is, and whether there can be one


def _refusal():
    """Why no agent can run in this interpreter, or None."""
    name = sys.implementation.name
    if name != "cpython":
        return "runs in CPython only, this is %s" % name
    version = "%d.%d" % sys.version_info[:2]
    if sys.version_info < (3, 11):
        return "needs CPython 3.11 or later, this is %s" % version
    if sys.platform != "linux":
        return "runs on Linux only, this is %s" % sys.platform
    if "t" in sys.abiflags:
        return "does not run in a free-threaded build (%st)" % version
    if not _is_main_interpreter():
        return "runs in the main interpreter only, this is a subinterpreter"
    return None


def _is_main_interpreter():
    if hasattr(_thread, "_is_main_interpreter"):  # 3.13 and later
        return _thread._is_main_interpreter()
    try:
        import _xxsubinterpreters as interpreters
    except ImportError:
        return True  # built without; the agent itself checks again
    return int(interpreters.get_current()) == int(interpreters.get_main())


def _agent_dirs():
    package = os.path.dirname(os.path.abspath(__file__))
    return [
        directory
        for directory in (
            os.environ.get("LOOPTOP_AGENT_DIR"),
            os.path.join(os.path.dirname(os.path.dirname(package)), "agent"),
            os.path.join(sys.prefix, "lib", "looptop", "agent"),
            os.path.expanduser("~/.local/lib/looptop/agent"),
            "/usr/local/lib/looptop/agent",
            "/usr/lib/looptop/agent",
        )
        if directory
    ]


def _find_agent():
    """The path of this interpreter's agent, or None and why there is none."""
    name = "looptop_agent" + _imp.extension_suffixes()[0]
    dirs = _agent_dirs()
    for directory in dirs:
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            return path, None
    return None, (
        "no agent for CPython %d.%d: there is no %s in %s; build it with make PYTHONS=%s and install it, "
        "or name its directory in LOOPTOP_AGENT_DIR"
    ) % (sys.version_info[:2] + (name, dirs[0], sys.executable))


def _load(path):
    from importlib.machinery import ExtensionFileLoader, ModuleSpec

    name = "looptop._agent"  # the last part names its PyInit__agent
    loader = ExtensionFileLoader(name, path)
    spec = ModuleSpec(name, loader, origin=path)
    module = loader.create_module(spec)
    loader.exec_module(module)
    return module


# ---- asyncio: hooked the moment its import is complete, never imported by us


class _Finder:
    """Sees asyncio being imported, and lets the finders after it do the work."""

    def find_spec(self, name, path=None, target=None):
        if name != "asyncio":
            return None
        finders = list(sys.meta_path)
        if self in finders:
            finders = finders[finders.index(self) + 1 :]
        for finder in finders:
            find = getattr(finder, "find_spec", None)
            spec = find(name, path, target) if find else None
            if spec is not None:
                if spec.loader is not None:
                    _hook_loader(spec)
                return spec
        return None


def _hook_loader(spec):
    """Have _asyncio_imported called when the spec's module has been executed.

    The method is replaced on the one loader object made for this module and put back before it
    runs, so that nobody sees a strange loader. Where that object cannot take an attribute, or is a
    class (frozen modules), a stand-in serves until the module is executed.
    """
    loader = spec.loader
    execute = loader.exec_module

    def exec_module(module):
        try:
            del loader.exec_module
        except AttributeError:
            pass  # a second execution with the same loader
        execute(module)
        _asyncio_imported()

    if not isinstance(loader, type):
        try:
            loader.exec_module = exec_module
            return
        except AttributeError:
            pass
    spec.loader = _StandIn(loader)


class _StandIn:
    def __init__(self, loader):
        self.loader = loader

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        return self.loader.create_module(spec)

    def exec_module(self, module):
        if module.__spec__.loader is self:
            module.__spec__.loader = self.loader
        if getattr(module, "__loader__", None) is self:
            module.__loader__ = self.loader
        self.loader.exec_module(module)
        _asyncio_imported()


def _asyncio_imported():
    if _finder is None:
        return
    _forget_asyncio()
    try:
        # This thread holds asyncio's import lock. The agent's thread, for which we wait, would wait
        # for the lock when it asks for the module, unless it is said to be complete, as it is.
        spec = sys.modules["asyncio"].__spec__
        spec._initializing = False
        _agent.asyncio_imported()
    except Exception as error:
        _warn("asyncio could not be hooked: %s" % error)


def _expect_asyncio():
    global _finder
    if _finder is None:
        _finder = _Finder()
        sys.meta_path.insert(0, _finder)


def _forget_asyncio():
    global _finder
    finder, _finder = _finder, None
    if finder is not None and finder in sys.meta_path:
        sys.meta_path.remove(finder)


def _await_asyncio():
    """asyncio is in sys.modules, but another thread may still be importing it."""
    if not _is_initializing():
        return None
    import asyncio  # noqa: F401 -- waits for that thread

    if _is_initializing():
        return "asyncio is being imported by this very thread: call looptop.start() after that"
    return None


def _is_initializing():
    spec = getattr(sys.modules.get("asyncio"), "__spec__", None)
    return getattr(spec, "_initializing", False)
