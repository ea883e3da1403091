# SPDX-License-Identifier: MIT
"""Scrolling, searching, filtering, sorting, tagging: the table as a person uses it, on an agent that
has 100,000 tasks and on a real one."""

import contextlib
import os
import re
import signal
import time

import pytest

from looptop_client import PYTHONS
from term import FakeAgent

TASKS = 100000
ANSWER_S = 5  # for a key, with the agent sorting all tasks in Python on a busy machine


@pytest.fixture(scope="module")
def big():
    with FakeAgent("--tasks", str(TASKS), "--still") as agent:
        yield agent


def ids(screen):
    """The ids of the rows that are seen."""
    return [int(found) for found in re.findall(r"^[ ▌>][ •*] *(\d+) \S", screen, re.M)]


def selected(screen):
    """The id of the row under the cursor."""
    found = re.search(r"^[▌>][ •*] *(\d+) ", screen, re.M)
    return int(found.group(1)) if found else None


def shows(*wanted):
    def look(screen):
        return ids(screen) == list(wanted)
    look.__doc__ = "rows %d to %d" % (wanted[0], wanted[-1])
    return look


def on(id):
    def look(screen):
        return selected(screen) == id
    look.__doc__ = "the cursor on %d" % id
    return look


def test_scrolling_100000_tasks(big):
    before = len(big.requests())
    with big.open("-s", "id,-", cols=100, rows=26) as term:
        term.wait(shows(*range(1, 20)))  # 26 lines but header, tabs, titles and keys
        term.wait(r"99997 tasks \+ 3 ended")
        for key, first, cursor in [
            ("End", TASKS - 18, TASKS), ("Home", 1, 1), ("NPage", 20, 20), ("NPage", 39, 39),
            ("PPage", 20, 20), ("Down", 20, 21), ("G", TASKS - 18, TASKS), ("PPage", TASKS - 37, TASKS - 19),
            ("g", 1, 1),
        ]:
            start = time.monotonic()
            term.keys(key)
            term.wait(lambda screen, first=first: ids(screen) == list(range(first, first + 19)), ANSWER_S)
            term.wait(on(cursor), ANSWER_S)
            assert time.monotonic() - start < ANSWER_S
        term.type("j" * 500)  # as auto-repeat has them
        term.wait(on(501), ANSWER_S)
        term.wait(shows(*range(483, 502)), ANSWER_S)
    asked = big.requests()[before:]
    windows = [r["params"] for r in asked if r["method"] == "tasks"]
    windows += [r["params"]["tasks"] for r in asked if r["method"] == "subscribe"]
    assert windows and max(window["limit"] for window in windows) <= 200
    assert len(windows) < 60  # 500 keys are not 500 requests


def test_keys_do_not_wait_for_the_agent(big):
    """Rows that are here are scrolled through at once, also when the agent answers nothing."""
    with big.open("-s", "id,-") as term:
        term.wait(shows(*range(1, 18)))
        big.signal(signal.SIGSTOP)
        try:
            term.type("jjj")
            term.wait(on(4), ANSWER_S)
            term.type("?")
            term.wait("Everywhere", ANSWER_S)
        finally:
            big.signal(signal.SIGCONT)


def test_find(medium):
    with medium.open("-s", "id,-") as term:
        term.wait(shows(*range(1, 18)))
        term.keys("/")
        term.wait("Find:")
        term.type("id:4321")
        term.keys("Enter")
        term.wait(on(4321), ANSWER_S)
        term.keys("/")
        term.type("id:7000|id:8000")
        term.keys("Enter")
        term.wait(on(7000), ANSWER_S)
        for key, id in [("n", 8000), ("N", 7000), ("N", 8000)]:
            term.keys(key)
            term.wait(on(id), ANSWER_S)
        term.wait("went round")
        term.keys("/")
        term.type("no-such-thing")
        term.keys("Enter")
        term.wait("no .*task matches +no-such-thing", ANSWER_S)
        assert selected(term.screen()) == 8000
        term.keys("/")
        term.type("id:1")
        term.keys("Escape")
        term.wait_gone("Find:")
        assert selected(term.screen()) == 8000


