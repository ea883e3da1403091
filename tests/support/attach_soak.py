# SPDX-License-Identifier: MIT
"""Attaches to unprepared processes and leaves them, again and again, and sees that they notice nothing.

Shared by tests/integration/test_attach_soak.py and `make soak`, which differ in how often. Each of cycles(), fresh(),
kills() and storm() runs against processes of its own, raises AssertionError where one was harmed, and returns a line
of figures.
"""

import ctypes
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time

from looptop_client import BUILD, DEADLINE_S, ROOT, Service, environment, wait_for

LOOPTOP = os.path.join(BUILD, "looptop")
LOAD = os.path.join(ROOT, "tests", "support", "echo_load.py")
CONNECTIONS = 8
# What a process that nobody attaches to moves by itself: malloc gives back and takes the top of its heap in steps of
# 128 KiB, and Python's arenas are of 256 KiB (1 MiB from 3.12 on, touched page by page).
RSS_NOISE_KIB = 256
MEASURE_EVERY = 5  # between the others nothing is waited for
KILL_WITHIN_S = 0.020
SAID = re.compile(r"looptop: attach: process (\d+) (loaded|woken): thread (\d+), stops (\d+), paused ([\d.]+) ms.*")
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17


def ptrace_refusal():
    """Why no child of ours may be traced, or None: it may."""
    child = subprocess.Popen(["sleep", "60"])
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        if libc.ptrace(PTRACE_SEIZE, child.pid, None, None) == 0:
            return None
        return "ptrace is forbidden here: " + os.strerror(ctypes.get_errno())
    finally:
        child.kill()
        child.wait()


# ---- what the kernel says of a process


def of_status(path, *keys):
    with open(path) as status:
        fields = dict(line.rstrip("\n").split(":", 1) for line in status if ":" in line)
    return [fields[key].strip() for key in keys]


def threads_of(pid):
    return {int(tid) for tid in os.listdir("/proc/%d/task" % pid)}


def fds_of(pid):
    """Descriptor to what it is of."""
    found = {}
    for fd in os.listdir("/proc/%d/fd" % pid):
        try:
            found[int(fd)] = os.readlink("/proc/%d/fd/%s" % (pid, fd))
        except FileNotFoundError:
            pass
    return found


def rss_kib(pid):
    with open("/proc/%d/statm" % pid) as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024


def keeps_freed_memory():
    """AddressSanitizer does, up to 256 MiB: how much memory is in use cannot be seen from outside."""
    return "asan" in os.environ.get("LD_PRELOAD", "")


def masks_of(pid, tids):
    """Of each thread: its blocked signals, and who traces it."""
    return {tid: of_status("/proc/%d/task/%d/status" % (pid, tid), "SigBlk", "TracerPid") for tid in tids}


class Before:
    """A process as it was, and that it is so again."""

    def __init__(self, pid):
        self.pid = pid
        self.tids = threads_of(pid)
        self.fds = fds_of(pid)
        self.masks = masks_of(pid, self.tids)

    def await_masks(self):
        """A thread whose client was killed finishes by itself what it was made to do."""
        def same():
            return masks_of(self.pid, self.tids) == self.masks
        try:
            wait_for(same)
        except AssertionError:
            raise AssertionError("signal masks and tracers were %r and are %r" % (
                self.masks, masks_of(self.pid, self.tids))) from None

    def await_threads(self):
        wait_for(lambda: threads_of(self.pid) == self.tids, what="the end of the agent's threads")

    def await_fds(self):
        """None more of any kind: sockets of the load come and go."""
        def kinds(fds):
            names = [re.sub(r"\d+", "N", name) for name in fds.values()]
            return {name: names.count(name) for name in names}

        def more():
            now, before = fds_of(self.pid), kinds(self.fds)
            return {name: n for name, n in kinds(now).items() if n > before.get(name, 0)}
        try:
            wait_for(lambda: not more())
        except AssertionError:
            raise AssertionError("descriptors that were not there before: %r" % more()) from None

    def await_all(self):
        self.await_threads()
        self.await_masks()
        self.await_fds()


# ---- who attaches, who is attached to


def client_environment(service):
    return environment(service.directory, LOOPTOP_DEBUG="attach", LC_ALL="C.UTF-8")


