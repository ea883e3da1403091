# SPDX-License-Identifier: MIT
"""Births, steps, ends, states and places are exact: compared with what the service itself counted.

See tests/services/exact.py for where its truth comes from, and why tasks that asyncio makes by
itself (on 3.11 wait_for makes one for the coroutine it is given) are part of it.
"""

import pytest

from looptop_client import Service, imports, python_with, version, wait_for


def compare(client, truth):
    rows = client.rows(sort="id", reverse=True)
    assert len({row["id"] for row in rows}) == len(rows)
    found = []
    for row in rows:
        state = row["state"]
        outcome = state if state in ("done", "failed", "cancelled") else "live"
        found.append([row["steps"], outcome, row["exception"]])
    for number, (ours, theirs) in enumerate(zip(found, truth)):
        assert ours == theirs, "task %d: the agent says %r, the truth is %r; %r" % (
            number, ours, theirs, rows[number])
    assert len(found) == len(truth)

    count = {outcome: sum(entry[1] == outcome for entry in truth)
             for outcome in ("live", "done", "failed", "cancelled")}
    # live tasks are counted anew at most ten times a second
    wait_for(lambda: client.totals()["tasks"] == count["live"], what="the count of live tasks")
    totals = client.totals()
    assert totals["created"] == len(truth)
    assert totals["finished"] == count["done"]
    assert totals["failed"] == count["failed"]
    assert totals["cancelled"] == count["cancelled"]
    assert totals["steps"] == sum(entry[0] for entry in truth)
    assert totals["untracked"] == 0


def run_exact(python, *arguments, **environ):
    with Service(python, "exact.py", *arguments, **environ) as service:
        truth = service.json()
        assert len(truth) > 300
        assert {entry[1] for entry in truth} == {"live", "done", "failed", "cancelled"}
        client = service.client()
        compare(client, truth)
        service.tell()
        compare(client, service.json())
        service.tell()
        assert service.wait() == 0


def uvloop_python(python):
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    return found


def modes(python):
    return ["object", "native"] + ["generator"] * (version(python) < (3, 12))


@pytest.mark.parametrize("mode", ["object", "generator", "native"])
def test_asyncio(python, mode):
    if mode not in modes(python):
        pytest.skip("tasks take no generators from 3.12 on")
    run_exact(python, mode, "asyncio")


@pytest.mark.parametrize("mode", ["object", "native"])
def test_uvloop(python, mode):
    run_exact(uvloop_python(python), mode, "uvloop")


@pytest.mark.parametrize("mode", ["object", "native"])
def test_uvloop_of_the_distribution(python, mode):
    if not imports(python, "uvloop"):
        pytest.skip("this interpreter has no uvloop of its own")
    run_exact(python, mode, "uvloop")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_debug_mode(python, loop):
    if loop == "uvloop":
        python = uvloop_python(python)
    run_exact(python, "native", loop, PYTHONASYNCIODEBUG="1")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("mode", ["object", "native"])
def test_eager(python, mode, loop):
    if version(python) < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    if loop == "uvloop":
        python = uvloop_python(python)
    run_exact(python, mode, loop, "eager")
