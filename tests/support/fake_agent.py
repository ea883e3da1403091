#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""
An agent made of nothing: speaks looptop-protocol(7) for a number of tasks that do not exist, so that
the screen can be tried without a process to look at, and with one that behaves badly.

    fake_agent.py [--tasks N] [options] [-- COMMAND ARG ...]

With a COMMAND it is run, `{pid}` in its arguments being this process; the agent ends with it, and so
does its exit status. Without one it prints its process id and serves until it is killed.
"""

import argparse
import fnmatch
import json
import os
import random
import re
import select
import socket
import subprocess
import sys
import threading
import time

STATES = ["new", "ready", "run", "wait", "cancelling", "done", "failed", "cancelled"]
COLUMNS = ["id", "name", "state", "coroutine", "waiting_on", "at", "age_ns", "age_exact", "idle_ns",
           "busy_ns", "busy_pct", "steps", "max_step_ns", "created_at", "parent", "loop", "exception",
           "ended_ns", "queued_ns", "flags"]
TEXT_COLUMNS = {"name", "coroutine", "waiting_on", "at", "created_at", "exception", "state"}
KINDS = [  # coroutine, waits for, file, line, function, name
    ("orders.handlers.get_order", "Lock.acquire", "/srv/orders/orders.py", 88, "get_order", "req-%d"),
    ("orders.handlers.list_orders", "Future", "/srv/orders/db.py", 140, "fetch", "Task-%d"),
    ("orders.worker.Worker.loop", "Queue.get", "/srv/orders/worker.py", 31, "loop", "worker-%d"),
    ("orders.beat.run", "sleep", "/srv/orders/beat.py", 22, "run", "heartbeat-%d"),
    ("orders.s3.put", "Future", "/srv/orders/s3.py", 77, "put", "upload-%d"),
    ("uvicorn.protocols.http.h11_impl.RequestResponseCycle.run_asgi", "Event.wait",
     "/srv/orders/middleware/authentication.py", 203, "dispatch", "Task-%d"),
]
HOSTILE = ["\x1b[31mred\x1b[0m", "tab\tnew\nline", "漢字の長い名前のタスクです、とても長い", "a\u202egnp.exe",
           "x" * 63, "e\u0301\u0301\u0301\u0301\u0301\u0301 zalgo", "\U0001f600 emoji \U0001f468\u200d\U0001f469",
           "\x9b31m csi", "\x07bell", ""]
MS, S = 1000000, 1000000000


class Task:
    __slots__ = ("id", "kind", "name", "state", "born", "last", "steps", "busy", "longest", "exact",
                 "stale", "pct", "ended", "exception", "parent", "stubborn", "message")

    def __init__(self, id, now, rng, hostile):
        self.id = id
        self.kind = KINDS[rng.randrange(len(KINDS))]
        self.name = HOSTILE[id % len(HOSTILE)] if hostile else self.kind[5] % id
        self.state = 3
        self.born = now - int(rng.expovariate(1 / 90) * S)
        self.last = max(self.born, now - int(rng.expovariate(1 / 20) * S))
        self.steps = rng.randrange(1, 5000)
        self.busy = self.steps * rng.randrange(10000, 400000)
        self.longest = rng.randrange(50000, 20 * MS)
        self.exact = id > 3
        self.stale = id % 17 == 0
        self.pct = rng.random() * 0.3 if id % 9 == 0 else 0.0
        self.ended = None
        self.exception = None
        self.parent = 1 if id > 1 else 0
        self.stubborn = id % 11 == 5
        self.message = None


class FilterError(Exception):
    def __init__(self, column, text):
        self.column, self.text = column, text


class Model:
    """The process that is not there."""

    def __init__(self, options):
        self.options = options
        self.rng = random.Random(options.seed)
        self.start = time.time()
        self.lock = threading.Lock()
        now = time.time_ns()
        self.tasks = [Task(i + 1, now, self.rng, options.hostile) for i in range(options.tasks)]
        self.created = self.finished = len(self.tasks)
        self.next_id = len(self.tasks) + 1
        if self.tasks and not options.still:
            for task in self.tasks[1:4]:
                task.state = 1
            self.tasks[0].state = 2
        for i, (state, exception) in enumerate([(6, "ValueError"), (5, None), (7, None)]):
            if len(self.tasks) > 30:
                task = self.tasks[20 + i]
                task.state, task.exception, task.ended = state, exception, now

    def move(self):
        """Some tasks step, some end, some are made."""
        if self.options.still:
            return
        now = time.time_ns()
        for _ in range(min(len(self.tasks) // 10, 200)):
            task = self.rng.choice(self.tasks)
            if task.state in (1, 3):
                task.steps += 1
                task.last = now - self.rng.randrange(1, 500) * MS
                task.state = 1 if self.rng.random() < 0.02 else 3
        if self.options.churn and self.tasks:
            for _ in range(self.options.churn):
                self.tasks.append(Task(self.next_id, now, self.rng, self.options.hostile))
                self.tasks[-1].born = self.tasks[-1].last = now
                self.next_id += 1
                victim = self.tasks[self.rng.randrange(5, len(self.tasks))]
                if victim.state in (1, 3):
                    victim.state, victim.ended = 5, now
        self.tasks = [t for t in self.tasks if t.ended is None or now - t.ended < 10 * S]

    def value(self, task, column, now):
        ended = task.ended is not None
        coroutine, waits, file, line, function, _ = task.kind
        if column == "id":
            return task.id
        if column == "name":
            return task.name
        if column == "state":
            return task.state
        if column == "coroutine":
            return coroutine
        if column == "waiting_on":
            return waits if task.state in (3, 4) else None
        if column == "at":
            return None if task.state == 0 else (file, line, function)
        if column == "created_at":
            return ("/srv/orders/server.py", 203, "dispatch")
        if column == "age_ns":
            return (task.ended or now) - task.born
        if column == "age_exact":
            return int(task.exact)
        if column == "idle_ns":
            return (int((time.time() - self.start) * S) if task.state == 2 and self.options.blocked
                    else 40000 if task.state == 2 else (task.ended or now) - task.last)
        if column == "busy_ns":
            return task.busy
        if column == "busy_pct":
            return 98.1 if task.state == 2 and self.options.blocked else round(task.pct, 2)
        if column == "steps":
            return task.steps
        if column == "max_step_ns":
            return task.longest
        if column == "parent":
            return task.parent
        if column == "loop":
            return 1
        if column == "exception":
            return task.exception
        if column == "ended_ns":
            return now - task.ended if ended else -1
        if column == "queued_ns":
            return now - task.last if task.state in (0, 1) else -1
        return int(task.stale)


FIELDS = {"id": "id", "name": "name", "state": "state", "coro": "coroutine", "wait": "waiting_on",
          "at": "at", "created": "created_at", "parent": "parent", "loop": "loop", "exc": "exception",
          "age": "age_ns", "idle": "idle_ns", "busy": "busy_ns", "pct": "busy_pct", "steps": "steps",
          "max": "max_step_ns"}
UNITS = {"ns": 1, "us": 1000, "ms": MS, "s": S, "m": 60 * S, "h": 3600 * S, "d": 86400 * S}


def as_text(value, column):
    if column == "state":
        return STATES[value]
    return "%s:%d %s" % value if isinstance(value, tuple) else "" if value is None else str(value)


def parse_filter(text):
    """A list of groups of tests, as proto/filter.h says; only what the screen needs of it."""
    groups = [[]]
    for match in re.finditer(r'\S+', text):
        word, column = match.group(0), match.start() + 1
        if word == "|":
            groups.append([])
            continue
        term = re.match(r"(!?)(?:([a-z]+)(!=|<=|>=|[:=~<>]))?(.*)$", word)
        negate, field, op, value = term.groups()
        value = value.strip('"').lower()
        if field and field not in FIELDS:
            raise FilterError(column, "no such field: %s" % field)
        if field and value == "":
            raise FilterError(column + len(word), "a value is expected after %s" % op)
        groups[-1].append(make_test(column, bool(negate), field, op, value))
    return groups


def make_test(column, negate, field, op, value):
    name = FIELDS.get(field)
    if name and name not in TEXT_COLUMNS and name not in ("id", "parent", "loop") or op in ("<", ">", "<=", ">="):
        number = re.match(r"([\d.]+)(ns|us|ms|s|m|h|d)?$", value)
        if not number:
            raise FilterError(column + len(field) + len(op), "a number is expected: %s" % value)
        wanted = float(number.group(1)) * (UNITS[number.group(2) or "s"] if name.endswith("_ns") else 1)
        ops = {"<": float.__lt__, ">": float.__gt__, "<=": float.__le__, ">=": float.__ge__,
               "!=": float.__ne__}
        compare = ops.get(op, float.__eq__)
        return lambda get: compare(float(get(name)), wanted) != negate
    if not name:
        names = ("name", "coroutine", "waiting_on", "at")
        return lambda get: any(value in as_text(get(n), n).lower() for n in names) != negate

    def test(get):
        have = as_text(get(name), name).lower()
        if op == "~" or (op == ":" and name in ("at", "created_at", "waiting_on", "coroutine")
                         and not set("*?") & set(value)):
            found = value in have
        elif op == ":":
            found = fnmatch.fnmatchcase(have, value)
        else:
            found = (have == value) != (op == "!=")
        return found != negate
    return test


class Server:
    def __init__(self, options):
        self.options = options
        self.model = Model(options)
        self.start = time.time()
        self.cancels = []
        self.log = open(options.log, "ab", buffering=0) if options.log else None

    # -- answers

    def status(self):
        o, m = self.options, self.model
        now = time.time()
        by_state = {name: 0 for name in STATES[:5]}
        for task in m.tasks:
            if task.state < 5:
                by_state[STATES[task.state]] += 1
        live = sum(by_state.values())
        return {
            "time_s": now, "pid": os.getpid(), "uid": os.getuid(), "python": "3.13.5",
            "process_up_ns": int((now - self.start + 273600) * S), "agent_up_ns": int((now - self.start) * S),
            "readonly": o.readonly,
            "hooks": {"state": o.hooks, "message": "free-threaded build" if o.hooks == "refused" else None,
                      "population": "walking" if o.walking else "done"},
            "gil": {"waiting_ns": int((now - self.start) * S) if o.gil else 0},
            "totals": {"tasks": live, "by_state": by_state, "created": m.created + 91, "finished": 90,
                       "failed": 4, "cancelled": 2, "untracked": o.untracked, "steps": 81000},
            "rates": {"created": 91.0, "finished": 90.0, "failed": 0.2, "cancelled": 0.0, "steps": 8100.0},
            "loops": self.loops(False), "memory": self.memory(False),
            "agent": {"bytes": 1310720, "bytes_max": 67108864, "clients": 1, "records": live,
                      "records_max": 262144},
            "events": 0}

    def wave(self, base, spread, spikes=0.0, top=0.0):
        rng = random.Random(5)
        return [top if rng.random() < spikes else base + spread * rng.random() for _ in range(600)]

    def loops(self, history):
        o = self.options
        blocked = int((time.time() - self.start) * S) if o.blocked else 0
        out = []
        for i in range(o.loops):
            loop = {"id": i + 1, "kind": "uvloop" if i == 0 else "asyncio", "state": "running",
                    "thread": {"tid": os.getpid(), "name": "MainThread" if i == 0 else "loop-%d" % i},
                    "tasks": len(self.model.tasks) if i == 0 else 0,
                    "running": {"task": 1, "for_ns": blocked} if o.blocked and i == 0 else None,
                    "busy_pct": 31.0, "busy_exact": i == 0, "iterations_per_s": 900.0,
                    "callbacks_per_s": 9000.0, "steps_per_s": 8100.0,
                    "lag_ns": {"now": blocked or 800000, "p50": 400000, "p90": 2000000, "p99": 12000000,
                               "max": 412000000},
                    "lag_source": "iteration", "iteration_for_ns": blocked if i == 0 else 0}
            if history:
                loop["history"] = {"interval_s": 1, "busy_pct": self.wave(20, 30),
                                   "lag_ns": self.wave(200000, 900000, 0.05, 412000000),
                                   "iterations": self.wave(900, 50)}
            out.append(loop)
        return out

    def memory(self, history):
        memory = {"rss_bytes": 222298112, "heap_bytes": 155189248, "blocks": 1900000,
                  "gc": {"collections": [310, 28, 2], "pause_total_ns": 91000000,
                         "pause_max_ns": 21000000, "pause_ns_per_s": 2100000},
                  "agent_bytes": 1310720}
        if history:
            memory["history"] = {"interval_s": 1, "rss_bytes": [150e6 + 120000 * i for i in range(600)],
                                 "heap_bytes": [], "blocks": [], "gc_pause_ns": [],
                                 "tasks": [len(self.model.tasks) * (0.5 + i / 1200) for i in range(600)]}
        return memory

    def tasks(self, params):
        now = time.time_ns()
        sort = params.get("sort") or "idle_ns"
        m = self.model
        rows = m.tasks
        if params.get("filter"):
            groups = parse_filter(params["filter"])
            rows = [t for t in rows
                    if any(all(test(lambda c, t=t: m.value(t, c, now)) for test in g) for g in groups)]
        if params.get("ids"):
            rows = [t for t in rows if t.id in set(params["ids"])]
        if params.get("finished") is False:
            rows = [t for t in rows if t.ended is None]
        if params.get("after"):
            rows = [t for t in rows if t.id > params["after"]]
        largest = sort not in TEXT_COLUMNS
        if sort == "idle_ns":
            rows = sorted(rows, key=lambda t: (t.state != 2, t.ended is not None, t.last, t.id))
        else:
            rows = sorted(rows, key=lambda t: (as_text(m.value(t, sort, now), sort).lower() if not largest
                                               else m.value(t, sort, now)), reverse=largest)
        if params.get("reverse"):
            rows = rows[::-1]
        focus = next((i for i, t in enumerate(rows) if t.id == params.get("focus")), None)
        offset = params.get("offset") or 0
        window = rows[offset:offset + (params.get("limit") or 100)]
        strings, sites = {}, {}

        def encode(column, value):
            if column in ("coroutine", "waiting_on", "exception"):
                return -1 if value is None else strings.setdefault(value, len(strings))
            if column in ("at", "created_at"):
                return -1 if value is None else sites.setdefault(value, len(sites))
            return value
        return {"time_s": time.time(), "total": len(m.tasks), "matched": len(rows), "offset": offset,
                "focus_index": focus, "columns": COLUMNS,
                "rows": [[encode(c, m.value(t, c, now)) for c in COLUMNS] for t in window],
                "strings": list(strings), "sites": [list(s) for s in sites]}

    def find(self, id):
        return next((t for t in self.model.tasks if t.id == id), None)

    def stack(self, params):
        task = self.find(params["id"])
        if not task:
            raise Error(-32003, "no such task")
        file, line, function = task.kind[2:5]
        frames = [{"kind": "coroutine", "function": "dispatch", "file": "/srv/orders/server.py", "line": 203,
                   "locals": [{"name": "request", "type": "Request"}], "more_locals": 0},
                  {"kind": "coroutine", "function": function, "file": file, "line": line,
                   "locals": [{"name": "self", "type": "Handler"},
                              {"name": "sql", "type": "str", "value": "'select * from orders where id = $1'"},
                              {"name": "order_id", "type": "int", "value": str(task.id)},
                              {"name": "seen", "type": "list", "length": 12},
                              {"name": "retries", "type": "int", "value": "0"},
                              {"name": "timeout", "type": "float", "value": "2.5"},
                              {"name": "user", "type": "User"}, {"name": "ok", "type": "bool", "value": "True"}],
                   "more_locals": 0},
                  {"kind": "coroutine", "function": "later", "file": os.path.abspath(__file__), "line": 1,
                   "locals": [], "more_locals": 3}]
        if self.options.deep:
            frames[1:1] = [dict(frames[1], line=i + 1) for i in range(self.options.deep)]
        return {"id": task.id, "state": STATES[task.state], "complete": True, "reason": None,
                "frames": frames, "awaits": "Future"}

    def cancel(self, params):
        if self.options.readonly:
            raise Error(-32002, "LOOPTOP_READONLY=1 in the target refuses cancellation")
        results = []
        for id in params["ids"]:
            task = self.find(id)
            result = {"id": id, "name": task.name if task else "", "outcome": "gone", "after_ns": 310000,
                      "at": None, "reason": None}
            if task and task.ended is None:
                self.cancels.append((id, params.get("message")))
                if task.stubborn:
                    task.state = 4
                    result.update(outcome="suppressed", after_ns=2 * S, at="/srv/orders/worker.py:55 loop")
                else:
                    task.state, task.ended = 7, time.time_ns()
                    result["outcome"] = "cancelled"
            results.append(result)
        return {"results": results}

    def call(self, method, params, client):
        if method == "hello":
            return {"protocol": 1, "agent": "0.1.0", "pid": os.getpid(), "uid": os.getuid(),
                    "readonly": self.options.readonly, "python": "3.13.5", "started_s": self.start}
        if method == "status":
            return self.status()
        if method == "tasks":
            return self.tasks(params)
        if method == "stack":
            return self.stack(params)
        if method == "cancel":
            return self.cancel(params)
        if method == "loops":
            return {"loops": self.loops(params.get("history"))}
        if method == "memory":
            return self.memory(params.get("history"))
        if method == "events":
            return {"events": []}
        if method == "subscribe":
            if params.get("tasks", {}).get("filter"):
                parse_filter(params["tasks"]["filter"])
            client.subscription += 1
            client.interval = max(params["interval_ns"], 1e8) / 1e9
            client.tasks = params.get("tasks")
            client.due = time.time()
            client.seq = 0
            return {"subscription": client.subscription}
        if method == "unsubscribe":
            client.due = None
            return {}
        raise Error(-32601, "no such method")

    # -- the wire

    def answer(self, line, client):
        if self.log:
            self.log.write(line + b"\n")
        request = json.loads(line)
        out = {"jsonrpc": "2.0", "id": request.get("id")}
        try:
            out["result"] = self.call(request["method"], request.get("params") or {}, client)
        except Error as e:
            out["error"] = {"code": e.code, "message": e.text}
        except FilterError as e:
            out["error"] = {"code": -32602, "message": e.text,
                            "data": {"field": "filter", "column": e.column}}
        client.later.append((time.time() + self.delay(request["method"]), out))

    def delay(self, method):
        if method == "cancel" and self.options.cancel_takes:
            return self.options.cancel_takes
        if method == "stack" and self.options.stack_takes:
            return self.options.stack_takes
        return self.options.slow / 1000

    def update(self, client):
        client.due = time.time() + client.interval
        client.seq += 1
        params = {"subscription": client.subscription, "seq": client.seq, "status": self.status()}
        if client.tasks is not None:
            params["tasks"] = self.tasks(client.tasks)
        client.later.append((time.time(), {"jsonrpc": "2.0", "method": "update", "params": params}))

    def is_silent(self):
        o, up = self.options, time.time() - self.start
        return o.silent is not None and o.silent <= up < o.silent + o.silent_for

    def serve(self, path, stop):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        os.chmod(path, 0o600)
        listener.listen(8)
        clients, moved, born = {}, time.time(), time.time()
        while not stop.is_set():
            readable, _, _ = select.select([listener, *clients], [], [], 0.02)
            now = time.time()
            if self.options.die_after and now - born > self.options.die_after:
                break
            if now - moved > 0.5:
                self.model.move()
                moved = now
            if self.is_silent():
                time.sleep(0.02)
                continue
            for ready in readable:
                if ready is listener:
                    connection, _ = listener.accept()
                    clients[connection] = Client()
                elif not self.read(ready, clients[ready]):
                    del clients[ready]
                    ready.close()
            for connection, client in list(clients.items()):
                if client.due and now >= client.due:
                    self.update(client)
                if not self.flush(connection, client):
                    del clients[connection]
        listener.close()
        os.unlink(path)
        for connection in clients:
            connection.close()

    def run(self, path, stop):
        self.serve(path, stop)
        while self.options.back_after is not None and not stop.wait(self.options.back_after):
            self.serve(path, stop)

    def read(self, connection, client):
        try:
            data = connection.recv(1 << 16)
        except OSError:
            return False
        client.buffer += data
        *lines, client.buffer = client.buffer.split(b"\n")
        for line in lines:
            self.answer(line, client)
        return bool(data)

    def flush(self, connection, client):
        now = time.time()
        due = [m for at, m in client.later if at <= now]
        client.later = [(at, m) for at, m in client.later if at > now]
        try:
            for message in due:
                connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            return False
        return True


class Error(Exception):
    def __init__(self, code, text):
        self.code, self.text = code, text


class Client:
    def __init__(self):
        self.buffer, self.later = b"", []
        self.subscription, self.seq, self.due, self.interval, self.tasks = 0, 0, None, 1, None


def socket_path():
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = base + "/looptop" if base else "/tmp/looptop-%d" % os.getuid()
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return "%s/%d.sock" % (folder, os.getpid())


def parse_args():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--tasks", type=int, default=1284)
    a.add_argument("--loops", type=int, default=1)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--churn", type=int, default=0, help="tasks made and ended each half second")
    a.add_argument("--still", action="store_true", help="nothing moves")
    a.add_argument("--hostile", action="store_true", help="names that try to break the terminal")
    a.add_argument("--die-after", type=float, help="close everything after so many seconds")
    a.add_argument("--back-after", type=float, help="... and be back so many seconds later")
    a.add_argument("--silent", type=float, help="answer nothing from this second on")
    a.add_argument("--silent-for", type=float, default=1e9, help="... for so long")
    a.add_argument("--slow", type=float, default=0, help="milliseconds each answer takes")
    a.add_argument("--stack-takes", type=float, help="seconds a stack takes")
    a.add_argument("--cancel-takes", type=float, help="seconds a cancellation takes")
    a.add_argument("--deep", type=int, default=0, help="more frames in each stack")
    a.add_argument("--readonly", action="store_true")
    a.add_argument("--blocked", action="store_true", help="the loop is blocked since the start")
    a.add_argument("--gil", action="store_true", help="the agent waits for the GIL since the start")
    a.add_argument("--hooks", default="active", choices=["active", "waiting", "refused", "dormant"])
    a.add_argument("--walking", action="store_true")
    a.add_argument("--untracked", type=int, default=0)
    a.add_argument("--log", help="file for the requests, one a line")
    a.add_argument("command", nargs=argparse.REMAINDER)
    return a.parse_args()


def main():
    options = parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    server, path, stop = Server(options), socket_path(), threading.Event()
    if os.path.exists(path):
        os.unlink(path)
    thread = threading.Thread(target=server.run, args=(path, stop), daemon=True)
    thread.start()
    status = 0
    try:
        if command:
            while not os.path.exists(path):
                time.sleep(0.01)
            status = subprocess.run([c.replace("{pid}", str(os.getpid())) for c in command]).returncode
        else:
            print(os.getpid(), flush=True)
            thread.join()
            while options.die_after:  # the process is there, only its agent is gone
                time.sleep(1)
    except KeyboardInterrupt:
        pass
    finally:
        stop.set()
        if os.path.exists(path):
            os.unlink(path)
    return status


if __name__ == "__main__":
    sys.exit(main())
