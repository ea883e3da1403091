# SPDX-License-Identifier: MIT
"""Attaching to programs that were started without looptop: what they are doing at that moment, and
what stays behind."""

import ctypes
import glob
import json
import os
import platform
import re
import signal
import subprocess
import sys
import time

import pytest

import looptop_client
from attaching import (
    BUSY, IDLE, LOOPTOP, assert_refused, attach, descriptors, looptop, masks, names, ps, ready, threads, no_tsan)
from looptop_client import BUILD, Service, wait_for

pytestmark = no_tsan


# ---- what it finds, and what it leaves


def test_tasks_that_were_there_have_least_ages_and_new_ones_exact_ones(python):
    with ready(python, IDLE) as service:
        document = attach(service.pid)
        assert [n for n in names(document) if n.startswith("w")] == ["w0", "w1", "w2", "w3", "w4"]
        assert {task["age_exact"] for task in document["tasks"]} == {False}
        assert {task["idle_exact"] for task in document["tasks"] if task["name"] == "w0"} == {False}
        assert {task["waiting_on"] for task in document["tasks"] if task["name"] == "w0"} == {"sleep"}
        service.tell("later")
        service.expect("made")
        document, said = ps(service.pid)
        assert said == ""
        later, = [task for task in document["tasks"] if task["name"] == "later"]
        assert later["age_exact"] and later["idle_exact"] and later["created_at"]["line"] == 16


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
    what = ("sleep(3)\n"
            "        print('free', flush=True)\n        await asyncio.sleep(3600)")
    with ready(python, BUSY.format(before="import ctypes; sleep = ctypes.PyDLL(None).sleep", what=what)) as service:
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


def test_a_program_that_always_blocks_signals_it_handles(python):
    """As those do that take them by signalfd or sigwait: not a sign of being within a handler."""
    block = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT, signal.SIGTERM])"
    with ready(python, BUSY.format(before=block, what="await asyncio.sleep(3600)")) as service:
        mask = masks(service.pid)
        assert "waiting" in names(attach(service.pid))
        assert masks(service.pid) == mask


def test_a_thread_that_loads_a_library_and_wants_the_gil(python, tmp_path):
    """Whoever is borrowed would wait for the linker's lock with the GIL, and that one for the GIL."""
    source = tmp_path / "slow.c"
    source.write_text("""
        int PyGILState_Ensure(void); void PyGILState_Release(int);
        static __attribute__((constructor)) void slow(void) {
            for (volatile long n = 0; n < 1500000000L; n++) ;
            PyGILState_Release(PyGILState_Ensure());
        }
    """)
    loader = tmp_path / "loader.c"
    loader.write_text("#include <dlfcn.h>\nvoid load(const char *path) { dlopen(path, RTLD_NOW); }\n")
    for one in (source, loader):
        subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", str(one.with_suffix(".so")), str(one)], check=True)
    before = ("import ctypes, threading; threading.Thread(target=lambda: [ctypes.CDLL('{0}/loader.so').load("
              "b'{0}/slow.so'), print('loaded', flush=True)], daemon=True).start()").format(tmp_path)
    with ready(python, BUSY.format(before=before, what="while True: [n for n in range(100)]")) as service:
        done = looptop("ps", service.pid)
        assert done.returncode == 0 or "loads a library" in done.stderr, done.stderr
        service.expect("loaded")
        wait_for(lambda: looptop("ps", service.pid).returncode == 0)


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


def test_the_agent_needs_an_old_libc_alone(python):
    """It loads in containers: objdump -T and -p of it."""
    if "san" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("a sanitizer's agent needs the sanitizer")
    path, = glob.glob(os.path.join(BUILD, "agent", "looptop_agent.cpython-%d%d-*.so" % looptop_client.version(python)))
    text = subprocess.run(["objdump", "-p", "-T", path], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert re.findall(r"NEEDED\s+(\S+)", text) == ["libc.so.6"]
    if platform.libc_ver()[1] >= "2.38":
        pytest.skip("a newer C library's headers ask for newer functions")
    versions = {tuple(map(int, found.split("."))) for found in re.findall(r"GLIBC_([0-9.]+)", text)}
    assert max(versions) <= (2, 17)
    exported = [line.split()[-1] for line in text.splitlines() if " g " in line and "*UND*" not in line]
    assert sorted(exported) == ["PyInit__agent", "looptop_agent_start", "looptop_agent_state"]

def test_python_in_a_program_that_keeps_it_to_itself(python, tmp_path):
    """libpython loaded with RTLD_LOCAL: its functions are nobody else's until looptop asks."""
    ask = "import sysconfig as s, sys; print(s.get_config_var('LIBDIR'), s.get_config_var('INSTSONAME'), sys.prefix)"
    directory, name, prefix = subprocess.run([python, "-c", ask], stdout=subprocess.PIPE, text=True,
                                             check=True).stdout.split()
    library = os.path.join(directory, name)
    if not os.path.exists(library) or ".so" not in name:
        pytest.skip("this Python has no shared library")
    source, program, script = tmp_path / "embed.c", tmp_path / "embed", tmp_path / "idle.py"
    source.write_text("""
        #include <dlfcn.h>
        #include <stdio.h>
        int main(int argc, char **argv) {
            void *python = dlopen("%s", RTLD_NOW | RTLD_LOCAL);
            int (*run)(int, char **) = python ? (int (*)(int, char **))dlsym(python, "Py_BytesMain") : 0;
            if (!run) { puts(dlerror()); return 1; }
            return run(argc, argv);
        }
    """ % library)
    subprocess.run(["gcc", "-o", str(program), str(source), "-ldl"], check=True)
    # no extension module finds its functions either: asyncio cannot be imported there
    script.write_text("print('ready', flush=True)\ninput()\n")
    process = subprocess.Popen([str(program), str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=dict(os.environ, PYTHONHOME=prefix))
    try:
        assert process.stdout.readline() == "ready\n"
        done = looptop("ps", process.pid)
        assert done.returncode == 0 and "loaded" in done.stderr, done.stderr
        assert "has not imported asyncio" in done.stderr
    finally:
        process.kill()
        process.communicate()
