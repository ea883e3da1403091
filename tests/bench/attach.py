# SPDX-License-Identifier: MIT
"""How long it takes to get into a process that nobody prepared, and how long that stands still.

Each round makes two new processes: looptop is attached to one and detached and attached once more, gdb has the other
call dlopen(). What looptop says of itself is taken: from the first look at the process to an agent that listens, and how
long a thread was stopped. gdb's times are those of its process, and those for which the target is seen in a tracing
stop. Then the first list of 10,000 tasks, beside that of `python -m asyncio ps` where the interpreter has it.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time

from child import LOOPTOP, Child, Target, environment
from figures import Ratio, ms, table, verdict
from population import asyncio_ps, run_timed

ATTACH_GOAL_NS = {"idle": 15e6}
PAUSE_GOAL_NS = 3e6
PS_TASKS, PS_GOAL_NS = 10_000, 100e6
LIBRARIES = ("libanl.so.1", "libBrokenLocale.so.1")  # of the C library, and of no use to Python
SAID = re.compile(r"looptop: attach: process \d+ (loaded|woken).*: thread \d+, stops (\d+), paused ([\d.]+) ms, "
                  r"took ([\d.]+) ms")
SOURCE = """
import asyncio, time
async def main():
    print("ready", flush=True)
    %s
asyncio.run(main())
"""
KINDS = {"idle": "await asyncio.Event().wait()",
         "busy": "n = 0\n    while True:\n        n += 1",
         "sleeping": "time.sleep(1e6)"}


class Subject(Child):
    """A process of one kind, in the middle of it."""

    def __init__(self, python, kind):
        super().__init__([python, "-c", SOURCE % KINDS[kind]])
        self.read()
        time.sleep(0.05)


def gdb_refusal():
    return None if shutil.which("gdb") else "skipped: no gdb"


def attach(pid):
    done = subprocess.run([LOOPTOP, "ps", str(pid)], env=dict(environment(), LOOPTOP_DEBUG="attach"),
                          capture_output=True, text=True)
    said = SAID.fullmatch(done.stderr.strip())
    if done.returncode != 0 or not said:
        raise RuntimeError("looptop ps: status %d: %s" % (done.returncode, done.stderr))
    return {"how": said[1], "stops": int(said[2]), "pause_ns": float(said[3]) * 1e6, "took_ns": float(said[4]) * 1e6}


class StopWatch(threading.Thread):
    """How long a process is in a tracing stop, looked at from outside all the time."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.stat, self.first, self.last, self.ended = open("/proc/%d/stat" % pid), None, None, False
        self.start()

    def run(self):
        while not self.ended:
            self.stat.seek(0)
            if self.stat.read().rsplit(")", 1)[1].split()[0] == "t":
                self.last = time.perf_counter_ns()
                self.first = self.first or self.last
            time.sleep(0.0002)

    def stop(self):
        self.ended = True
        self.join()
        self.stat.close()
        return self.last - self.first if self.first else 0


def has_mapped(pid, library):
    with open("/proc/%d/maps" % pid) as maps:
        return library in maps.read()


def gdb_call(pid):
    library = next(name for name in LIBRARIES if not has_mapped(pid, name))
    watch = StopWatch(pid)
    run = run_timed(["gdb", "-p", str(pid), "-batch", "-ex", 'call (void*)dlopen("%s", 2)' % library])
    pause = watch.stop()
    if not has_mapped(pid, library):
        raise RuntimeError("gdb loaded nothing: %s" % run["out"][-300:].decode(errors="replace"))
    return {"took_ns": run["wall_ns"], "pause_ns": pause}


def measure_kind(python, kind, rounds, gdb):
    taken = {"loaded": [], "woken": [], "gdb": []}
    for _ in range(rounds):
        with Subject(python, kind) as subject:
            for _ in range(2):
                one = attach(subject.pid)
                taken[one["how"]].append(one)
                subprocess.run([LOOPTOP, "detach", str(subject.pid)], env=environment(), check=True,
                               stdout=subprocess.DEVNULL)
        if gdb:
            with Subject(python, kind) as subject:
                taken["gdb"].append(gdb_call(subject.pid))
    figures = {how: {key: statistics.median(one[key] for one in all) for key in all[0] if key != "how"}
               for how, all in taken.items() if all}
    if gdb:
        figures["ratio"] = Ratio([ours["took_ns"] / theirs["took_ns"]
                                  for ours, theirs in zip(taken["loaded"], taken["gdb"])])
    return figures


