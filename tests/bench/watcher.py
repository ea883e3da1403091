#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The agent's socket from the outside; as a program, a client that watches at 1 Hz.

    watcher.py SOCKET       subscribes to status and the first 100 tasks; prints "watching" once it gets them
"""

import json
import socket
import sys
import time


class Link:
    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.stream = self.sock.makefile("rb")
        self.last = 0

    def call(self, method, **params):
        self.last += 1
        request = {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}
        self.sock.sendall(json.dumps(request).encode() + b"\n")
        while True:
            answer = json.loads(self.stream.readline())
            if answer.get("id") == self.last:
                return answer["result"]

    def close(self):
        self.sock.close()


def connect(path, timeout=10):
    """A connection to a socket that is about to be there."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            return Link(path, timeout)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.005)


def main():
    link = connect(sys.argv[1])
    link.call("subscribe", interval_ns=1_000_000_000, tasks={"limit": 100})
    first = True
    while line := link.stream.readline():
        if first:
            assert json.loads(line)["method"] == "update"
            print("watching", flush=True)
            first = False


if __name__ == "__main__":
    try:
        main()
    except (OSError, KeyboardInterrupt):
        pass
