#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A small web shop to look at with looptop: an HTTP service on asyncio streams, with its own load.

    looptop run python3 demo.py         or just: looptop demo

Two event loops run here: the shop's in the main thread, and the load generator's in a thread of its
own. Like services in the wild, the shop is mostly well and has a few flaws on purpose; looptop is
there to find them:

  - every order starts an "audit" task that waits for an acknowledgement nobody sends
  - /invoice renders in pure Python on the loop and /legacy makes a synchronous call: both block it
  - /report holds one of few database connections for seconds, so that others queue for one
"""

import argparse
import asyncio
import contextlib
import itertools
import os
import random
import signal
import sys
import threading
import time

WORKERS = 8
DB_CONNECTIONS = 10
SUBSCRIBERS = 40
CUSTOMERS = 20
BLOCK_S = 0.25


class Tasks:
    """Tasks that end with the program at the latest."""

    def __init__(self):
        self.running = set()

    def keep(self, task):
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def stop(self):
        tasks = list(self.running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        await hang_up(writer)


async def hang_up(writer):
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


# ---- the database: a line in, a line out, each after a while


class Database(Tasks):
    async def start(self):
        self.sessions = itertools.count(1)
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", 0)
        return self.server.sockets[0].getsockname()[1]

    def accept(self, reader, writer):
        name = f"db-server-{next(self.sessions)}"
        self.keep(asyncio.create_task(self.session(reader, writer), name=name))

    async def session(self, reader, writer):
        try:
            while line := await reader.readline():
                await asyncio.sleep(float(line))
                writer.write(b"row\n")
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            await hang_up(writer)

    async def stop(self):
        self.server.close()
        await super().stop()


class Connection:
    """One connection to the database; a task reads the answers."""

    def __init__(self, port):
        self.port = port
        self.ready = asyncio.Event()
        self.answer = None

    async def run(self):
        async with connected(self.port) as (reader, self.writer):
            self.ready.set()
            while line := await reader.readline():
                if self.answer and not self.answer.done():
                    self.answer.set_result(line)

    async def query(self, seconds):
        await self.ready.wait()
        self.answer = asyncio.get_running_loop().create_future()
        self.writer.write(f"{seconds:.4f}\n".encode())
        await self.writer.drain()
        return await self.answer


class Pool(Tasks):
    def __init__(self, port):
        super().__init__()
        self.idle = asyncio.Queue()
        for number in range(1, DB_CONNECTIONS + 1):
            connection = Connection(port)
            self.keep(asyncio.create_task(connection.run(), name=f"db-connection-{number}"))
            self.idle.put_nowait(connection)

    async def query(self, seconds):
        connection = await self.idle.get()
        try:
            return await connection.query(seconds)
        finally:
            self.idle.put_nowait(connection)


# ---- the shop


class Shop(Tasks):
    def __init__(self):
        super().__init__()
        self.jobs = asyncio.Queue()
        self.news = asyncio.Condition()
        self.numbers = itertools.count(1)
        self.audits = 0
        self.routes = {
            "/item": self.item,
            "/order": self.order,
            "/report": self.report,
            "/invoice": self.invoice,
            "/legacy": self.legacy,
            "/subscribe": self.subscribe,
        }

    async def start(self, port):
        self.database = Database()
        self.pool = Pool(await self.database.start())
        for number in range(1, WORKERS + 1):
            self.keep(asyncio.create_task(self.work(), name=f"worker-{number}"))
        self.keep(asyncio.create_task(self.every(1, self.publish), name="publish-news"))
        self.keep(asyncio.create_task(self.every(5, self.restock), name="restock-every-5s"))
        self.keep(asyncio.create_task(self.every(2, self.flush_metrics), name="flush-metrics"))
        self.server = await asyncio.start_server(self.accept, "127.0.0.1", port)
        return self.server.sockets[0].getsockname()[1]

    async def stop(self):
        self.server.close()
        await super().stop()
        await self.pool.stop()
        await self.database.stop()

    def accept(self, reader, writer):
        self.keep(asyncio.create_task(self.serve(reader, writer), name="connection"))

    async def serve(self, reader, writer):
        """One connection, any number of requests."""
        task = asyncio.current_task()
        try:
            while request := await reader.readline():
                while (await reader.readline()).strip():
                    pass  # headers
                path = request.split()[1].decode()
                task.set_name(f"request-{next(self.numbers)} {path}")
                body = await self.routes[path]()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
                task.set_name("keep-alive")
        except ConnectionError:
            pass
        finally:
            await hang_up(writer)

    async def item(self):
        await self.pool.query(random.uniform(0.001, 0.02))
        return b"an item\n"

    async def order(self):
        number = next(self.numbers)
        await self.pool.query(random.uniform(0.005, 0.03))
        self.jobs.put_nowait(number)
        # the flaw: nobody ever acknowledges, so the tasks pile up
        self.audits += 1
        self.keep(asyncio.create_task(self.audit(), name=f"audit-{number}"))
        return b"ordered\n"

    async def audit(self):
        acknowledged = asyncio.Event()
        await acknowledged.wait()

    async def report(self):
        await self.pool.query(random.uniform(2, 6))
        return b"a report\n"

    async def invoice(self):
        await self.pool.query(0.01)
        return render_invoice()

    async def legacy(self):
        time.sleep(BLOCK_S)  # the flaw: a synchronous client inside a coroutine
        return b"done\n"

    async def subscribe(self):
        async with self.news:
            await self.news.wait()
        return b"news\n"

    async def work(self):
        while True:
            await self.jobs.get()
            await asyncio.sleep(random.uniform(0.05, 0.4))
            async with asyncio.TaskGroup() as group:
                group.create_task(self.pool.query(0.01), name="charge")
                group.create_task(asyncio.to_thread(time.sleep, 0.02), name="send-mail")

    async def every(self, seconds, job):
        while True:
            await asyncio.sleep(seconds)
            await job()

    async def publish(self):
        async with self.news:
            self.news.notify(4)

    async def restock(self):
        await asyncio.gather(*(self.pool.query(0.05) for _ in range(5)))

    async def flush_metrics(self):
        await asyncio.wait_for(self.pool.query(0.02), timeout=5)


def render_invoice():
    """The flaw: pure Python for a quarter of a second, on the loop."""
    total, end = 0, time.perf_counter() + BLOCK_S
    while time.perf_counter() < end:
        total += sum(price * 119 // 100 for price in range(500))
    return b"total %d\n" % total


# ---- the load


class Load:
    """Customers with a connection each, in a loop of their own."""

    def __init__(self, port, rate):
        self.port, self.rate = port, rate
        self.served = 0

    async def run(self):
        async with asyncio.TaskGroup() as group:
            for number in range(1, SUBSCRIBERS + 1):
                group.create_task(self.follow(), name=f"subscriber-{number}")
            for number in range(1, CUSTOMERS + 1):
                group.create_task(self.shop(), name=f"customer-{number}")
            for path, seconds in ("/order", 4), ("/report", 3), ("/invoice", 17), ("/legacy", 23):
                group.create_task(self.now_and_then(path, seconds), name=f"now-and-then {path}")

    async def get(self, streams, path):
        reader, writer = streams
        writer.write(f"GET {path} HTTP/1.1\r\nHost: demo\r\n\r\n".encode())
        header = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(header.split(b"Content-Length:")[1].split()[0]))
        self.served += 1

    async def follow(self):
        async with connected(self.port) as streams:
            while True:
                await self.get(streams, "/subscribe")

    async def shop(self):
        async with connected(self.port) as streams:
            while True:
                await asyncio.sleep(random.expovariate(self.rate / CUSTOMERS))
                await self.get(streams, "/item")

    async def now_and_then(self, path, seconds):
        async with connected(self.port) as streams:
            while True:
                await asyncio.sleep(seconds * random.uniform(0.7, 1.3))
                await self.get(streams, path)


class LoadThread(threading.Thread):
    def __init__(self, load, loop_factory):
        super().__init__(name="load")
        self.load = load
        self.runner = asyncio.Runner(loop_factory=loop_factory)
        self.loop = self.runner.get_loop()
        self.done = asyncio.Event()

    def run(self):
        with self.runner:
            self.runner.run(self.main())

    async def main(self):
        load = asyncio.create_task(self.load.run(), name="load")
        await self.done.wait()
        load.cancel()
        await asyncio.wait({load})
        if not load.cancelled():
            print("demo: the load had ended:", load.exception(), file=sys.stderr)

    def stop(self):
        self.loop.call_soon_threadsafe(self.done.set)
        self.join()


# ---- the program


async def main(options, loop_factory):
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in signal.SIGINT, signal.SIGTERM:
        loop.add_signal_handler(number, stop.set)

    shop = Shop()
    port = await shop.start(options.port)
    print(f"demo: pid {os.getpid()}, http://127.0.0.1:{port}/item", flush=True)
    load = Load(port, options.rate)
    thread = LoadThread(load, loop_factory)
    thread.start()
    try:
        await asyncio.wait_for(stop.wait(), options.seconds)
    except asyncio.TimeoutError:
        pass
    await asyncio.to_thread(thread.stop)
    await shop.stop()
    print(f"demo: {load.served} requests, {shop.audits} forgotten tasks", flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(description="A small web shop to look at with looptop.")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--rate", type=float, default=40.0, help="requests a second")
    parser.add_argument("--seconds", type=float, help="stop by itself after so long")
    parser.add_argument("--uvloop", action="store_true", help="use uvloop where it is installed")
    options = parser.parse_args()
    if options.rate <= 0:
        parser.error("--rate must be above 0")
    return options


if __name__ == "__main__":
    arguments = parse_arguments()
    factory = asyncio.new_event_loop
    if arguments.uvloop:
        try:
            from uvloop import new_event_loop as factory
        except ImportError:
            print("demo: uvloop is not installed, asyncio it is", file=sys.stderr)
    with asyncio.Runner(loop_factory=factory) as main_runner:
        main_runner.run(main(arguments, factory))
