# SPDX-License-Identifier: MIT
"""Attaching to programs that were started without looptop: what they are doing at that moment, what
stays behind, and the client's words where it cannot be."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import looptop_client
from looptop_client import BUILD, DEADLINE_S, Service, wait_for

LOOPTOP = os.path.join(BUILD, "looptop")

pytestmark = pytest.mark.skipif(
    "libtsan" in os.environ.get("LD_PRELOAD", ""),
    reason="a library with thread sanitizer cannot be loaded into a running program")

IDLE = """
    import asyncio, sys
    async def worker(n):
        await asyncio.sleep(3600)
    async def extra():
        await asyncio.sleep(3600)
    async def main():
        keep = [asyncio.create_task(worker(n), name="w%d" % n) for n in range(5)]
        loop = asyncio.get_running_loop()
        def tell():
            line = sys.stdin.readline().strip()
            if line == "end":
                for task in asyncio.all_tasks():
                    task.cancel()
            elif line:
                keep.append(loop.create_task(extra(), name=line))
                print("made", flush=True)
        loop.add_reader(0, tell)
        print("ready", flush=True)
        try:
            await asyncio.gather(*keep)
        except asyncio.CancelledError:
            print("ended", flush=True)
    asyncio.run(main())
"""


def looptop(*arguments, timeout=60, **environ):
    return subprocess.run([LOOPTOP, *map(str, arguments)], text=True, timeout=timeout,
                          env=dict(os.environ, LC_ALL="C.UTF-8", LOOPTOP_DEBUG="attach", **environ),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ps(pid, *arguments):
    done = looptop("ps", pid, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def names(document):
    return sorted(task["name"] for task in document["tasks"])


def ready(python, source, **environ):
    service = Service.inline(python, source, **environ)
    service.expect("ready")
    return service


def attach(pid):
    """Attaches, and asserts that it was done just now."""
    document, said = ps(pid)
    assert re.search(r"attach: process %d (loaded|woken)" % pid, said), said
    return document


def descriptors(pid):
    found = {}
    for name in os.listdir("/proc/%d/fd" % pid):
        try:
            found[int(name)] = os.readlink("/proc/%d/fd/%s" % (pid, name))
        except FileNotFoundError:
            pass
    return found


def threads(pid):
    found = []
    for tid in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/comm" % (pid, tid)) as comm:
                found.append(comm.read().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def masks(pid):
    found = {}
    for tid in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, tid)) as status:
            text = status.read()
        if "looptop" not in text.split("\n")[0]:
            found[tid] = re.search(r"SigBlk:\t(\w+)", text).group(1)
    return found


def assert_refused(done, status, *words):
    assert done.returncode == status, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("looptop: ") and done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


# ---- what it finds, and what it leaves


def test_tasks_that_were_there_have_least_ages_and_new_ones_exact_ones(python):
    with ready(python, IDLE) as service:
        document = attach(service.pid)
        assert [n for n in names(document) if n.startswith("w")] == ["w0", "w1", "w2", "w3", "w4"]
        assert {task["age_exact"] for task in document["tasks"]} == {False}
        assert {task["waiting_on"] for task in document["tasks"] if task["name"] == "w0"} == {"sleep"}
        service.tell("later")
        service.expect("made")
        document, said = ps(service.pid)
        assert said == ""
        later, = [task for task in document["tasks"] if task["name"] == "later"]
        assert later["age_exact"] and later["created_at"]["line"] == 16


def test_nothing_is_written_where_a_memfd_can_be_had(python, tmp_path):
    with ready(python, IDLE) as service:
        before, mask = descriptors(service.pid), masks(service.pid)
        attach(service.pid)
        assert service.sockets() == []
        assert not [name for name in os.listdir("/tmp") if name.startswith("looptop-agent")]
        new = {fd: to for fd, to in descriptors(service.pid).items() if fd not in before}
        assert all(to.startswith("socket:") for to in new.values()), new
        assert masks(service.pid) == mask
        # numbers go where they are in nobody's way, once nobody waits for an answer
        wait_for(lambda: all(fd > 100 for fd in descriptors(service.pid) if fd not in before))
        assert ps(service.pid)[1] == ""


def test_a_detached_agent_sleeps_and_is_woken(python):
    with ready(python, IDLE) as service:
        before, running = descriptors(service.pid), sorted(threads(service.pid))
        for turn in range(3):
            _, said = ps(service.pid)
            assert ("woken" if turn else "loaded") in said, said
            assert looptop("detach", service.pid).returncode == 0
            wait_for(lambda: sorted(threads(service.pid)) == running, what="the agent's threads gone")
            wait_for(lambda: descriptors(service.pid) == before, what="its descriptors gone")
        assert_refused(looptop("detach", service.pid), 3, "no agent in process", "detached")
        # tasks that were made meanwhile are found, with the others
        service.tell("meanwhile")
        service.expect("made")
        assert "meanwhile" in names(attach(service.pid))


def test_right_after_a_detach_it_is_woken_and_stays(python):
    with ready(python, IDLE) as service:
        attach(service.pid)
        for _ in range(60):
            assert looptop("detach", service.pid).returncode == 0
            document, said = ps(service.pid)
            assert "woken" in said and "w0" in names(document)
            assert ps(service.pid)[1] == ""


def test_the_program_ends_as_it_would(python):
    with ready(python, IDLE) as service:
        attach(service.pid)
        service.tell("end")
        service.expect("ended")
        assert service.wait() == 0


def test_many_clients_at_once(python):
    with ready(python, IDLE) as service:
        for _ in range(60):
            clients = [subprocess.Popen([LOOPTOP, "ps", str(service.pid), "--json"], text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(6)]
            for client in clients:
                out, err = client.communicate(timeout=60)
                assert client.returncode == 0, err
                assert "w0" in names(json.loads(out))
        with open("/proc/%d/maps" % service.pid) as maps:
            assert len({line.split()[4] for line in maps if "looptop-agent" in line}) == 1


def test_cancel(python):
    with ready(python, IDLE) as service:
        attach(service.pid)
        service.tell("another")
        service.expect("made")
        done = looptop("cancel", service.pid, "--match", "name:another", "--yes")
        assert done.returncode == 0 and "another cancelled" in done.stdout, (done.stdout, done.stderr)


# ---- what it is doing at that moment


BUSY = """
    import asyncio
    async def worker():
        await asyncio.sleep(3600)
    async def main():
        keep = asyncio.create_task(worker(), name="waiting")
        await asyncio.sleep(0)
        {before}
        print("ready", flush=True)
        {what}
    asyncio.run(main())
