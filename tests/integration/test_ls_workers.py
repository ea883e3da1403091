# SPDX-License-Identifier: MIT
"""Processes that multiprocessing starts are called by what they work for, as uvicorn's workers are."""

import json
import os
import re
import signal
import subprocess

import pytest

from looptop_client import BUILD, PYTHONS, Service, wait_for

LOOPTOP = os.path.join(BUILD, "looptop")

SOURCE = """
    import asyncio, multiprocessing, sys

    def work(names):
        async def main():
            await asyncio.sleep(3600)
        if names:
            child = multiprocessing.get_context(names[0]).Process(target=work, args=(names[1:],))
            child.start()
        asyncio.run(main())

    if __name__ == "__main__":
        work(sys.argv[1:])
"""


def service(*names):
    """Each process starts the next one by the method that is next."""
    return Service.inline(LOOPTOP, SOURCE, *names, options=("run", "--", PYTHONS[-1]), stderr=None)


def listed(service, *options):
    environ = dict(os.environ, XDG_RUNTIME_DIR=service.directory, LC_ALL="C.UTF-8")
    done = subprocess.run([LOOPTOP, "ls", *options], env=environ, capture_output=True, text=True, timeout=60,
                          check=True)
    return done.stdout


def commands(service, count):
    """{pid: command} of the service's processes, once so many of them have a loop."""
    group = os.getpgid(service.pid)

    def look():
        found, loops = {}, 0
        for line in listed(service).splitlines()[1:]:
            match = re.match(r" *(\d+) +\S+ +\S+ +(\S+) +\S+ +\S+ +\S+ +\S+ +\S+ +\S+ +(.*)", line)
            pid = int(match.group(1))
            try:
                own = os.getpgid(pid) == group
            except ProcessLookupError:
                continue
            if own:
                found[pid] = match.group(3)
                loops += match.group(2) == "asyncio"
        return found if loops == count else None
    return wait_for(look, what="%d processes with a loop" % count)


def own(pid):
    with open("/proc/%d/cmdline" % pid) as file:
        return file.read().rstrip("\0").replace("\0", " ")


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers(method):
    with service(method) as parent:
        found = commands(parent, 2)
        main = re.sub("^/\\S*/", "", own(parent.pid))  # the directories of the program are left out
        assert found.pop(parent.pid) == main
        assert "worker of %d: %s" % (parent.pid, main) in found.values()
        for command in found.values():  # and what goes with it
            assert re.match(r"(worker|fork server|resource tracker) of %d: " % parent.pid, command)
        listing = json.loads(listed(parent, "--json"))["processes"]
        true = {process["pid"]: process["cmdline"] for process in listing}
        assert all(true[pid] == own(pid) for pid in found)


def test_workers_of_workers():
    with service("spawn", "spawn") as parent:
        found = commands(parent, 3)
        worker = next(pid for pid in found if found[pid].startswith("worker of %d: " % parent.pid))
        assert "worker of %d: %s" % (worker, found[worker]) in found.values()


def test_a_worker_that_lost_its_parent():
    """Nobody can say whose it was: it is called what it calls itself."""
    with service("spawn") as parent:
        found = commands(parent, 2)
        worker = next(pid for pid in found if found[pid].startswith("worker of"))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
        wait_for(lambda: re.search(r"^ *%d .* -c from multiprocessing" % worker, listed(parent), re.M),
                 what="its own command line")
