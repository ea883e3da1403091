#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What looptop costs and how fast it is, as ratios and figures beside the goals of the design.

    bench.py [overhead] [population] [attach]

Prints a table a section and writes build/bench.json. Never a test: figures depend on the machine and its
neighbours. Environment: LOOPTOP_BUILD (default: build), BENCH_QUICK=1 for a look in two minutes,
BENCH_PYTHONS="INTERPRETER..." in place of all that have an agent.
"""

import json
import os
import platform
import shutil
import subprocess
import sys
import time

import attach
import overhead
import population
from child import BUILD, HERE, RUNTIME, version_of

SECTIONS = ("overhead", "population", "attach")


def interpreters():
    """(version, interpreter) of all that are to be measured."""
    named = os.environ.get("BENCH_PYTHONS")
    if named:
        paths = named.split()
    else:
        with open(os.path.join(BUILD, "pythons.list")) as lines:
            paths = lines.read().split()
    return [(version_of(path), path) for path in paths]


def venvs(paths):
    """Interpreter to its venv."""
    out = os.path.join(BUILD, "bench-venvs.json")
    subprocess.run([os.path.join(HERE, "../support/venvs.sh"), out, *paths], stdout=sys.stderr, check=True)
    with open(out) as lines:
        return json.load(lines)


def has_uvloop(python):
    return subprocess.run([python, "-c", "import uvloop"], stderr=subprocess.DEVNULL).returncode == 0


def with_loops(pythons):
    """(version, loop, interpreter): uvloop where the venv has it."""
    made = venvs([path for _, path in pythons])
    subjects = []
    for version, path in pythons:
        subjects.append((version, "asyncio", path))
        venv = made.get(path)
        if venv is not None and has_uvloop(venv["python"]):
            subjects.append((version, "uvloop", venv["python"]))
    return subjects


def one_a_minor(pythons):
    """The agent is the same for all of a minor, and so is what it costs."""
    return list({version.rsplit(".", 1)[0]: (version, path) for version, path in reversed(pythons)}.values())[::-1]


def run(sections, quick):
    pythons = interpreters()
    results = {"machine": platform.processor() or platform.machine(), "kernel": platform.release(),
               "cores": os.cpu_count(), "load": os.getloadavg()[0], "quick": quick}
    print("%d cores, load %.1f, Linux %s%s" % (results["cores"], results["load"], results["kernel"],
          ", quick" if quick else ""))
    if results["load"] > 0.5:
        print("The machine is busy with other work: ratios scatter, and times of the wall clock are too long.")
    print("Ratios: median [least-most] of the rounds; A/A is a bare process against another: the noise.")
    if "overhead" in sections:
        chosen = one_a_minor(pythons) if quick else pythons
        results["overhead"] = overhead.section(with_loops(chosen), overhead.Effort(quick))
    if "population" in sections:
        subjects = one_a_minor(pythons)
        effort = {"walks": 3, "ps": 5, "watch_s": 5, "churn": 1000}
        if quick:
            effort = {"walks": 3, "ps": 3, "watch_s": 3, "churn": 20}
        newest = subjects[-1][0]

        def sizes(version):
            return [10_000] if quick and version != newest else [1_000, 10_000, 100_000]

        results.update(population.section(subjects, sizes, effort))
    if "attach" in sections:
        results.update(attach.section(one_a_minor(pythons), 3 if quick else 9))
    return results


def main():
    sections = sys.argv[1:] or SECTIONS
    unknown = set(sections) - set(SECTIONS)
    if unknown:
        sys.exit("bench.py: no section %s; there are %s" % (" ".join(sorted(unknown)), " ".join(SECTIONS)))
    began = time.monotonic()
    try:
        results = run(sections, os.environ.get("BENCH_QUICK") == "1")
    finally:
        shutil.rmtree(RUNTIME, ignore_errors=True)
    out = os.path.join(BUILD, "bench.json")
    with open(out, "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    print("\n%.0f s, load %.1f at the end; figures in %s" % (time.monotonic() - began, os.getloadavg()[0], out))


if __name__ == "__main__":
    main()
