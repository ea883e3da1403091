# SPDX-License-Identifier: MIT
"""The live list of processes: `looptop` alone, in a terminal."""

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap

import pytest

from term import LOOPTOP, FakeAgent, Terminal

NAME = "plain-one-of-%d" % os.getpid()  # other tests may run beside these

PLAIN = """
    import asyncio
    async def main():
        print("ready", flush=True)
        await asyncio.sleep(3600)
    asyncio.run(main())
"""


@pytest.fixture
def plain():
    """A process with a loop and no agent, of whom there is one."""
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(PLAIN), NAME],
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
def agent():
    with FakeAgent("--tasks", "60", "--still") as one:
        yield one


def open_list(*options, cols=100, rows=60, command=None, **more):
    return Terminal([LOOPTOP, *options] if command is None else command, cols, rows, **more)


def row_of(term, pid):
    return term.wait(lambda screen: next(
        (line for line in screen.split("\n") if re.match(r"[ ▌>]? *%d " % pid, line)), None))


def choose(term, pid):
    """Moves the cursor to a process."""
    row_of(term, pid)
    term.keys("Home")
    for _ in range(200):
        term.wait(r"^[▌]")
        line = next(line for line in term.lines() if line.startswith("▌"))
        if re.match(r"▌ *%d " % pid, line):
            return
        term.keys("Down")
        term.wait(lambda screen, line=line: re.search(r"^▌ *(\d+)", screen, re.M).group(1)
                  != re.search(r"\d+", line).group())
    raise AssertionError("the cursor does not come to %d" % pid)


def test_lists_what_runs_a_loop(plain, agent):
    with open_list() as term:
        assert re.search(r"— +— +— +\d", row_of(term, plain.pid))
        assert re.search(r" 57 ", row_of(term, agent.pid))
        assert re.match(r" looptop .* \d+ processes, \d+ with an agent +live 1s", term.row(0))
        assert " Processes " in term.row(1) and "COMMAND" in term.row(2)
        term.keys("q")
        assert term.end() == 0
        term.check_restored()


def test_opens_a_process_and_comes_back(plain, agent):
    with open_list() as term:
        choose(term, agent.pid)
        term.keys("Enter")
        term.wait("Tasks")
        assert str(agent.pid) in term.row(0)
        term.keys("q")
        term.wait(r"^ Processes ")
        term.wait(r"^▌ *%d " % agent.pid)  # selected still
        term.keys("Enter")
        term.wait("WAITING ON")
        term.keys("q")
        term.wait(r"^ Processes ")
        assert re.search(r" 57 ", row_of(term, agent.pid))
        term.keys("q")
        assert term.end() == 0
        term.check_restored()


def test_opens_a_process_without_an_agent(plain):
    """Which is brought in: from then on the list has its figures."""
    with open_list() as term:
        choose(term, plain.pid)
        term.keys("Enter")
        term.wait("WAITING ON")
        assert str(plain.pid) in term.row(0)
        term.keys("q")
        term.wait(r"^▌ *%d .* asyncio +1 " % plain.pid)


def test_says_why_a_process_cannot_be_opened(agent):
    """Its agent stops answering for good."""
    with open_list() as term:
        choose(term, agent.pid)
        agent.signal(signal.SIGSTOP)
        term.wait(r"^▌ *%d .* silent " % agent.pid)
        term.keys("Enter")
        term.wait("-CONT")  # a word of what may stand in several lines
        assert " Processes " in term.row(1)
        agent.signal(signal.SIGCONT)
        term.wait(r"^▌ *%d .* 57 " % agent.pid)


def test_ctrl_c_in_a_process_leaves_for_good(agent):
    with open_list() as term:
        choose(term, agent.pid)
        term.keys("Enter")
        term.wait("WAITING ON")
        term.keys("C-c")
        assert term.end() == 0
        term.check_restored()


def test_processes_come_and_go(plain):
    with open_list("-d", "0.2") as term:
        row_of(term, plain.pid)
        term.wait("live 0.2s")
        with FakeAgent("--tasks", "3", "--still") as other:
            row_of(term, other.pid)
        term.wait_gone(r"^[ ▌]*%d " % other.pid)
        plain.kill()
        term.wait_gone(r"^[ ▌]*%d " % plain.pid)


def test_filter_and_find(plain, agent):
    with open_list() as term:
        row_of(term, plain.pid)
        row_of(term, agent.pid)
        term.keys("\\")
        term.wait("Filter:")
        term.type(agent.directory.name)
        term.wait(r"1 of \d+ +sort PID▲ +filter %s" % agent.directory.name)
        term.keys("Enter")
        term.wait(r"^▌ *%d " % agent.pid)
        assert not re.search(r"^ *%d " % plain.pid, term.screen(), re.M)
        term.keys("Escape")
        row_of(term, plain.pid)
        term.keys("/")
        term.wait("Find:")
        term.type(NAME)
        term.keys("Enter")
        term.wait(r"^▌ *%d " % plain.pid)
        term.keys("/")
        term.type("no such thing")
        term.keys("Enter")
        term.wait("no command line matches  no such thing")


def test_sorts_and_helps(plain, agent):
    with open_list() as term:
        row_of(term, agent.pid)
        term.keys("<", "<")
        term.wait("sort UP▼")
        term.keys("I")
        term.wait("sort UP▲")
        term.keys("?")
        term.wait("Everywhere")
        term.wait("look at the process")
        term.keys("Escape")
        term.wait("sort UP▲")


def test_stops_and_goes_on_and_follows_the_size(agent):
    shell = ["sh", "-c", "exec bash --norc --noprofile -i 2>/dev/tty"]
    with open_list(command=shell, PS1="shell> ") as term:
        term.wait("^shell>")
        term.type(shlex.quote(LOOPTOP))
        term.keys("Enter")
        row_of(term, agent.pid)
        term.keys("C-z")
        term.wait("Stopped")
        assert term.state("alternate_on", "cursor_flag") == ["0", "1"]
        term.resize(40, 10)
        term.type("fg")
        term.keys("Enter")
        term.wait(r"PID▲ +TASKS +LAG COMMAND")
        term.resize(120, 30)
        term.wait(r"LOOP +TASKS +LAG +BUSY% +CPU% +RSS +UP COMMAND")
        term.keys("q")
        term.wait("^shell>")


def test_one_is_opened_by_its_name(agent):
    with open_list("--name", "fake_agent.py --log %s" % agent.directory.name) as term:
        term.wait("WAITING ON")
        assert str(agent.pid) in term.row(0)


def test_without_colours_and_in_ascii(agent):
    with open_list("--ascii", cols=80, NO_COLOR="1") as term:
        term.wait(r"^[> ] *%d .* 57 " % agent.pid)
        assert term.screen().isascii() and "38;5" not in term.styled()
