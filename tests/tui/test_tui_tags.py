# SPDX-License-Identifier: MIT
"""Tagging all tasks that match, and hiding those that have ended."""

import re

from term import FakeAgent


def tagged(screen):
    """The ids of the tagged rows that are seen."""
    return [int(found) for found in re.findall(r"^[ ▌>][•*] *(\d+) ", screen, re.M)]


def filtered(term, text):
    term.keys("\\")
    term.wait("Filter:")
    term.type(text)
    term.keys("Enter")
    term.wait_gone("Filter:")


def test_all_that_match(small):
    with small.open("-s", "id,-") as term:
        term.wait("[◇.] WAIT")
        filtered(term, "id<8")
        term.wait("7 of 60")
        term.type("*")
        term.wait("7 tasks tagged")
        assert tagged(term.screen()) == [1, 2, 3, 4, 5, 6, 7]
        term.type("*")
        term.wait("all 7 are tagged already")
        term.keys("Escape")  # they stay tagged as the filter goes
        term.wait(lambda screen: len(re.findall(r"^[ ▌]. +\d+ ", screen, re.M)) == 17)
        assert tagged(term.screen()) == [1, 2, 3, 4, 5, 6, 7]
        term.keys("x")
        term.wait(r"Cancel 7 tagged tasks\?")


def test_none_that_has_ended(small):
    """The tasks 21 to 23 have: they cannot be cancelled any more."""
    with small.open("-s", "id,-", rows=40) as term:
        term.wait(r"57 tasks \+ 3 ended")
        term.type("*")
        term.wait("57 tasks tagged")
        assert not {21, 22, 23} & set(tagged(term.screen()))
        term.keys("U")
        term.wait_gone("tagged")
        filtered(term, "state:done")
        term.wait("1 of 60")
        term.type("*")
        term.wait("no live task matches")


def test_those_out_of_sight(medium):
    """More than fit into a window of the table are asked for."""
    with medium.open("-s", "id,-") as term:
        term.wait("[◇.] WAIT")
        filtered(term, "id<=500")
        term.wait("500 of 10000")
        term.type("*")
        term.wait("497 tasks tagged")
        term.keys("x")
        term.wait(r"Type 497 to confirm")


def test_too_many(medium):
    with medium.open("-s", "id,-") as term:
        term.wait("[◇.] WAIT")
        term.type("*")
        term.wait(r"9997 tasks match.*no more than 1024")
        assert tagged(term.screen()) == []
        filtered(term, "id<=1000")
        term.wait("1000 of 10000")
        term.type("*")
        term.wait("997 tasks tagged")
        term.keys("Escape")
        filtered(term, "id:1001")
        term.wait("1 of 10000")
        term.type("*")  # the others would be cancelled too
        term.wait("1 match, but 998 are tagged in all")
        term.keys("Escape")
        filtered(term, "id>=2000 id<2100")
        term.wait("100 of 10000")
        term.type("*")  # together with the tagged ones they are too many
        term.wait(r"100 tasks match, 998 are tagged: no more than 1024")
        term.wait("998 tagged")


def test_before_the_first_rows():
    with FakeAgent("--tasks", "60", "--still", "--slow", "800") as agent, agent.open("-s", "id,-") as term:
        term.wait("reading tasks")
        term.type("*")
        term.wait("57 tasks tagged")


def test_ended_ones_are_hidden_and_shown(small):
    with small.open("-s", "id,-", rows=40) as term:
        term.wait(r"57 tasks \+ 3 ended")
        term.wait("✗ FAIL")
        term.keys("H")
        term.wait("57 tasks, ended hidden")
        term.wait_gone("FAIL|DONE|CNCLD")
        filtered(term, "id<30")
        term.wait("26 of 57, ended hidden")
        term.keys("Escape", "H")
        term.wait(r"57 tasks \+ 3 ended")
        term.wait("✗ FAIL")
    with small.open("--no-finished") as term:
        term.wait("57 tasks, ended hidden")
