#!/bin/sh
# SPDX-License-Identifier: MIT
# Which Python interpreters get an agent, and why the others do not.
#
#   pythons.sh BUILD [INTERPRETER...]
#
# Without interpreters looks at python3 and python3.N on PATH, at pyenv's and at /usr/bin. Writes
#   BUILD/pythons.mk      AGENT_TAGS, and AGENT_VERSION_<tag>, AGENT_SO_<tag>, AGENT_INC_<tag> of each
#   BUILD/pythons.table   the table `make` prints
#   BUILD/pythons.list    the interpreters an agent serves, one a line
#   BUILD/pythons.made    those whose headers the agents were built with: they stay, whatever stands first
#                         on PATH today, since an agent serves every build of its minor
# A file whose contents stay the same is not touched. What an interpreter said of itself is kept in
# BUILD/pythons.cache, so that a second run starts none of them.
set -eu

build=${1:?usage: pythons.sh BUILD [INTERPRETER...]}
shift
here=$(cd "$(dirname "$0")/../.." && pwd)
cache=$build/pythons.cache
arch=$(${CC:-cc} -dumpmachine 2>/dev/null | cut -d- -f1)
mkdir -p "$build"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
touch "$cache" "$work/seen" "$work/first" "$work/table" "$work/mk" "$work/list" "$work/cache"

# Runs in the interpreter: must parse on any Python 3.
probe='
import os, sys, sysconfig
impl = getattr(getattr(sys, "implementation", None), "name", "?")
inc = sysconfig.get_path("include") or ""
plat = sysconfig.get_path("platinclude") or inc
print("|".join([
    impl, "%d.%d.%d" % sys.version_info[:3], "%d%02d" % sys.version_info[:2],
    sysconfig.get_config_var("EXT_SUFFIX") or "", inc, plat,
    str(sysconfig.get_config_var("Py_GIL_DISABLED") or 0),
    os.path.realpath(sys.executable or "")]))
'

