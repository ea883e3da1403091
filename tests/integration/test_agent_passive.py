# SPDX-License-Identifier: MIT
"""Reading runs none of the application's code, and nothing of ours disturbs other tools.

services/counting.py counts whenever code of its classes runs. It runs twice, once bare and once with
an agent that is asked for everything while the program stands still: the counts are the same.
"""

import json

import pytest

from looptop_client import Service, python_with, wait_for


@pytest.fixture(params=["asyncio", "uvloop"])
def interpreter(request, python):
    """An interpreter, and which loop it is to use."""
    if request.param == "asyncio":
        return python, "asyncio"
    found, reason = python_with(python, "uvloop")
    if found is None:
        pytest.skip(reason)
    return found, "uvloop"


def ask_everything(client):
    """All there is to be asked; returns the rows."""
    client.call("subscribe", interval_ns=100000000, tasks={"limit": 100, "sort": "id"})
    rows = client.rows()
    for _ in range(3):
        client.update()
    for row in rows:
        client.call("stack", id=row["id"])
    for method in ("loops", "memory"):
        client.call(method, history=True)
    client.call("events")
    assert client.call("status")["hooks"]["state"] == "active"
    client.call("unsubscribe")
    client.updates.clear()
    return rows


def count(interpreter, case, ask=None):
    """What the program has counted, bare or, with `ask`, asked at each of its pauses."""
    python, loop = interpreter
    with Service(python, "counting.py", case, loop, *(["agent"] if ask else [])) as service:
        client = None
        while True:
            line = service.line()
            if line.startswith("{"):
                return json.loads(line)
            if ask:
                client = client or service.client()
                ask(client, line)
            service.tell()


def compare(interpreter, case, ask):
    bare = count(interpreter, case)
    beside = count(interpreter, case, ask)
    assert {name: beside[name] for name in beside if beside[name] != bare.get(name)} == {}
    assert beside == bare
    return bare


def test_nothing_of_a_task_runs(interpreter):
    """Subclasses of Task and Future that notice everything, tasks of every kind, old and new."""
    def ask(client, where):
        if where == "begun":
            wait_for(lambda: len(client.rows()) >= 15, what="the tasks that were there before")
        rows = ask_everything(client)
        if where == "running":
            assert {"main", "shown"} <= {row["name"] for row in rows}
            assert {"Failure"} <= {row["exception"] for row in rows}

    assert compare(interpreter, "tasks", ask)["task __init__"] > 10


def test_nothing_of_a_module_runs(interpreter):
    """The standard library's modules have a class that notices."""
    compare(interpreter, "modules", lambda client, where: ask_everything(client))
