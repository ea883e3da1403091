# SPDX-License-Identifier: MIT
"""Where looptop cannot attach, or not in the usual way: each case in its own words, with the way out."""

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

import looptop_client
from attaching import (
    BUSY, IDLE, LOOPTOP, assert_refused, attach, looptop, names, ps, ready, no_tsan)
from looptop_client import BUILD, DEADLINE_S, Service, wait_for

pytestmark = no_tsan


@pytest.fixture
def idle():
    """A program of the interpreter that the tests run with is enough: nothing is loaded."""
    with ready(looptop_client.PYTHONS[0], IDLE) as service:
        yield service


def test_no_such_process():
    done = subprocess.Popen(["true"])
    done.wait()
    assert_refused(looptop("ps", done.pid), 3, "no process %d" % done.pid, "looptop ls")


def test_a_zombie():
    process = subprocess.Popen(["true"])
    try:
        wait_for(lambda: open("/proc/%d/stat" % process.pid).read().split(")")[1].split()[0] == "Z")
        assert_refused(looptop("ps", process.pid), 3, "has ended", "parent, process %d" % os.getpid())
    finally:
        process.wait()


def test_a_part_of_the_kernel():
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            with open("/proc/%d/status" % pid) as status:
                text = status.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if "VmSize" not in text and "State:\tZ" not in text and "State:\tX" not in text:
            assert_refused(looptop("ps", pid), 3, "part of the kernel")
            return
    pytest.skip("no kernel thread is to be seen here")


def test_a_stopped_process(idle):
    os.kill(idle.pid, signal.SIGSTOP)
    wait_for(lambda: "(stopped)" in open("/proc/%d/status" % idle.pid).read())
    assert_refused(looptop("ps", idle.pid), 3, "is stopped", "kill -CONT %d" % idle.pid)
    os.kill(idle.pid, signal.SIGCONT)
    assert "w0" in names(ps(idle.pid)[0])


