# SPDX-License-Identifier: MIT
"""The Python package and sitecustomize, with a stand-in for the C extension that records its calls."""

import glob
import os
import re
import subprocess
import sys
import textwrap

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SOURCES = os.path.join(ROOT, "src", "python")
PYTHONS = [path for path in os.environ.get("LOOPTOP_PYTHONS", sys.executable).split(":") if path]

# Replaces the extension; `calls` is what it was told, with whether asyncio was complete by then.
FAKE = """
import sys
sys.path.insert(0, {sources!r})
import looptop
calls = []
class Agent:
    path = None
    def start(self, readonly):
        calls.append(("start", readonly))
        self.path = "/tmp/x.sock"
    def stop(self):
        calls.append(("stop",))
        self.path = None
    def asyncio_imported(self):
        # another thread must be able to import it while the import is not over
        import sys, threading
        thread = threading.Thread(target=__import__, args=("asyncio",))
        thread.start()
        thread.join(10)
        assert not thread.is_alive()
        calls.append(("imported", hasattr(sys.modules["asyncio"], "run")))
    def socket_path(self):
        return self.path
find_agent = looptop._find_agent
looptop._find_agent = lambda: ("x", None)
looptop._load = lambda path: Agent()
meta_path = list(sys.meta_path)
"""


@pytest.fixture(params=PYTHONS)
def python(request):
    return request.param


