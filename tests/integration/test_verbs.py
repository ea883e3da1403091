# SPDX-License-Identifier: MIT
"""The verbs of the command line against an agent made of nothing (tests/support/scripted_agent.py):
output, JSON documents, exit statuses, and what they make of an agent that breaks the protocol."""

import json
import os
import platform
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("LOOPTOP_BUILD", ROOT / "build")).resolve()
LOOPTOP = str(BUILD / "looptop")
AGENT = str(ROOT / "tests" / "support" / "scripted_agent.py")
TIMEOUT = 60


class Agent:
    def __init__(self, directory, *arguments):
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, AGENT, str(directory), *arguments], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline() == "ready\n"
        self.pid = str(self.process.pid)

    def requests(self):
        return [json.loads(line) for line in (self.directory / (self.pid + ".log")).read_text().splitlines()]

    def params(self, method):
        return [request.get("params") for request in self.requests() if request["method"] == method]

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def start(tmp_path):
    agents = []

    def start(*arguments):
        agents.append(Agent(tmp_path, *arguments))
        return agents[-1]

    yield start
    for agent in agents:
        agent.stop()


def looptop(*arguments, locale="C.UTF-8", **options):
    environ = dict(os.environ, LC_ALL=locale, **options.pop("environ", {}))
    environ.pop("COLUMNS", None)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([LOOPTOP, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=TIMEOUT, env=environ, **options)


def document(*arguments, status=0):
    done = looptop(*arguments)
    assert done.returncode == status, done.stderr
    assert done.stdout.endswith("\n") and done.stdout.count("\n") == 1
    return json.loads(done.stdout)


def assert_says(done, status, *words):
    """One line on stderr with these words, nothing on stdout."""
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("looptop: ") and done.stderr.count("\n") == 1, done.stderr
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", done.stderr)
    for word in words:
        assert word in done.stderr, done.stderr


# ---- the command line


VERBS = ["run", "ls", "ps", "stack", "loops", "mem", "cancel", "top", "detach", "demo"]


OPTION = re.compile(r"^ +(?:-\w, )?(--[a-z-]+)( [A-Z]+)?", re.M)  # in the text of --help


def test_help_and_version():
    done = looptop("--help")
    assert done.returncode == 0 and done.stderr == ""
    for verb in VERBS:
        assert re.search(r"^  %s +\w" % verb, done.stdout, re.M)
    version = re.search(r'LOOPTOP_VERSION "(.*)"', (ROOT / "include/looptop/version.h").read_text()).group(1)
    assert looptop("--version").stdout == "looptop %s\n" % version


def test_help_as_a_word():
    done, option = looptop("help"), looptop("--help")
    assert (done.returncode, done.stdout, done.stderr) == (0, option.stdout, "")
    assert_says(looptop("help", "stak"), 2, "stak", "looptop stack")
    assert_says(looptop("help", "ps", "ls"), 2, "'ls'")


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb):
    done = looptop(verb, "--help")
    assert done.returncode == 0 and done.stderr == ""
    word = looptop("help", verb)
    assert (word.returncode, word.stdout, word.stderr) == (0, done.stdout, "")
    assert done.stdout.startswith("usage: looptop %s " % verb)
    # every long option that help names is known, and takes a value where it says so
    for option, value in OPTION.findall(done.stdout):
        known = looptop(verb, *([option] if value else [option, "--help"]))
        assert "unknown option" not in known.stderr, option
        assert known.returncode == (2 if value else 0), option


@pytest.mark.parametrize("arguments, words", [
    (["stak"], ["stak", "looptop stack"]),
    (["frobnicate"], ["frobnicate", "--help"]),
    (["--frob"], ["--frob"]),
    (["ps"], ["PID"]),
    (["ps", "x"], ["'x'"]),
    (["ps", "0"], ["'0'"]),
    (["ps", "-3"], ["-3"]),
    (["ps", "99999999999999999999"], ["process id"]),
    (["ps", "1", "2"], ["'2'"]),
    (["ps", "--frob", "1"], ["--frob"]),
    (["ps", "-z", "1"], ["-z"]),
    (["ps", "1", "--filter"], ["--filter", "value"]),
    (["ps", "--sort", "colour", "1"], ["'colour'", "waiting_on"]),
    (["ps", "--sort", "age,+", "1"], ["--sort"]),
    (["ps", "--columns", "id,,name", "1"], ["no column ''"]),
    (["ps", "--limit", "0", "1"], ["'0'"]),
    (["ls", "1"], ["'1'"]),
    (["stack", "1"], ["PID"]),
    (["cancel", "1"], ["--match"]),
    (["cancel", "1", "2", "--wait", "61s"], ["60s"]),
    (["cancel", "1", "2", "--wait", "soon"], ["soon"]),
    (["cancel", "1", "2", "--message", "x" * 300], ["message"]),
    (["cancel", "1", "--match", "age>1"], ["--yes"]),
    (["top", "1x"], ["'1x'"]),
    (["0"], ["'0'"]),
    (["top", "-b", "-n", "0", "1"], ["'0'"]),
    (["top", "-b", "-d", "0.01", "1"], ["0.1s"]),
    (["top", "-b", "--color", "pink", "1"], ["pink"]),
    (["top", "-b", "--theme", "nope", "1"], ["'nope'", "path"]),
    (["top", "-b", "--theme", "/tmp", "1"], ["'/tmp'"]),
    (["demo", "x"], ["'x'"]),
    (["run"], ["command"]),
])
def test_wrong_usage(arguments, words):
    assert_says(looptop(*arguments), 2, *words)


