#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""An agent's socket with nothing behind it: answers the protocol out of made-up tables, or breaks it.

    scripted_agent.py DIR [--tasks N] [--mode MODE] [--method METHOD]

Listens on DIR/looptop/PID.sock and prints "ready". What it was asked goes to DIR/PID.log, a request a
line. Modes break one method (all, where none is named):

    good            answers as documented
    silent          reads and never answers
    garbage         answers with bytes that are no JSON
    wrong-types     answers with an object whose fields are of other types
    wrong-table     `tasks` whose indexes point nowhere
    huge            answers with a line that does not end
    deep            answers with a line nested very deep
    many-values     answers with a line of millions of small values
    closes          closes in place of an answer
    dies            ends the process in place of an answer, a moment after its files
    half            answers with half a line and closes
    no-result       answers with neither result nor error
    endless         `tasks` always gives the same page
    error:CODE      answers with an error of that code
    protocol:N      says in `hello` that it speaks protocol N
    slow            answers a byte at a time
"""

import argparse
import json
import os
import socket
import sys
import threading
import time

STATES = ["new", "ready", "run", "wait", "cancelling", "done", "failed", "cancelled"]
COLUMNS = [
    "id", "name", "state", "coroutine", "waiting_on", "at", "age_ns", "age_exact", "idle_ns", "busy_ns",
    "busy_pct", "steps", "max_step_ns", "created_at", "parent", "loop", "exception", "ended_ns", "queued_ns",
    "flags",
]
STRINGS = ["orders.report.render", "orders.handlers.get_order", "Lock.acquire", "sleep", "ValueError"]
SITES = [["/srv/orders/report.py", 61, "render"], ["/srv/orders/handlers.py", 88, "get_order"]]
MS = 1_000_000
S = 1000 * MS


def make_rows(count):
    rows = [
        [1, "main", 3, 1, 3, 1, 7200 * S, 0, 3 * S, 5 * MS, 0.1, 12, 2 * MS, -1, 0, 1, -1, -1, -1, 0],
        [2, "report-7", 2, 0, -1, 0, 2 * S, 1, 1800 * MS, 1900 * MS, 98.1, 3, 1800 * MS, 1, 1, 1, -1, -1, -1, 0],
        [3, "job-633", 6, 0, -1, 0, 12 * S, 1, 3 * S, 40 * MS, 0.0, 9, 10 * MS, 1, 1, 1, 4, 3 * S, -1, 0],
        [4, "na\x1b[31mme", 3, 1, 2, 1, 60 * S, 1, 59 * S, 7000, 0.0, 1, 7000, 1, 1, 1, -1, -1, -1, 1],
        [5, "twin", 3, 1, 2, 1, 60 * S, 1, 58 * S, 7000, 0.0, 1, 7000, 1, 1, 1, -1, -1, -1, 0],
        [6, "twin", 3, -1, -1, -1, 60 * S, 1, 57 * S, 7000, 0.0, 1, 7000, -1, 0, 1, -1, -1, -1, 0],
    ]
    for i in range(len(rows) + 1, count + 1):
        rows.append([i, "Task-%d" % i, 3, i % 2, 2 + i % 2, i % 2, i * S, 1, i * MS, i * 1000, 0.0, i % 50,
                     i * 10, 1, 1, 1, -1, -1, -1, 0])
    return rows[:count]


def loop(history):
    answer = {
        "id": 1, "kind": "asyncio", "state": "running", "thread": {"tid": os.getpid(), "name": "MainThread"},
        "tasks": 5, "running": {"task": 2, "for_ns": 1800 * MS}, "busy_pct": 31.4, "busy_exact": True,
        "iterations_per_s": 60.0, "callbacks_per_s": 75.0, "steps_per_s": 60.0,
        "lag_ns": {"now": 800000, "p50": 400000, "p90": 900000, "p99": 12 * MS, "max": 412 * MS},
        "lag_source": "iteration", "iteration_for_ns": 0,
    }
    if history:
        answer["history"] = {"interval_s": 1, "busy_pct": [1.0, 2.0, None], "lag_ns": [1 * MS, 8 * MS, 2 * MS],
                             "iterations": [60, 61, 62]}
    return answer


def memory(history):
    answer = {
        "rss_bytes": 222298112, "heap_bytes": 155189248, "blocks": 1900000,
        "gc": {"collections": [310, 28, 2], "pause_total_ns": 91 * MS, "pause_max_ns": 21 * MS,
               "pause_ns_per_s": 2100000},
        "agent_bytes": 1310720,
    }
    if history:
        answer["history"] = {"interval_s": 1, "rss_bytes": [1, 2, 3], "heap_bytes": [None, 2, 3],
                             "blocks": [1, 2, 3], "gc_pause_ns": [0, 0, 5], "tasks": [3, 4, 5]}
    return answer


STACK = {
    "id": 2, "state": "run", "complete": False, "reason": "a cycle",
    "frames": [
        {"kind": "coroutine", "function": "worker", "file": __file__, "line": 1,
         "locals": [{"name": "n", "type": "int", "value": "3"}, {"name": "queue", "type": "Queue"},
                    {"name": "seen", "type": "list", "length": 12}], "more_locals": 4},
        {"kind": "generator", "function": "step", "file": "/no/such/file.py", "line": 9, "locals": [],
         "more_locals": 0},
        *({"kind": "coroutine", "function": "inner", "file": path, "line": 1, "locals": [], "more_locals": 0}
          for path in ("/opt/lib/python3.13t/asyncio/tasks.py", "/v/lib64/python3.11/site-packages/a.py",
                       "/usr/lib/python3/dist-packages/b.py", "<frozen runpy>", "/srv/lib/python3.x/mine.py",
                       "/srv/lib/python3.11")),
    ],
    "awaits": "Future",
}


class Agent:
    def __init__(self, options):
        self.options = options
        self.rows = make_rows(options.tasks)
        self.log = open(os.path.join(options.dir, "%d.log" % os.getpid()), "a", buffering=1)

    def hello(self, params):
        protocol = 1
        if self.options.mode.startswith("protocol:"):
            protocol = int(self.options.mode.split(":")[1])
        return {"protocol": protocol, "agent": "0.1.0", "pid": os.getpid(), "uid": os.getuid(),
                "readonly": False, "python": "3.13.5", "started_s": time.time() - 9}

    def status(self, params):
        live = [row for row in self.rows if row[2] < 5]
        return {
            "time_s": time.time(), "pid": os.getpid(), "uid": os.getuid(), "python": "3.13.5",
            "process_up_ns": 8400 * S, "agent_up_ns": 8100 * S, "readonly": False,
            "hooks": {"state": "active", "message": None, "population": "done"}, "gil": {"waiting_ns": 0},
            "totals": {"tasks": len(live),
                       "by_state": {s: sum(row[2] == i for row in live) for i, s in enumerate(STATES[:5])},
                       "created": 31, "finished": 17, "failed": 1, "cancelled": 2,
                       "untracked": self.options.untracked, "steps": 812},
            "rates": {"created": 2.0, "finished": 2.0, "failed": 0.0, "cancelled": 0.0, "steps": 60.0},
            "loops": [loop(False)], "memory": memory(False),
            "agent": {"bytes": 1310720, "bytes_max": 67108864, "clients": 1, "records": 6,
                      "records_max": 262144},
            "events": 3,
        }

    def tasks(self, params):
        rows = self.rows
        if params.get("finished") is False:
            rows = [row for row in rows if row[2] < 5]
        if "filter" in params:  # only what the tests use: name:TEXT
            name = params["filter"].split(":")[1]
            rows = [row for row in rows if row[1] == name]
        if "ids" in params:
            rows = [row for row in rows if row[0] in params["ids"]]
        matched = len(rows)
        rows = [row for row in rows if row[0] > params.get("after", 0)]
        column = COLUMNS.index(params.get("sort", "idle_ns"))
        text = column == 1
        rows = sorted(rows, key=lambda row: row[column], reverse=params.get("reverse", False) == text)
        if column == 8:
            rows.sort(key=lambda row: row[2] != 2)
        rows = rows[params.get("offset", 0):][:params.get("limit", 100)]
        if self.options.mode == "endless":
            rows = self.rows[:params.get("limit", 100)]
        return {"time_s": time.time(), "total": len(self.rows), "matched": matched, "offset": 0,
                "focus_index": None, "columns": COLUMNS, "rows": rows, "strings": STRINGS, "sites": SITES}

    def stack(self, params):
        if params["id"] > len(self.rows):
            raise LookupError(-32003, "no task %d" % params["id"])
        return dict(STACK, id=params["id"])

    def cancel(self, params):
        outcomes = {1: ("cancelled", None, None), 2: ("suppressed", "report.py:61 render", None),
                    3: ("gone", None, None), 4: ("failed", None, "ValueError"), 5: ("pending", None, "it is queued"),
                    6: ("refused", None, "it is looptop's own")}
        results = []
        for task in params["ids"]:
            outcome, at, reason = outcomes.get(task, ("cancelled", None, None))
            results.append({"id": task, "name": "task-%d" % task, "outcome": outcome, "after_ns": 3 * MS,
                            "at": at, "reason": reason})
        return {"results": results}

    def loops(self, params):
        return {"loops": [loop(params.get("history"))]}

    def memory(self, params):
        return memory(params.get("history"))

    def detach(self, params):
        return {}

    def subscribe(self, params):
        return {"subscription": 1}

    def update_line(self, params):
        """The one update of a subscription; `update` counts as a method that can be broken."""
        mode, status, tasks = self.options.mode, self.status({}), self.tasks(params.get("tasks", {}))
        if self.options.method == "update":
            if mode == "wrong-types":
                status, tasks = {"loops": 7, "pid": "x", "totals": [], "hooks": 1}, {"rows": 7, "columns": {}}
            elif mode == "wrong-table":
                tasks["rows"] = [row[:3] + [99, 99, 99] + row[6:] for row in self.rows[:2]]
            elif mode != "good":
                return self.line({"method": "update", "id": 0})
        params = {"subscription": 1, "seq": 1, "status": status, "tasks": tasks}
        return json.dumps({"jsonrpc": "2.0", "method": "update", "params": params}).encode() + b"\n", False

    def good_line(self, request):
        try:
            answer = {"result": getattr(self, request["method"])(request.get("params", {}))}
        except LookupError as error:
            answer = {"error": {"code": error.args[0], "message": error.args[1]}}
        return json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer}).encode() + b"\n"

    def line(self, request):
        """The bytes to answer with, and whether to close after them."""
        mode, method = self.options.mode, self.options.method
        if method and request["method"] != method:
            return self.good_line(request), False
        head = b'{"jsonrpc":"2.0","id":%d,"result":' % request["id"]
        if mode == "silent":
            return b"", False
        if mode == "garbage":
            return b"\x00\xff{]garbage\n", False
        if mode == "wrong-types":
            return head + b'{"rows":7,"loops":"x","frames":{},"results":1,"pid":"x","totals":[],"gc":3}}\n', False
        if mode == "wrong-table":
            rows = [row[:3] + [99, 99, 99] + row[6:] for row in self.rows[:2]]
            return head + json.dumps(dict(self.tasks({}), rows=rows)).encode() + b"}\n", False
        if mode == "huge":
            return head + b'"' + b"x" * (18 * 1024 * 1024), False
        if mode == "deep":
            return head + b"[" * 100000 + b"\n", False
        if mode == "many-values":
            return head + b"[" + b"1," * 4_000_000 + b"1]}\n", False
        if mode == "closes":
            return b"", True
        if mode == "dies":
            return b"", True
        if mode == "half":
            return head + b'{"a":', True
        if mode == "no-result":
            return b'{"jsonrpc":"2.0","id":%d}\n' % request["id"], False
        if mode.startswith("error:"):
            error = {"code": int(mode[6:]), "message": "because \x1b[31mof\nthis"}
            return json.dumps({"jsonrpc": "2.0", "id": request["id"], "error": error}).encode() + b"\n", False
        return self.good_line(request), False

    def serve(self, client):
        with client, client.makefile("rb") as lines:
            try:
                for text in lines:
                    self.log.write(text.decode())
                    request = json.loads(text)
                    answer, close = self.line(request)
                    if request["method"] == "subscribe" and not close:
                        update, close = self.update_line(request["params"])
                        answer += update
                    if self.options.mode == "slow":
                        for byte in answer:
                            client.sendall(bytes([byte]))
                    else:
                        client.sendall(answer)
                    if close and self.options.mode == "dies":
                        client.shutdown(socket.SHUT_RDWR)
                        time.sleep(0.05)
                        os._exit(0)
                    if close:
                        return
            except OSError:
                pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("dir")
    parser.add_argument("--tasks", type=int, default=6)
    parser.add_argument("--untracked", type=int, default=0)
    parser.add_argument("--mode", default="good")
    parser.add_argument("--method")
    agent = Agent(parser.parse_args())
    directory = os.path.join(agent.options.dir, "looptop")
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(directory, "%d.sock" % os.getpid()))
        listener.listen(8)
        print("ready", flush=True)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=agent.serve, args=(client,), daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