@pytest.mark.parametrize("keys, typed, wanted", [
    (["End", "Up"], "", 59), (["Down", "Space"], "", 3), (["Down", "x"], "", 2), (["/"], "id:42", 42),
])
def test_keys_before_the_first_rows(keys, typed, wanted):
    """They are done when rows come; but nothing is cancelled that nobody saw."""
    with FakeAgent("--tasks", "60", "--still", "--slow", "1500") as agent, agent.open("-s", "id,-") as term:
        term.wait("reading tasks")
        agent.signal(signal.SIGSTOP)
        try:
            term.keys(*keys)
            if typed:
                term.type(typed)
                term.keys("Enter")
            term.keys("?")  # which needs no rows
            term.wait("Everywhere")
            term.keys("q")
            term.wait("reading tasks")
        finally:
            agent.signal(signal.SIGCONT)
        term.wait(on(wanted))
        assert re.findall(r"^.• *(\d+)", term.screen(), re.M) == (["2"] if "Space" in keys else [])
        assert "Cancel 1 task" not in term.screen()


def test_filter(quiet_shop):
    with quiet_shop.open("-s", "id,-", cols=120) as term:
        term.wait("order-7")
        term.keys("\\")
        term.wait("Filter:")
        term.type("name:order-3")
        term.wait(lambda screen: ids(screen) == [5])  # while it is typed
        term.keys("Enter")
        term.wait(r"1 of 10 .*filter name:order-3")
        term.keys("Escape")
        term.wait("10 tasks")
        term.wait("order-7")
        term.keys("F4")
        term.wait("Filter:")
        term.type("mule")
        term.wait(r"1 of 10")
        term.keys("Escape")  # takes it back
        term.wait("10 tasks")
        term.keys("\\")
        term.type("name:nobody")
        term.wait("no task matches +name:nobody")


def test_filter_that_is_wrong(quiet_shop):
    with quiet_shop.open("-s", "id,-", cols=120) as term:
        term.wait("order-7")
        term.keys("\\")
        term.type("mule")
        term.keys("Enter")
        term.wait("1 of 10")
        term.keys("\\")
        term.wait("Filter: mule")
        term.type(" age>x")
        mark = term.wait(r"^( *)↑ .*(number|time|duration)")
        lines = term.lines()
        # the arrow stands below what is wrong
        assert lines[-2][len(mark.group(1))] == "x", lines[-2:]
        term.keys("Enter")  # is not taken
        assert "Filter:" in term.wait("↑").string
        assert ids(term.screen()) == [10]  # the last good one still holds
        term.wait(r"1 of 10 .*filter mule$")
        term.keys("BSpace", "BSpace", "BSpace", "BSpace", "BSpace", "BSpace")
        term.wait_gone("↑")
        term.keys("Enter")
        term.wait("filter mule")


def test_sort(small):
    with small.open("-s", "id,-", cols=160, rows=40) as term:
        term.wait(shows(*range(1, 34)))
        term.keys("I")
        term.wait(shows(*range(60, 27, -1)))
        term.keys("F6")
        term.wait("IDLE .*")
        term.keys("Escape")
        term.keys(">")
        term.wait(r"sort NAME▲")
        term.wait(in_order_of_names)
        term.keys("<", "<")  # over the first to the last column
        term.wait(r"sort LOOP")


def in_order_of_names(screen):
    """33 rows in the order of their names"""
    names = re.findall(r"^[ ▌][ •] *\d+ (\S+)", screen, re.M)
    return len(names) == 33 and names == sorted(names, key=str.lower)


def test_sort_menu(small):
    with small.open(cols=120, rows=40) as term:
        term.wait("sort IDLE")
        term.keys("F6")
        term.wait("the agent's number of the task")
        term.keys(*["Up"] * 7, "Enter")
        term.wait("sort ID▼")
        term.wait(shows(*range(60, 27, -1)))