@pytest.mark.parametrize("verb", [[], ["top"]])
def test_the_full_screen_needs_a_terminal(start, verb):
    """Which is said of a process that could be shown there."""
    assert_says(looptop(*verb, start().pid), 2, "--batch")
    assert_says(looptop(*verb, "4194303"), 3, "no process")


def test_each_wrong_line_of_a_theme_is_told(start, tmp_path):
    theme = tmp_path / "my.theme"
    theme.write_text("style good green default\nblink all\nstyle goood 1 2\x1b\n")
    done = looptop("top", "-b", "-n", "1", "--theme", str(theme), start().pid)
    assert done.returncode == 0 and "lag" in done.stdout
    assert done.stderr.split("\n") == [
        "looptop: theme %s:1: no such colour: green" % theme,
        "looptop: theme %s:2: unknown word: blink" % theme,
        "looptop: theme %s:3: no such role: goood" % theme, ""]
    theme.write_text("blink\n" * 100)
    lines = looptop("top", "-b", "-n", "1", "--theme", str(theme), start().pid).stderr.split("\n")
    assert len(lines) == 8 + 2
    assert lines[-2] == "looptop: theme: 92 more lines are wrong"


@pytest.mark.parametrize("verb", [["ps"], ["cancel", "--match"], ["top", "-b", "--filter"]])
def test_a_wrong_filter_is_pointed_at(verb):
    flags = verb if len(verb) > 1 else ["ps", "--filter"]
    done = looptop(*flags, "name:é stat:wait", "1")
    assert done.returncode == 2 and done.stdout == ""
    first, expression, caret = done.stderr.rstrip("\n").split("\n")
    assert first.startswith("looptop: ") and "stat" in first
    assert expression.strip() == "name:é stat:wait"
    assert caret.strip() == "^" and caret.index("^") == expression.index("stat")


def test_every_option_is_in_the_manual():
    manual = (ROOT / "man/looptop.1").read_text()
    for verb in VERBS:
        assert re.search(r"^\.It Cm %s\b" % verb, manual, re.M), verb
        for option, _ in OPTION.findall(looptop(verb, "--help").stdout):
            assert re.search(r"Fl %s\b|, %s\b" % (option[1:], option[1:]), manual), option


def test_every_option_of_the_synopsis_is_known():
    synopsis = (ROOT / "man/looptop.1").read_text().split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    seen = set()
    for form in synopsis.split(".Nm looptop\n"):
        verbs = re.findall(r"^\.Cm (.*)$", form, re.M)
        for verb in verbs[0].split(" | ") if verbs else []:
            seen.add(verb)
            text = looptop(verb, "--help").stdout
            for flags in re.findall(r"^\.Op Fl (\S+)", form, re.M):
                if flags.startswith("-"):
                    assert flags == "-" or re.search(r" -%s\b" % flags, text), (verb, flags)
                else:
                    assert all(" -%s, --" % flag in text for flag in flags), (verb, flags)
    assert seen == {"help", *VERBS}


# ---- what they print


def test_ps_prints_a_table(start):
    agent = start()
    done = looptop("ps", agent.pid)
    assert done.returncode == 0 and done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].split()[:5] == ["ID", "NAME", "STATE", "COROUTINE", "WAITING"]
    assert [line.split()[0] for line in lines[1:]] == ["2", "4", "5", "6", "1", "3"]
    assert "▶ RUN" in lines[1] and "report.py:61 render" in lines[1]
    assert "na?[31mme" in lines[2] and "~Lock.acquire" in lines[2]
    assert "≥2h00m" in lines[5]
    assert "✗ FAIL" in lines[6] and "ValueError" in lines[6]
    assert not re.search(r" $", done.stdout, re.M)


