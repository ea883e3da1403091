# SPDX-License-Identifier: MIT
"""Starts the agent in every Python process under ``looptop run``, which puts this file's directory
in front of PYTHONPATH; ``python -I``, ``-E`` and ``-S`` do not look at it.

Python imports only the first sitecustomize it finds, so this one ends by executing the next one as if
it had been found itself. It must parse and do no harm in any Python there may be, 2.7 included: what is
not supported gets no agent. Only the process that ``looptop run`` started is told why, in one line
on stderr; its children are left in peace.
"""

import os
import sys


def _is_ours(path):
    try:
        return os.path.samefile(path or os.curdir, os.path.dirname(os.path.abspath(__file__)))
    except OSError:
        return False


def _is_the_started_process():
    try:
        pid = int(os.environ.get("LOOPTOP_RUN_PID", ""))
    except ValueError:
        return False
    return pid in (os.getpid(), os.getppid())


def _tell(problem):
    # a subinterpreter has an agent beside it, in the main one: nothing to say
    if problem and "subinterpreter" not in problem and _is_the_started_process() and sys.stderr is not None:
        sys.stderr.write("looptop: %s; %s goes on without\n" % (problem, os.path.basename(sys.executable)))
        sys.stderr.flush()


def _start():
    if os.environ.get("LOOPTOP") == "0":
        return None
    if sys.version_info < (3, 11):
        return "the agent needs CPython 3.11 or later, this is %d.%d" % sys.version_info[:2]
    # off sys.path again at once: the program's own search path stays what it was
    parent = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    sys.path.insert(0, parent)
    try:
        import looptop
    finally:
        sys.path.remove(parent)
    return looptop._start()


def _next_paths():
    """What stands on sys.path behind our own directory; nothing if we cannot be found on it."""
    for index, path in enumerate(sys.path):
        if _is_ours(path):
            return [path for path in sys.path[index + 1 :] if not _is_ours(path)]
    return []


def _chain_old(paths):
    import imp  # Python 2

    try:
        found = imp.find_module("sitecustomize", paths)
    except ImportError:
        return
    try:
        imp.load_module("sitecustomize", *found)
    finally:
        if found[0]:
            found[0].close()


def _chain():
    """Executes the next sitecustomize under that name. Its exceptions are its own."""
    paths = _next_paths()
    if not paths:
        return
    if sys.version_info < (3, 5):
        _chain_old(paths)
        return
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("sitecustomize", paths)
    if spec is None or spec.loader is None:
        return
    module = spec.loader.create_module(spec) or type(sys)("sitecustomize")
    module.__spec__ = spec
    module.__loader__ = spec.loader
    module.__package__ = spec.parent
    if spec.has_location:
        module.__file__ = spec.origin
        if spec.cached is not None:
            module.__cached__ = spec.cached
    if spec.submodule_search_locations is not None:
        module.__path__ = spec.submodule_search_locations
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _tell(_start())
except Exception:  # whatever it is, the program comes first
    try:
        _tell("the agent did not start: %s" % (sys.exc_info()[1],))
    except Exception:
        pass
_chain()