TRACER = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
assert libc.ptrace(0x4206, int(sys.argv[1]), None, None) == 0, os.strerror(ctypes.get_errno())
print("ready", flush=True)
sys.stdin.readline()
"""


def test_a_traced_process(idle):
    tracer = subprocess.Popen([sys.executable, "-c", TRACER, str(idle.pid)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True)
    try:
        assert tracer.stdout.readline() == "ready\n"
        assert_refused(looptop("ps", idle.pid), 3, "is traced by process %d (" % tracer.pid)
    finally:
        tracer.communicate("\n")
    assert "w0" in names(ps(idle.pid)[0])


def test_no_python():
    process = subprocess.Popen(["sleep", "1000"])
    try:
        wait_for(lambda: os.readlink("/proc/%d/exe" % process.pid) != sys.executable and
                 "sleep" in os.readlink("/proc/%d/exe" % process.pid))
        assert_refused(looptop("ps", process.pid), 3, "no CPython program", "looptop ls")
    finally:
        process.kill()
        process.wait()


def test_an_older_python():
    versions = os.path.expanduser("~/.pyenv/versions")
    old = sorted(name for name in os.listdir(versions) if re.match(r"3\.(8|9|10)\.", name)) \
        if os.path.isdir(versions) else []
    if not old:
        pytest.skip("no older Python is installed")
    process = subprocess.Popen([os.path.join(versions, old[0], "bin", "python3"), "-c",
                                "print('ready', flush=True); input()"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        assert_refused(looptop("ps", process.pid), 3, "older than 3.11", "3.11 to 3.15")
    finally:
        process.communicate("\n")


# an ELF program of 32 bits: `mov $29,%eax; int $0x80` (pause), again and again
ELF32 = (b"\x7fELF\x01\x01\x01" + bytes(9) + bytes.fromhex(
    "02000300010000005480040834000000000000000000000034002000010000000000000001000000"
    "0000000000800408008004085d0000005d0000000500000000100000") + bytes.fromhex("b81d000000cd80ebf7"))


def test_a_32_bit_program(tmp_path):
    path = tmp_path / "thirtytwo"
    path.write_bytes(ELF32)
    path.chmod(0o755)
    try:
        process = subprocess.Popen([str(path)])
    except OSError as error:
        pytest.skip("this kernel runs no 32-bit programs: %s" % error)
    try:
        wait_for(lambda: os.readlink("/proc/%d/exe" % process.pid) == str(path))
        assert_refused(looptop("ps", process.pid), 3, "32-bit")
    finally:
        process.kill()
        process.wait()


def as_root():
    if os.geteuid() != 0:
        pytest.skip("needs root, to become others")


def other(*arguments, options=()):
    """looptop as another, by setpriv."""
    return subprocess.run(["setpriv", *options, LOOPTOP, *map(str, arguments)], text=True, timeout=60,
                          env=dict(os.environ, LC_ALL="C.UTF-8", LOOPTOP_LIBDIR=BUILD),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


NOBODY = ("--reuid=65534", "--regid=65534", "--clear-groups")


def reachable():
    as_root()
    if subprocess.run(["setpriv", *NOBODY, LOOPTOP, "--version"], stdout=subprocess.DEVNULL,
                      stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("the build cannot be run by another user")


def test_another_users_process(idle):
    reachable()
    assert_refused(other("ps", idle.pid, options=NOBODY), 3, "belongs to user 0", "as root")


def test_root_without_the_capability(idle):
    as_root()
    drop = ("--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace")
    assert_refused(other("ps", idle.pid, options=drop), 3, "CAP_SYS_PTRACE")


def test_a_process_that_may_not_be_dumped():
    reachable()
    source = IDLE.replace("async def main():", "import ctypes; ctypes.CDLL(None).prctl(4, 0)\n"
                          "    async def main():", 1)
    service = Service.inline(looptop_client.PYTHONS[0], source, stderr=None)
    os.chmod(service.script, 0o644)
    with service:
        service.expect("ready")
        assert "w0" in names(ps(service.pid)[0])  # root may
    script = "import ctypes, os, time; os.setuid(65534); print('ready', flush=True); time.sleep(1000)"
    process = subprocess.Popen([looptop_client.PYTHONS[0], "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        assert_refused(other("ps", process.pid, options=NOBODY), 3, "does not let its own user")
    finally:
        process.kill()
        process.communicate()


SECCOMP = """
import ctypes, os, struct, sys
# a filter that answers EPERM to the syscalls named, and allows the rest
calls = [int(n) for n in sys.argv[1].split(",")]
code = [(0x20, 0, 0, 0)]
code += [(0x15, len(calls) - i, 0, nr) for i, nr in enumerate(calls)]
code += [(0x06, 0, 0, 0x7fff0000), (0x06, 0, 0, 0x00050001)]
raw = b"".join(struct.pack("HBBI", *one) for one in code)
buffer = ctypes.create_string_buffer(raw)
program = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buffer))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, ctypes.c_char_p(program)) == 0, os.strerror(ctypes.get_errno())
os.execv(sys.argv[2], sys.argv[2:])
"""
PTRACE, MEMFD_CREATE, PROCESS_VM_READV, PROCESS_VM_WRITEV, PIDFD_GETFD = 101, 319, 310, 311, 438


def filtered(calls, *command):
    return [sys.executable, "-c", SECCOMP, ",".join(map(str, calls)), *map(str, command)]


def looptop_filtered(calls, *arguments):
    return subprocess.run(filtered(calls, LOOPTOP, *arguments), text=True, timeout=60,
                          env=dict(os.environ, LC_ALL="C.UTF-8", LOOPTOP_DEBUG="attach"),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_client_that_may_not_trace(python):
    """Python's own way in serves there, since 3.14, where a thread runs Python code."""
    what = "while True: [n for n in range(1000)]"
    with ready(python, BUSY.format(before="pass", what=what)) as service:
        done = looptop_filtered([PTRACE], "ps", service.pid)
        if looptop_client.version(python) < (3, 14):
            assert_refused(done, 3, "looptop is confined", "looptop run")
        else:
            assert done.returncode == 0 and "by PEP 768" in done.stderr, done.stderr
            assert "waiting" in done.stdout
            assert not [n for n in os.listdir("/tmp") if n.startswith(("looptop-agent", "looptop-script"))]


def test_a_client_that_may_not_read_at_once(python):
    """Through /proc/PID/mem it may."""
    with ready(python, IDLE) as service:
        done = looptop_filtered([PROCESS_VM_READV, PROCESS_VM_WRITEV], "ps", service.pid)
        assert done.returncode == 0 and "w0" in done.stdout, done.stderr


def test_a_client_that_may_not_have_descriptors(python):
    """Then the agent listens at a path, which goes with it."""
    with ready(python, IDLE) as service:
        done = looptop_filtered([PIDFD_GETFD], "ps", service.pid)
        assert done.returncode == 0 and "w0" in done.stdout, done.stderr
        assert service.sockets() == ["%d.sock" % service.pid] or \
            os.path.exists("/tmp/looptop-%d/%d.sock" % (os.geteuid(), service.pid))
        assert looptop_filtered([PIDFD_GETFD], "detach", service.pid).returncode == 0
        wait_for(lambda: service.sockets() == [])


def test_a_program_that_may_have_no_memfd(python):
    """It is given a file, which is gone as soon as it is loaded."""
    with Service.inline(python, IDLE) as plain:
        plain.expect("ready")
        process = subprocess.Popen(filtered([MEMFD_CREATE], python, plain.script), stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, text=True,
                                   env=looptop_client.environment(plain.directory))
        try:
            assert process.stdout.readline() == "ready\n"
            assert "w0" in names(attach(process.pid))
            assert not [name for name in os.listdir("/tmp") if name.startswith("looptop-agent")]
            assert looptop("detach", process.pid).returncode == 0
        finally:
            process.kill()
            process.communicate()


