# SPDX-License-Identifier: MIT
"""The process that is measured: long-lived, told what to do line by line.

    target.py asyncio|uvloop [--agent]

Reads a JSON object a line ({"do": "ping1", "n": 1000}), does it in one main task on one loop, answers
with a JSON object a line. With --agent the agent is loaded before the loop is made, as `looptop run`
does it. Times are CPU time: of the loop's thread, and of all other threads of the process. Without the
agent an idle thread is started: every service has one sooner or later, for names or files, and from then
on the kernel and libc do without the shortcuts they have for a process of a single thread. They would
count as cost of the hooks; BENCH_SINGLE=1 lets them.
"""

import asyncio
import gc
import json
import os
import resource
import sys
import threading
import time

PINGERS = 1000


def cpu():
    own = time.thread_time_ns()
    return own, time.process_time_ns() - own


def taken_off():
    return resource.getrusage(resource.RUSAGE_THREAD).ru_nivcsw


def say(answer):
    print(json.dumps(answer), flush=True)


def agent_start():
    import looptop

    began = time.perf_counter_ns()
    if not looptop.start():
        say({"error": "the agent did not start"})
        sys.exit(1)
    return time.perf_counter_ns() - began


# ---- one operation many times; each answers with what it cost


class Work:
    """Each method does n operations."""

    def __init__(self):
        self.pool = None
        self.go = None

    async def ping1(self, n):
        for _ in range(n):
            await asyncio.sleep(0)

    async def create(self, n):
        async def nothing():
            pass

        for _ in range(n):
            await asyncio.create_task(nothing())

    async def queue(self, n):
        queue = asyncio.Queue(1)

        async def put():
            for i in range(n):
                await queue.put(i)

        putter = asyncio.create_task(put())
        for _ in range(n):
            await queue.get()
        await putter

    async def ping1000(self, n):
        """A thousand tasks that live on between two calls take n / 1000 turns each."""
        loop = asyncio.get_running_loop()
        if self.pool is None:
            self.go = loop.create_future()
            self.pool = [asyncio.create_task(self._pinger()) for _ in range(PINGERS)]
            await asyncio.sleep(0)
        go, self.go = self.go, loop.create_future()
        self.left, self.done = PINGERS, loop.create_future()
        go.set_result(n // PINGERS)
        await self.done

    async def _pinger(self):
        while True:
            for _ in range(await self.go):
                await asyncio.sleep(0)
            self.left -= 1
            if self.left == 0:
                self.done.set_result(None)


async def measure(work, name, n):
    before = cpu()
    await getattr(work, name)(n)
    after = cpu()
    return {"loop_ns": after[0] - before[0], "other_ns": after[1] - before[1]}


# ---- TCP echo


class Echo:
    def __init__(self):
        self.requests = 0

    async def serve(self, reader, writer):
        try:
            while data := await reader.read(1024):
                writer.write(data)
                await writer.drain()
                self.requests += 1
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def start(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        return {"port": self.server.sockets[0].getsockname()[1]}

    def mark(self):
        loop_ns, other_ns = cpu()
        return {"loop_ns": loop_ns, "other_ns": other_ns, "requests": self.requests}


# ---- a population that waits, and a task that sees how long the loop stood still


class Population:
    def __init__(self):
        self.tasks = []
        self.churning = None

    async def _wait(self, event):
        await event.wait()

    async def make(self, n):
        self.event = asyncio.Event()
        for start in range(0, n, 1000):
            self.tasks += [asyncio.create_task(self._wait(self.event)) for _ in range(min(1000, n - start))]
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        return {"tasks": len(self.tasks)}

    async def gaps(self, seconds, start_agent=False):
        """The longest time between two turns of this task, which asks for a turn all the time.

        Where the kernel gave the core to another process in between, the time says nothing of the loop.
        """
        end = time.perf_counter() + seconds
        started_ns, longest, last, switches = None, 0, time.perf_counter_ns(), taken_off()
        asked = not start_agent
        while last / 1e9 < end:
            if not asked:
                asked = True
                started_ns = agent_start()
                last = time.perf_counter_ns()
            await asyncio.sleep(0)
            now, before, switches = time.perf_counter_ns(), switches, taken_off()
            if switches == before:
                longest = max(longest, now - last)
            last = now
        return {"gap_ns": longest, "start_ns": started_ns}

    async def churn(self, rate):
        """Tasks that live for one step, so many a second, until churned() is called."""
        self.churning = asyncio.create_task(self._churn(rate))
        return {}

    async def churned(self):
        self.churning, churning = None, self.churning
        return await churning

    async def _churn(self, rate):
        async def short():
            await asyncio.sleep(0)

        began, made, passed = time.perf_counter(), 0, 0
        while self.churning is not None:
            passed = time.perf_counter() - began
            due = min(int(passed * rate) - made, rate // 20)  # does not drown where there is no time
            for _ in range(due):
                asyncio.create_task(short())
            made += due
            await asyncio.sleep(0.001)
        return {"made_per_s": made / passed}


async def command(state, request):
    do = request.pop("do")
    work, echo, population = state
    if do in ("ping1", "ping1000", "queue", "create"):
        return await measure(work, do, request["n"])
    if do == "echo":
        return await echo.start()
    if do == "mark":
        return echo.mark()
    if do == "agent":
        return {"start_ns": agent_start()}
    return await getattr(population, do)(**request)


async def main():
    loop = asyncio.get_running_loop()
    lines, state = asyncio.Queue(), (Work(), Echo(), Population())

    def readable():
        for line in os.read(0, 65536).split(b"\n"):
            if line:
                lines.put_nowait(json.loads(line))
                return
        lines.put_nowait(None)

    loop.add_reader(0, readable)
    gc.collect()
    gc.freeze()
    say({"ready": os.getpid()})
    while (request := await lines.get()) is not None:
        say(await command(state, request))
    loop.remove_reader(0)
    os._exit(0)  # a hundred thousand tasks need no farewell


def run():
    if "--agent" in sys.argv:
        agent_start()
    elif os.environ.get("BENCH_SINGLE") != "1":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    factory = None
    if sys.argv[1] == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


if __name__ == "__main__":
    run()
