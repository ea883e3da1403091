#!/bin/sh
# SPDX-License-Identifier: MIT
# The threaded harnesses, tests/unit/test_*_threads.c, under ThreadSanitizer: check-tsan.sh MAKE BUILD
set -eu

make=${1:?usage: check-tsan.sh MAKE BUILD}
build=${2:?usage: check-tsan.sh MAKE BUILD}
cd "$(dirname "$0")/../.."
. tests/support/step.sh

programs=
for source in tests/unit/test_*_threads.c; do
    [ -e "$source" ] || continue
    programs="$programs $build/${source%.c}"
done
if [ -z "$programs" ]; then
    echo "check-tsan: there is no tests/unit/test_*_threads.c" >&2
    exit 1
fi

compile()
{
    # shellcheck disable=SC2086 # a list of words
    "$make" BUILD="$build" SANITIZE=thread CC=gcc $programs
}

run()
{
    # without address randomisation: gcc 12's runtime does not know the layouts of new kernels
    # shellcheck disable=SC2086
    TSAN_OPTIONS=halt_on_error=0:exitcode=66 LOOPTOP_BUILD=$PWD/$build \
        setarch -R tests/support/run-tests.sh unit -- $programs
}

step "tsan: build" compile
[ "$step_rc" -ne 0 ] || step "tsan: threads" run
steps_end