def run(python, *arguments, check=True, **environ):
    """Runs Python with a clean environment; asserts that it says nothing on stderr."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOOPTOP", "PYTHON"))}
    clean.update(PYTHONDONTWRITEBYTECODE="1", **environ)
    done = subprocess.run([python, *arguments], env=clean, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if check:
        assert (done.returncode, done.stderr) == (0, "")
    return done


def with_fake(python, code, **environ):
    return run(python, "-c", FAKE.format(sources=SOURCES) + textwrap.dedent(code), **environ)


# ---- start, stop


def test_asyncio_imported_before(python):
    with_fake(python, """
        import asyncio
        assert looptop.start() is True
        assert looptop.start() is True
        assert calls == [("start", False)], calls
        assert sys.meta_path == meta_path
        looptop.stop()
        assert looptop.start(readonly=True) is True
        assert calls[1:] == [("stop",), ("start", True)], calls
    """)


def test_asyncio_imported_after(python):
    with_fake(python, """
        assert looptop.start()
        assert "asyncio" not in sys.modules
        assert len(sys.meta_path) == len(meta_path) + 1
        import json, asyncio.queues
        assert calls == [("start", False), ("imported", True)], calls
        assert sys.meta_path == meta_path
        import importlib.machinery
        spec = asyncio.__spec__
        assert asyncio.__loader__ is spec.loader
        assert type(spec.loader) is type(json.__spec__.loader), spec.loader
        assert set(vars(spec.loader)) == set(vars(json.__spec__.loader)), vars(spec.loader)
        importlib.reload(asyncio)
        assert len(calls) == 2, calls
    """)


def test_stop_before_asyncio_is_imported(python):
    with_fake(python, """
        looptop.start()
        looptop.stop()
        assert sys.meta_path == meta_path
        import asyncio
        assert calls == [("start", False), ("stop",)], calls
    """)


def test_the_import_of_asyncio_fails_once(python):
    with_fake(python, """
        looptop.start()
        sys.modules["asyncio.base_events"] = None
        try:
            import asyncio
        except ImportError:
            pass
        else:
            raise AssertionError("it was to fail")
        assert calls == [("start", False)], calls
        for name in [name for name in sys.modules if name.startswith("asyncio")]:
            del sys.modules[name]
        import asyncio
        assert calls[1:] == [("imported", True)], calls
        assert sys.meta_path == meta_path
    """)


def test_threads_import_asyncio_at_once(python):
    with_fake(python, """
        import threading
        looptop.start()
        barrier = threading.Barrier(8)
        def work():
            barrier.wait()
            import asyncio
            asyncio.run
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert calls == [("start", False), ("imported", True)], calls
        assert sys.meta_path == meta_path
    """)


@pytest.mark.parametrize("place", ["before", "after"])
def test_beside_an_import_hook_that_searches_and_wraps(python, place):
    # as wrapt, ddtrace and sentry do: ask for the spec anew, then replace its loader
    with_fake(python, """
        import importlib.util
        class Wrapped:
            def __init__(self, loader): self.loader = loader
            def create_module(self, spec): return self.loader.create_module(spec)
            def exec_module(self, module): self.loader.exec_module(module)
        class Other:
            busy = False
            def find_spec(self, name, path=None, target=None):
                if self.busy or name != "asyncio":
                    return None
                self.busy = True
                try:
                    spec = importlib.util.find_spec(name)
                finally:
                    self.busy = False
                spec.loader = Wrapped(spec.loader)
                return spec
        other = Other()
        if %r == "before":
            looptop.start()
        sys.meta_path.insert(0, other)
        if %r == "after":
            looptop.start()
        import asyncio
        assert calls == [("start", False), ("imported", True)], calls
        assert type(asyncio.__spec__.loader) is Wrapped
        assert type(asyncio.__spec__.loader.loader).__name__ == "SourceFileLoader"
        assert sys.meta_path == [other] + meta_path
    """ % (place, place))


def test_a_loader_that_takes_no_attribute(python):
    with_fake(python, """
        import importlib.machinery
        source = importlib.machinery.PathFinder.find_spec("asyncio").loader
        class Loader:  # a class as the loader, as of frozen modules
            @staticmethod
            def create_module(spec): return None
            @staticmethod
            def exec_module(module): source.exec_module(module)
            @staticmethod
            def is_package(name): return True
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "asyncio":
                    found = importlib.machinery.PathFinder.find_spec(name)
                    found.loader = Loader
                    return found
        sys.meta_path.insert(0, Finder)
        execute = Loader.exec_module
        looptop.start()
        import asyncio
        assert calls == [("start", False), ("imported", True)], calls
        assert asyncio.__spec__.loader is Loader and asyncio.__loader__ is Loader
        assert Loader.exec_module is execute
        assert sys.meta_path == [Finder] + meta_path
    """)


def test_start_during_the_import_of_asyncio(python, tmp_path):
    # by another thread: waits for it. By the importing thread: says so and returns.
    with_fake(python, """
        import logging, threading
        logging.disable()
        results = []
        class Finder:
            @staticmethod
            def find_spec(name, path=None, target=None):
                if name == "asyncio.base_events" and not results:
                    results.append(looptop.start())
                    thread.start()
        thread = threading.Thread(target=lambda: results.append(looptop.start()))
        sys.meta_path.insert(0, Finder)
        import asyncio
        thread.join()
        assert results == [False, True], results
        assert calls == [("start", False)], calls
    """)


def test_the_environment_disables_and_limits(python):
    with_fake(python, """
        assert looptop.start() is False
        assert calls == [] and sys.meta_path == meta_path
    """, LOOPTOP="0")
    with_fake(python, """
        assert looptop.start() is True
        assert calls == [("start", True)], calls
    """, LOOPTOP_READONLY="1")


REFUSALS = {
    "sys.implementation = types.SimpleNamespace(name='pypy')": "CPython only",
    "sys.abiflags = 't'": "free-threaded",
    "sys.platform = 'darwin'": "Linux only",
    "sys.version_info = (3, 10, 1)": "3.11 or later",
    "looptop._find_agent = find_agent; looptop._agent_dirs = lambda: ['/nonexistent']":
        "no agent for CPython",
    "Agent.start = fail": "the agent did not start: busy",
}


@pytest.mark.parametrize("change", REFUSALS)
def test_a_refusal_is_one_log_line(python, change):
    with_fake(python, """
        import logging, types
        lines = []
        handler = logging.Handler()
        handler.emit = lambda record: lines.append((record.levelname, record.getMessage()))
        logging.getLogger("looptop").addHandler(handler)
        def fail(self, readonly): raise RuntimeError("busy")
        %s
        assert looptop.start() is False
        assert sys.meta_path == meta_path
        (level, text), = lines
        assert level == "WARNING" and %r in text and "\\n" not in text, text
    """ % (change, REFUSALS[change]))


def test_a_subinterpreter_is_refused(python):
    with_fake(python, """
        try:
            import _interpreters as interpreters
        except ImportError:
            import _xxsubinterpreters as interpreters
        code = '''if True:
            import sys
            sys.path.insert(0, %r)
            import looptop
            assert "subinterpreter" in looptop._start(), looptop._start()
        '''
        new = interpreters.create()
        failed = interpreters.run_string(new, code)
        assert failed is None, failed
        interpreters.destroy(new)
        assert looptop._is_main_interpreter()
    """ % SOURCES)


def test_one_version():
    def find(pattern, *path):
        with open(os.path.join(ROOT, *path)) as file:
            return re.search(pattern, file.read()).group(1)

    header = find(r'LOOPTOP_VERSION "([^"]+)"', "include", "looptop", "version.h")
    assert find(r'__version__ = "([^"]+)"', "src", "python", "looptop", "__init__.py") == header


# ---- sitecustomize


@pytest.fixture
def site(tmp_path):
    """A copy of the package with an agent that cannot be found, and what goes into PYTHONPATH."""
    os.symlink(SOURCES, tmp_path / "python")
    (tmp_path / "next").mkdir()
    return tmp_path


def site_environ(site, *more, **environ):
    path = [str(site / "python" / "sitecustomize"), *map(str, more)]
    return dict(environ, PYTHONPATH=os.pathsep.join(path), LOOPTOP_AGENT_DIR=str(site))


def test_sitecustomize_is_silent_in_children_and_says_why_at_the_top(python, site):
    program = "import sys; print('asyncio' in sys.modules, 'logging' in sys.modules)"
    done = run(python, "-c", program, **site_environ(site))
    assert done.stdout == "False False\n"
    environ = site_environ(site, LOOPTOP_RUN_PID=str(os.getpid()))
    done = run(python, "-c", program, check=False, **environ)
    assert done.returncode == 0 and done.stdout == "False False\n"
    assert re.fullmatch(r"looptop: no agent for CPython .*; \S+ goes on without\n", done.stderr)
    # of a grandchild nothing is said
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'pass'], check=True)"
    done = run(python, "-c", program, check=False, **environ)
    assert done.returncode == 0 and done.stderr.count("\n") == 1


def test_sitecustomize_disabled(python, site):
    environ = site_environ(site, LOOPTOP_RUN_PID=str(os.getpid()), LOOPTOP="0")
    done = run(python, "-c", "import sys; print('looptop' in sys.modules)", **environ)
    assert done.stdout == "False\n"


def test_sitecustomize_leaves_sys_path_alone(python, site):
    environ = site_environ(site)
    done = run(python, "-c", "import sys, looptop; print(sys.path[1:]); print(looptop.__file__)",
               **environ)
    path, package = done.stdout.splitlines()
    stock = run(python, "-c", "import sys; print(sys.path[1:])", PYTHONPATH="/x")
    assert eval(path) == [environ["PYTHONPATH"]] + eval(stock.stdout)[1:]
    assert package.startswith(str(site)) or package.startswith(SOURCES)


@pytest.mark.parametrize("form", ["sitecustomize.py", "sitecustomize/__init__.py"])
def test_sitecustomize_chains_to_the_next(python, site, form):
    os.makedirs(os.path.dirname(site / "next" / form), exist_ok=True)
    (site / "next" / form).write_text(
        "import sys\nsys.path.append('/added/by/next')\nmarker = __name__, __file__\n")
    done = run(python, "-c", "import sys, sitecustomize as s; print(s.marker, s.__spec__.name, "
               "s is sys.modules['sitecustomize'], '/added/by/next' in sys.path)",
               **site_environ(site, site / "next"))
    assert done.stdout == "%r sitecustomize True True\n" % (
        ("sitecustomize", str(site / "next" / form)),)


BEFORE = {
    # takes itself off sys.path and imports the next, as ddtrace-run's does
    "off the path": """
        index = sys.path.index(here)
        del sys.path[index]
        del sys.modules["sitecustomize"]
        import sitecustomize
        sys.path.insert(index, here)
    """,
    "on the path": """
        from importlib.machinery import PathFinder
        spec = PathFinder.find_spec("sitecustomize", sys.path[sys.path.index(here) + 1:])
        module = type(sys)("sitecustomize")
        module.__file__ = spec.origin
        spec.loader.exec_module(module)
    """,
}


@pytest.mark.parametrize("form", BEFORE)
def test_sitecustomize_of_others_before_ours(python, site, form):
    (site / "next" / "sitecustomize.py").write_text(textwrap.dedent("""
        import os, sys
        here = os.path.dirname(os.path.abspath(__file__))
        os.environ["COUNT"] = str(int(os.environ.get("COUNT", "0")) + 1)
    """) + textwrap.dedent(BEFORE[form]))
    environ = site_environ(site)
    environ["PYTHONPATH"] = "%s%s%s" % (site / "next", os.pathsep, environ["PYTHONPATH"])
    done = run(python, "-c", "import os, sys; print(os.environ['COUNT'], 'looptop' in sys.modules)",
               **environ)
    assert done.stdout == "1 True\n"


def test_an_error_in_the_next_is_reported_as_python_does(python, site):
    (site / "next" / "sitecustomize.py").write_text("1 / 0\n")
    done = run(python, "-c", "print('goes on')", check=False, **site_environ(site, site / "next"))
    assert done.returncode == 0 and done.stdout == "goes on\n"
    assert "ZeroDivisionError" in done.stderr and "looptop" not in done.stderr


def test_programs_of_every_form(python, site, tmp_path):
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "__main__.py").write_text("import sys; print('looptop' in sys.modules)")
    (tmp_path / "app.py").write_text("import sys; print('looptop' in sys.modules)")
    script = tmp_path / "tool"
    script.write_text("#!%s\nimport sys; print('looptop' in sys.modules)" % python)
    script.chmod(0o755)
    environ = site_environ(site, tmp_path)
    for arguments in [str(tmp_path / "app.py")], ["-m", "pkg"], [str(tmp_path / "pkg")]:
        assert run(python, *arguments, **environ).stdout == "True\n"
    assert run(str(script), **environ).stdout == "True\n"
    # these ask Python not to look
    for option in "-I", "-E", "-S":
        assert run(python, option, str(tmp_path / "app.py"), **environ).stdout == "False\n"


def test_spawned_children_load_it_too(python, site, tmp_path):
    (tmp_path / "app.py").write_text(textwrap.dedent("""
        import multiprocessing, sys
        def child():
            print("looptop" in sys.modules, flush=True)
        if __name__ == "__main__":
            process = multiprocessing.get_context("spawn").Process(target=child)
            process.start()
            process.join()
    """))
    assert run(python, str(tmp_path / "app.py"), **site_environ(site)).stdout == "True\n"


OLD = sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/2.7*/bin/python")) +
             glob.glob(os.path.expanduser("~/.pyenv/versions/3.[6-9].*/bin/python")) +
             glob.glob(os.path.expanduser("~/.pyenv/versions/3.10.*/bin/python")))


@pytest.mark.skipif(not OLD, reason="no Python older than 3.11 here")
def test_children_that_are_too_old_are_left_alone(site):
    (site / "next" / "sitecustomize.py").write_text("import sys\nsys.chained = True\n")
    environ = site_environ(site, site / "next")
    for old in OLD:
        assert run(old, "-c", "import sys; print(sys.chained)", **environ).stdout == "True\n"
        told = dict(environ, LOOPTOP_RUN_PID=str(os.getpid()))
        done = run(old, "-c", "import sys; print(sys.chained)", check=False, **told)
        assert done.stdout == "True\n" and done.stderr.count("\n") == 1
        assert "needs CPython 3.11" in done.stderr


def test_another_path_builds_nothing_anew(tmp_path):
    """A virtual environment that is activated puts another interpreter of the same minor first."""
    minors = {}
    for python in PYTHONS:
        text = subprocess.run([python, "-c", "import sys; print(sys.version_info[1])"],
                              stdout=subprocess.PIPE, text=True).stdout
        minors.setdefault(text, []).append(os.path.dirname(python))
    pair = next((found for found in minors.values() if len(set(found)) > 1), None)
    if pair is None:
        pytest.skip("needs two interpreters of the same minor")
    script = os.path.join(ROOT, "tests", "support", "pythons.sh")
    environ = dict(os.environ, HOME=str(tmp_path), PYENV_ROOT=str(tmp_path))

    def made(first, second):
        environ["PATH"] = "%s:%s:/usr/bin:/bin" % (first, second)
        subprocess.run([script, str(tmp_path / "build")], env=environ, check=True)
        return (tmp_path / "build" / "pythons.mk").read_text()
    before = made(pair[0], pair[1])
    assert pair[0] in (tmp_path / "build" / "pythons.made").read_text()
    assert made(pair[1], pair[0]) == before