def first_ps(python, version, rounds):
    """The first list of all tasks: no agent is there yet."""
    walls, others = [], []
    for _ in range(rounds):
        with Target(python) as target:
            target.do("make", n=PS_TASKS)
            if tuple(int(v) for v in version.split(".")[:2]) >= (3, 14):
                others.append(asyncio_ps(python, target))
            run = run_timed([LOOPTOP, "ps", "--json", str(target.pid)])
            if run["rc"] != 0 or len(json.loads(run["out"])["tasks"]) < PS_TASKS:
                raise RuntimeError("the first ps did not list all tasks, status %d" % run["rc"])
            walls.append(run["wall_ns"])
    others = [ns for ns in others if ns is not None]
    paired = len(others) == len(walls)
    return {"wall_ns": statistics.median(walls), "asyncio_ps_ns": statistics.median(others) if paired else None,
            "ratio": Ratio([a / b for a, b in zip(walls, others)]) if paired else None}


# ---- tables


def attach_table(rows, refusal):
    lines = []
    for version, kind, f in rows:
        goal, loaded = ATTACH_GOAL_NS.get(kind), f["loaded"]
        judged = {verdict(loaded["took_ns"], goal), verdict(max(loaded["pause_ns"], f["woken"]["pause_ns"]),
                                                            PAUSE_GOAL_NS)} - {"-"}
        f["verdict"] = "MISSED" if "MISSED" in judged else "reached"
        theirs = f.get("gdb", {})
        lines.append(["%s %s" % (version, kind), ms(loaded["took_ns"]), ms(loaded["pause_ns"]), ms(f["woken"]["took_ns"]),
                      ms(f["woken"]["pause_ns"]), ms(theirs.get("took_ns")), ms(theirs.get("pause_ns")),
                      f.get("ratio", "-"), ("≤ 15, " if goal else "") + "pause ≤ 3", f["verdict"]])
    notes = ["loaded: for the first time; woken: attached again; median of new processes each",
             "gdb: gdb -p PID -batch -ex 'call (void*)dlopen(...)'" + (", " + refusal if refusal else "")]
    return table("Attach to a process, ms", ["target", "loaded", "pause", "woken", "pause", "gdb", "pause",
                 "looptop / gdb", "goal", "verdict"], lines, notes)


def ps_table(rows):
    lines, notes = [], ["no agent was there before; goal: wall"]
    for version, f in rows:
        f["verdict"] = verdict(f["wall_ns"], PS_GOAL_NS)
        lines.append([version, "{:,}".format(PS_TASKS), ms(f["wall_ns"]), ms(f["asyncio_ps_ns"]), f["ratio"] or "-",
                      "≤ 100", f["verdict"]])
    if all(f["asyncio_ps_ns"] is None for _, f in rows):
        notes.append("python -m asyncio ps is there from 3.14 on: MATRIX_TARGETS='bench BENCH=attach' make test-matrix")
    return table("First looptop ps --json, ms", ["python", "tasks", "wall", "python -m asyncio ps", "looptop / asyncio ps",
                 "goal", "verdict"], lines, notes)


def plain(figures):
    return {key: value.plain() if isinstance(value, Ratio) else value for key, value in figures.items()}


def section(subjects, rounds):
    """subjects: (version, interpreter). Prints, and returns what goes into the JSON."""
    refusal = gdb_refusal()
    rows = [(version, kind, measure_kind(python, kind, rounds, refusal is None))
            for version, python in subjects for kind in KINDS]
    print(attach_table(rows, refusal), flush=True)
    first = [(version, first_ps(python, version, rounds)) for version, python in subjects]
    print(ps_table(first), flush=True)
    return {"attach": [dict(plain(f), python=version, target=kind) for version, kind, f in rows],
            "first_ps": [dict(plain(f), python=version) for version, f in first]}


if __name__ == "__main__":
    # attach.py INTERPRETER ROUNDS: one interpreter, for work on attaching
    from child import version_of
    section([(version_of(sys.argv[1]), sys.argv[1])], int(sys.argv[2]))
