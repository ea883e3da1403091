# SPDX-License-Identifier: MIT
"""The full-screen program in a terminal of its own: a private tmux server, one for each Terminal.

    with Terminal([LOOPTOP, "4242"], environ=...) as term:
        term.wait("Tasks")                 # until a line matches, or AssertionError with the screen
        term.keys("End", "Enter")          # names as tmux has them
        term.type("state:wait")
        assert term.row(2).startswith(...)

The pane runs a shell around the program, which notes the terminal's settings before and after and the
exit status, and then stays: so what the program left behind can be looked at. Nothing sleeps for a
fixed time: everything waits for a condition with a deadline.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LOOPTOP_BUILD", os.path.join(ROOT, "build"))
LOOPTOP = os.path.join(BUILD, "looptop")
FAKE_AGENT = os.path.join(ROOT, "tests", "support", "fake_agent.py")
DEADLINE_S = 20
STEP_S = 0.03

# $1: directory for notes; the rest: the command
WRAPPER = """\
dir=$1; shift
cd "$dir"
trap : INT QUIT  # the terminal's keys are for the program
while [ ! -e "$dir/go" ]; do sleep 0.01; done
stty -a <&1 >"$dir/before"
"$@" 2>"$dir/stderr"
echo $? >"$dir/status.new"
stty -a <&1 >"$dir/after"
mv "$dir/status.new" "$dir/status"
exec cat
"""


def wait_until(condition, what, deadline=DEADLINE_S):
    """The first true value of condition()."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("not within %g s: %s" % (deadline, what() if callable(what) else what))
        time.sleep(STEP_S)


