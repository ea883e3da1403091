# SPDX-License-Identifier: MIT
"""Talks to an agent, and runs services that have one. For the tests in tests/integration.

    with Service(python, "exact.py") as service:      # or Service.inline(python, "source")
        client = service.client()
        client.call("status")["totals"]["created"]
        client.rows(sort="id")                         # the task table, a dict a row

Every wait has a deadline. A service must say nothing on stderr: `with` asserts it at its end, and
kills what still runs. Each service has a socket directory of its own, gone with it.
"""

import functools
import json
import os
import queue
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LOOPTOP_BUILD", os.path.join(ROOT, "build"))
SERVICES = os.path.join(ROOT, "tests", "services")
PYTHONS = [path for path in os.environ.get("LOOPTOP_PYTHONS", sys.executable).split(":") if path]
DEADLINE_S = 30
STATES = ["new", "ready", "run", "wait", "cancelling", "done", "failed", "cancelled"]


def _load_venvs():
    try:
        with open(os.environ["LOOPTOP_VENVS"]) as file:
            return json.load(file)
    except (KeyError, OSError):
        return {}


VENVS = _load_venvs()
_versions = {}


def full_version(python):
    """"3.12.1" of an interpreter."""
    if python not in _versions:
        _versions[python] = subprocess.run(
            [python, "-I", "-S", "-c", "import sys; print('%d.%d.%d' % sys.version_info[:3])"],
            check=True, stdout=subprocess.PIPE, text=True, timeout=DEADLINE_S).stdout.strip()
    return _versions[python]


def version(python):
    """(3, 12) of an interpreter."""
    return tuple(int(part) for part in full_version(python).split(".")[:2])


def python_with(python, *packages):
    """The interpreter's venv, where the packages are installed; otherwise None and why not."""
    venv = VENVS.get(python)
    if venv is None:
        return None, "no venv for %s" % python
    missing = [package for package in packages if package in venv["failed"]]
    if missing:
        return None, "%s cannot be installed for %s" % (", ".join(missing), venv["version"])
    if "uvloop" in packages and not imports(venv["python"], "uvloop"):
        return None, "uvloop is there for another Python than %s" % venv["version"]
    return venv["python"], None


@functools.lru_cache(None)
def imports(python, module):
    """Whether this very interpreter can import a module."""
    return subprocess.run([python, "-c", "import " + module], timeout=DEADLINE_S,
                          stderr=subprocess.DEVNULL).returncode == 0


