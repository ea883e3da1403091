#!/bin/sh
# SPDX-License-Identifier: MIT
# Unit, golden and integration tests under AddressSanitizer and UndefinedBehaviourSanitizer.
#
#   check-asan.sh MAKE BUILD [VARIABLE=VALUE...]
#
# Agents are built so as well; as the interpreters are not, libasan is preloaded into everything the
# integration tests start. Leaks are looked for in the C programs only: CPython leaks on purpose.
set -eu

make=${1:?usage: check-asan.sh MAKE BUILD [VARIABLE=VALUE...]}
build=${2:?usage: check-asan.sh MAKE BUILD [VARIABLE=VALUE...]}
shift 2
cd "$(dirname "$0")/../.."
. tests/support/step.sh

UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export UBSAN_OPTIONS

compile()
{
    "$make" BUILD="$build" SANITIZE=address,undefined CC=gcc "$@"
}

programs()
{
    set --
    for source in tests/unit/test_*.c tests/golden/test_*.c; do
        [ ! -e "$source" ] || set -- "$@" "$build/${source%.c}"
    done
    ASAN_OPTIONS=detect_leaks=1:handle_segv=0:handle_abort=0 LOOPTOP_BUILD=$PWD/$build tests/support/run-tests.sh unit golden -- "$@"
}

integration()
{
    ASAN_OPTIONS=detect_leaks=0 LOOPTOP_BUILD=$PWD/$build \
        LOOPTOP_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so)" \
        tests/support/run-tests.sh tests/integration --
}

step "asan: build tests" compile "$@" units
[ "$step_rc" -ne 0 ] || step "asan: unit and golden" programs
step "asan: build agents" compile "$@" all
[ "$step_rc" -ne 0 ] || step "asan: integration" integration
steps_end
