# SPDX-License-Identifier: MIT
"""Beside others that patch asyncio: the application works, and every count is still exact.

Each of them wraps coroutines, sets a task factory or replaces functions of asyncio. The workload has
a known number of tasks, each with a known number of steps.
"""

import pytest

from looptop_client import Service, python_with, version, wait_for

WORK = """
import asyncio, os, sys
{before}
import looptop
assert looptop.start()

def named(name):
    # here, not in create_task: sentry-sdk gives them names of its own
    asyncio.current_task().set_name(name)

async def steps(n, name):
    named(name)
    for _ in range(n):
        await asyncio.sleep(0)
    return n

async def fails(name):
    named(name)
    await asyncio.sleep(0)
    raise LookupError("x")

async def sleeper(name):
    named(name)
    await asyncio.sleep(3600)

async def line():
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    loop.add_reader(0, ready.set_result, None)
    await ready
    loop.remove_reader(0)
    return os.read(0, 1000)

async def main():
    {inside}
    await line()
    spawn = asyncio.create_task
    tasks = [spawn(steps(n, "steps %d" % n)) for n in range(20)]
    assert await asyncio.gather(*tasks) == list(range(20))
    failing = [spawn(fails("fails %d" % n)) for n in range(5)]
    found = await asyncio.gather(*failing, return_exceptions=True)
    assert [type(error) for error in found] == [LookupError] * 5
    cancelled = [spawn(sleeper("cancelled %d" % n)) for n in range(5)]
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    await asyncio.gather(*cancelled, return_exceptions=True)
    assert all(task.cancelled() for task in cancelled)
    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(steps(2, "group %d" % n))
    parked = [spawn(sleeper("parked %d" % n)) for n in range(3)]
    await asyncio.sleep(0)
    print("DONE", flush=True)
    await line()
    for task in parked:
        task.cancel()

with asyncio.Runner(loop_factory={loop}) as runner:
    runner.run(main())
print("ENDED", flush=True)
os._exit(0)
"""

OTHERS = {
    "nothing": ((), "", "pass"),
    "sentry-sdk": (("sentry-sdk",), """
import sentry_sdk
from sentry_sdk.integrations.asyncio import AsyncioIntegration
""", """
    sentry_sdk.init(dsn=None, traces_sample_rate=1.0, integrations=[AsyncioIntegration()])
    AsyncioIntegration.setup_once()
    assert asyncio.get_running_loop().get_task_factory() is not None
"""),
    "opentelemetry": (("opentelemetry-instrumentation-asyncio", "opentelemetry-distro"), """
os.environ["OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE"] = "steps,fails,sleeper"
os.environ["OTEL_PYTHON_ASYNCIO_FUTURE_TRACE_ENABLED"] = "true"
from opentelemetry.instrumentation.asyncio import AsyncioInstrumentor
AsyncioInstrumentor().instrument()
""", "pass"),
    "ddtrace": (("ddtrace",), """
os.environ.update(DD_TRACE_ENABLED="false", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
                  DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")
import ddtrace
ddtrace.patch(asyncio=True)
""", "pass"),
    "aiomonitor": (("aiomonitor",), """
import aiomonitor, socket

def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return dict(zip(("termui_port", "webui_port", "console_port"), ports))
""", """
    monitor = aiomonitor.Monitor(asyncio.get_running_loop(), **free_ports(),
                                 console_enabled=False, hook_task_factory=True)
    monitor.start()
    assert asyncio.get_running_loop().get_task_factory() is not None
"""),
}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("other", OTHERS)
def test_beside(python, other, loop):
    packages, before, inside = OTHERS[other]
    if (other, loop) == ("aiomonitor", "uvloop") and version(python) >= (3, 13):
        pytest.skip("aiomonitor's task factory does not take what uvloop gives it")
    if loop == "uvloop":
        packages += ("uvloop",)
        before += "\nimport uvloop"
    found, reason = python_with(python, *packages)
    if found is None:
        pytest.skip(reason)
    factory = "uvloop.new_event_loop" if loop == "uvloop" else "asyncio.SelectorEventLoop"
    source = WORK.replace("{before}", before).replace("{inside}", inside.strip()).replace(
        "{loop}", factory)
    with Service.inline(found, source, stderr=None) as service:
        client = service.client()
        client.wait_row("Task-1", state="wait")
        wait_for(lambda: client.row("Task-1")["waiting_on"] is not None)
        before = settled(client)["Task-1"]["steps"]
        service.tell()
        service.expect("DONE")
        rows = settled(client)

        assert {name: rows[name]["steps"] for name in rows if name.startswith("steps")} == {
            "steps %d" % n: n + 1 for n in range(20)}
        assert [rows["fails %d" % n]["steps"] for n in range(5)] == [2] * 5
        assert [rows["cancelled %d" % n]["steps"] for n in range(5)] == [2] * 5
        assert [rows["group %d" % n]["steps"] for n in range(5)] == [3] * 5
        assert {rows["fails %d" % n]["exception"] for n in range(5)} == {"LookupError"}
        outcomes = {"steps": "done", "fails": "failed", "cancelled": "cancelled", "group": "done",
                    "parked": "wait"}
        assert all(rows[name]["state"] == outcomes[name.split()[0]] for name in NAMES & set(rows))
        assert len(NAMES & set(rows)) == 38
        # the awaits of main: line, gather, gather, sleep, gather, group, sleep
        assert rows["Task-1"]["steps"] - before == 7

        for n in range(3):
            stack = client.stack("parked %d" % n)
            assert "sleeper" in [frame["function"] for frame in stack["frames"]]
        (result,) = client.call("cancel", ids=[rows["parked 1"]["id"]])["results"]
        assert result["outcome"] == "cancelled"
        service.tell()
        service.expect("ENDED")
        assert service.wait() == 0
        assert "Traceback" not in service.stderr(), service.stderr()


NAMES = {"%s %d" % (name, n) for name in ("steps", "fails", "cancelled", "group", "parked")
         for n in range(20)}


def settled(client):
    """The rows by name, once nothing moves and the totals are those of the rows. Some of the others
    have tasks of their own, named as they like: these count, too."""
    def look():
        rows, totals = client.rows(), client.totals()
        ended = {state: sum(row["state"] == state for row in rows)
                 for state in ("done", "failed", "cancelled")}
        figures = [len(rows), sum(row["steps"] for row in rows), *ended.values()]
        told = [totals[key] for key in ("created", "steps", "finished", "failed", "cancelled")]
        still = all(row["state"] != "run" for row in rows)
        return {row["name"]: row for row in rows} if still and figures == told else None
    return wait_for(look, what="totals that are those of the rows")
