# SPDX-License-Identifier: MIT
"""An echo server that nobody has prepared for looptop: echo.py asyncio|uvloop [--thread]

Prints its port, and ends when its stdin does. With --thread it has an idle executor thread, which is the one to
borrow; without, there is only the thread of the loop.
"""

import asyncio
import os
import sys


async def echo(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main():
    loop = asyncio.get_running_loop()
    ended = loop.create_future()
    loop.add_reader(0, lambda: None if os.read(0, 4096) or ended.done() else ended.set_result(None))
    if "--thread" in sys.argv:
        await loop.run_in_executor(None, os.getpid)
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await ended
    loop.remove_reader(0)
    server.close()


def run():
    factory = None
    if sys.argv[1] == "uvloop":
        import uvloop
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


run()
