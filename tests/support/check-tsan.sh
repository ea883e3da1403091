#!/bin/sh
# SPDX-License-Identifier: MIT
# Under ThreadSanitizer: the threaded harnesses, tests/unit/test_*_threads.c, and the agents in real
# services, by the integration tests of the agent.
#
#   check-tsan.sh MAKE BUILD [VARIABLE=VALUE...]
#
# The interpreters are not built so, but their GIL is a mutex that ThreadSanitizer sees: libtsan is
# preloaded into everything the tests start, and what it says is a failure whatever the tests say.
set -eu

make=${1:?usage: check-tsan.sh MAKE BUILD [VARIABLE=VALUE...]}
build=${2:?usage: check-tsan.sh MAKE BUILD [VARIABLE=VALUE...]}
shift 2
cd "$(dirname "$0")/../.."
. tests/support/step.sh

programs=
for source in tests/unit/test_*_threads.c; do
    programs="$programs $build/${source%.c}"
done
said=$PWD/$build/said
# without address randomisation: gcc 12's runtime does not know the layouts of new kernels
alone="setarch -R"

compile()
{
    # shellcheck disable=SC2086 # a list of words
    "$make" BUILD="$build" SANITIZE=thread CC=gcc CFLAGS=-Wno-tsan "$@" all $programs
}

threads()
{
    # shellcheck disable=SC2086
    TSAN_OPTIONS=halt_on_error=0:exitcode=66 LOOPTOP_BUILD=$PWD/$build \
        $alone tests/support/run-tests.sh unit -- $programs
}

services()
{
    rm -rf "$said"
    mkdir -p "$said"
    # the status of a service is the service's; children of a fork have threads of their own
    TSAN_OPTIONS=log_path=$said/at:exitcode=0:report_thread_leaks=0:die_after_fork=0:suppressions=$PWD/tests/support/tsan.supp \
        LOOPTOP_BUILD=$PWD/$build LOOPTOP_PRELOAD="$(gcc -print-file-name=libtsan.so)" \
        $alone tests/support/run-tests.sh tests/integration/test_agent_*.py --
}

silence()
{
    if [ -z "$(ls "$said")" ]; then
        echo "1 passed, 0 failed, 0 skipped"
        return
    fi
    cat "$said"/* | head -n 2000
    echo "the reports are in $said; by place:"
    grep -h SUMMARY "$said"/* | sort | uniq -c | sort -rn
    echo "0 passed, 1 failed, 0 skipped"
    return 1
}

step "tsan: build" compile "$@"
if [ "$step_rc" -eq 0 ]; then
    step "tsan: threads" threads
    step "tsan: services" services
    step "tsan: no report" silence
fi
steps_end
