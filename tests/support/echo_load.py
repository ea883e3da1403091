#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sends numbered payloads to an echo server all the time and checks every reply.

    echo_load.py PORT CONNECTIONS RECONNECT

A burst is one payload a connection, of 16 bytes to 64 KiB, made of the connection's number and its own; it ends
when every reply is there, byte for byte, and the next begins. Every RECONNECT bursts (0: never) a connection is made
anew. For each line of stdin it prints {"replies", "slowest_ms", "wrong"}; `wrong` is "" or says what came instead, and
then nothing more is sent. Ends with its stdin.
"""

import json
import select
import socket
import sys
import time

LOST_S = 20
SIZES = (16, 300, 4000, 64, 1500, 65536, 128, 9000)


def payload(connection, number):
    size = SIZES[(connection + number) % len(SIZES)]
    word = b"%02d:%012d " % (connection, number)
    return (word * (size // len(word) + 1))[:size]


def connect(port):
    sock = socket.create_connection(("127.0.0.1", port), timeout=LOST_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


class Load:
    def __init__(self, port, connections, reconnect):
        self.port, self.reconnect = port, reconnect
        self.socks = [connect(port) for _ in range(connections)]
        self.number = self.replies = self.slowest_ns = 0
        self.wrong = ""

    def receive(self, index, sent):
        got = bytearray()
        while len(got) < len(sent):
            try:
                data = self.socks[index].recv(len(sent) - len(got))
            except socket.timeout:
                raise ValueError("no reply to %r of %d bytes in %d s, but %d bytes" % (
                    sent[:16], len(sent), LOST_S, len(got))) from None
            if not data:
                raise ValueError("the connection was closed after %d bytes of %r" % (len(got), sent[:16]))
            got += data
        if got != sent:
            raise ValueError("%r... in reply to %r..." % (bytes(got[:40]), sent[:40]))

    def burst(self):
        began = time.monotonic_ns()
        sent = [payload(index, self.number) for index in range(len(self.socks))]
        for sock, data in zip(self.socks, sent):
            sock.sendall(data)
        for index, data in enumerate(sent):
            self.receive(index, data)
            self.replies += 1
        self.slowest_ns = max(self.slowest_ns, time.monotonic_ns() - began)
        self.number += 1
        if self.reconnect and self.number % self.reconnect == 0:
            index = self.number // self.reconnect % len(self.socks)
            self.socks[index].close()
            self.socks[index] = connect(self.port)

    def stats(self):
        return {"replies": self.replies, "slowest_ms": self.slowest_ns / 1e6, "wrong": self.wrong}


def main():
    load = Load(*(int(argument) for argument in sys.argv[1:4]))
    while True:
        # a moment's rest, that the machine is not one echo server
        if select.select([sys.stdin], [], [], 0.001 if not load.wrong else None)[0]:
            if not sys.stdin.readline():
                return
            print(json.dumps(load.stats()), flush=True)
        elif not load.wrong:
            try:
                load.burst()
            except (OSError, ValueError) as error:
                load.wrong = str(error)


if __name__ == "__main__":
    main()
