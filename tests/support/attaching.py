# SPDX-License-Identifier: MIT
"""Programs that were started without looptop, and looptop as a user calls it on them. For the tests of
attaching in tests/integration."""

import json
import os
import re
import subprocess

import pytest

from looptop_client import BUILD, Service

LOOPTOP = os.path.join(BUILD, "looptop")

# for pytestmark
no_tsan = pytest.mark.skipif(
    "libtsan" in os.environ.get("LD_PRELOAD", ""),
    reason="a library with thread sanitizer cannot be loaded into a running program")

IDLE = """
    import asyncio, sys
    async def worker(n):
        await asyncio.sleep(3600)
    async def extra():
        await asyncio.sleep(3600)
    async def main():
        keep = [asyncio.create_task(worker(n), name="w%d" % n) for n in range(5)]
        loop = asyncio.get_running_loop()
        def tell():
            line = sys.stdin.readline().strip()
            if line == "end":
                for task in asyncio.all_tasks():
                    task.cancel()
            elif line:
                keep.append(loop.create_task(extra(), name=line))
                print("made", flush=True)
        loop.add_reader(0, tell)
        print("ready", flush=True)
        try:
            await asyncio.gather(*keep)
        except asyncio.CancelledError:
            print("ended", flush=True)
    asyncio.run(main())
"""


def looptop(*arguments, timeout=60, **environ):
    return subprocess.run([LOOPTOP, *map(str, arguments)], text=True, timeout=timeout,
                          env=dict(os.environ, LC_ALL="C.UTF-8", LOOPTOP_DEBUG="attach", **environ),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ps(pid, *arguments):
    done = looptop("ps", pid, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def names(document):
    return sorted(task["name"] for task in document["tasks"])


def ready(python, source, **environ):
    service = Service.inline(python, source, **environ)
    service.expect("ready")
    return service


def attach(pid):
    """Attaches, and asserts that it was done just now."""
    document, said = ps(pid)
    assert re.search(r"attach: process %d (loaded|woken)" % pid, said), said
    return document


def descriptors(pid):
    found = {}
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found[int(name)] = os.readlink("/proc/%d/fd/%s" % (pid, name))
        except FileNotFoundError:
            pass
    return found


def threads(pid):
    found = []
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/comm" % (pid, tid)) as comm:
                found.append(comm.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def masks(pid):
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid)) as status:
            text = status.read()
        if "looptop" not in text.split("\n")[0]:
            found[tid] = re.search(r"SigBlk:\t(\w+)", text).group(1)
    return found


def assert_refused(done, status, *words):
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("looptop: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


BUSY = """
    import asyncio
    async def worker():
        await asyncio.sleep(3600)
    async def main():
        keep = asyncio.create_task(worker(), name="waiting")
        await asyncio.sleep(0)
        {before}
        print("ready", flush=True)
        {what}
    asyncio.run(main())
"""
