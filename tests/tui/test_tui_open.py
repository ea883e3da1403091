# SPDX-License-Identifier: MIT
"""How the full screen opens and how it says that it cannot."""

import os
import re
import subprocess

import pytest

from term import LOOPTOP, Terminal, wait_until


def test_shows_the_tasks_of_a_service(python, start_shop):
    with start_shop(python) as shop, shop.open("-s", "id,-", cols=120) as term:
        term.wait(r"◇ WAIT .*stock")
        term.wait(r"\b10 tasks")  # it may be opened while they are being made
        screen = term.screen()
        assert "CPython" in term.row(0) and str(shop.pid) in term.row(0)
        for i in range(8):
            assert re.search(r"\border-%d +◇ WAIT" % i, screen)
        assert re.search(r"\bmule +◇ WAIT", screen)
        line = shop.line_of("stuck here")
        assert len(re.findall(r":%d stock" % line, screen)) == 8
        term.keys("q")
        assert term.end() == 0
        assert term.stderr() == ""


def test_a_pid_alone_opens_it(quiet_shop):
    with Terminal([LOOPTOP, str(quiet_shop.pid)], environ={"XDG_RUNTIME_DIR": quiet_shop.directory}) as term:
        term.wait("order-7")


def test_demo_stops_its_service(tmp_path):
    with Terminal([LOOPTOP, "demo"], XDG_RUNTIME_DIR=str(tmp_path)) as term:
        match = term.wait(r"demo\.py  (\d+)  CPython")
        service = match.group(1)
        term.wait(r"worker-\d+ +◇ WAIT")
        term.keys("q")
        assert term.end() == 0
        assert term.stderr() == ""
        term.check_restored()
        assert not os.path.exists("/proc/" + service)
        assert os.listdir(tmp_path / "looptop") == []


@pytest.mark.parametrize("signal", ["TERM", "HUP", "KILL"])
def test_demo_stops_its_service_after_a_signal(tmp_path, signal):
    with Terminal([LOOPTOP, "demo"], XDG_RUNTIME_DIR=str(tmp_path)) as term:
        service = term.wait(r"demo\.py  (\d+)  CPython").group(1)
        subprocess.run(["kill", "-" + signal, str(term.pid())], check=True)
        term.end()
        wait_until(lambda: not os.path.exists("/proc/" + service), "the end of the service")
        wait_until(lambda: os.listdir(tmp_path / "looptop") == [], "the end of its socket")


def one_line(term, status):
    """What the program said instead of opening the screen."""
    assert term.end() == status
    text = term.stderr()
    assert text.startswith("looptop: ") and text.count("\n") == 1 and text.endswith("\n")
    assert b"\x1b" not in term.raw()
    term.check_restored()
    return text


def test_no_such_process(tmp_path):
    process = subprocess.Popen(["true"])
    process.wait()
    with Terminal([LOOPTOP, str(process.pid)], XDG_RUNTIME_DIR=str(tmp_path)) as term:
        assert str(process.pid) in one_line(term, 3)


def test_a_process_without_agent(tmp_path):
    with subprocess.Popen(["sleep", "1000"]) as sleeper:
        try:
            with Terminal([LOOPTOP, str(sleeper.pid)], XDG_RUNTIME_DIR=str(tmp_path)) as term:
                assert "no CPython program" in one_line(term, 3)
        finally:
            sleeper.kill()


def test_an_option_that_is_wrong(quiet_shop):
    with quiet_shop.open("--filter", "age>") as term:
        assert term.end() == 2
        assert "age>" in term.stderr()


@pytest.mark.parametrize("name", ["dumb", "no-such-terminal", ""])
def test_a_terminal_that_cannot_do_it(quiet_shop, name):
    with quiet_shop.open(term=name) as term:
        text = one_line(term, 2)
        assert "TERM" in text or "terminal" in text


def test_no_terminal(quiet_shop):
    done = subprocess.run([LOOPTOP, str(quiet_shop.pid)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False,
                          env=dict(os.environ, XDG_RUNTIME_DIR=quiet_shop.directory))
    assert done.returncode == 2
    assert "--batch" in done.stderr and done.stdout == ""