# Paths to look at, one a line. pyenv shims only lead to its versions, which are looked at themselves.
candidates()
{
    echo "$PATH" | tr ':' '\n' | while read -r dir; do
        if [ "${dir##*/}" = shims ] && [ -d "$dir/../versions" ]; then
            continue
        fi
        ls -d "$dir"/python3 "$dir"/python3.[0-9] "$dir"/python3.[0-9][0-9] \
            "$dir"/python3.[0-9][0-9]t "$dir"/pypy3 2>/dev/null || true
    done
    for root in "${PYENV_ROOT:-}" "${HOME:-/root}/.pyenv"; do
        [ -z "$root" ] || ls -d "$root"/versions/*/bin/python3 2>/dev/null || true
    done
    ls -d /usr/bin/python3 /usr/bin/python3.[0-9] /usr/bin/python3.[0-9][0-9] 2>/dev/null || true
}

# What $1 says of itself, from the cache where the file is still the same.
ask()
{
    key="$1|$(stat -L -c '%Y.%i.%s' "$1" 2>/dev/null || echo none)"
    answer=$(grep -F -e "$key|" "$cache" | head -n 1 | cut -d'|' -f3-)
    if [ -z "$answer" ]; then
        answer=$(timeout 20 "$1" -I -S -c "$probe" 2>/dev/null </dev/null || true)
    fi
    [ -n "$answer" ] && echo "$key|$answer" >>"$work/cache"
    echo "$answer"
}

row()
{
    printf '%s|%s|%s\n' "$1" "$2" "$3" >>"$work/table"
}

# Why the interpreter described by the variables below gets no agent; empty: it may.
refusal()
{
    minor=${version%.*}
    if [ "$impl" != cpython ]; then
        echo "no: $impl, not CPython"
    elif [ "$tag" -lt 311 ]; then
        echo "no: too old, 3.11 is the first"
    elif [ "$gil_disabled" != 0 ]; then
        echo "no: free-threaded build"
    elif [ ! -e "$here/src/agent/cpython/cpy_$tag.h" ]; then
        echo "no: $minor is not known to the agent"
    elif [ "${suffix#*"$arch"}" = "$suffix" ]; then
        echo "no: built for another machine ($suffix)"
    elif [ ! -e "$include/Python.h" ]; then
        echo "no: no headers ($include/Python.h; Debian: python$minor-dev)"
    elif [ ! -e "$include/internal/pycore_frame.h" ]; then
        echo "no: its headers lack internal/ ($include)"
    fi
}

# One interpreter: a row, and where it is the first good one of its minor, the rules for its agent.
consider()
{
    real=$(realpath -m "$1")
    grep -qxF "$real" "$work/seen" && return
    answer=$(ask "$1")
    if [ -z "$answer" ]; then
        row "$1" - "no: does not run (a broken shim or link?)"
        return
    fi
    IFS='|' read -r impl version tag suffix include platinclude gil_disabled exe <<END
$answer
END
    grep -qxF "$exe" "$work/seen" && return
    printf '%s\n%s\n' "$real" "$exe" >>"$work/seen"
    why=$(refusal)
    first=$(sed -n "s/^$tag //p" "$work/first")
    case $why in
    "no: no headers"* | "no: its headers"*)
        # its own headers are not needed where another build of the minor has them: second pass
        echo "$tag|$1|$version|$why" >>"$work/later"
        return
        ;;
    esac
    if [ -n "$why" ]; then
        row "$1" "$version" "$why"
        return
    fi
    echo "$1" >>"$work/list"
    if [ -n "$first" ]; then
        row "$1" "$version" "served: same minor as $first"
        return
    fi
    echo "$tag $1" >>"$work/first"
    row "$1" "$version" "built: looptop_agent$suffix"
    {
        echo "AGENT_TAGS += $tag"
        echo "AGENT_VERSION_$tag := $version"
        echo "AGENT_SO_$tag := looptop_agent$suffix"
        printf 'AGENT_INC_%s := -isystem %s' "$tag" "$include"
        [ "$platinclude" = "$include" ] || printf ' -isystem %s' "$platinclude"
        printf ' -isystem %s/internal -isystem %s/internal/mimalloc\n' "$include" "$include"
    } >>"$work/mk"
}

# Interpreters without headers of their own are served where another of the minor was built.
serve_the_rest()
{
    [ -e "$work/later" ] || return 0
    while IFS='|' read -r tag path version why; do
        first=$(sed -n "s/^$tag //p" "$work/first")
        if [ -n "$first" ]; then
            row "$path" "$version" "served: same minor as $first"
            echo "$path" >>"$work/list"
        else
            row "$path" "$version" "$why"
        fi
    done <"$work/later"
}

if [ $# -gt 0 ]; then
    for name; do
        command -v "$name" || echo "$name"
    done >"$work/candidates"
else
    candidates >"$work/found"
    grep -xF -f "$work/found" "$build/pythons.made" >"$work/candidates" 2>/dev/null || true
    cat "$work/found" >>"$work/candidates"
fi
while read -r path; do
    consider "$path"
done <"$work/candidates"
serve_the_rest

{
    awk -F'|' '
        { path[NR] = $1; version[NR] = $2; state[NR] = $3
          if (length($1) > wide) wide = length($1) }
        END {
            if (!NR) exit
            if (wide < 11) wide = 11
            printf "  %-*s  %-8s %s\n", wide, "interpreter", "version", "agent"
            for (i = 1; i <= NR; i++)
                printf "  %-*s  %-8s %s\n", wide, path[i], version[i], state[i]
        }' "$work/table"
    if ! grep -q . "$work/first"; then
        echo "  No agent was built: no CPython 3.11 to 3.15 with headers was found."
        echo "  Install one (Debian: python3-dev) or name one: make PYTHONS=/path/to/python3"
    fi
} >"$work/pretty"

keep()
{
    cmp -s "$1" "$2" || cp "$1" "$2"
}
keep "$work/mk" "$build/pythons.mk"
keep "$work/pretty" "$build/pythons.table"
keep "$work/list" "$build/pythons.list"
cut -d" " -f2- "$work/first" >"$work/made"
keep "$work/made" "$build/pythons.made"
keep "$work/cache" "$cache"
