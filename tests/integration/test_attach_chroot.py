# SPDX-License-Identifier: MIT
"""Attaching from this system to programs of another one: Debian sid in a chroot, with a newer C
library and Pythons that this system does not have, in namespaces of their own as in a container. Run
by test-matrix.sh, which makes the chroot and names it in LOOPTOP_SID."""

import json
import os
import signal
import subprocess

import pytest

from looptop_client import BUILD, wait_for

SID = os.environ.get("LOOPTOP_SID", "")
LOOPTOP = os.path.join(BUILD, "looptop")
PYTHONS = ["/usr/bin/python3.13", "/usr/bin/python3.14", "/usr/bin/python3.15"]

pytestmark = pytest.mark.skipif(not SID, reason="no chroot of sid: `make test-matrix` makes it, and runs this")

IDLE = """
import asyncio, os
async def main():
    keep = [asyncio.create_task(asyncio.sleep(3600), name="w%d" % n) for n in range(5)]
    await asyncio.sleep(0)
    print(os.getpid(), flush=True)
    await asyncio.gather(*keep)
asyncio.run(main())
"""


def looptop(*arguments):
    return subprocess.run([LOOPTOP, *map(str, arguments)], text=True, timeout=60,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=dict(os.environ, LC_ALL="C.UTF-8", LOOPTOP_DEBUG="attach",
                                   LOOPTOP_LIBDIR=os.path.join(SID, "work", "build")))


def holds(pid, prefix):
    """Whether the process runs this program by now."""
    try:
        return os.readlink("/proc/%d/exe" % pid).startswith(prefix)
    except OSError:
        return False


def descendants(pid):
    found = [pid]
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                        found += descendants(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


@pytest.fixture(params=PYTHONS)
def python(request):
    if not os.path.exists(SID + request.param):
        pytest.skip("the chroot has no " + request.param)
    return request.param


class Program:
    def __init__(self, python, before, *options):
        script = "%s exec chroot %s %s -c \"$0\"" % (before, SID, python)
        self.process = subprocess.Popen(
            ["unshare", *options, "sh", "-c", script, IDLE], stdout=subprocess.PIPE, text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
        assert self.process.stdout.readline().strip().isdigit()
        self.pid = descendants(self.process.pid)[-1]
        assert wait_for(lambda: holds(self.pid, SID))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for pid in reversed(descendants(self.process.pid)):
            os.kill(pid, signal.SIGKILL)
        self.process.communicate()


def assert_attaches(pid):
    for how in ("loaded", "woken"):
        done = looptop("ps", pid, "--json")
        assert done.returncode == 0 and how in done.stderr, done.stderr
        tasks = [task["name"] for task in json.loads(done.stdout)["tasks"]]
        assert {"w0", "w1", "w2", "w3", "w4"} <= set(tasks)
        assert looptop("detach", pid).returncode == 0


def test_a_container(python):
    with Program(python, "mount -t proc proc %s/proc;" % SID, "--mount", "--pid", "--fork", "--net") as program:
        before = set(os.listdir(SID + "/tmp"))
        assert_attaches(program.pid)
        assert set(os.listdir(SID + "/tmp")) == before
        listed = json.loads(looptop("ls", "--json").stdout)["processes"]
        found, = [one for one in listed if one["pid"] == program.pid]
        assert found["loop"] == "asyncio" and found["python"].startswith(python[-4:])


def test_a_root_without_proc(python):
    """No memfd can be opened by its name there: a file is, and is gone afterwards."""
    with Program(python, "umount -l %s/proc;" % SID, "--mount") as program:
        before = set(os.listdir(SID + "/tmp"))
        assert_attaches(program.pid)
        assert set(os.listdir(SID + "/tmp")) == before


def test_a_root_that_cannot_be_written(python):
    """Nothing has to be written where a memfd can be had."""
    script = "mount --bind {0} {0}; mount -o remount,bind,ro {0}; mount -t tmpfs -o ro none {0}/tmp; " \
        "mount -t tmpfs -o ro none {0}/dev/shm; mount -t proc proc {0}/proc;".format(SID)
    with Program(python, script, "--mount") as program:
        assert_attaches(program.pid)
