# SPDX-License-Identifier: MIT
"""Many loops: one after the other, kept though closed, and one in each of hundreds of threads."""

from looptop_client import Service, wait_for

PRELUDE = """
import asyncio, sys
import looptop

async def nothing():
    await asyncio.sleep(0)
"""


def inline(python, source, *arguments, **keywords):
    return Service.inline(python, PRELUDE + source, *arguments, **keywords)


def test_tasks_that_ended_keep_their_loop(python):
    """More loops than have a place, while what ended on the first is still to be seen."""
    with inline(python, """
async def main(n):
    await asyncio.create_task(nothing(), name="task-%d" % n)

assert looptop.start()
for n in range(200):
    asyncio.run(main(n))
print("READY", flush=True)
sys.stdin.readline()
""") as service:
        service.expect("READY")
        client = service.client()
        rows = {row["name"]: row for row in client.rows()}
        ids = {row["id"]: row for row in rows.values()}
        loops = [rows["task-%d" % n]["loop"] for n in range(200)]
        assert 0 not in loops and len(set(loops)) == 200
        for n in range(200):
            assert ids[rows["task-%d" % n]["parent"]]["loop"] == loops[n]
        one = rows["task-7"]
        of_one = client.rows(filter="loop:%d" % one["loop"])
        assert {one["id"], one["parent"]} <= {row["id"] for row in of_one}
        assert {row["loop"] for row in of_one} == {one["loop"]}
        by_loop = [row["loop"] for row in client.rows(sort="loop")]
        assert by_loop == sorted(by_loop, reverse=True)
        service.tell()
        assert service.wait() == 0
