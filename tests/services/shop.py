# SPDX-License-Identifier: MIT
"""shop.py N: tasks order-0... order-N-1 that wait for ever, and a mule that swallows cancellations.

SIGUSR1 takes the agent out of service, SIGUSR2 puts it back. For the tests in tests/tui.
"""

import asyncio
import looptop
import signal
import sys

async def stock(order, sku):
    shelf = ["a", "b", "c"]
    await asyncio.Event().wait()  # stuck here

async def ship(order):
    try:
        await stock(order, "sku-17")
    except asyncio.CancelledError as error:
        print("cancelled", order, error, flush=True)
        raise

async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("swallowed", flush=True)

async def main():
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, looptop.stop)
    loop.add_signal_handler(signal.SIGUSR2, looptop.start)
    tasks = [asyncio.create_task(ship(i), name="order-%d" % i) for i in range(int(sys.argv[1]))]
    tasks.append(asyncio.create_task(stubborn(), name="mule"))
    await asyncio.sleep(0)
    print("ready", flush=True)
    await asyncio.gather(*tasks, return_exceptions=True)

asyncio.run(main())
