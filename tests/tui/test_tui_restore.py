# SPDX-License-Identifier: MIT
"""The terminal is given back as it was, however the program ends."""

import shlex
import signal

import pytest

from term import LOOPTOP, FakeAgent, Terminal, wait_until


@pytest.fixture(scope="module")
def agent():
    with FakeAgent("--tasks", "30", "--still") as agent:
        yield agent


def opened(agent):
    term = agent.open()
    term.wait("[◇.] WAIT")
    assert term.state("alternate_on", "cursor_flag") == ["1", "0"]
    return term


@pytest.mark.parametrize("key", ["q", "F10", "C-c"])
def test_after_a_key(agent, key):
    with opened(agent) as term:
        term.keys(key)
        assert term.end() == 0
        assert term.stderr() == ""
        term.check_restored()
        assert "WAIT" not in term.screen()


@pytest.mark.parametrize("number, status", [
    (signal.SIGTERM, 0), (signal.SIGHUP, 0), (signal.SIGINT, 0),
    (signal.SIGSEGV, 139), (signal.SIGABRT, 134), (signal.SIGBUS, 135), (signal.SIGQUIT, 131)])
def test_after_a_signal(agent, number, status):
    with opened(agent) as term:
        term.kill(number)
        assert term.end() == status
        term.check_restored()
        assert "WAIT" not in term.screen()


def test_with_a_prompt_open(agent):
    with opened(agent) as term:
        term.keys("/")
        term.wait("Find:")
        assert term.state("cursor_flag") == ["1"]
        term.keys("C-c")
        assert term.end() == 0
        term.check_restored()


def test_stopped_and_continued(agent):
    """Ctrl-Z gives the terminal back to the shell, fg takes it again, at the size it has then."""
    shell = ["sh", "-c", "exec bash --norc --noprofile -i 2>/dev/tty"]
    with Terminal(shell, environ=agent.environ, PS1="shell> ") as term:
        term.wait("^shell>")
        term.type("stty -a >%s/one; %s %d" % (term.path, shlex.quote(LOOPTOP), agent.pid))
        term.keys("Enter")
        term.wait("[◇.] WAIT")
        for i in range(2):
            term.keys("C-z")
            term.wait(r"Stopped")
            assert term.state("alternate_on", "cursor_flag") == ["0", "1"]
            assert "WAIT" not in term.screen()
            term.type("clear; stty -a >%s/two; echo no''ted" % term.path)
            term.keys("Enter")
            term.wait("^noted")
            assert term.settings("two") == term.settings("one")
            term.resize(100 + 20 * i, 30)
            term.type("fg")
            term.keys("Enter")
            term.wait("[◇.] WAIT")
            assert term.state("alternate_on", "cursor_flag") == ["1", "0"]
            term.wait(lambda screen: len(screen.split("\n")[4].rstrip()) > 90 + 20 * i)
            term.keys("j")
            term.wait(r"^▌")
        term.keys("q")
        term.wait(lambda screen: screen.rstrip().endswith("shell>"))
        assert term.state("alternate_on", "cursor_flag") == ["0", "1"]


def test_the_terminal_is_gone(agent):
    """The program ends when its terminal does."""
    with opened(agent) as term:
        pid = term.pid()
        term.tmux("kill-server")
        wait_until(lambda: not is_running(pid), "the end of the program")


def is_running(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
