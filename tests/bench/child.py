# SPDX-License-Identifier: MIT
"""Processes of the benchmark: starting, asking, and what the kernel says of them."""

import json
import os
import select
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("LOOPTOP_BUILD") or os.path.join(HERE, "../../build"))
LOOPTOP = os.path.join(BUILD, "looptop")
RUNTIME = tempfile.mkdtemp(prefix="ltbench")


def environment():
    env = {k: v for k, v in os.environ.items() if not k.startswith(("LOOPTOP", "PYTHON"))}
    env["PYTHONPATH"] = os.path.join(BUILD, "python")
    env["LOOPTOP_AGENT_DIR"] = os.path.join(BUILD, "agent")
    env["XDG_RUNTIME_DIR"] = RUNTIME
    env["PYTHONHASHSEED"] = "0"
    return env


def socket_path(pid):
    return os.path.join(RUNTIME, "looptop", "%d.sock" % pid)


class Child:
    """A process that answers a line for each line it is sent; killed at the end."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), text=True, bufsize=1)
        self.pid = self.process.pid

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def read(self, timeout=60):
        if not select.select([self.process.stdout], [], [], timeout)[0]:
            raise RuntimeError("%s said nothing for %d s" % (self.process.args, timeout))
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("%s ended" % self.process.args)
        return line.strip()

    def send(self, line):
        self.process.stdin.write(line + "\n")

    def ask(self, line, timeout=60):
        self.send(line)
        return self.read(timeout)


class Target(Child):
    def __init__(self, python, loop="asyncio", agent=False):
        super().__init__([python, os.path.join(HERE, "target.py"), loop] + (["--agent"] if agent else []))
        answer = json.loads(self.read())
        if "ready" not in answer:
            self.__exit__()
            raise RuntimeError("%s: %s" % (python, answer["error"]))

    def do(self, what, **params):
        self.post(what, **params)
        return json.loads(self.read())

    def post(self, what, **params):
        self.send(json.dumps(dict(params, do=what)))


def watcher(pid):
    child = Child([sys.executable, os.path.join(HERE, "watcher.py"), socket_path(pid)])
    child.read()
    return child


def cpu_ns(pid):
    """CPU time of all threads of a process so far, {"loop": main thread, "agent": ours, "other": rest}."""
    times = {"loop": 0, "agent": 0, "other": 0}
    for tid in os.listdir("/proc/%d/task" % pid):
        base = "/proc/%d/task/%s/" % (pid, tid)
        try:
            with open(base + "comm") as comm, open(base + "schedstat") as stat:
                name, spent = comm.read().strip(), int(stat.read().split()[0])
        except OSError:
            continue  # it ended just now
        key = "agent" if name.startswith("looptop-") else "loop" if int(tid) == pid else "other"
        times[key] += spent
    return times


def rss_bytes(pid):
    with open("/proc/%d/statm" % pid) as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def version_of(python):
    code = "import sys; print('%d.%d.%d' % sys.version_info[:3])"
    return subprocess.run([python, "-I", "-S", "-c", code], capture_output=True, text=True, check=True).stdout.strip()