def wait_for(condition, deadline=DEADLINE_S, what="the condition"):
    """The first true value of condition(), looked at again and again until the deadline."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("%s has not come within %g s; last: %r" % (what, deadline, value))
        time.sleep(0.01)


class RpcError(Exception):
    def __init__(self, error):
        super().__init__("%d %s" % (error["code"], error["message"]))
        self.code = error["code"]
        self.message = error["message"]
        self.data = error.get("data") or {}


class Closed(Exception):
    """The agent has closed the connection."""


class Client:
    """A connection to one agent. Answers are matched by id; notifications are kept in `updates`."""

    def __init__(self, path, timeout=DEADLINE_S, rcvbuf=None):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX)
        if rcvbuf:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rcvbuf)
        self.socket.settimeout(timeout)
        self.timeout = timeout
        self.updates = []
        self._answers = {}
        self._buffer = b""
        self._last_id = 0
        wait_for(lambda: self._connect(path), timeout, "a place in the agent's backlog")

    def _connect(self, path):
        try:
            self.socket.connect(path)
        except BlockingIOError:
            return False
        return True

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Bytes as they are; a str or a dict as one line."""
        if isinstance(data, dict):
            data = json.dumps(data)
        if isinstance(data, str):
            data = data.encode() + b"\n"
        self.socket.sendall(data)

    def line(self, timeout=None):
        """The next line as parsed JSON; Closed at the end of the connection."""
        end = time.monotonic() + (timeout or self.timeout)
        while b"\n" not in self._buffer:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise AssertionError("no line from the agent within the deadline")
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                raise Closed()
            self._buffer += data
        line, self._buffer = self._buffer.split(b"\n", 1)
        return json.loads(line)

    def request(self, method, **params):
        """Sends a request and returns its id, for answer()."""
        self._last_id += 1
        self.send({"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params})
        return self._last_id

    def answer(self, number, timeout=None):
        """The whole answer to a request of this id."""
        end = time.monotonic() + (timeout or self.timeout)
        while number not in self._answers:
            message = self.line(max(end - time.monotonic(), 0.001))
            if "method" in message:
                self.updates.append(message)
            else:
                self._answers[message["id"]] = message
        return self._answers.pop(number)

    def call(self, method, **params):
        answer = self.answer(self.request(method, **params))
        if "error" in answer:
            raise RpcError(answer["error"])
        return answer["result"]

    def update(self, timeout=None):
        """The params of the next update of a subscription."""
        if self.updates:
            return self.updates.pop(0)["params"]
        message = self.line(timeout)
        assert message.get("method") == "update", message
        return message["params"]

    def rows(self, **params):
        params.setdefault("limit", 4096)
        return rows(self.call("tasks", **params))

    def row(self, name):
        """The one task of this name, None where there is none."""
        found = [row for row in self.rows() if row["name"] == name]
        assert len(found) <= 1, found
        return found[0] if found else None

    def totals(self):
        return self.call("status")["totals"]

    def wait_row(self, name, **wanted):
        """The task of this name, once its columns have these values."""
        def look():
            row = self.row(name)
            return row if row and all(row[key] == wanted[key] for key in wanted) else None
        try:
            return wait_for(look)
        except AssertionError:
            raise AssertionError("task %s is not %r but %r" % (name, wanted, self.row(name))) from None

    def stack(self, name):
        return self.call("stack", id=self.row(name)["id"])


def rows(result):
    """The rows of a `tasks` answer as dicts, indexes replaced by what they stand for."""
    names = result["columns"]
    out = []
    for values in result["rows"]:
        row = dict(zip(names, values))
        row["state"] = STATES[row["state"]]
        for column in ("coroutine", "waiting_on", "exception"):
            row[column] = result["strings"][row[column]] if row[column] >= 0 else None
        for column in ("at", "created_at"):
            row[column] = tuple(result["sites"][row[column]]) if row[column] >= 0 else None
        out.append(row)
    return out


def environment(directory, **environ):
    """A clean environment that finds the package and the agents of this build."""
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("LOOPTOP", "PYTHON", "PYENV"))}
    clean.update(PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1", XDG_RUNTIME_DIR=directory,
                 LOOPTOP_AGENT_DIR=os.path.join(BUILD, "agent"),
                 PYTHONPATH=os.path.join(BUILD, "python"))
    clean.update(environ)
    return clean


