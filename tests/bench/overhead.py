# SPDX-License-Identifier: MIT
"""What the hooks cost, as ratios of paired rounds.

Four processes of one interpreter live side by side: two bare ones, one with hooks that nobody watches, one
with hooks and a client at 1 Hz. They work in turns, in an order drawn anew each turn, and are made anew a
few times, since where things lie in memory alone moves a ratio by a few percent. A round is some turns
of each; its figure is the lower quartile of the turns' CPU time per operation in the loop's thread, for
neighbours on the machine make a turn slower and never faster. What the agent's threads used in the
same turns comes on top, as a share.
"""

import contextlib
import os
import random
import statistics
import sys

from child import HERE, Child, Target, watcher
from figures import Ratio, table, verdict

BARE, CONTROL, HOOKED, WATCHED = "bare", "control", "hooked", "watched"
VARIANTS = (BARE, CONTROL, HOOKED, WATCHED)
MICRO = {"ping1": "sleep(0), 1 task", "ping1000": "sleep(0), 1,000 tasks", "queue": "queue put + get",
         "create": "create + await"}
ECHO = "TCP echo, streams"
WARM = {"ping1": 2000, "ping1000": 5000, "queue": 1000, "create": 1000}
CONNECTIONS, ECHO_RATE = 16, 5000

# DESIGN: at most, for (loop, what), watched and not; None: no goal
GOALS = {
    ("asyncio", ECHO): (1.010, 1.010), ("uvloop", ECHO): (1.010, 1.010),
    ("asyncio", "create"): (None, 1.000), ("uvloop", "create"): (None, 1.050),
    ("asyncio", "ping1000"): (None, 1.000), ("uvloop", "ping1000"): (None, 1.070),
}


class Effort:
    def __init__(self, quick):
        self.generations, self.rounds = (1, 3) if quick else (4, 3)
        self.turns, self.turn_ns = (8, 5e6) if quick else (10, 8e6)
        self.echo_turns, self.echo_s = (3, 0.1) if quick else (5, 0.1)


def low(figures):
    figures = sorted(figures)
    return figures[(len(figures) - 1) // 4]


class Collected:
    """Figures of one workload: CPU per operation of each round, and of the agent's threads in all."""

    def __init__(self):
        self.rounds = {v: [] for v in VARIANTS}
        self.loop_ns, self.other_ns = dict.fromkeys(VARIANTS, 0), dict.fromkeys(VARIANTS, 0)

    def add_round(self, turns):
        for variant, costs in turns.items():
            self.rounds[variant].append(low(c["loop_ns"] / c["n"] for c in costs))
            self.loop_ns[variant] += sum(c["loop_ns"] for c in costs)
            self.other_ns[variant] += sum(c["other_ns"] for c in costs)

    def ratio(self, variant):
        extra = self.other_ns[variant] / self.loop_ns[variant] - self.other_ns[BARE] / self.loop_ns[BARE]
        return Ratio([a / b for a, b in zip(self.rounds[variant], self.rounds[BARE])], extra)

    def bare_ns(self):
        return statistics.median(self.rounds[BARE])


def one_round(turn, count):
    turns = {v: [] for v in VARIANTS}
    for _ in range(count):
        for variant in random.sample(VARIANTS, len(VARIANTS)):
            turns[variant].append(turn(variant))
    return turns


def run_micro(targets, name, effort, collected):
    warm = WARM[name]
    first = [target.do(name, n=warm) and target.do(name, n=warm) for target in targets.values()]
    n = max(warm, int(warm * effort.turn_ns / min(f["loop_ns"] for f in first)) // 1000 * 1000)

    def turn(variant):
        return dict(targets[variant].do(name, n=n), n=n)

    for _ in range(effort.rounds):
        collected.add_round(one_round(turn, effort.turns))


def run_echo(targets, effort, collected):
    ports = [str(target.do("echo")["port"]) for target in targets.values()]
    order = list(targets)
    with Child([sys.executable, os.path.join(HERE, "echo_client.py"), str(CONNECTIONS), *ports]) as client:
        client.read()

        def turn(variant):
            before = targets[variant].do("mark")
            client.ask("%d %d %g" % (order.index(variant), ECHO_RATE, effort.echo_s))
            after = targets[variant].do("mark")
            cost = {key: after[key] - before[key] for key in ("loop_ns", "other_ns")}
            return dict(cost, n=after["requests"] - before["requests"])

        one_round(turn, 1)
        for _ in range(effort.rounds):
            collected.add_round(one_round(turn, effort.echo_turns))


def generation(python, loop, names, effort, results):
    with contextlib.ExitStack() as stack:
        targets = {}
        for variant in random.sample(VARIANTS, len(VARIANTS)):
            agent = variant in (HOOKED, WATCHED)
            targets[variant] = stack.enter_context(Target(python, loop, agent))
        stack.enter_context(watcher(targets[WATCHED].pid))
        for name in names:
            if name == ECHO:
                run_echo(targets, effort, results[name])
            else:
                run_micro(targets, name, effort, results[name])


def measure(python, loop, effort, names):
    results = {name: Collected() for name in names}
    for _ in range(effort.generations):
        generation(python, loop, names, effort, results)
    return results


def goal_text(goals):
    hooked, watched = goals
    if watched is None:
        return "-"
    return "≤ %.2f" % watched + (", both" if hooked is not None else "")


def judge(goals, hooked, watched):
    verdicts = {verdict(r.median, g) for r, g in zip((hooked, watched), goals)} - {"-"}
    return "-" if not verdicts else "MISSED" if "MISSED" in verdicts else "reached"


def section(subjects, effort, names=None):
    """subjects: (version, loop, interpreter). Prints as it goes, returns what goes into the JSON."""
    names = names or [*MICRO, ECHO]
    plain = []
    head = ["operation", "bare ns", "A/A", "hooks, not watched", "hooks, watched", "±", "agent threads", "goal",
            "verdict"]
    notes = ["±: two standard errors of the watched median; agent threads: their part of the watched ratio"]
    for version, loop, python in subjects:
        rows, results = [], measure(python, loop, effort, names)
        for name, collected in results.items():
            goals = GOALS.get((loop, name), (None, None))
            control, hooked, watched = (collected.ratio(v) for v in (CONTROL, HOOKED, WATCHED))
            rows.append([MICRO.get(name, name), "%.0f" % collected.bare_ns(), control, hooked, watched,
                         "%.3f" % watched.noise, "%.3f" % watched.extra, goal_text(goals),
                         judge(goals, hooked, watched)])
            plain.append({"python": version, "loop": loop, "operation": name, "bare_ns": collected.bare_ns(),
                          "control": control.plain(), "hooked": hooked.plain(), "watched": watched.plain(),
                          "goals": goals, "verdict": judge(goals, hooked, watched)})
        print(table("Overhead: CPU per operation, CPython %s, %s" % (version, loop), head, rows, notes), flush=True)
    return plain


if __name__ == "__main__":
    # overhead.py INTERPRETER asyncio|uvloop [OPERATION...]: one interpreter, for work on the hooks
    section([(sys.argv[1], sys.argv[2], sys.argv[1])], Effort(os.environ.get("BENCH_QUICK") == "1"), sys.argv[3:])