def test_ps_in_ascii(start):
    agent = start()
    for done in (looptop("ps", "--ascii", agent.pid), looptop("ps", agent.pid, locale="C")):
        assert done.stdout.isascii() and done.returncode == 0
        assert "> RUN" in done.stdout and ">=2h00m" in done.stdout


def test_ps_takes_options(start):
    agent = start()
    lines = looptop("ps", "--sort", "id,-", "--columns", "name,id", "-H", "--no-finished", agent.pid)
    assert [line.split() for line in lines.stdout.splitlines()] == [
        ["main", "1"], ["report-7", "2"], ["na?[31mme", "4"], ["twin", "5"], ["twin", "6"]]
    assert looptop("ps", "--sort", "id", "-H", "-c", "id", "-n", "2", agent.pid).stdout == " 6\n 5\n".replace(" ", "")
    done = looptop("ps", "-f", "name:twin", "-H", "-c", "id", agent.pid)
    assert done.stdout == "5\n6\n"
    assert agent.params("tasks")[-1]["filter"] == "name:twin"


def test_ps_says_what_it_cannot_list(start):
    done = looptop("ps", start("--untracked", "7").pid)
    assert done.returncode == 0 and "7 tasks" in done.stderr and "main" in done.stdout


def on_terminal(arguments, columns, answer=None, until=None):
    """Runs looptop on a terminal of that width; (status, output)."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environ = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm")
    environ.pop("COLUMNS", None)
    with subprocess.Popen([LOOPTOP, *arguments], stdin=follower, stdout=follower, stderr=follower,
                          env=environ, close_fds=True, start_new_session=True) as process:
        os.close(follower)
        output, deadline = b"", time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break
            if not piece:
                break
            output += piece
            if answer and until in output:
                os.write(leader, answer)
                answer = None
        os.close(leader)
        return process.wait(TIMEOUT), output.decode()


@pytest.mark.parametrize("columns", [200, 120, 80, 40, 20, 1])
def test_ps_fits_a_terminal(start, columns):
    agent = start()
    status, output = on_terminal(["ps", agent.pid], columns)
    assert status == 0
    lines = output.replace("\r\n", "\n").rstrip("\n").split("\n")
    assert len(lines) == 7
    if columns >= 20:
        assert max(map(len, lines)) <= columns
    assert lines[0].split()[0] == "ID"
    if columns == 80:
        assert lines[0].split() == ["ID", "NAME", "STATE", "WAITING", "ON", "AT", "AGE", "IDLE"]


def test_ps_reads_every_page(start):
    agent = start("--tasks", "17001")
    tasks = document("ps", "--json", "--sort", "steps", agent.pid)["tasks"]
    assert sorted(task["id"] for task in tasks) == list(range(1, 17002))
    assert [task["steps"] for task in tasks] == sorted((task["steps"] for task in tasks), reverse=True)
    assert [params["after"] for params in agent.params("tasks")[1:]] == [8192, 16384]
    limited = document("ps", "--json", "-n", "5000", agent.pid)["tasks"]
    assert len(limited) == 5000 and limited[0]["state"] == "run"


def test_a_reader_that_goes_away_is_no_error(start):
    agent = start("--tasks", "20000")
    done = subprocess.run("'%s' ps %s | head -n 1" % (LOOPTOP, agent.pid), shell=True, capture_output=True,
                          text=True, timeout=TIMEOUT)
    assert done.stderr == "" and done.stdout.split()[0] == "ID"
    # with SIGPIPE ignored, as some parents leave it, too
    done = subprocess.run("trap '' PIPE; '%s' ps %s | head -n 1" % (LOOPTOP, agent.pid), shell=True,
                          capture_output=True, text=True, timeout=TIMEOUT)
    assert "looptop" not in done.stderr


@pytest.mark.parametrize("verb", ["ps", "ps --json", "loops", "mem", "top -b -n1"])
def test_a_closed_output_is_an_error(start, verb):
    """And no socket stands in for it."""
    agent = start()
    done = subprocess.run("'%s' %s %s >&-" % (LOOPTOP, verb, agent.pid), shell=True, stderr=subprocess.PIPE,
                          text=True, timeout=TIMEOUT)
    assert (done.returncode, done.stderr) == (1, "looptop: cannot write the output: Bad file descriptor\n")


def test_a_full_disk_is_an_error(start):
    agent = start()
    with open("/dev/full", "w") as full:
        done = subprocess.run([LOOPTOP, "ps", agent.pid], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=TIMEOUT)
    assert done.returncode == 1 and "No space" in done.stderr and done.stderr.count("\n") == 1


def test_stack(start):
    agent = start()
    done = looptop("stack", agent.pid, "2")
    assert done.returncode == 0 and done.stderr == ""
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert lines[0] == "task 2  run  report-7  age 2.0s  idle 1.8s  steps 3"
    assert lines[1] == "created at /srv/orders/handlers.py:88 get_order by task 1  main"
    assert "1  worker  %s:1" % AGENT in lines
    assert "> #!/usr/bin/env python3" in lines
    assert "n: int = 3" in lines and "queue: Queue" in lines and "seen: list[12]" in lines
    assert "2  step (generator)  /no/such/file.py:9" in lines
    assert "awaits Future" in lines and "not complete: a cycle" in lines


def test_stack_head_says_what_is_known(start):
    agent = start()
    assert looptop("stack", agent.pid, "1").stdout.splitlines()[:2] == [
        "task 1  run  main  age ≥2h00m  idle 3.0s  steps 12", "   1  worker  %s:1" % AGENT]


def test_stack_of_user_code(start):
    agent = start()
    done = looptop("stack", "--user", agent.pid, "2")
    numbers = re.findall(r"^ +(\d+)  \w+ .*$", done.stdout, re.M)
    assert (done.returncode, numbers) == (0, ["1", "2", "7", "8"])
    assert "4 library frames left out\nawaits Future\n" in done.stdout
    assert "left out" not in looptop("stack", agent.pid, "2").stdout
    stack = document("stack", "--user", "--json", agent.pid, "2")
    assert (len(stack["frames"]), stack["left_out"]) == (4, 4)
    stack = document("stack", "--json", agent.pid, "2")
    assert (len(stack["frames"]), stack["left_out"]) == (8, 0)


def test_stack_by_name(start):
    agent = start()
    assert looptop("stack", agent.pid, "report-7").stdout.startswith("task 2 ")
    assert_says(looptop("stack", agent.pid, "twin"), 1, "2 tasks", "5, 6")
    assert_says(looptop("stack", agent.pid, "nobody"), 1, "nobody")
    assert_says(looptop("stack", agent.pid, "99"), 1, "no task 99")


def test_loops_and_mem(start):
    agent = start()
    done = looptop("loops", agent.pid)
    assert "MainThread" in done.stdout and "31.4" in done.stdout and "412ms" in done.stdout and "█" in done.stdout
    done = looptop("mem", agent.pid)
    assert re.search(r"^rss +212M +\S", done.stdout, re.M) and "148M" in done.stdout
    assert looptop("mem", "--ascii", agent.pid).stdout.isascii()


def test_detach(start):
    agent = start()
    assert agent.pid in looptop("detach", agent.pid).stdout
    assert agent.params("detach") == [None]


def test_top_prints_frames(start):
    agent = start()
    done = looptop("top", "-b", "-n", "2", "-d", "0.1", agent.pid)
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("3.13.5") == 2 and done.stdout.count("report-7") == 2
    assert looptop("top", "-b", "-n", "1", "-f", "name:twin", agent.pid).stdout.count("report-7") == 0


# ---- cancel


def test_cancel(start):
    agent = start()
    done = looptop("cancel", agent.pid, "1", "--message", "en\"ough", "--wait", "1.5s")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "1 task-1 cancelled after 3.0ms\n"
    assert agent.params("cancel") == [{"ids": [1], "message": "en\"ough", "wait_ns": 1500000000}]
    done = looptop("cancel", agent.pid, "1", "2", "3", "4", "5", "6", "2")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["1", "2", "3", "4", "5", "6"]
    assert "report.py:61 render" in lines[1] and "ValueError" in lines[3] and "refused" in lines[5]
    assert lines[4] == "5 task-5 not cancelled within 3.0ms, nor given up: it is queued"
    assert looptop("cancel", agent.pid, "4").returncode == 0


def test_cancel_by_name(start):
    agent = start()
    assert looptop("cancel", agent.pid, "main").stdout == "1 task-1 cancelled after 3.0ms\n"
    assert looptop("cancel", agent.pid, "report-7", "2", "main", "3").returncode == 1
    asked = [{"ids": [1], "wait_ns": 2000000000}, {"ids": [2, 1, 3], "wait_ns": 2000000000}]
    assert agent.params("cancel") == asked
    assert_says(looptop("cancel", agent.pid, "main", "twin"), 1, "2 tasks", "'twin'", "5, 6")
    assert_says(looptop("cancel", agent.pid, "nobody", "main"), 1, "'nobody'")
    assert_says(looptop("cancel", agent.pid, "Main"), 1, "'Main'")
    assert_says(looptop("cancel", agent.pid, "job-633"), 1, "live")  # it has ended
    assert agent.params("cancel") == asked  # all names are found, or nothing is cancelled


def test_cancel_what_matches(start):
    agent = start()
    assert looptop("cancel", agent.pid, "--match", "name:main", "--yes").returncode == 0
    assert agent.params("cancel")[-1]["ids"] == [1]
    assert looptop("cancel", agent.pid, "5", "--match", "name:twin", "--yes").returncode == 1
    assert agent.params("cancel")[-1]["ids"] == [5, 6]
    before = len(agent.params("cancel"))
    assert_says(looptop("cancel", agent.pid, "--match", "name:nobody", "--yes"), 1, "nobody")
    assert len(agent.params("cancel")) == before


@pytest.mark.parametrize("answer, cancelled", [(b"y\n", True), (b"n\n", False), (b"\n", False), (b"\x04", False)])
def test_cancel_asks(start, answer, cancelled):
    agent = start()
    status, output = on_terminal(["cancel", agent.pid, "--match", "name:main"], 80, answer, b"[y/N]")
    assert "1 task to cancel" in output and "main" in output
    assert status == (0 if cancelled else 1)
    assert bool(agent.params("cancel")) == cancelled


def test_cancel_many_in_several_requests(start):
    agent = start("--tasks", "2500")
    done = looptop("cancel", agent.pid, *map(str, range(7, 2501)))
    assert done.returncode == 0 and len(done.stdout.splitlines()) == 2494
    assert [len(params["ids"]) for params in agent.params("cancel")] == [1024, 1024, 446]


# ---- ls


def test_ls(start, tmp_path):
    agents = [start(), start()]
    done = looptop("ls")
    assert done.returncode == 0
    rows = {line.split()[0]: line for line in done.stdout.splitlines()}
    for agent in agents:
        assert "3.13.5" in rows[agent.pid] and "asyncio" in rows[agent.pid] and "scripted_agent" in rows[agent.pid]
    assert looptop().stdout.splitlines()[0].split() == done.stdout.splitlines()[0].split()


def test_ls_does_not_wait_for_the_silent(start):
    good, silent = start(), [start("--mode", "silent") for _ in range(4)]
    stopped = start()
    stopped.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    processes = {str(p["pid"]): p for p in document("ls", "--json")["processes"]}
    assert time.monotonic() - began < 5 * 0.3  # one patience for all five, and room for a busy machine
    assert processes[good.pid]["tasks"] == 5
    for agent in silent + [stopped]:
        assert processes[agent.pid]["tasks"] is None and processes[agent.pid]["agent"] is None
        # which is found in its memory, where the agent does not say it
        assert processes[agent.pid]["python"] == platform.python_version()
        assert "scripted_agent.py" in processes[agent.pid]["cmdline"]


def test_ls_says_what_is_wrong_with_an_agent(start):
    silent, other, broken = start("--mode", "silent"), start("--mode", "protocol:99"), start("--mode", "garbage")
    rows = {line.split()[0]: line.split()[4] for line in looptop("ls").stdout.splitlines()}
    assert (rows[silent.pid], rows[other.pid]) == ("silent", "refused")
    assert rows[broken.pid] not in ("0", "5")


def test_ls_does_not_list_what_ended_meanwhile(start):
    dying, good = start("--mode", "dies"), start()
    pids = [str(p["pid"]) for p in document("ls", "--json")["processes"]]
    assert dying.process.wait(TIMEOUT) == 0
    assert good.pid in pids and dying.pid not in pids


def test_ls_removes_sockets_of_the_dead(tmp_path):
    import socket

    directory, elsewhere = tmp_path / "looptop", tmp_path / "elsewhere"
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert looptop("ls", environ=environ).returncode == 0 and not directory.exists()
    for place in (directory, elsewhere):
        place.mkdir(mode=0o700)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(place / ("%d.sock" % gone.pid)))
    (directory / "notes").write_text("")
    assert looptop("ls", environ=environ).returncode == 0
    assert [path.name for path in directory.iterdir()] == ["notes"]
    # a link in its place may lead anywhere
    (directory / "notes").unlink()
    directory.rmdir()
    directory.symlink_to(elsewhere)
    assert looptop("ls", environ=environ).returncode == 0
    assert len(list(elsewhere.iterdir())) == 1


# ---- --name


@pytest.mark.parametrize("verb, rest", [
    (["ps"], []), (["stack"], ["2"]), (["loops"], []), (["mem"], []), (["cancel"], ["1"]),
    (["top", "-b", "-n", "1"], []), ([], []), (["detach"], [])])
def test_name_in_place_of_a_pid(start, verb, rest):
    """A word and a glob, before and after the other arguments."""
    def said(done):
        # a frame has the time of day, and how long the process is up, on it
        return done.returncode, re.sub(r"\d\d:\d\d:\d\d|up \S+", "", done.stdout), done.stderr
    agent = start()
    name = str(agent.directory)
    by_pid = looptop(*verb, agent.pid, *rest)
    assert by_pid.returncode == (0 if verb else 2) and by_pid.stdout + by_pid.stderr
    for arguments in (["--name", name, *rest], [*rest, "--name=*scripted_agent.py %s" % name]):
        done = looptop(*verb, *arguments)
        assert said(done) == said(by_pid)
    assert_says(looptop(*verb, "--name", name + "*", *rest), 1, name)  # a glob is the whole line
    assert_says(looptop(*verb, "--name", "", *rest), 2, "--name")
    assert_says(looptop(*verb, *rest, "--name"), 2, "--name", "value")
    start()
    assert_says(looptop(*verb, "--name", name, *rest), 2, "2 processes", agent.pid)


# ---- no agent, or a strange one


def test_no_process():
    assert_says(looptop("ps", "4194000"), 3, "no process 4194000", "looptop ls")


SLEEPER = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_no_agent():
    with subprocess.Popen(SLEEPER) as process:
        try:
            assert_says(looptop("detach", str(process.pid)), 3, "no agent", "sleep(60)", "detached")
        finally:
            process.kill()


def test_no_python():
    with subprocess.Popen(["sleep", "60"]) as process:
        try:
            # until it has executed sleep, it is one; its command line comes last
            deadline = time.monotonic() + TIMEOUT
            while Path("/proc/%d/cmdline" % process.pid).read_bytes() != b"sleep\x0060\0":
                assert time.monotonic() < deadline
            assert_says(looptop("ps", str(process.pid)), 3, "no CPython program", "sleep 60")
        finally:
            process.kill()


def test_a_stopped_process(start):
    agent = start()
    agent.process.send_signal(signal.SIGSTOP)
    began = time.monotonic()
    assert_says(looptop("ps", agent.pid), 3, "stopped", "kill -CONT " + agent.pid)
    assert time.monotonic() - began < 5  # so long an answer is awaited of one that runs


def test_a_process_that_is_stopped_for_a_moment(start):
    """As py-spy and debuggers do."""
    agent = start()
    agent.process.send_signal(signal.SIGSTOP)
    timer = threading.Timer(0.1, agent.process.send_signal, [signal.SIGCONT])
    timer.start()
    assert looptop("ps", agent.pid).returncode == 0
    timer.join()


def test_a_process_that_is_stopped_most_of_the_time(start):
    """As cpulimit does: it answers in the moments in between."""
    agent = start()
    over, stopped = threading.Event(), threading.Event()

    def limit():
        while not over.wait(0.01):
            agent.process.send_signal(signal.SIGSTOP)
            stopped.set()
            over.wait(0.09)
            agent.process.send_signal(signal.SIGCONT)
    thread = threading.Thread(target=limit)
    thread.start()
    try:
        for _ in range(5):
            stopped.clear()
            assert stopped.wait(TIMEOUT)
            done = looptop("ps", agent.pid)
            assert done.returncode == 0, done.stderr
    finally:
        over.set()
        thread.join()


def test_another_protocol(start):
    assert_says(looptop("ps", start("--mode", "protocol:2").pid), 3, "protocol 2")
    assert_says(looptop("ps", start("--mode", "error:-32001").pid), 3, "protocol")
    assert_says(looptop("ps", start("--mode", "error:-32006").pid), 3, "8 clients")


METHODS = {
    "ps": ["tasks", "status"], "stack": ["stack"], "loops": ["loops"], "mem": ["memory"],
    "cancel": ["cancel"], "detach": ["detach"], "top": ["tasks", "status"],
}


def arguments_of(verb, pid):
    return {"stack": ["stack", pid, "2"], "cancel": ["cancel", pid, "1"],
            "top": ["top", "-b", "-n", "1", pid]}.get(verb, [verb, pid])


@pytest.mark.parametrize("mode", ["garbage", "huge", "deep", "many-values", "closes", "half", "no-result"])
def test_a_greeting_that_is_none(start, mode):
    assert_says(looptop("ps", start("--mode", mode).pid), 3)


@pytest.mark.parametrize("mode", ["garbage", "wrong-types", "huge", "many-values", "closes", "no-result"])
@pytest.mark.parametrize("verb", [verb for verb in METHODS if verb != "detach"])
def test_answers_that_break_the_protocol(start, verb, mode):
    for method in METHODS[verb]:
        agent = start("--mode", mode, "--method", method)
        done = looptop(*arguments_of(verb, agent.pid))
        assert_says(done, 3)


@pytest.mark.parametrize("mode", ["wrong-table", "endless"])
def test_tables_that_are_wrong(start, mode):
    arguments = ["--tasks", "20000", "--mode", mode, "--method", "tasks" if mode == "wrong-table" else "none"]
    assert_says(looptop("ps", start(*arguments).pid), 3, "tasks")


def test_errors_of_the_agent(start):
    agent = start("--mode", "error:-32002", "--method", "cancel")
    assert_says(looptop("cancel", agent.pid, "1"), 1, "because ?[31mof?this")
    agent = start("--mode", "error:-32601", "--method", "memory")
    assert_says(looptop("mem", agent.pid), 3)


def test_a_slow_agent_is_waited_for(start):
    assert looptop("ps", start("--mode", "slow").pid).returncode == 0


# ---- run


def test_run_sets_the_environment():
    code = "import os, json; print(json.dumps(dict(os.environ, pid=os.getpid())))"
    with subprocess.Popen([LOOPTOP, "run", "--readonly", "--", sys.executable, "-S", "-c", code],
                          env=dict(os.environ, PYTHONPATH="/x:/y", LOOPTOP="0"), stdout=subprocess.PIPE) as process:
        environ = json.loads(process.stdout.read())
    assert environ["pid"] == process.pid == int(environ["LOOPTOP_RUN_PID"])
    assert environ["LOOPTOP_READONLY"] == "1"
    assert environ["LOOPTOP_AGENT_DIR"] == str(BUILD / "agent")
    assert environ["PYTHONPATH"] == "%s:/x:/y" % (BUILD / "python/sitecustomize")


@pytest.mark.parametrize("old", [None, ""])
def test_run_adds_no_empty_path(old):
    environ = dict(os.environ, LOOPTOP="0")
    environ.pop("PYTHONPATH", None)
    if old is not None:
        environ["PYTHONPATH"] = old
    done = subprocess.run([LOOPTOP, "run", LOOPTOP, "run", "env"], env=environ, capture_output=True, text=True,
                          timeout=TIMEOUT)
    assert "PYTHONPATH=%s\n" % (BUILD / "python/sitecustomize") in done.stdout


def test_run_keeps_options_of_the_command():
    assert looptop("run", "echo", "--json", "-h").stdout == "--json -h\n"


def test_run_of_what_cannot_be_run(tmp_path):
    assert_says(looptop("run", "no-such-command"), 127, "no-such-command")
    plain = tmp_path / "plain"
    plain.write_text("x")
    assert_says(looptop("run", str(plain)), 126, "plain")
    assert_says(looptop("run", "true", environ={"LOOPTOP_LIBDIR": "/nowhere"}), 1, "LOOPTOP_LIBDIR")


# ---- demo, with the real agent


def demo(**environ):
    environ = dict(os.environ, LC_ALL="C.UTF-8", **environ)
    return subprocess.Popen([LOOPTOP, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env=environ, start_new_session=True)


def is_running(pid):
    try:
        return "Z" not in Path("/proc/%d/stat" % pid).read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_demo_without_a_terminal(tmp_path):
    with demo(TMPDIR=str(tmp_path)) as process:
        output, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, errors) == (0, "")
    assert output.count("demo.py") >= 3 and output.count("COROUTINE") == 3
    pid = int(re.search(r" (\d+) +CPython", output).group(1))
    assert not is_running(pid)
    assert list(tmp_path.iterdir()) == []


def test_demo_takes_its_service_along(tmp_path):
    with demo(TMPDIR=str(tmp_path)) as process:
        line = process.stdout.readline()
        pid = int(re.search(r" (\d+) +CPython", line).group(1))
        assert is_running(pid)
        process.kill()
        deadline = time.monotonic() + TIMEOUT
        while is_running(pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not is_running(pid)


def test_demo_shows_why_it_failed(tmp_path):
    broken = tmp_path / "lib"
    (broken / "demo").mkdir(parents=True)
    (broken / "demo" / "demo.py").write_text("raise SystemExit('no \x1b luck today')")
    for part in ("agent", "python"):
        (broken / part).symlink_to(BUILD / part)
    done = looptop("demo", environ={"LOOPTOP_LIBDIR": str(broken)})
    assert done.returncode == 3 and "no ? luck today" in done.stderr
    done = looptop("demo", "--python", "/bin/false")
    assert_says(done, 1, "/bin/false")


def test_demo_says_what_is_wrong_with_an_interpreter(tmp_path):
    assert_says(looptop("demo", "--python", "/no/such/python"), 1, "/no/such/python: not found")
    assert_says(looptop("demo", "--python", "no-such-python"), 1, "no-such-python: not found")
    old = tmp_path / "python3.10"
    old.write_text("#!/bin/sh\nexec '%s' -c 'import sys; sys.version_info = (3, 10, 13, \"final\", 0); "
                   "exec(sys.argv[1])' \"$4\"\n" % sys.executable)
    old.chmod(0o755)
    assert_says(looptop("demo", "--python", str(old)), 1, str(old), "3.10", "3.11 is the first")
    old.chmod(0o644)
    assert_says(looptop("demo", "--python", str(old)), 1, str(old), "no agent")


# ---- the documents are those of looptop-json(5)


def keys(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys(inner)


DOCUMENTS = [("ls",), ("ps",), ("stack", "2"), ("loops",), ("mem",), ("cancel", "1")]


@pytest.mark.parametrize("arguments", DOCUMENTS, ids=lambda arguments: arguments[0])
def test_every_field_is_documented(start, arguments):
    agent = start()
    pid = [] if arguments[0] == "ls" else [agent.pid]
    found = set(keys(document(arguments[0], "--json", *pid, *arguments[1:])))
    manual = (ROOT / "man/looptop-json.5").read_text()
    documented = set(re.findall(r"\w+", " ".join(re.findall(r"^\..*?\bVa (.*)", manual, re.M))))
    assert found and not found - documented


def test_every_documented_field_is_printed(start):
    agent = start()
    found = set()
    for arguments in DOCUMENTS:
        pid = [] if arguments[0] == "ls" else [agent.pid]
        found |= set(keys(document(arguments[0], "--json", *pid, *arguments[1:])))
    manual = (ROOT / "man/looptop-json.5").read_text()
    for name in re.findall(r"^\.It Va (\w+)$", manual, re.M):
        assert name in found, name


def test_ps_document(start):
    agent = start()
    ps = document("ps", "--json", agent.pid)
    assert set(ps["process"]) == {"pid", "uid", "cmdline", "python", "agent"}
    assert ps["process"]["pid"] == int(agent.pid) and ps["process"]["python"] == "3.13.5"
    (loop,) = ps["loops"]
    assert (loop["thread"], loop["kind"], loop["tasks"], loop["busy_pct"]) == ("MainThread", "asyncio", 5, 31.4)
    assert loop["lag_ms"] == {"now": 0.8, "p50": 0.4, "p90": 0.9, "p99": 12, "max": 412}
    assert ps["totals"] == {
        "tasks": 5, "by_state": {"new": 0, "ready": 0, "run": 1, "wait": 4, "cancelling": 0},
        "created": 31, "finished": 17, "failed": 1, "cancelled": 2, "untracked": 0}
    tasks = {task["id"]: task for task in ps["tasks"]}
    assert tasks[2] == {
        "id": 2, "name": "report-7", "state": "run", "coroutine": "orders.report.render",
        "at": {"file": "/srv/orders/report.py", "line": 61, "function": "render"}, "waiting_on": None,
        "at_stale": False, "age_s": 2, "age_exact": True, "idle_s": 1.8, "idle_exact": True, "busy_s": 1.9, "busy_pct": 98.1,
        "steps": 3, "max_step_s": 1.8,
        "created_at": {"file": "/srv/orders/handlers.py", "line": 88, "function": "get_order"},
        "parent": 1, "loop": 1, "exception": None, "queued_s": None, "ended_s": None}
    assert tasks[4]["name"] == "na\x1b[31mme" and tasks[4]["at_stale"] is True
    assert (tasks[3]["state"], tasks[3]["exception"], tasks[3]["ended_s"]) == ("failed", "ValueError", 3)
    assert tasks[1]["age_exact"] is False and tasks[1]["parent"] is None and tasks[1]["created_at"] is None


def test_other_documents(start):
    agent = start()
    stack = document("stack", "--json", agent.pid, "2")
    assert stack["frames"][0]["source"] == "#!/usr/bin/env python3" and stack["frames"][1]["source"] is None
    assert stack["frames"][0]["locals"][2] == {"name": "seen", "type": "list", "value": None, "length": 12}
    assert document("loops", "--json", agent.pid)["loops"][0]["history"] == {
        "interval_s": 1, "busy_pct": [1, 2, None], "lag_ms": [1, 8, 2], "iterations": [60, 61, 62]}
    memory = document("mem", "--json", agent.pid)
    assert memory["history"]["heap_bytes"] == [None, 2, 3] and memory["gc"]["collections"] == [310, 28, 2]
    results = document("cancel", "--json", agent.pid, "2", status=1)["results"]
    assert results[0]["outcome"] == "suppressed" and results[0]["after_s"] == 0.003