class Service:
    """A Python program in a process of its own, with an agent if it starts one (services do so by
    `import looptop; looptop.start()`, which LOOPTOP=0 turns into nothing)."""

    def __init__(self, python, script, *arguments, options=(), stderr="", **environ):
        """stderr is what it has to say there; None: anything."""
        self.directory = tempfile.mkdtemp(prefix="looptop-")
        self.expected_stderr = stderr
        if not os.path.isabs(script):
            script = os.path.join(SERVICES, script)
        self.script = script
        self.owns_script = False  # deleted at the end
        self.clients = []
        self._lines = queue.Queue()
        self._stderr_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [python, *options, script, *arguments], env=environment(self.directory, **environ),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr_file, text=True,
            start_new_session=True)
        self.pid = self.process.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def inline(cls, python, source, *arguments, **keywords):
        file = tempfile.NamedTemporaryFile("w", suffix=".py", prefix="looptop-", delete=False)
        with file:
            file.write(textwrap.dedent(source))
        service = cls(python, file.name, *arguments, **keywords)
        service.owns_script = True
        return service

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        for client in self.clients:
            client.close()
        try:
            os.killpg(self.pid, signal.SIGKILL)  # and whatever it has started
        except ProcessLookupError:
            pass
        self.process.wait(DEADLINE_S)
        self._reader.join(DEADLINE_S)
        said = self.stderr()
        self.process.stdin.close()
        self.process.stdout.close()
        self._stderr_file.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        if self.owns_script:
            os.unlink(self.script)
        if kind is not None:
            if said:
                print("stderr of the service:", said, sep="\n")
        elif self.expected_stderr is not None:
            assert said == self.expected_stderr

    def stderr(self):
        self._stderr_file.seek(0)
        return self._stderr_file.read().decode(errors="replace")

    def line(self, deadline=DEADLINE_S):
        """The next line of its stdout."""
        try:
            line = self._lines.get(timeout=deadline)
        except queue.Empty:
            raise AssertionError("no line within %g s; stderr: %s" % (deadline, self.stderr())) from None
        assert line is not None, "the service has ended (%s); stderr: %s" % (
            self.process.wait(DEADLINE_S), self.stderr())
        return line

    def json(self, deadline=DEADLINE_S):
        return json.loads(self.line(deadline))

    def expect(self, text):
        line = self.line()
        assert line == text, "%r instead of %r; stderr: %s" % (line, text, self.stderr())

    def tell(self, text=""):
        """One line to its stdin."""
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def wait(self, deadline=DEADLINE_S):
        """Its exit status."""
        return self.process.wait(deadline)

    def rest(self, deadline=DEADLINE_S):
        """Waits for its end; the lines that were left."""
        self.wait(deadline)
        self._reader.join(deadline)
        lines = []
        while not self._lines.empty():
            line = self._lines.get()
            if line is not None:
                lines.append(line)
        return lines

    def socket_path(self, pid=None):
        return os.path.join(self.directory, "looptop", "%d.sock" % (pid or self.pid))

    def sockets(self):
        """Names in the socket directory."""
        try:
            return sorted(os.listdir(os.path.join(self.directory, "looptop")))
        except FileNotFoundError:
            return []

    def client(self, pid=None, **keywords):
        """A new connection to its agent, or to that of a process it has started."""
        path = self.socket_path(pid)

        def connect():
            try:
                return Client(path, **keywords)
            except (FileNotFoundError, ConnectionRefusedError):
                if self.process.poll() is not None and not pid:
                    raise AssertionError("the service has ended; stderr: " + self.stderr()) from None
                return None
        client = wait_for(connect, what="the agent's socket")
        self.clients.append(client)
        return client

    def _cpu_ns(self, thread):
        for task in os.listdir("/proc/%d/task" % self.pid):
            base = "/proc/%d/task/%s/" % (self.pid, task)
            with open(base + "comm") as comm, open(base + "schedstat") as stat:
                if comm.read().strip() == thread:
                    return int(stat.read().split()[0])
        raise AssertionError("no thread " + thread)

    def rests(self, thread):
        """Whether a thread leaves most of a second and a half alone."""
        began, before = time.monotonic_ns(), self._cpu_ns(thread)
        while time.monotonic_ns() - began < 1_500_000_000:
            time.sleep(0.05)
        return self._cpu_ns(thread) - before < (time.monotonic_ns() - began) / 4

    def line_of(self, mark):
        """The number of the one line of the script that ends with `# mark`."""
        with open(self.script) as file:
            found = [n for n, line in enumerate(file, 1) if line.rstrip().endswith("# " + mark)]
        assert len(found) == 1, (mark, found)
        return found[0]


def run(python, source, *arguments, options=(), deadline=DEADLINE_S, **environ):
    """Runs a program to its end; returns status, stdout, stderr and the sockets it left behind."""
    directory = tempfile.mkdtemp(prefix="looptop-")
    script = os.path.join(directory, "program.py")
    with open(script, "w") as file:
        file.write(textwrap.dedent(source))
    try:
        done = subprocess.run(
            [python, *options, script, *arguments], env=environment(directory, **environ), text=True,
            timeout=deadline, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, errors="replace")
        place = os.path.join(directory, "looptop")
        done.sockets = os.listdir(place) if os.path.isdir(place) else []
        for name in ("stdout", "stderr"):
            setattr(done, name, getattr(done, name).replace(directory, "DIR"))
        return done
    finally:
        shutil.rmtree(directory, ignore_errors=True)