def looptop(service, *arguments):
    done = subprocess.run([LOOPTOP, *arguments], env=client_environment(service), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, "looptop %s: status %d: %s" % (" ".join(arguments), done.returncode, done.stderr)
    return done


class Pauses:
    """What the attaches of a run said of themselves."""

    def __init__(self):
        self.pauses, self.tries, self.how = [], [], {"loaded": 0, "woken": 0}

    def add(self, stderr, pid, how):
        said = SAID.fullmatch(stderr.strip())
        assert said and int(said[1]) == pid, stderr
        assert how is None or said[2] == how, "%s instead of %s" % (said[2], how)
        self.how[said[2]] += 1
        self.tries.append(int(said[4]))
        self.pauses.append(float(said[5]))

    def __str__(self):
        return "%d loaded, %d woken; pause %.1f ms, at most %.1f; stops at most %d" % (
            self.how["loaded"], self.how["woken"], statistics.median(self.pauses), max(self.pauses), max(self.tries))


def attach(service, pauses, how=None, top=False, least=1):
    """Looks at the tasks, for which it has to attach, and takes the agent out of service again."""
    if top:
        done = looptop(service, "top", "--batch", "--frames", "1", str(service.pid))
        assert "Task-1" in done.stdout, done.stdout
    else:
        done = looptop(service, "ps", "--json", str(service.pid))
        tasks = json.loads(done.stdout)["tasks"]
        assert len(tasks) >= least, "%d tasks instead of %d: %s" % (len(tasks), least, done.stdout)
    pauses.add(done.stderr, service.pid, how)
    looptop(service, "detach", str(service.pid))


def unprepared(python, script, *arguments):
    """A process that does not have even the package on its path."""
    return Service(python, script, *arguments, PYTHONPATH="")


class Load:
    """The client process that sends all the time. At its end every reply must have been right."""

    def __init__(self, port, reconnect=0):
        self.process = subprocess.Popen([sys.executable, LOAD, str(port), str(CONNECTIONS), str(reconnect)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.last = 0
        self.goes_on()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        try:
            if kind is None:
                self.goes_on()
        finally:
            self.process.kill()
            self.process.wait(DEADLINE_S)
            self.process.stdin.close()
            self.process.stdout.close()

    def stats(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        stats = json.loads(self.process.stdout.readline())
        assert not stats["wrong"], stats["wrong"]
        return stats

    def goes_on(self):
        """Replies to what is sent from now on: each connection has had one more."""
        goal = self.stats()["replies"] + 2 * CONNECTIONS
        wait_for(lambda: self.stats()["replies"] >= goal, what="replies of the server")


def end(service):
    """A process that was attached to ends like any other; `with` sees that it said nothing."""
    service.process.stdin.close()
    status = service.wait()
    assert status == 0, "exit status %d; stderr: %s" % (status, service.stderr())


# ---- the four of them


def cycles(python, loop, count, settle, tolerance_kib=RSS_NOISE_KIB, progress=None):
    """Attach and detach under load. RSS, descriptors and threads may grow until cycle `settle`.

    Of RSS the median of the first tenth behind that is compared with the median of the last tenth: a leak moves
    the whole of the last one, a buffer that happens to be there a sample or two. The tolerance is the allocators'
    step; over 900 cycles it lets no more pass than 300 bytes a cycle.
    """
    pauses, rss = Pauses(), []
    with unprepared(python, "echo.py", loop) as service:
        with Load(int(service.line()), reconnect=50) as load:
            before = Before(service.pid)
            for cycle in range(count):
                attach(service, pauses, "woken" if cycle else "loaded", top=cycle % 10 == 9, least=CONNECTIONS)
                if cycle >= settle and cycle % MEASURE_EVERY == 0:
                    before.await_all()
                    rss.append(rss_kib(service.pid))
                if progress and cycle % 250 == 249:
                    progress("%d cycles" % (cycle + 1))
            before.await_all()
            load.goes_on()
            stats = load.stats()
        window = max(len(rss) // 10, 1)
        grown = statistics.median(rss[-window:]) - statistics.median(rss[:window])
        assert grown <= tolerance_kib or keeps_freed_memory(), "RSS grew by %d KiB from cycle %d to %d: %r" % (grown, settle, count, rss)
        end(service)
    return "%s; RSS %+d KiB; %d replies, slowest burst %.0f ms" % (
        pauses, grown, stats["replies"], stats["slowest_ms"])


def fresh(python, loop, count):
    """Processes that are attached to for the first time: each can be but once."""
    pauses, replies = Pauses(), 0
    for i in range(count):
        with unprepared(python, "echo.py", loop, *["--thread"] * (i % 2)) as service:
            with Load(int(service.line())) as load:
                before = Before(service.pid)
                attach(service, pauses, "loaded", least=CONNECTIONS)
                before.await_all()
                load.goes_on()
                replies += load.stats()["replies"]
            end(service)
    return "%s; %d replies" % (pauses, replies)


class Victim:
    """Kills clients of one process, and sees that it goes on."""

    def __init__(self, service, load, chance):
        self.service, self.load, self.chance = service, load, chance
        self.before = Before(service.pid)

    def kill(self):
        """Whether there was still a client to be killed."""
        client = subprocess.Popen([LOOPTOP, "ps", str(self.service.pid)], env=client_environment(self.service),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(self.chance.random() * KILL_WITHIN_S)
        client.kill()
        killed = client.wait(DEADLINE_S) == -signal.SIGKILL
        self.before.await_masks()
        self.load.goes_on()
        assert self.service.process.poll() is None, "the process has ended; stderr: " + self.service.stderr()
        return killed

    def leave(self, pauses):
        """As it was: an agent that a killed client has left behind serves the next one, or is woken by it."""
        done = looptop(self.service, "ps", "--json", str(self.service.pid))
        how = "none"
        if done.stderr:
            pauses.add(done.stderr, self.service.pid, None)
            how = SAID.fullmatch(done.stderr.strip())[2]
        # what killed clients brought and could not close the agent does, in its first second of service
        wait_for(lambda: not any("memfd" in name for name in fds_of(self.service.pid).values()),
                 what="the end of memfds that were left")
        looptop(self.service, "detach", str(self.service.pid))
        self.before.await_all()
        return how


def kills(python, loop, count, seed, progress=None):
    """SIGKILL for clients at any moment of an attach: the first of a process as it is loaded, others as it is woken."""
    chance, pauses, done = random.Random(seed), Pauses(), 0
    told = 0
    left = {"loaded": 0, "woken": 0, "none": 0}
    while done < count:
        with unprepared(python, "echo.py", loop, *["--thread"] * chance.randrange(2)) as service:
            with Load(int(service.line())) as load:
                victim = Victim(service, load, chance)
                for _ in range(4):  # at first it is to be loaded, then a sleeping agent is woken
                    done += victim.kill()
                    if done < count and chance.random() < 0.5:
                        done += victim.kill()
                    left[victim.leave(pauses)] += 1
            end(service)
        if progress and done // 125 > told:
            told = done // 125
            progress("%d kills" % done)
    return "%d killed (seed %d); the next client found an agent at work %d times, woke %d, loaded %d" % (
        done, seed, left["none"], left["woken"], left["loaded"])


STORMS = ("python", "c", "child")


def undisturbed(python, loop, rounds):
    with unprepared(python, "storm.py", loop, "none") as service:
        service.expect("ready")
        service.tell(str(rounds))
        return service.json(600)


def storm(python, loop, count, kind, rate=2000):
    """Attach to what computes under so many signals a second; it gets the results that it gets in peace."""
    pauses = Pauses()
    with unprepared(python, "storm.py", loop, kind, str(rate)) as service:
        service.expect("ready")
        before = Before(service.pid)
        service.tell("0")
        began = time.monotonic()
        for i in range(count):
            attach(service, pauses, "woken" if i else "loaded")
        before.await_all()
        seconds = time.monotonic() - began
        service.tell("0")
        stormy = service.json()
        end(service)
    peaceful = undisturbed(python, loop, stormy["rounds"])
    assert stormy["digest"] == peaceful["digest"], "another result after %d rounds" % stormy["rounds"]
    if kind != "c":
        assert stormy["signals"] > count, "there was no storm: %d signals" % stormy["signals"]
    return "%s; %d rounds, %s signals/s seen" % (
        pauses, stormy["rounds"], "?" if kind == "c" else "%.0f" % (stormy["signals"] / seconds))
