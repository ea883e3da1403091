# SPDX-License-Identifier: MIT
"""Cancelling: what is asked, what is sent, what becomes of it on the screen and in the process."""

import re

from term import FakeAgent


def find(term, name):
    """Puts the cursor on a task."""
    term.keys("/")
    term.wait("Find:")
    term.type("name:" + name)
    term.keys("Enter")
    term.wait(r"^▌.* %s\b" % name)


def test_cancels_a_real_task(python, start_shop):
    with start_shop(python) as shop, shop.open(cols=120) as term:
        line = shop.line_of("stuck here")
        term.wait("order-7")
        find(term, "order-3")
        assert re.search("order-3 +◇ WAIT ", term.screen())
        term.keys("x")
        term.wait(r"Cancel 1 task\?")
        screen = term.screen()
        assert re.search(r'5 +"order-3" +ship', screen)
        assert re.search(r"receives CancelledError at .*shop\.py:%d stock" % line, screen)
        assert re.search(r"Message: looptop", screen)
        term.keys("Enter")
        shop.expect("cancelled 3 looptop")
        term.wait(r'task 5 "order-3" cancelled after')
        term.wait(r"order-3 +⊘ CNCLD")
        client = shop.client()
        assert client.row("order-3")["state"] == "cancelled"
        assert client.row("order-4")["state"] == "wait"


def test_left(shop):
    """Esc, `n` and the button leave the task alone."""
    with shop.open(cols=120) as term:
        term.wait("order-7")
        find(term, "order-3")
        for keys in [["Escape"], ["Tab", "Enter"]]:
            term.keys("x")
            term.wait("Cancel 1 task")
            for key in keys:
                term.keys(key)
            term.wait_gone("Cancel 1 task")
            term.wait("nothing was cancelled")
        term.keys("F9")
        term.wait("Cancel 1 task")
        term.keys("n")
        term.wait_gone("Cancel 1 task")
        assert shop.client().row("order-3")["state"] == "wait"


def test_the_message_is_sent(shop):
    with shop.open(cols=120) as term:
        term.wait("order-7")
        find(term, "order-0")
        term.keys("x")
        term.wait("Message: looptop")
        term.keys("Up")
        term.keys("C-u")
        term.type('out of "stock"')
        term.wait('Message: out of "stock"')
        term.keys("Enter", "Enter")  # on to the buttons, and the first of them
        shop.expect('cancelled 0 out of "stock"')


def test_a_task_that_swallows_it(shop):
    with shop.open(cols=120) as term:
        term.wait("mule")
        find(term, "mule")
        term.keys("x")
        term.wait("Cancel 1 task")
        term.keys("Enter")
        term.wait(r'task 10 "mule" still runs after 2\S* ?s.*shop\.py:\d+ stubborn')
        shop.expect("swallowed")


def test_several_tagged(shop):
    with shop.open("-s", "id,-", cols=120) as term:
        term.wait("order-7")
        term.keys("Down", "Space", "Space", "Space")  # order-0, order-1, order-2
        term.wait("3 tagged")
        term.keys("x")
        term.wait(r"Cancel 3 tagged tasks\?")
        screen = term.screen()
        for name in ("order-0", "order-1", "order-2"):
            assert '"%s"' % name in screen
        term.keys("Enter")  # on `Leave them`: nothing happens by a careless Enter
        term.wait_gone("Cancel 3 tagged tasks")
        assert "3 tagged" in term.screen()
        term.keys("x")
        term.wait(r"Cancel 3 tagged tasks\?")
        term.keys("BTab", "Enter")
        assert sorted(shop.line() for _ in range(3)) == ["cancelled %d looptop" % i for i in range(3)]
        term.wait("all 3 tasks ended")
        term.wait_gone("tagged")
        assert shop.client().row("order-3")["state"] == "wait"


def test_more_than_five_are_counted():
    with FakeAgent("--tasks", "60", "--still") as agent, agent.open("-s", "id,-") as term:
        term.wait("[◇.] WAIT")
        term.keys("Down")
        term.type(" " * 7)
        term.wait("7 tagged")
        term.keys("x")
        term.wait(r"Cancel 7 tagged tasks\?")
        assert "and 2 more" in term.screen()


def test_many_need_their_number():
    with FakeAgent("--tasks", "60", "--still") as agent, agent.open("-s", "id,-", rows=40) as term:
        term.wait("[◇.] WAIT")
        term.keys("Down", "Down", "Down", "Down")
        term.type(" " * 15)
        term.keys(*["Down"] * 4)  # over those that have ended
        term.type(" " * 8)
        term.wait("23 tagged")
        term.keys("x")
        term.wait(r"Type 23 to confirm:")
        term.keys("Enter")
        term.type("2")
        term.keys("Enter")
        term.wait("Not so. Type 23, or Esc to leave them: 2")
        assert agent.requests("cancel") == []
        term.type("3")
        term.wait("confirm: 23")
        term.keys("Enter")
        term.wait_gone("to confirm")
        term.wait(r"\d+ of 23 tasks ended")  # the fake's stubborn ones do not
        [request] = agent.requests("cancel")
        assert len(request["params"]["ids"]) == 23
        assert request["params"]["message"] == "looptop"


def test_acts_on_what_was_selected_when_pressed():
    """Rows that sort anew while the question is open change nothing."""
    with FakeAgent("--tasks", "60") as agent, agent.open("-d", "0.1s") as term:
        term.wait("[◇.] WAIT")
        term.keys("NPage")
        id = int(term.wait(r"^▌ *(\d+) .*(WAIT|READY)").group(1))
        term.keys("x")
        asked = term.wait(r"^.*│ *(\d+) +\"").group(1)
        clock = term.row(0)
        term.wait(lambda screen: screen.split("\n")[0] != clock)
        assert re.search(r"^.*│ *%s +\"" % asked, term.screen(), re.M)
        term.keys("Enter")
        term.wait("task %s " % asked)
        assert agent.requests("cancel")[0]["params"]["ids"] == [int(asked)]
        assert id > 0


def test_from_the_detail(shop):
    with shop.open(cols=120, rows=40) as term:
        term.wait("order-7")
        find(term, "order-6")
        term.keys("Enter")
        term.wait("stuck here")
        term.keys("x")
        term.wait("Cancel 1 task")
        term.keys("Enter")
        shop.expect("cancelled 6 looptop")
        term.wait("cancelled after")


def test_readonly_here(quiet_shop):
    with quiet_shop.open("--readonly") as term:
        term.wait("order-7")
        term.keys("Down", "x")
        term.wait("cancelling is off.*readonly")
        assert "Cancel 1" not in term.screen()


def test_readonly_in_the_target(python, start_shop):
    with start_shop(python, LOOPTOP_READONLY="1") as shop, shop.open() as term:
        term.wait("order-7")
        term.keys("Down", "x")
        term.wait("cancelling is off.*LOOPTOP_READONLY")


def test_a_task_that_has_ended():
    with FakeAgent("--tasks", "60", "--still") as agent, agent.open("-s", "id,-", rows=40) as term:
        term.wait("[◇.] WAIT")
        term.keys(*["Down"] * 20)
        term.wait(r"^▌ *21 .*FAIL")
        term.keys("x")
        term.wait("has ended")
        assert agent.requests("cancel") == []
