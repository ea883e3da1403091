#!/bin/sh
# SPDX-License-Identifier: MIT
# Runs each fuzzer for FUZZ_SECONDS: run-fuzz.sh FOUND PROGRAM...
#
# fuzz_x starts from tests/fuzz/corpus/x with the dictionary tests/fuzz/x.dict. New inputs are kept in
# FOUND/x, an input that fails in FOUND/x-crash-*.
set -eu

found=${1:?usage: run-fuzz.sh FOUND PROGRAM...}
shift
cd "$(dirname "$0")/../.."
. tests/support/step.sh

fuzz()
{
    name=$1 program=$2
    mkdir -p "$found/$name"
    set -- "$found/$name"
    [ ! -d "tests/fuzz/corpus/$name" ] || set -- "$@" "tests/fuzz/corpus/$name"
    [ ! -e "tests/fuzz/$name.dict" ] || set -- "-dict=tests/fuzz/$name.dict" "$@"
    "$program" "-max_total_time=${FUZZ_SECONDS:-30}" -timeout=10 -rss_limit_mb=1024 -max_len=70000 \
        -verbosity=0 -print_final_stats=1 "-artifact_prefix=$found/$name-" "$@" 2>&1 |
        sed -e '/^###### Recommended/,/^###### End/d' -e '/^Dictionary\|^INFO\|^stat::[ns]/d'
    # the pipe hides the fuzzer's status; what it found does not hide
    ! ls "$found/$name"-* 2>/dev/null || return 1
    echo "1 passed, 0 failed, 0 skipped"
}

for program; do
    name=$(basename "$program")
    step "fuzz ${name#fuzz_}" fuzz "${name#fuzz_}" "$program"
done
steps_end