"""


@pytest.mark.parametrize("what", [
    "n = 0\n        while True: n += 1",
    "import time\n        while True: time.sleep(3600)",
    "import time\n        while True: time.sleep(0.0001)",
    "while True: [bytes(n) for n in range(500, 5000, 100)]",
    "import re\n        while True: re.match(r'(a+)+$', 'a' * 18 + 'b')",
    "import hashlib\n        while True: hashlib.sha256(b'x' * 100000).digest()",
    "import json\n        while True: json.loads(json.dumps({str(n): [n] * 20 for n in range(50)}))",
    "import ctypes\n        while True: ctypes.CDLL(None).usleep(1000)",
], ids=["python", "sleep", "short sleeps", "malloc", "re", "sha", "json", "ctypes"])
def test_a_loop_that_is_blocked(python, what):
    with ready(python, BUSY.format(before="pass", what=what)) as service:
        attach(service.pid)
        wait_for(lambda: "waiting" in names(ps(service.pid)[0]))
        assert service.process.poll() is None


@pytest.mark.parametrize("body", [
    "while True: time.sleep(0.001)",
    "while True: bytearray(random.randrange(100, 200000))",
    "while True: lock.acquire(); lock.release()",
    "event.wait()",
], ids=["sleeping", "malloc", "lock", "event"])
def test_many_threads(python, body):
    before = """
        import threading, time, random
        lock, event = threading.Lock(), threading.Event()
        def run():
            {body}
        for _ in range(64):
            threading.Thread(target=run, daemon=True).start()""".format(body=body)
    source = BUSY.format(before=before.strip(), what="await asyncio.sleep(3600)")
    with ready(python, source) as service:
        attach(service.pid)
        # the GIL goes round among many
        wait_for(lambda: "waiting" in names(ps(service.pid)[0]))


def test_a_c_call_that_holds_the_gil(python):
    """The client is connected and says so at once; the tables fill when the GIL comes free."""
    what = ("import ctypes, sys\n        ctypes.PyDLL(None).sleep(3)\n"
            "        print('free', flush=True)\n        await asyncio.sleep(3600)")
    with ready(python, BUSY.format(before="pass", what=what)) as service:
        done = looptop("ps", service.pid)
        assert done.returncode == 0
        assert "has held the GIL for" in done.stderr, done.stderr
        service.expect("free")
        wait_for(lambda: "waiting" in names(ps(service.pid)[0]))


def test_asyncio_is_not_imported_yet(python):
    source = """
        import sys
        print("ready", flush=True)
        sys.stdin.readline()
        import asyncio
        async def worker():
            await asyncio.sleep(3600)
        async def main():
            await asyncio.sleep(2)
            keep = asyncio.create_task(worker(), name="later")
            await keep
        asyncio.run(main())
    """
    with ready(python, source) as service:
        done = looptop("ps", service.pid)
        assert done.returncode == 0 and "has not imported asyncio" in done.stderr, done.stderr
        service.tell("go")
        task = wait_for(lambda: [t for t in ps(service.pid)[0]["tasks"] if t["name"] == "later"])
        assert task[0]["age_exact"] is True


def test_no_loop_at_all(python):
    source = """
        import asyncio, sys
        print("ready", flush=True)
        sys.stdin.readline()
    """
    with ready(python, source) as service:
        done = looptop("ps", service.pid)
        assert done.returncode == 0 and "has run no event loop" in done.stderr, done.stderr


def test_a_loop_in_a_thread_and_main_in_time_sleep(python):
    source = """
        import asyncio, threading, time
        async def worker():
            await asyncio.sleep(3600)
        async def main():
            keep = asyncio.create_task(worker(), name="in a thread")
            await asyncio.sleep(0)
            print("ready", flush=True)
            await keep
        threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
        time.sleep(3600)
    """
    with ready(python, source) as service:
        assert "in a thread" in names(attach(service.pid))


def test_uvloop(python):
    venv, why = looptop_client.python_with(python, "uvloop")
    if venv is None:
        pytest.skip(why)
    source = """
        import asyncio, uvloop
        async def worker():
            await asyncio.sleep(3600)
        async def main():
            keep = [asyncio.create_task(worker(), name="w%d" % n) for n in range(5)]
            await asyncio.sleep(0)
            print("ready", flush=True)
            await asyncio.gather(*keep)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        asyncio.run(main())
    """
    with ready(venv, source, stderr=None) as service:
        document = attach(service.pid)
        assert [n for n in names(document) if n.startswith("w")] == ["w0", "w1", "w2", "w3", "w4"]


def test_sleeps_last_as_long_as_they_would(python):
    """Waits that the stop interrupts are taken up again: none ends early, none begins anew."""
    source = """
        import select, socket, threading, time
        a, b = socket.socketpair()
        b.settimeout(2)
        def recv():
            try:
                b.recv(1)
            except TimeoutError:
                pass
        poll, epoll = select.poll(), select.epoll()
        waits = [lambda: time.sleep(2), lambda: threading.Event().wait(2), lambda: poll.poll(2000),
                 lambda: epoll.poll(2), lambda: select.select([], [], [], 2), recv]
        print("ready", flush=True)
        for wait in waits:
            began = time.monotonic()
            wait()
            print("%.3f" % (time.monotonic() - began), flush=True)
        input()
    """
    with ready(python, source) as service:
        for _ in range(6):
            end = time.monotonic() + 1.7
            while time.monotonic() < end:
                assert looptop("ps", service.pid).returncode == 0
                assert looptop("detach", service.pid).returncode == 0
            lasted = float(service.line())
            assert 1.99 < lasted < 2.9, lasted


def test_a_child_of_an_attached_program(python):
    source = """
        import asyncio, os, sys
        async def worker():
            await asyncio.sleep(3600)
        async def main(name):
            keep = asyncio.create_task(worker(), name=name)
            await asyncio.sleep(0)
            print("ready" if name == "parent" else os.getpid(), flush=True)
            loop = asyncio.get_running_loop()
            if name == "parent":
                await loop.run_in_executor(None, sys.stdin.readline)
            else:
                await keep
        asyncio.run(main("parent"))
        if os.fork() == 0:
            asyncio.run(main("child"))
        os.wait()
    """
    # 3.13.0 counts the agent's threads while they end, and warns of them
    with ready(python, source, stderr=None) as service:
        assert "parent" in names(attach(service.pid))
        service.tell("fork")
        child = int(service.line())
        wait_for(lambda: "child" in names(ps(child)[0]))
        assert "child" not in names(ps(service.pid)[0])
        assert looptop("detach", child).returncode == 0
        assert "child" in names(attach(child))


def test_readonly_and_disabled_by_its_environment(python):
    with ready(python, IDLE, LOOPTOP_READONLY="1") as service:
        attach(service.pid)
        done = looptop("cancel", service.pid, "--match", "name:w0", "--yes")
        assert done.returncode == 1 and "READONLY" in done.stderr, done.stderr
    with ready(python, IDLE, LOOPTOP="0") as service:
        assert_refused(looptop("ps", service.pid), 3, "LOOPTOP=0", "--force")
        assert threads(service.pid).count("looptop-io") == 0
        assert "w0" in names(ps(service.pid, "--force")[0])


def test_remote_debugging_switched_off_is_a_no(python):
    if looptop_client.version(python) < (3, 14):
        pytest.skip("there is no such switch before 3.14")
    with ready(python, IDLE, PYTHON_DISABLE_REMOTE_DEBUG="1") as service:
        assert_refused(looptop("ps", service.pid), 3, "remote debugging switched off", "--force")
        assert "w0" in names(ps(service.pid, "--force")[0])


def test_the_package_can_be_started_in_an_attached_program(python):
    source = IDLE.replace("elif line:", """elif line == "start":
                import looptop
                print(looptop.start(), flush=True)
            elif line:""")
    with ready(python, source) as service:
        attach(service.pid)
        service.tell("start")
        service.expect("True")
        assert "w0" in [row["name"] for row in service.client().rows()]


def test_a_debugger_afterwards_sees_a_whole_program(python):
    """The state that was put back is that of before: a computing loop comes to the same result."""
    source = """
        import asyncio, hashlib, math
        def work():
            total, digest = 0.0, b""
            for n in range(200000):
                total += math.sin(n) * 1.0000001 ** (n % 100)
                if n % 100 == 0:
                    digest = hashlib.sha256(digest + repr(total).encode()).digest()
            return digest.hex()
        print("ready", flush=True)
        print(len({work() for _ in range(20)}), flush=True)
        input()
    """
    with ready(python, source) as service:
        while service._lines.empty():
            assert looptop("ps", service.pid).returncode == 0
            assert looptop("detach", service.pid).returncode == 0
        service.expect("1")


def children(pid):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/stat" % name) as stat:
                    if int(stat.read().rpartition(")")[2].split()[1]) == pid:
                        found.append(int(name))
            except (FileNotFoundError, ProcessLookupError):
                pass
    return found


@pytest.mark.parametrize("options", [
    ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--mount-proc"],
    ["--mount", "--pid", "--fork", "--net", "--mount-proc"],
    ["--mount", "--pid", "--fork"],
], ids=["user", "root", "no proc of its own"])
def test_namespaces_of_its_own(python, options):
    """A container, as far as the kernel goes: its pids, users, mounts and network are others."""
    hide = "mount -t tmpfs none /dev/shm && mount -t tmpfs none /run && exec \"$0\" \"$@\""
    if subprocess.run(["unshare", *options, "sh", "-c", hide, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("no such namespaces can be made here")
    with Service.inline(python, IDLE) as plain:
        plain.expect("ready")
        process = subprocess.Popen(["unshare", *options, "sh", "-c", hide, python, plain.script],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                   env=looptop_client.environment(plain.directory))
        try:
            assert process.stdout.readline() == "ready\n"
            inner, = children(process.pid)
            for _ in range(2):
                assert "w0" in names(attach(inner))
                assert ps(inner)[1] == ""
                assert looptop("detach", inner).returncode == 0
            document, = [one for one in json.loads(looptop("ls", "--json").stdout)["processes"]
                         if one["pid"] == inner]
            assert document["loop"] == "asyncio"
        finally:
            for pid in children(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.kill()
            process.communicate()


# ---- where it cannot be


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
