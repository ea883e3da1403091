#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Who may include whom: reads the includes of all sources and compiles every header alone.

The rules are DESIGN's: common <- proto <- {agent, client}; platform and attach stand on common; the
agent and the client never meet; <curses.h>, <Python.h>, CPython's internals and <libunwind.h> each
have one place. First checks itself: a planted violation of every rule must be found.

Prints `N passed, N failed, 0 skipped`; a check is one file against one kind of rule.
"""

import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
COMMENT = re.compile(r"/\*.*?\*/", re.S)

# room: rooms it may include besides itself; "looptop" is include/looptop
MAY = {
    "looptop": set(),
    "common": {"looptop"},
    "vendor": set(),
    "proto": {"looptop", "common", "vendor"},
    "platform": {"looptop", "common"},
    "attach": {"looptop", "common", "platform"},
    "agent": {"looptop", "common", "proto", "platform", "vendor"},
    "client": {"looptop", "common", "proto", "platform", "attach", "vendor"},
}
# within the client: what each of its rooms may include of the others; the top level may all
CLIENT_MAY = {
    "model": set(),
    "screen": {"theme"},
    "theme": {"screen"},
    "widget": {"model", "screen", "theme"},
    "view": {"model", "screen", "theme", "widget"},
}
CURSES = re.compile(r"^(n?cursesw?|panel|term|curses)(/.*)?\.h$|^ncursesw?/")
INTERNALS = re.compile(r"^(internal/|cpython/|pycore_)")
MINOR = re.compile(r"agent/cpython/cpy_(3\d\d)\.h$")


def room_of(path):
    """("client", "view") for src/client/view/x.c; the second is "" at a room's top level."""
    parts = path.split("/")
    if parts[0] == "include":
        return parts[1], ""
    return parts[1], parts[2] if len(parts) > 3 else ""


def problems_of(path, text):
    """What is wrong with a source's includes, one line each."""
    room, sub = room_of(path)
    for kind, name in INCLUDE.findall(COMMENT.sub("", text)):
        if kind == "<":
            yield from system_problems(path, room, sub, name)
            continue
        target = name.split("/")[0]
        if "/" not in name or target not in MAY:
            yield "%s: \"%s\" is not written from src/ or include/" % (path, name)
        elif target != room and target not in MAY.get(room, set()):
            yield "%s: %s may not include %s (\"%s\")" % (path, room, target, name)
        elif room == target == "client":
            yield from client_problems(path, sub, name)
        elif name.endswith(".c"):
            yield "%s: includes a source (\"%s\")" % (path, name)
        if MINOR.search(name) and path != "src/agent/cpython/cpy.h":
            yield "%s: \"%s\" is a part of cpy.h alone" % (path, name)
        if target == "platform" and name.endswith("_client.h") and room == "agent":
            yield "%s: the agent may not include \"%s\"" % (path, name)


def client_problems(path, sub, name):
    parts = name.split("/")
    target = parts[1] if len(parts) > 2 else ""
    if sub and target != sub and target in CLIENT_MAY and target not in CLIENT_MAY.get(sub, set()):
        yield "%s: client/%s may not include client/%s" % (path, sub, target)


def system_problems(path, room, sub, name):
    if CURSES.match(name) and not (
            (room, sub) == ("client", "screen") and "curses" in os.path.basename(path)):
        yield "%s: <%s> belongs into src/client/screen's curses backend" % (path, name)
    if name == "Python.h" and room != "agent":
        yield "%s: <Python.h> belongs into src/agent" % path
    elif INTERNALS.match(name) and (room, sub) != ("agent", "cpython"):
        yield "%s: <%s> belongs into src/agent/cpython" % (path, name)
    if name.startswith("libunwind") and path != "src/agent/native.c":
        yield "%s: <%s> belongs into src/agent/native.c" % (path, name)


def version_problems(path, text):
    if re.search(r"^[ \t]*#[ \t]*(if|elif).*\b(PY_VERSION_HEX|PY_MINOR_VERSION|PY_MAJOR_VERSION)\b",
                 COMMENT.sub("", text), re.M) and not path.startswith("src/agent/cpython/"):
        yield "%s: #if on Python's version belongs into src/agent/cpython" % path


