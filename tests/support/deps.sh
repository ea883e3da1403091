#!/bin/sh
# SPDX-License-Identifier: MIT
# Installs the Debian packages that a target of the Makefile needs and that are missing.
#
#   deps.sh SET...        SETs: build test lint matrix uvloop fuzz cross
#
# Looks for the programs and files themselves first, so that nothing is asked of apt, and nothing is
# printed, where all is there. Without apt, or without root and sudo, says what to install and goes
# on: the build then says what it lacks. FORCE_MISSING=pkg (a list) is for testing this script.
# shellcheck disable=SC2317 # functions are called by name
set -u

missing=

# need PACKAGE COMMAND...: the package is missing unless the command succeeds
need()
{
    package=$1
    shift
    case " ${FORCE_MISSING:-} " in
    *" $package "*) ;;
    *) "$@" >/dev/null 2>&1 && return ;;
    esac
    case " $missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
}

have()
{
    command -v "$1"
}

header()
{
    for dir in /usr/include /usr/local/include "/usr/include/$(uname -m)-linux-gnu"; do
        [ -e "$dir/$1" ] && return 0
    done
    return 1
}

python_headers()
{
    for path in /usr/include/python3.*/Python.h /usr/local/include/python3.*/Python.h \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/include/python3.1[1-9]/Python.h; do
        [ -e "$path" ] && return 0
    done
    return 1
}

terminfo()
{
    infocmp "$1"
}

pytest_there()
{
    [ -d /usr/lib/python3/dist-packages/pytest ] || python3 -c 'import pytest'
}

venv_there()
{
    # Debian ships venv without the wheels it needs unless python3-venv is there
    [ -e /usr/bin/python3 ] && /usr/bin/python3 -I -S -c 'import ensurepip, venv'
}

clang_runtime()
{
    runtime=$(clang -print-runtime-dir 2>/dev/null) || return 1
    ls "$runtime"/libclang_rt.fuzzer*.a
}

set_build()
{
    need gcc have "${CC:-gcc}"
    need libc6-dev header stdio.h
    need make have make
    need pkg-config have pkg-config
    need libncurses-dev header ncurses.h
    [ -n "${PYTHONS:-}" ] || need python3-dev python_headers
}

set_test()
{
    need libcmocka-dev header cmocka.h
    need python3-pytest pytest_there
    need python3-venv venv_there
    need tmux have tmux
    need ncurses-term terminfo xterm-direct
    need socat have socat
    need jq have jq
    need musl-tools have musl-gcc
    need util-linux have setpriv
    need binutils have objdump
    need procps have ps
}

set_lint()
{
    need clang-format have clang-format
}

set_matrix()
{
    need debootstrap have debootstrap
}

set_uvloop()
{
    need python3-uvloop test -d /usr/lib/python3/dist-packages/uvloop
}

set_fuzz()
{
    need clang have clang
    version=$(clang -dumpversion 2>/dev/null | cut -d. -f1)
    if [ -z "$version" ]; then
        version=$(apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9]*\).*/\1/p' |
            head -n 1)
    fi
    need "libclang-rt-${version:-14}-dev" clang_runtime
}

set_cross()
{
    need gcc-aarch64-linux-gnu have "${CROSS_CC:-aarch64-linux-gnu-gcc}"
    need libc6-dev-arm64-cross test -e /usr/aarch64-linux-gnu/include/stdio.h
    need qemu-user have qemu-aarch64
    need make have make
}

for name; do
    case $name in
    build | test | lint | matrix | uvloop | fuzz | cross) "set_$name" ;;
    *)
        echo "deps: no set '$name'" >&2
        exit 2
        ;;
    esac
done
[ -n "$missing" ] || exit 0

missing=${missing# }
if ! command -v apt-get >/dev/null; then
    echo "deps: please install (Debian's names): $missing" >&2
    exit 0
fi
as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: please install, as root: apt-get install $missing" >&2
        exit 0
    fi
    as_root=sudo
fi
echo "deps: installing $missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
apt_install()
{
    # shellcheck disable=SC2086 # a list of words
    $as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1
}
# package lists may be absent or old: fetch them when the first try fails
if ! apt_install && ! { $as_root apt-get update -qq >"$log" 2>&1 && apt_install; }; then
    tail -n 10 "$log" >&2
    echo "deps: could not install: $missing" >&2
fi
exit 0
