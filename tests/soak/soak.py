#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Attach, for hours if wanted: every interpreter that has an agent, asyncio and uvloop, one after the other.

    soak.py [cycles] [fresh] [kills] [storm]

Ends with `N passed, N failed, N skipped` alone on a line. Environment: LOOPTOP_BUILD (default: build), SOAK_CYCLES,
SOAK_FRESH, SOAK_KILLS, SOAK_STORM (how often), SOAK_SEED, SOAK_PYTHONS="INTERPRETER..." in place of all.
"""

import os
import random
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.abspath(os.environ.get("LOOPTOP_BUILD") or os.path.join(ROOT, "build"))
PARTS = ("cycles", "fresh", "kills", "storm")


def number(name, default):
    return int(os.environ.get(name, default))


CYCLES, FRESH = number("SOAK_CYCLES", 1000), number("SOAK_FRESH", 50)
KILLS, STORM = number("SOAK_KILLS", 500), number("SOAK_STORM", 200)
SEED = number("SOAK_SEED", random.randrange(1 << 30))


def say(text):
    print(text, flush=True)


def interpreters():
    """All that have an agent; the environment that looptop_client wants is set."""
    named = os.environ.get("SOAK_PYTHONS")
    with open(os.path.join(BUILD, "pythons.list")) as lines:
        pythons = named.split() if named else lines.read().split()
    venvs = os.path.join(BUILD, "venvs.json")
    subprocess.run([os.path.join(ROOT, "tests/support/venvs.sh"), venvs + ".soak", *pythons], check=True)
    os.environ.update(LOOPTOP_BUILD=BUILD, LOOPTOP_PYTHONS=":".join(pythons), LOOPTOP_VENVS=venvs + ".soak")
    sys.path.insert(0, os.path.join(ROOT, "tests/support"))
    return pythons


class Counts:
    passed = failed = skipped = 0

    def run(self, name, work):
        began = time.monotonic()
        try:
            figures = work(lambda text: say("        %s: %s, %.0f s" % (name, text, time.monotonic() - began)))
        except KeyboardInterrupt:
            raise
        except Exception:  # whatever it is, the others are to run
            traceback.print_exc()
            self.failed += 1
            say("  FAIL    %s, %.0f s" % (name, time.monotonic() - began))
            return
        self.passed += 1
        say("  ok      %s: %s; %.0f s" % (name, figures, time.monotonic() - began))

    def skip(self, name, why):
        self.skipped += 1
        say("  skip    %s: %s" % (name, why))


def works(python, loop, soak):
    """Name to what is to be done."""
    settle = CYCLES // 10
    found = {
        "cycles": lambda progress: soak.cycles(python, loop, CYCLES, settle, progress=progress),
        "fresh": lambda progress: soak.fresh(python, loop, FRESH),
        "kills": lambda progress: soak.kills(python, loop, KILLS, SEED, progress)}
    for kind in soak.STORMS:
        found["storm " + kind] = lambda progress, kind=kind: soak.storm(python, loop, STORM, kind)
    return found


def main():
    parts = sys.argv[1:] or PARTS
    unknown = set(parts) - set(PARTS)
    if unknown:
        sys.exit("soak.py: no part %s; there are %s" % (" ".join(sorted(unknown)), " ".join(PARTS)))
    counts, pythons = Counts(), interpreters()
    import attach_soak as soak
    from looptop_client import full_version, python_with
    refusal = soak.ptrace_refusal()
    for base in pythons:
        for loop in ("asyncio", "uvloop"):
            python, why = (base, None) if loop == "asyncio" else python_with(base, "uvloop")
            title = "%s %s" % (full_version(base), loop)
            for name, work in works(python, loop, soak).items():
                if name.split()[0] not in parts:
                    continue
                if refusal or why:
                    counts.skip(title + " " + name, refusal or why)
                else:
                    counts.run(title + " " + name, work)
    say("%d passed, %d failed, %d skipped" % (counts.passed, counts.failed, counts.skipped))
    sys.exit(1 if counts.failed or not counts.passed else 0)


if __name__ == "__main__":
    main()
