#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends paced requests to several echo servers, one at a time.

    echo_client.py CONNECTIONS PORT...

Reads a line "I RATE SECONDS" and then sends RATE requests a second of 64 bytes to server I for
SECONDS: a burst over all connections, then all answers, then a pause. Prints how many were answered.
"""

import socket
import sys
import time

REQUEST = b"x" * 64


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def burst(socks):
    for sock in socks:
        sock.send(REQUEST)
    for sock in socks:
        left = len(REQUEST)
        while left > 0:
            data = sock.recv(left)
            if not data:
                raise ConnectionError("the server closed")
            left -= len(data)


def drive(socks, rate, seconds):
    period, sent = len(socks) / rate, 0
    due = time.perf_counter()
    end = due + seconds
    while due < end:
        burst(socks)
        sent += len(socks)
        due += period
        pause = due - time.perf_counter()
        if pause > 0:
            time.sleep(pause)
    return sent


def main():
    count, ports = int(sys.argv[1]), [int(port) for port in sys.argv[2:]]
    servers = [[connect(port) for _ in range(count)] for port in ports]
    print("ready", flush=True)
    for line in sys.stdin:
        which, rate, seconds = line.split()
        print(drive(servers[int(which)], float(rate), float(seconds)), flush=True)


if __name__ == "__main__":
    main()
