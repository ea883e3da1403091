# SPDX-License-Identifier: MIT
"""Computes while signals rain: storm.py asyncio|uvloop none|python|c|child [RATE]

RATE signals a second, 2,000 by default: `python` is an interval timer and a handler in Python, `c` the same timer and a
handler in C, `child` SIGCHLD by a POSIX timer and a handler in Python. For each line "ROUNDS" of its stdin (0: until the
next line comes) it prints {"rounds", "digest", "signals"}: the digest is that of all rounds since its start.
"""

import asyncio
import ctypes
import hashlib
import json
import math
import os
import signal
import struct
import sys

PERIOD_S = 1 / float(sys.argv[3] if len(sys.argv) > 3 else 2000)
signals = 0


def count(number, frame):
    global signals
    signals += 1


def posix_timer(number):
    """timer_create(2) with a signal of our choice."""
    libc, timer = ctypes.CDLL(None, use_errno=True), ctypes.c_void_p()
    event = struct.pack("QII48x", 0, number, 0)
    times = struct.pack("qqqq", 0, int(PERIOD_S * 1e9), 0, int(PERIOD_S * 1e9))
    if libc.timer_create(1, event, ctypes.byref(timer)) or libc.timer_settime(timer, 0, times, None):
        raise OSError(ctypes.get_errno(), "timer_create")


def rain(kind):
    if kind == "child":
        signal.signal(signal.SIGCHLD, count)
        posix_timer(signal.SIGCHLD)
    elif kind != "none":
        signal.signal(signal.SIGALRM, count)
        if kind == "c":
            libc = ctypes.CDLL(None)
            libc.signal.argtypes, libc.signal.restype = [ctypes.c_int, ctypes.c_void_p], ctypes.c_void_p
            libc.signal(signal.SIGALRM, ctypes.cast(libc.abs, ctypes.c_void_p))  # takes an int, does nothing
        signal.setitimer(signal.ITIMER_REAL, PERIOD_S, PERIOD_S)


class Work:
    """What is in registers of every kind: integers, floats, what hashing and copying use."""

    def __init__(self):
        self.rounds, self.digest, self.real, self.whole = 0, b"", 1.0, 1
        self.bytes = bytes(range(256)) * 16

    def round(self):
        for i in range(60):
            self.real = math.fmod(self.real * 1.0000001 + math.sin(self.real) + math.sqrt(i), 1e6)
            self.whole = (self.whole * 6364136223846793005 + 1442695040888963407) % (1 << 521)
        self.bytes = self.bytes[7:] + self.bytes[:7]
        text = b"%r %r" % (self.real, self.whole)
        self.digest = hashlib.sha256(self.digest + text + self.bytes).digest()
        self.rounds += 1


async def main():
    loop = asyncio.get_running_loop()
    work, lines = Work(), asyncio.Queue()

    def readable():
        data = os.read(0, 4096)
        for line in data.split() if data else [None]:
            lines.put_nowait(line)

    loop.add_reader(0, readable)
    rain(sys.argv[2])
    print("ready", flush=True)
    while (line := await lines.get()) is not None:
        left = int(line)
        while left > 0 or (int(line) == 0 and lines.empty()):
            for _ in range(20 if int(line) == 0 else min(left, 20)):
                work.round()
            left -= 20
            await asyncio.sleep(0)
        if int(line) == 0:
            lines.get_nowait()
        print(json.dumps({"rounds": work.rounds, "digest": work.digest.hex(), "signals": signals}), flush=True)
    os._exit(0)


def run():
    factory = None
    if sys.argv[1] == "uvloop":
        import uvloop
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())


run()
