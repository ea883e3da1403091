# SPDX-License-Identifier: MIT
"""What the agent costs with many tasks: memory, the walk over tasks that were there before, listings.

The tasks wait on an event. The walk is measured from both sides: the agent says how long it held the GIL
at most, and a task that asks for a turn all the time sees how long its loop stood still, which is compared
with the same time before the agent came.
"""

import fcntl
import json
import os
import pty
import resource
import select
import statistics
import struct
import subprocess
import sys
import termios
import time

from child import LOOPTOP, Target, cpu_ns, environment, rss_bytes, socket_path
from figures import ms, table, verdict
from watcher import connect

MIB = 1024 * 1024
WALK_S = 0.7  # how long the loop is watched, agent or not
MEMORY_GOAL = (4 * MIB, 256)  # and so many a task
PS_GOAL_NS = {10_000: 100e6, 100_000: 600e6}
PS_TARGET_GOAL_NS = {100_000: 50e6}
PAUSE_GOAL_NS = 1e6
WATCH_GOAL = (2.0, 32 * MIB)  # percent of a core, bytes


def wait_walked(link):
    deadline = time.monotonic() + 30
    while True:
        status = link.call("status")
        if status["hooks"]["state"] == "active" and status["hooks"]["population"] == "done":
            return
        if time.monotonic() > deadline:
            raise RuntimeError("the population is still being walked")
        time.sleep(0.002)


def walk(target, n):
    """Starts the agent among n tasks; returns the figures of the walk, and a connection."""
    quiet = target.do("gaps", seconds=WALK_S)
    rss = rss_bytes(target.pid)
    target.post("gaps", seconds=WALK_S, start_agent=True)
    link = connect(socket_path(target.pid))
    began = time.perf_counter_ns()
    wait_walked(link)
    took = time.perf_counter_ns() - began
    loud = json.loads(target.read())
    status = link.call("status")
    if status["totals"]["tasks"] < n:
        raise RuntimeError("the walk found %d of %d tasks" % (status["totals"]["tasks"], n))
    return {"walk_ns": took, "hold_ns": status["agent"]["gil_longest_hold_ns"], "start_ns": loud["start_ns"],
            "gap_ns": loud["gap_ns"], "gap_bare_ns": quiet["gap_ns"], "agent_bytes": status["agent"]["bytes"],
            "rss_delta": rss_bytes(target.pid) - rss}, link


def best_walk(python, n, times):
    """The walk least disturbed: a neighbour that takes the core while the GIL is held is none of ours."""
    walks = []
    for _ in range(times):
        with Target(python) as target:
            target.do("make", n=n)
            walked, link = walk(target, n)
            link.close()
            walks.append(walked)
    return min(walks, key=lambda w: max(w["hold_ns"], w["gap_ns"] - w["gap_bare_ns"]))