class Terminal:
    def __init__(self, command, cols=80, rows=24, term="tmux-256color", environ=None, unset=(), **more):
        """`more` goes into the program's environment, `unset` out of it; its locale is C.UTF-8."""
        self.directory = tempfile.TemporaryDirectory(prefix="looptop-tui-")
        self.path = self.directory.name
        self.server = ["tmux", "-u", "-S", self._place("tmux"), "-f", "/dev/null"]
        program = {k: v for k, v in os.environ.items() if not k.startswith(("LOOPTOP", "PYTHON", "TMUX"))}
        for name in ("NO_COLOR", "COLORTERM", "LANG", "LC_CTYPE", "COLUMNS", "LINES"):
            program.pop(name, None)
        program.update(LC_ALL="C.UTF-8", TERM=term, HOME=self.path)
        program.update(environ or {}, **more)
        for name in unset:
            program.pop(name, None)
        settings = ["%s=%s" % item for item in program.items()]
        shell = ["env", "-i", *settings, "sh", "-c", WRAPPER, "sh", self.path, *command]
        self.tmux("new-session", "-d", "-s", "s", "-x", str(cols), "-y", str(rows), shlex.join(shell),
                  ";", "set", "-g", "status", "off",
                  ";", "pipe-pane", "-t", "s", "cat >%s" % shlex.quote(self._place("bytes")))
        with open(self._place("go"), "w"):
            pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        subprocess.run([*self.server, "kill-server"], stderr=subprocess.DEVNULL, check=False,
                       timeout=DEADLINE_S)
        wait_until(self._is_removed, "the end of what writes to %s" % self.path)

    def tmux(self, *args):
        done = subprocess.run([*self.server, *args], timeout=DEADLINE_S,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                              env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
        if done.returncode != 0:
            raise AssertionError("tmux %s: %s" % (args[0], done.stderr.decode(errors="replace")))
        return done.stdout.decode(errors="replace")

    # -- what is seen

    def lines(self):
        return self.tmux("capture-pane", "-p", "-t", "s").split("\n")[:-1]

    def screen(self):
        return "\n".join(self.lines())

    def styled(self):
        """The screen with its colours, as escape sequences."""
        return self.tmux("capture-pane", "-e", "-p", "-t", "s")

    def row(self, number):
        return self.lines()[number]

    def raw(self):
        """All bytes that the terminal was sent so far."""
        with open(self._place("bytes"), "rb") as file:
            return file.read()

    def wait(self, what, deadline=DEADLINE_S):
        """Until the screen matches: a regular expression (of one line, mostly) or a function of the
        screen. Returns the match or the function's value."""
        def look():
            self.last = self.screen()
            return what(self.last) if callable(what) else re.search(what, self.last, re.M)
        name = getattr(what, "__doc__", None) or what if callable(what) else repr(what)
        return wait_until(look, lambda: "%s\n%s\n%s" % (name, self.last, self.stderr()), deadline)

    def wait_gone(self, pattern, deadline=DEADLINE_S):
        return self.wait(lambda screen: not re.search(pattern, screen, re.M), deadline)

    def state(self, *names):
        """Of tmux's pane: alternate_on, cursor_flag, pane_width..."""
        return self.tmux("display-message", "-p", "-t", "s", " ".join("#{%s}" % n for n in names)).split()

    # -- what is done

    def keys(self, *names):
        self.tmux("send-keys", "-t", "s", *names)

    def type(self, text):
        self.tmux("send-keys", "-l", "-t", "s", text)

    def resize(self, cols, rows):
        self.tmux("resize-window", "-t", "s", "-x", str(cols), "-y", str(rows))

    def pid(self):
        """The program's process id, once it runs."""
        shell = self.tmux("display-message", "-p", "-t", "s", "#{pane_pid}").strip()

        def child():
            with open("/proc/%s/task/%s/children" % (shell, shell)) as file:
                for number in file.read().split():
                    with open("/proc/%s/comm" % number) as comm:
                        if comm.read().strip() == "looptop":
                            return int(number)
            return None
        return wait_until(child, "the program's process")

    def kill(self, number):
        os.kill(self.pid(), number)

    # -- what is left

    def _is_removed(self):
        """What ran in the pane may go on writing for a moment, as a shell does its history."""
        try:
            self.directory.cleanup()
        except OSError:
            pass
        return not os.path.exists(self.path)

    def _place(self, name):
        return os.path.join(self.path, name)

    def note(self, name):
        with open(self._place(name)) as file:
            return file.read()

    def settings(self, name):
        """What stty -a said, but for the size."""
        return self.note(name).split(";", 3)[3]

    def stderr(self):
        try:
            return self.note("stderr")
        except FileNotFoundError:
            return ""

    def end(self, deadline=DEADLINE_S):
        """Waits for the program's end; its exit status as a shell has it (128 + signal)."""
        wait_until(lambda: os.path.exists(self._place("status")),
                   lambda: "the program's end\n" + self.screen(), deadline)
        return int(self.note("status"))

    def check_restored(self):
        """The terminal is as it was before the program."""
        assert self.settings("after") == self.settings("before")
        wait_until(lambda: self.state("alternate_on", "cursor_flag", "keypad_flag", "keypad_cursor_flag",
                                      "mouse_any_flag") == ["0", "1", "0", "0", "0"],
                   lambda: "the terminal's modes restored: " + " ".join(self.state(
                       "alternate_on", "cursor_flag", "keypad_flag", "keypad_cursor_flag",
                       "mouse_any_flag")))


class FakeAgent:
    """tests/support/fake_agent.py in a process of its own."""

    def __init__(self, *options):
        self.directory = tempfile.TemporaryDirectory(prefix="looptop-tui-")
        self.environ = {"XDG_RUNTIME_DIR": self.directory.name}
        self._log = os.path.join(self.directory.name, "requests")
        self._stderr = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, FAKE_AGENT, "--log", self._log, *options], stdout=subprocess.PIPE,
            stderr=self._stderr, env=dict(os.environ, **self.environ), text=True)
        self.pid = int(self.process.stdout.readline())
        self.socket = os.path.join(self.directory.name, "looptop", "%d.sock" % self.pid)
        wait_until(lambda: os.path.exists(self.socket), "the agent's socket")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, traceback):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self._stderr.seek(0)
        said = self._stderr.read().decode()
        self._stderr.close()
        self.directory.cleanup()
        assert kind is not None or said == ""

    def signal(self, number):
        self.process.send_signal(number)

    def end(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def requests(self, method=None):
        """What it was asked so far."""
        with open(self._log) as file:
            lines = file.read().split("\n")[:-1]
        requests = [json.loads(line) for line in lines]
        return [r for r in requests if method in (None, r["method"])]

    def open(self, *options, cols=80, rows=24, **keywords):
        """looptop on it."""
        return Terminal([LOOPTOP, "top", *options, str(self.pid)], cols, rows, environ=self.environ,
                        **keywords)