def test_a_process_that_ends_while_it_is_attached_to(python):
    """Whatever the moment: one line, and no harm."""
    for delay in range(0, 30, 3):
        process = subprocess.Popen(
            [python, "-c", "import asyncio, time, threading\n"
             "threading.Timer(%f, lambda: __import__('os')._exit(0)).start()\n"
             "print('ready', flush=True)\nasyncio.run(asyncio.sleep(100))" % (0.05 + delay / 1000)],
            stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.04)
        done = looptop("ps", process.pid)
        assert done.returncode in (0, 3), done.stderr
        if done.returncode == 3:
            assert done.stderr.count("\n") <= 2, done.stderr
        process.wait(DEADLINE_S)
        process.stdout.close()


def test_another_looptops_agent(python, tmp_path):
    """A state of another layout is not touched."""
    with ready(python, IDLE) as service:
        attach(service.pid)
        assert looptop("detach", service.pid).returncode == 0
        with open("/proc/%d/maps" % service.pid) as maps, open("/proc/%d/mem" % service.pid, "r+b", 0) as memory:
            for line in maps:
                if "looptop-agent" not in line or " rw-p " not in line:
                    continue
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                memory.seek(start)
                at = memory.read(end - start).find(b"LOOPTOP-AGENT\0\0")
                if at >= 0:
                    memory.seek(start + at + 16)
                    memory.write(ctypes.c_uint32(99))
                    break
            else:
                raise AssertionError("the agent's state is not found")
        assert_refused(looptop("ps", service.pid), 3, "another looptop", "restart the program")

# ---- programs that look like Python, made for the purpose


def fake(tmp_path, version, more="", compiler="gcc"):
    """A C program that exports what tells an interpreter."""
    source, program = tmp_path / "fake.c", tmp_path / "fake"
    source.write_text("""
        #include <unistd.h>
        #include <stdio.h>
        long _PyRuntime[64]; const unsigned long Py_Version = %s; %s
        int main(void) { puts("ready"); fflush(stdout); for (;;) pause(); }
    """ % (version, more))
    subprocess.run([compiler, "-rdynamic", "-o", str(program), str(source)], check=True)
    # a sanitizer's library is for the other libc
    clean = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    process = subprocess.Popen([str(program)], stdout=subprocess.PIPE, text=True, env=clean)
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("version, more, words", [
    ("0x031000f0", "", ["CPython 3.16.0", "3.11 to 3.15"]),
    ("0x030a0cf0", "", ["CPython 3.10.12", "3.11 to 3.15"]),
    ("0x030e00f0", "void _Py_DecRefShared(void) {}", ["free-threaded CPython 3.14.0"]),
    ("0x030d00f0", "void _Py_NegativeRefcount(void) {}", ["debug build of CPython 3.13.0"]),
], ids=["newer", "older", "free-threaded", "debug"])
def test_a_python_that_is_not_served(tmp_path, version, more, words):
    process = fake(tmp_path, version, more)
    try:
        assert_refused(looptop("ps", process.pid), 3, *words)
    finally:
        process.kill()
        process.communicate()


def test_a_python_without_an_agent(tmp_path):
    process = fake(tmp_path, "0x030d00f0")
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize").mkdir()
    try:
        done = looptop("ps", process.pid, LOOPTOP_LIBDIR=str(tmp_path))
        assert_refused(done, 3, "CPython 3.13.0, for which this looptop has no agent", "make")
    finally:
        process.kill()
        process.communicate()


def test_musl(tmp_path):
    if not shutil.which("musl-gcc"):
        pytest.skip("no musl-gcc (Debian: musl-tools)")
    process = fake(tmp_path, "0x030d00f0", compiler="musl-gcc")
    try:
        assert_refused(looptop("ps", process.pid), 3, "with musl (Alpine)", "cpython-313-", "-linux-musl.so")
    finally:
        process.kill()
        process.communicate()


def test_a_program_with_many_false_agents(tmp_path):
    """It may call its files what it likes, and have as many as it likes: that costs looptop little."""
    source = tmp_path / "many.py"
    (tmp_path / "looptop_agent.x.so").write_bytes(open(LOOPTOP, "rb").read(4096))
    source.write_text("""
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
fd = os.open(sys.argv[1], os.O_RDONLY)
for n in range(20000):
    # one readable, one not: the kernel makes no one mapping of them
    assert libc.mmap(None, 4096, 1 + 2 * (n % 2), 2, fd, ctypes.c_long(0)) not in (None, 2**64 - 1)
print("ready", flush=True)
input()
""")
    process = subprocess.Popen([looptop_client.PYTHONS[0], str(source), str(tmp_path / "looptop_agent.x.so")],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "ready\n"
        done = looptop("ps", process.pid, timeout=30)
        assert done.returncode == 0 and "loaded" in done.stderr, done.stderr
    finally:
        process.kill()
        process.communicate()
