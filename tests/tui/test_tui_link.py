# SPDX-License-Identifier: MIT
"""An agent that dies, comes back, says nothing or nonsense; a target that ends. The last screen stays."""

import os
import re
import signal
import subprocess
import sys

import pytest

from looptop_client import PYTHONS, Service
from term import LOOPTOP, ROOT, FakeAgent, Terminal, wait_until

SCRIPTED_AGENT = os.path.join(ROOT, "tests", "support", "scripted_agent.py")


def table(screen):
    """The rows, without the times that go on."""
    return re.findall(r"^[ ▌] *(\d+ \S+ +\S+ \w+)", screen, re.M)


def test_agent_stops_and_comes_back(shop):
    with shop.open("-s", "id,-") as term:
        term.wait("mule")
        rows = table(term.screen())
        assert len(rows) == 10
        os.kill(shop.pid, signal.SIGUSR1)
        term.wait("^ .*GONE")
        term.wait(r"^ agent stopped or detached   last seen \S+ ago   next try in \d s")
        assert table(term.screen()) == rows
        term.keys("End")  # and can still be looked through
        term.wait(r"^▌ +10 mule")
        wait_until(lambda: shop.sockets() == [], "the end of the socket")
        os.kill(shop.pid, signal.SIGUSR2)
        term.wait("live 1s")
        term.wait_gone("GONE|last seen")
        term.wait(lambda screen: len(table(screen)) == 10)
        term.keys("q")
        assert term.end() == 0


def test_target_is_killed(shop):
    with shop.open("-s", "id,-") as term:
        term.wait("mule")
        rows = table(term.screen())
        os.kill(shop.pid, signal.SIGKILL)
        shop.wait()
        term.wait(r"^ process %d has ended   last seen \S+ ago   not tried again" % shop.pid)
        term.wait("^ .* ENDED ")
        assert table(term.screen()) == rows
        for key, said in [("x", "cannot cancel: process %d has ended"), ("*", "10 tasks tagged"),
                          ("I", "process %d has ended: the rows stay as they are"), ("U", "H ended|x cancel"),
                          ("/", "process %d has ended: the rows stay as they are")]:
            term.type(key)
            term.wait(said % shop.pid if "%" in said else said)
        assert "Cancel 1 task" not in term.screen() and table(term.screen()) == rows
        assert "ID▲" in term.screen()
        term.keys("End", "Enter")
        term.wait("no stack: process %d has ended" % shop.pid)
        term.keys("q")
        assert term.end() == 0
        term.check_restored()


def test_target_is_a_zombie():
    """Its parent has not looked after it, so that its number is still there."""
    with FakeAgent("--tasks", "60", "--still") as agent, agent.open() as term:
        term.wait("live 1s")
        agent.signal(signal.SIGKILL)
        term.wait("^ process %d has ended" % agent.pid)


def test_target_becomes_another_program():
    """Its number and the time of its start stay; nothing of the former one is shown any more."""
    source = """
        import asyncio, os, signal, sys

        async def main(name):
            loop = asyncio.get_running_loop()
            again = [*sys.orig_argv[:-1], name + "-again"]
            loop.add_signal_handler(signal.SIGUSR1, os.execv, sys.executable, again)
            asyncio.current_task().set_name(name)
            print("ready", flush=True)
            await asyncio.sleep(3600)

        asyncio.run(main(sys.argv[1]))
    """
    with Service.inline(LOOPTOP, source, "first", options=("run", "--", PYTHONS[-1])) as service:
        service.expect("ready")
        with Terminal([LOOPTOP, str(service.pid)], cols=140,
                      environ={"XDG_RUNTIME_DIR": service.directory}) as term:
            term.wait("1 first +◇ WAIT")
            os.kill(service.pid, signal.SIGUSR1)
            term.wait("process %d runs another program now" % service.pid)
            term.wait("1 first-again +◇ WAIT")
            term.wait(r"\.py first-again")  # the command, in the first line


def test_what_is_wrong_comes_first(shop):
    """On narrow screens the end of the line is left out, and no word is cut."""
    with shop.open(cols=40, rows=10) as term:
        term.wait("order-")
        os.kill(shop.pid, signal.SIGUSR1)
        term.wait(r"^ agent stopped or detached   \S+ ago$")
        os.kill(shop.pid, signal.SIGKILL)
        shop.wait()
        term.wait(r"^ process %d has ended   \S+ ago$" % shop.pid)