PLANTED = [
    ("src/common/a.c", '#include "proto/rpc.h"'),
    ("src/common/a.c", '#include "buf.h"'),
    ("src/proto/a.c", '#include "agent/table.h"'),
    ("src/platform/a.c", '#include "client/conn.h"'),
    ("src/attach/a.c", '#include "client/conn.h"'),
    ("src/agent/a.c", '#include "client/conn.h"'),
    ("src/agent/a.c", '  #  include "attach/target.h"'),
    ("src/agent/a.c", '#include "platform/find_client.h"'),
    ("src/client/a.c", '#include "agent/table.h"'),
    ("src/client/model/a.c", '#include "client/screen/surface.h"'),
    ("src/client/a.c", '#include "common/b.c"'),
    ("src/client/view/a.c", "#include <curses.h>"),
    ("src/client/screen/surface.c", "#include <ncursesw/curses.h>"),
    ("src/client/a.c", "#include <Python.h>"),
    ("src/agent/a.c", "#include <internal/pycore_frame.h>"),
    ("src/agent/a.c", '#include "agent/cpython/cpy_312.h"'),
    ("src/agent/a.c", "#include <libunwind.h>"),
    ("src/agent/a.c", "#if PY_VERSION_HEX >= 0x030c0000"),
    ("include/looptop/a.h", '#include "common/buf.h"'),
]
ALLOWED = [
    ("src/client/screen/surface_curses.c", "#include <curses.h>"),
    ("src/agent/cpython/cpy.c", "#include <internal/pycore_frame.h>\n#if PY_VERSION_HEX > 1"),
    ("src/agent/a.c", '/* #include "client/conn.h" */\n#include <Python.h>\n#include "proto/rpc.h"'),
    ("src/client/view/a.c", '#include "client/model/tasks.h"\n#include "client/tui.h"'),
]


def check_itself():
    def found(path, text):
        return list(problems_of(path, text)) + list(version_problems(path, text))

    bad = ["not found: %s in %s" % (text, path) for path, text in PLANTED if not found(path, text)]
    bad += ["found for nothing: %s" % found(path, text) for path, text in ALLOWED
            if found(path, text)]
    return bad


def sources():
    for top in "include", "src":
        for directory, _, names in os.walk(os.path.join(ROOT, top)):
            relative = os.path.relpath(directory, ROOT)
            if relative.startswith("src/vendor") or relative.startswith("src/python"):
                continue
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(relative, name)


def python_includes():
    """How to compile agent headers: the include flags of the agents that the build found."""
    makefile = os.path.join(ROOT, os.environ.get("BUILD", "build"), "pythons.mk")
    try:
        with open(makefile) as file:
            return re.findall(r"^AGENT_INC_\w+ := (.*)$", file.read(), re.M)
    except OSError:
        return []


def compile_alone(path, includes):
    """A header must be complete and guarded: included twice, alone."""
    name = path.split("/", 1)[1]
    with tempfile.NamedTemporaryFile("w", suffix=".c") as file:
        file.write('#include "%s"\n#include "%s"\n' % (name, name))
        file.flush()
        command = os.environ.get("CC", "gcc").split() + [
            "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wundef", "-Werror", "-fsyntax-only",
            "-Wno-unused-function", "-I" + os.path.join(ROOT, "include"),
            "-I" + os.path.join(ROOT, "src"), *includes, file.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode == 0:
        return []
    return ["%s does not compile alone:\n%s" % (path, "\n".join(done.stdout.split("\n")[:8]))]


def header_problems(path, pythons):
    """Agent headers may need Python.h. cpy_3NN.h is a part of cpy.h: that is compiled for its minor."""
    if room_of(path)[0] != "agent":
        return compile_alone(path, [])
    minor = MINOR.search(path)
    if minor:
        wanted = "python3.%d " % int(minor.group(1)[1:])
        pythons = [flags for flags in pythons if wanted in flags + " "]
        path = "src/agent/cpython/cpy.h"
    return compile_alone(path, pythons[0].split()) if pythons else []


def main():
    failures = check_itself()
    if failures:
        print("\n".join("check-layers: its own check fails: " + f for f in failures))
    passed = 0 if failures else 1
    failed = len(failures)
    pythons = python_includes()
    for path in sources():
        with open(os.path.join(ROOT, path)) as file:
            text = file.read()
        checks = [list(problems_of(path, text)) + list(version_problems(path, text))]
        if path.endswith(".h"):
            checks.append(header_problems(path, pythons))
        for problems in checks:
            failed += bool(problems)
            passed += not problems
            for problem in problems:
                print(problem)
    print("%d passed, %d failed, 0 skipped" % (passed, failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