def run_timed(command):
    """Wall time, CPU time and output of a command; its largest RSS."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter_ns()
    done = subprocess.run(command, env=environment(), capture_output=True)
    wall = time.perf_counter_ns() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e9
    return {"wall_ns": wall, "cpu_ns": cpu, "rc": done.returncode, "out": done.stdout}


def list_tasks(target, n, times):
    """`looptop ps --json`: its wall time, and what it cost the target."""
    runs = []
    for _ in range(times):
        before = cpu_ns(target.pid)
        run = run_timed([LOOPTOP, "ps", str(target.pid), "--json"])
        after = cpu_ns(target.pid)
        listed = len(json.loads(run["out"])["tasks"])
        if run["rc"] != 0 or listed < n:
            raise RuntimeError("ps listed %d of %d tasks, exit status %d" % (listed, n, run["rc"]))
        run["target_ns"] = after["agent"] - before["agent"]
        runs.append(run)
    return {key: statistics.median(r[key] for r in runs) for key in ("wall_ns", "cpu_ns", "target_ns")}


def asyncio_ps(python, target):
    """`python -m asyncio ps` of 3.14 and later, on the same process; None where it cannot."""
    run = run_timed([python, "-m", "asyncio", "ps", str(target.pid)])
    return run["wall_ns"] if run["rc"] == 0 and b"Error" not in run["out"][:200] else None


class Screen:
    """The full-screen program on a terminal of its own."""

    def __init__(self, pid):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(LOOPTOP, [LOOPTOP, str(pid)], dict(environment(), TERM="xterm-256color"))
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.seen = 0

    def drain(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.fd], [], [], left)[0]:
                self.seen += len(os.read(self.fd, 65536))

    def close(self):
        os.write(self.fd, b"q")
        os.waitpid(self.pid, 0)
        os.close(self.fd)


def peak_rss(pid):
    with open("/proc/%d/status" % pid) as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))


def watch(target, seconds):
    """The screen open at 1 Hz: CPU of both sides, in percent of a core."""
    screen = Screen(target.pid)
    screen.drain(2.5)
    shown = screen.seen
    before, mine, began = cpu_ns(target.pid), cpu_ns(screen.pid), time.perf_counter_ns()
    screen.drain(seconds)
    span = time.perf_counter_ns() - began
    after, mine_after = cpu_ns(target.pid), cpu_ns(screen.pid)
    if screen.seen == shown:
        raise RuntimeError("the screen did not change in %g s" % seconds)
    answer = {"client_pct": (mine_after["loop"] - mine["loop"]) / span * 100,
              "target_pct": (after["agent"] - before["agent"]) / span * 100, "client_rss": peak_rss(screen.pid)}
    screen.close()
    return answer


def from_birth(python, n):
    """Growth of a process by n tasks, bare and with the agent from the start; what the agent says."""
    grown = {}
    for agent in (False, True):
        with Target(python, "asyncio", agent) as target:
            before = rss_bytes(target.pid)
            target.do("make", n=n)
            grown[agent] = rss_bytes(target.pid) - before
            if agent:
                link = connect(socket_path(target.pid))
                said = link.call("status")["agent"]["bytes"]
                link.close()
    return {"birth_delta": grown[True] - grown[False], "birth_bytes": said}


def measure(python, version, n, effort):
    figures = from_birth(python, n)
    figures.update(best_walk(python, n, effort["walks"]))
    with Target(python, "asyncio", True) as target:
        target.do("make", n=n)
        figures.update(list_tasks(target, n, effort["ps"]))
        figures["rss_listed"] = rss_bytes(target.pid)
        if tuple(int(v) for v in version.split(".")[:2]) >= (3, 14):
            figures["asyncio_ps_ns"] = asyncio_ps(python, target)
        if n >= 100_000:
            figures.update(watch(target, effort["watch_s"]))
    return figures


def listings_in_churn(python, times):
    """Listings while 100,000 short tasks a second come and go: how many failed."""
    failed = 0
    with Target(python, "asyncio", True) as target:
        target.do("churn", rate=100_000)
        for _ in range(times):
            run = run_timed([LOOPTOP, "ps", str(target.pid), "--json"])
            try:
                failed += run["rc"] != 0 or not json.loads(run["out"])["tasks"]
            except ValueError:
                failed += 1
        made = target.do("churned")["made_per_s"]
    return {"runs": times, "failed": failed, "made_per_s": made}


# ---- tables


def count(n):
    return "{:,}".format(n)


def memory_table(rows):
    lines = []
    for version, n, f in rows:
        goal = MEMORY_GOAL[0] + MEMORY_GOAL[1] * n
        worst = max(f["rss_delta"], f["birth_delta"], f["agent_bytes"], f["birth_bytes"])
        f["memory_verdict"] = verdict(worst, goal)
        lines.append([version, count(n), *("%.2f" % (f[k] / MIB) for k in ("birth_bytes", "agent_bytes")),
                      *("%.2f" % (f[k] / MIB) for k in ("birth_delta", "rss_delta")), "%.0f" % (f["birth_bytes"] / n),
                      "≤ %.1f" % (goal / MIB), f["memory_verdict"]])
    return table("Memory of the agent, MiB", ["python", "tasks", "agent says, from birth", "agent says, walked",
                 "RSS more than bare", "RSS by start + walk", "bytes a task", "goal", "verdict"], lines)


def walk_table(rows):
    lines = []
    for version, n, f in rows:
        f["pause_verdict"] = verdict(max(f["hold_ns"], f["gap_ns"] - f["gap_bare_ns"]), PAUSE_GOAL_NS)
        lines.append([version, count(n), ms(f["start_ns"]), ms(f["walk_ns"]), ms(f["hold_ns"]), ms(f["gap_bare_ns"]),
                      ms(f["gap_ns"]), "≤ 1", f["pause_verdict"]])
    return table("Walk over a population older than the agent, ms",
                 ["python", "tasks", "start()", "walk", "longest GIL hold", "loop gap, bare", "loop gap, walk", "goal",
                  "verdict"], lines,
                 ["goal: GIL hold, and what the gap grew by; of several walks the one least disturbed"])


def ps_table(rows):
    lines = []
    for version, n, f in rows:
        wall, target = PS_GOAL_NS.get(n), PS_TARGET_GOAL_NS.get(n)
        judged = {verdict(f["wall_ns"], wall), verdict(f["target_ns"], target)} - {"-"}
        f["ps_verdict"] = "-" if not judged else "MISSED" if "MISSED" in judged else "reached"
        goal = ", ".join("≤ %.0f" % (ns / 1e6) for ns in (wall, target) if ns is not None) or "-"
        lines.append([version, count(n), ms(f["wall_ns"]), ms(f["cpu_ns"]), ms(f["target_ns"]),
                      ms(f.get("asyncio_ps_ns")), goal, f["ps_verdict"]])
    head = ["python", "tasks", "wall", "client CPU", "target CPU", "python -m asyncio ps", "goal", "verdict"]
    return table("looptop ps --json, ms", head, lines, ["goal: wall, target CPU"])


def watch_table(rows):
    lines = []
    for version, n, f in rows:
        if "client_pct" not in f:
            continue
        judged = {verdict(f["client_pct"], WATCH_GOAL[0]), verdict(f["client_rss"], WATCH_GOAL[1])}
        f["watch_verdict"] = "MISSED" if "MISSED" in judged else "reached"
        lines.append([version, count(n), "%.2f" % f["client_pct"], "%.1f" % (f["client_rss"] / MIB),
                      "%.2f" % f["target_pct"], "≤ 2 %, ≤ 32 MiB", f["watch_verdict"]])
    return table("The screen open at 1 Hz", ["python", "tasks", "client CPU %", "client MiB", "agent CPU %", "goal",
                 "verdict"], lines)


def churn_table(rows):
    lines = [[version, c["runs"], c["failed"], "%.0f" % c["made_per_s"], "0 failed", verdict(c["failed"], 0)]
             for version, c in rows]
    return table("Listings while 100,000 short tasks a second come and go",
                 ["python", "runs", "failed", "made/s", "goal", "verdict"], lines)


def section(subjects, sizes_of, effort):
    """subjects: (version, interpreter). Prints, and returns what goes into the JSON."""
    rows = [(version, n, measure(python, version, n, effort))
            for version, python in subjects for n in sizes_of(version)]
    for make in (memory_table, walk_table, ps_table, watch_table):
        print(make(rows), flush=True)
    churn = [(version, listings_in_churn(python, effort["churn"])) for version, python in subjects]
    print(churn_table(churn), flush=True)
    return {"population": [dict(f, python=version, tasks=n) for version, n, f in rows],
            "churn": [dict(c, python=version, verdict=verdict(c["failed"], 0)) for version, c in churn]}


if __name__ == "__main__":
    # population.py INTERPRETER TASKS...: one interpreter, for work on the agent
    from child import version_of
    section([(version_of(sys.argv[1]), sys.argv[1])], lambda _: [int(n) for n in sys.argv[2:]],
            {"walks": 3, "ps": 3, "watch_s": 5, "churn": 20})