def test_silent_agent():
    with FakeAgent("--tasks", "60", "--still") as agent, agent.open("-s", "id,-") as term:
        term.wait("live 1s")
        rows = table(term.screen())
        agent.signal(signal.SIGSTOP)
        term.wait("SILENT")
        first = term.wait(r"^ *([|/\\-]) no answer for (\S+): waiting for ")
        term.wait(lambda screen: first.group() not in screen)  # it turns and counts
        assert table(term.screen()) == rows
        term.keys("Down")
        term.wait(r"^▌ +2 ")
        agent.signal(signal.SIGCONT)
        term.wait("live 1s")
        term.wait_gone("no answer")


def test_says_what_is_waited_for():
    """Between updates that come once a minute only a question can go unanswered."""
    with FakeAgent("--tasks", "1000", "--still") as agent, agent.open("-s", "id,-", "-d", "1m") as term:
        term.wait("live 60s")
        term.wait("[◇.] WAIT")
        agent.signal(signal.SIGSTOP)
        term.keys("End")
        term.wait("no answer for .*waiting for tasks")
        agent.signal(signal.SIGCONT)
        term.wait(r"^▌ +1000 ")
        term.wait_gone("no answer")


def test_silent_from_the_start():
    """An agent that accepts and then says nothing is an error, not an empty screen."""
    with FakeAgent("--tasks", "5") as agent:
        agent.signal(signal.SIGSTOP)
        with agent.open() as term:
            assert term.end() == 3
            assert term.stderr().count("\n") == 1
            agent.signal(signal.SIGCONT)


def test_slow_agent():
    with FakeAgent("--tasks", "60", "--still", "--slow", "400") as agent, agent.open("-s", "id,-") as term:
        term.wait("[◇.] WAIT")
        term.keys("End")
        term.wait(r"^▌ +60 ")


def test_a_stack_that_takes_long():
    with FakeAgent("--tasks", "60", "--still", "--stack-takes", "1.5") as agent, agent.open() as term:
        term.wait("[◇.] WAIT")
        term.keys("Enter")
        term.wait("waiting for the stack for")
        term.wait("dispatch")


def test_a_cancellation_that_takes_long():
    with FakeAgent("--tasks", "60", "--still", "--cancel-takes", "1") as agent, agent.open() as term:
        term.wait("[◇.] WAIT")
        term.keys("x")
        term.wait("Cancel 1 task")
        term.keys("Enter")
        term.wait("cancelling 1 task")
        term.wait(r"task \d+ .*cancelled after")


@pytest.mark.parametrize("mode, method", [
    ("garbage", "tasks"), ("wrong-types", "tasks"), ("wrong-table", "tasks"),
    ("deep", "tasks"), ("many-values", "tasks"), ("closes", "tasks"), ("half", "tasks"),
    ("no-result", "tasks"), ("error:-32603", "tasks"), ("huge", "tasks"), ("garbage", "loops"),
    ("wrong-types", "memory"), ("wrong-types", "loops"), ("wrong-types", "subscribe"),
    ("error:-32603", "subscribe"), ("wrong-types", "update"), ("wrong-table", "update"),
    ("garbage", "update"), ("half", "update"), ("deep", "update"), ("good", "update")])
def test_an_agent_that_breaks_the_protocol(tmp_path, mode, method):
    """The program says something, takes keys, and leaves in order."""
    agent = subprocess.Popen(
        [sys.executable, SCRIPTED_AGENT, str(tmp_path), "--tasks", "6", "--mode", mode, "--method", method],
        stdout=subprocess.PIPE, text=True)
    try:
        assert agent.stdout.readline() == "ready\n"
        with Terminal([LOOPTOP, str(agent.pid)], XDG_RUNTIME_DIR=str(tmp_path)) as term:
            term.wait(r"%d\b" % agent.pid)
            asked = "subscribe" if method == "update" else method
            wait_until(lambda: '"%s"' % asked in (tmp_path / ("%d.log" % agent.pid)).read_text(),
                       "the question")
            term.keys("?")
            term.wait("Everywhere")
            term.keys("q")
            term.wait_gone("Everywhere")
            term.keys("q")
            assert term.end() == 0
            assert term.stderr() == ""
            term.check_restored()
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()
