# SPDX-License-Identifier: MIT
"""What `ls` and --name find of processes that nobody prepared, without touching them."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import tempfile
import textwrap

import pytest

from looptop_client import BUILD, PYTHONS, full_version, python_with, wait_for

LOOPTOP = os.path.join(BUILD, "looptop")

NAME = "the-one-meant-by-%d" % os.getpid()  # other tests may run beside these

IDLE = """
    import asyncio
    async def main():
        print("ready", flush=True)
        await asyncio.sleep(3600)
    asyncio.run(main())
"""
UVLOOP = """
    import asyncio, uvloop
    async def main():
        print("ready", flush=True)
        await asyncio.sleep(3600)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
"""
BUSY = """
    import asyncio
    async def main():
        print("ready", flush=True)
        while True:
            await asyncio.sleep(0)
    asyncio.run(main())
"""
# processes that `ls` has nothing to say of
OTHERS = {
    "no-loop": "import time; print('ready', flush=True); time.sleep(3600)",
    "asyncio-imported": "import asyncio, time; print('ready', flush=True); time.sleep(3600)",
    "loop-ended": """
        import asyncio, time
        asyncio.run(asyncio.sleep(0))
        print("ready", flush=True)
        time.sleep(3600)
    """,
    "epoll-of-its-own": """
        import select, socket
        poll, pair = select.epoll(), socket.socketpair()
        poll.register(pair[0])
        print("ready", flush=True)
        while True:
            poll.poll(3600)
    """,
}


@contextlib.contextmanager
def running(python, source, *arguments, **more):
    """A process that has said that it is ready; no agent is in it."""
    command = [python, "-c", textwrap.dedent(source), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more)
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def looptop(*arguments, **more):
    return subprocess.run([LOOPTOP, *arguments], capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, LC_ALL="C.UTF-8"), **more)


def listed(**more):
    done = looptop("ls", "--json", **more)
    assert done.returncode == 0, done.stderr
    return {process["pid"]: process for process in json.loads(done.stdout)["processes"]}


def test_a_process_without_an_agent(python):
    with running(python, IDLE) as process:
        row = listed()[process.pid]
        del row["cmdline"]
        assert row.pop("rss_bytes") > 1 << 20 and 0 <= row.pop("uptime_s") < 600
        assert row.pop("cpu_pct") is not None
        assert row == {"pid": process.pid, "uid": os.getuid(), "python": full_version(python), "agent": None,
                       "loop": "asyncio", "tasks": None, "lag_ms": None, "busy_pct": None, "busy_exact": None}


def test_uvloop(python):
    with_uvloop, why = python_with(python, "uvloop")
    if not with_uvloop:
        pytest.skip(why)
    with running(with_uvloop, UVLOOP) as process:
        row = listed()[process.pid]
        assert (row["loop"], row["python"], row["agent"]) == ("uvloop", full_version(python), None)


@pytest.mark.parametrize("kind", sorted(OTHERS))
def test_what_runs_no_loop_is_not_listed(kind):
    builtin = "import sys; print('_asyncio' in sys.builtin_module_names)"
    if kind == "epoll-of-its-own" and subprocess.run([PYTHONS[-1], "-c", builtin], stdout=subprocess.PIPE, text=True,
                                                     check=True).stdout == "True\n":
        pytest.skip("asyncio is a part of this interpreter: from outside an epoll of its own looks like a loop")
    with running(PYTHONS[-1], OTHERS[kind]) as process, running(PYTHONS[-1], IDLE) as other:
        rows = listed()
        assert other.pid in rows and process.pid not in rows


def test_a_table_says_what_is_not_known():
    with running(PYTHONS[-1], IDLE, "here") as process:
        done = looptop("ls")
        titles, *lines = done.stdout.splitlines()
        assert titles.split() == "PID USER PYTHON LOOP TASKS LAG BUSY% CPU% RSS UP COMMAND".split()
        (line,) = [line for line in lines if line.split()[0] == str(process.pid)]
        assert line.split()[4:7] == ["—"] * 3 and line.endswith(" here")


def test_processor_time():
    """Of a loop that never rests, and of one that does."""
    with running(PYTHONS[-1], BUSY) as busy, running(PYTHONS[-1], IDLE) as idle:
        # another process may have the processors for a while
        wait_for(lambda: listed()[busy.pid]["cpu_pct"] > 20, what="a busy process")
        wait_for(lambda: listed()[idle.pid]["cpu_pct"] < 5, what="an idle process")


def test_processes_of_others_are_not_listed():
    if os.getuid() != 0:
        pytest.skip("another user's process takes root to start")
    with running("/usr/bin/python3", IDLE) as ours, tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        program = shutil.copy(LOOPTOP, directory)
        with running("/usr/bin/python3", IDLE, user=65534, group=65534, extra_groups=[]) as theirs:
            done = subprocess.run([program, "ls", "--json"], user=65534, group=65534, extra_groups=[],
                                  capture_output=True, text=True, timeout=60, check=True, cwd="/")
            rows = {process["pid"]: process for process in json.loads(done.stdout)["processes"]}
            assert theirs.pid in rows and ours.pid not in rows and done.stderr == ""
            assert rows[theirs.pid]["uid"] == 65534
            assert theirs.pid in listed() and ours.pid in listed()


def test_none(tmp_path):
    """In a process namespace of its own, where there is no other process."""
    alone = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("no process namespace can be made here")
    environ = dict(os.environ, XDG_RUNTIME_DIR=str(tmp_path))
    for arguments in ([], ["ls"]):
        done = subprocess.run([*alone, LOOPTOP, *arguments], capture_output=True, text=True, timeout=60,
                              check=False, env=environ)
        assert_says(done, 0, "looptop run python app.py", "looptop demo")
    done = subprocess.run([*alone, LOOPTOP, "ls", "--json"], capture_output=True, text=True, timeout=60,
                          check=True, env=environ)
    assert json.loads(done.stdout) == {"processes": []}


# ---- --name


def assert_says(done, status, *words):
    assert (done.returncode, done.stdout) == (status, ""), done
    assert re.fullmatch(r"looptop: .*\n", done.stderr), done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_name_of_none():
    """Not even of looptop itself, nor of a process that runs no loop."""
    with running(PYTHONS[-1], OTHERS["no-loop"], NAME):
        assert_says(looptop("ps", "--name", NAME), 1, "'%s'" % NAME, "looptop ls")


def test_name_of_several():
    with running(PYTHONS[-1], IDLE, NAME) as one, running(PYTHONS[-1], IDLE, NAME) as two:
        assert_says(looptop("ps", "--name", NAME), 2, "2 processes", str(one.pid), str(two.pid))


def test_name_beside_a_pid():
    with running(PYTHONS[-1], IDLE, NAME):
        assert_says(looptop("ps", "--name", NAME, "12"), 2, "'12'")
    assert_says(looptop("ls", "--name", "x"), 2, "--name")