def test_column_menu(small):
    with small.open(cols=120, rows=40) as term:
        term.wait("WAITING ON")
        term.keys("F2")
        term.wait("what it awaits")
        for _ in range(4):
            term.keys("Down")
        term.keys("Space", "Escape")
        term.wait(lambda screen: "WAITING ON" not in screen and "COROUTINE" in screen)


def test_column_scroll(small):
    with small.open() as term:
        title = term.wait(r"^←? *ID +NAME.*")
        assert "CREATED AT" not in title.group()
        for _ in range(20):
            term.keys("Right")
        title = term.wait(r"^←? *ID +NAME.*LOOP.*")
        assert "WAITING ON" not in title.group()
        for _ in range(20):
            term.keys("Left")
        term.wait(r"^←? *ID +NAME +S +.*WAITING ON")


def test_tags(small):
    with small.open("-s", "id,-") as term:
        term.wait(shows(*range(1, 18)))
        term.keys("Space", "Space", "Down", "Space")
        term.wait("3 tagged")
        assert [int(i) for i in re.findall(r"^.• *(\d+)", term.screen(), re.M)] == [1, 2, 4]
        assert selected(term.screen()) == 5
        term.keys("Up", "Space")  # takes it off
        term.wait("2 tagged")
        term.keys("U")
        term.wait_gone("tagged")
        assert "•" not in term.screen()


def test_cursor_stays_on_its_task():
    with FakeAgent("--tasks", "60") as agent, agent.open() as term:
        term.wait(lambda screen: len(ids(screen)) == 17)
        term.keys("Down", "Down", "Down")
        id = term.wait(lambda screen: selected(screen))
        term.keys("Down", "Up")
        id = selected(term.wait(lambda screen: screen if selected(screen) else None))
        updates = len(agent.requests())
        term.keys("I")  # all rows move
        term.wait(r"sort IDLE▲")
        term.wait(on(id))
        assert len(agent.requests()) > updates


def test_pause(small):
    with FakeAgent("--tasks", "60") as agent, agent.open("-d", "0.1s") as term:
        term.wait("[◇.] WAIT")
        term.keys("Z")
        term.wait("PAUSED")
        held = "\n".join(term.lines()[2:-1])
        clock = term.row(0)
        term.wait(lambda screen: screen.split("\n")[0] != clock)  # a second has gone by
        assert "\n".join(term.lines()[2:-1]) == held
        term.keys("Down")
        term.wait(lambda screen: "PAUSED" in screen and selected(screen))
        term.keys("Z")
        term.wait_gone("PAUSED")
        term.wait(lambda screen: "\n".join(screen.split("\n")[2:-1]) != held)


def test_detail_with_stack(quiet_shop):
    line = quiet_shop.line_of("stuck here")
    with quiet_shop.open("-s", "id,-", cols=120, rows=40) as term:
        term.wait("order-7")
        term.keys("/")
        term.type("name:order-5")
        term.keys("Enter")
        term.wait(on(7))
        term.keys("Enter")
        term.wait(r"await asyncio\.Event\(\)\.wait\(\) +# stuck here")
        screen = term.screen()
        assert re.search(r"shop\.py:%d" % line, screen)
        for expected in ("order-5", "ship", "stock", "Event.wait", "sku-17"):
            assert expected in screen
        term.wait(r'by task \d+ "Task-1"')
        term.keys("Escape")
        term.wait("order-7")
        assert selected(term.screen()) == 7


def test_detail_beside_the_table(quiet_shop):
    with quiet_shop.open("-s", "id,-", cols=180, rows=40) as term:
        term.wait("order-7")
        term.keys("End", "Enter")
        term.wait("mule.*asyncio.sleep|await asyncio.sleep")
        assert "order-0" in term.screen()  # the table is still there
        term.keys("Up")
        term.wait("stuck here")  # and the detail follows the cursor


