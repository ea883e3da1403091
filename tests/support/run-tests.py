#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the test programs and pytest, and ends with `N passed, N failed, N skipped` alone on a line.

    run-tests.py [NAME...] -- PROGRAM...

NAMEs narrow it: `unit`, `golden`, the name of a test program, or a file or directory for pytest (with
::test where wanted). The environment for pytest:

    LOOPTOP_BUILD    the build directory, absolute
    LOOPTOP_PYTHONS  interpreters that an agent serves, separated by ':'
    LOOPTOP_VENVS    a JSON file: {interpreter: {"python": the venv's, "version": "3.13.0",
                     "failed": [packages that could not be installed]}}

Exit status: 0 when nothing failed and something ran.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

PROGRAM_TIMEOUT_S = 180
PYTEST_TIMEOUT_S = int(os.environ.get("LOOPTOP_PYTEST_TIMEOUT_S", "2400"))
PYTEST_DIRS = ["tests/integration", "tests/tui"]
RESULT = re.compile(r"^\[ *(OK|FAILED|SKIPPED|ERROR) *\] (\w+)", re.M)


class Counts:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.failures = []

    def fail(self, what):
        self.failed += 1
        self.failures.append(what)


def run_program(path, counts):
    """One cmocka program: its tests count one by one, a crash or an empty run as one failure."""
    name = os.path.basename(path)
    environ = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="stdout")
    try:
        done = subprocess.run(
            [path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PROGRAM_TIMEOUT_S,
            env=environ, errors="replace")
        output, status = done.stdout, done.returncode
    except subprocess.TimeoutExpired as error:
        output = (error.stdout or b"").decode(errors="replace") if isinstance(
            error.stdout, (bytes, type(None))) else error.stdout
        status = "no end within %d s" % PROGRAM_TIMEOUT_S
    except OSError as error:
        output, status = "", error.strerror

    states = {}  # a failed test is listed twice: once when it fails, once in the summary
    for state, test in RESULT.findall(output):
        if states.get(test) not in ("FAILED", "ERROR"):
            states[test] = state
    passed = sum(state == "OK" for state in states.values())
    skipped = sum(state == "SKIPPED" for state in states.values())
    failed = [test for test, state in states.items() if state in ("FAILED", "ERROR")]
    counts.passed += passed
    counts.skipped += skipped
    for test in failed:
        counts.fail(name + " " + test)
    if not failed and status != 0:
        if isinstance(status, int) and status < 0:
            status = signal.Signals(-status).name
        counts.fail("%s (%s)" % (name, status))
        failed = [str(status)]
    elif not states:
        counts.fail(name + " (ran no test)")
        failed = ["no test"]
    print("  %-4s    %-40s %d passed%s%s" % (
        "FAIL" if failed else "ok", name, passed,
        ", %d failed" % len(failed) if failed else "", ", %d skipped" % skipped if skipped else ""),
        flush=True)
    if failed:
        sys.stdout.write(output)
        sys.stdout.flush()


def pytest_environ():
    """With LOOPTOP_PRELOAD, a sanitizer's libraries go into everything that is started."""
    environ = dict(os.environ)
    preload = environ.pop("LOOPTOP_PRELOAD", None)
    if preload:
        environ["LD_PRELOAD"] = preload
    return environ


def run_pytest(targets, counts):
    with tempfile.TemporaryDirectory() as directory:
        report = os.path.join(directory, "report.xml")
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--tb=short", "-ra",
                   "--junitxml", report, *targets]
        # a session of its own, so that a run that does not end can be ended with all it started
        process = subprocess.Popen(command, start_new_session=True, env=pytest_environ())
        try:
            status = process.wait(PYTEST_TIMEOUT_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt) as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, KeyboardInterrupt):
                raise
            counts.fail("pytest (no end within %d s)" % PYTEST_TIMEOUT_S)
            return
        read_report(report, status, counts)


def read_report(report, status, counts):
    before = counts.failed
    try:
        cases = list(xml.etree.ElementTree.parse(report).iter("testcase"))
    except (OSError, xml.etree.ElementTree.ParseError):
        counts.fail("pytest (no report, status %d)" % status)
        return
    for case in cases:
        name = "%s::%s" % (case.get("classname"), case.get("name"))
        if case.find("failure") is not None or case.find("error") is not None:
            if name not in counts.failures:  # a test can fail and its teardown, too
                counts.fail(name)
        elif case.find("skipped") is not None:
            counts.skipped += 1
        else:
            counts.passed += 1
    # 5: it found no test, which is no failure of a directory that has none
    if status not in (0, 5) and counts.failed == before:
        counts.fail("pytest (status %d)" % status)


def choose(names, programs):
    """What the names stand for: the programs to run and pytest's targets."""
    if not names:
        found = [d for d in PYTEST_DIRS if os.path.isdir(d) and any(
            f.startswith("test_") for f in os.listdir(d))]
        return programs, found
    chosen, targets = [], []
    for name in names:
        matching = [p for p in programs
                    if os.path.basename(p) == name or os.path.basename(os.path.dirname(p)) == name]
        if matching:
            chosen += matching
        elif os.path.exists(name.split("::")[0]):
            targets.append(name)
        elif name not in ("unit", "golden"):
            sys.exit("run-tests: no test '%s'" % name)
    return chosen, targets


def main():
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    programs, targets = choose(arguments[:split], arguments[split + 1:])
    counts = Counts()
    for program in programs:
        run_program(program, counts)
    if targets:
        run_pytest(targets, counts)
    for failure in counts.failures:
        print("FAILED  " + failure)
    print("%d passed, %d failed, %d skipped" % (counts.passed, counts.failed, counts.skipped))
    sys.exit(1 if counts.failed or not counts.passed else 0)


if __name__ == "__main__":
    main()