def test_detail_of_a_deep_stack():
    with FakeAgent("--tasks", "5", "--still", "--deep", "1000") as agent, agent.open("-s", "id,-") as term:
        term.wait(shows(1, 2, 3, 4, 5))
        term.keys("Enter")
        term.wait("dispatch")
        term.keys("End")
        term.wait("later", ANSWER_S)
        term.keys("Home")
        term.wait("dispatch", ANSWER_S)


def test_help(small):
    with small.open() as term:
        term.wait("[◇.] WAIT")
        term.keys("?")
        term.wait("Everywhere")
        term.wait(r"\d+ more")
        term.keys("NPage", "NPage", "NPage", "NPage", "NPage", "NPage")
        term.wait("Filter and find")
        term.wait(r"looks in name")
        term.keys("q")  # leaves the help, not the program
        term.wait_gone("Filter and find")
        term.keys("F1")
        term.wait("Everywhere")
        term.keys("Escape")
        term.wait_gone("Everywhere")
        term.wait(r"^▌")


def test_saved_screen(small):
    with small.open() as term:
        term.wait(r"57 tasks \+ 3 ended")
        term.wait(r"^▌")
        screen = term.lines()
        term.keys("s")
        name = term.wait(r"saved as (looptop-%d-\S+\.txt)" % small.pid).group(1)
        saved = term.note(name).split("\n")
        assert [line.rstrip() for line in saved[4:23]] == screen[4:23]
        assert os.stat(os.path.join(term.path, name)).st_mode & 0o777 == 0o600


def test_hooks_that_wait():
    with FakeAgent("--tasks", "0", "--hooks", "waiting") as agent, agent.open() as term:
        term.wait("asyncio is not imported")


def test_blocked_loop():
    with FakeAgent("--tasks", "20", "--blocked") as agent, agent.open("-s", "id,-", cols=120) as term:
        term.wait(r"■ BLOCKED \S+s? .*task 1 ")


@contextlib.contextmanager
def sorts_away(start_shop, name, id, moved):
    """A task found at the end of the table, then gone to its start by having made a step."""
    with start_shop(PYTHONS[-1], 300) as shop, shop.open("-s", "steps") as term:
        term.wait("order-0")
        term.keys("/")
        term.wait("Find:")
        term.type("name:" + name)
        term.keys("Enter")
        term.wait("^▌.* %s " % name)
        if moved:  # to the task, but not by search: it is not followed
            term.keys("Up")
            term.wait_gone("^▌.* %s " % name)
            term.keys("Down")
            term.wait("^▌.* %s " % name)
        shop.client().request("cancel", ids=[id])
        yield term


def test_a_found_task_stays_in_sight(start_shop):
    with sorts_away(start_shop, "mule", 302, False) as term:
        term.wait(r"row \d\b(.|\n)*^▌ +302 mule")
        term.keys("Space", "Up")
        term.wait("1 tagged")
        term.wait(r"^▌• +302 mule")


@contextlib.contextmanager
def mule_away(start_shop):
    with sorts_away(start_shop, "mule", 302, True) as term:
        term.wait("task 302 is at row")
        yield term


def test_a_task_out_of_sight_can_be_tagged(start_shop):
    with mule_away(start_shop) as term:
        term.keys("Space")
        term.wait("1 tagged")
        term.wait('tagged task 302 "mule"')
        term.keys("Space")
        term.wait('untagged task 302 "mule"')


def test_a_task_out_of_sight_can_be_cancelled(start_shop):
    with mule_away(start_shop) as term:
        term.keys("x")
        term.wait(r'302 +"mule" +stubborn')


def test_a_task_that_ended_out_of_sight(start_shop):
    with sorts_away(start_shop, "order-150", 152, True) as term:
        term.wait("task 152 is at row")
        term.keys("x")
        term.wait("task 152 has ended")
        assert "Cancel 1 task" not in term.screen()


def test_the_selected_task_is_still_looked_at_out_of_sight(start_shop):
    with mule_away(start_shop) as term:
        term.keys("Enter")
        term.wait(r'Task 302 +"mule"')
        term.wait("stubborn")
