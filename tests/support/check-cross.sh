#!/bin/sh
# SPDX-License-Identifier: MIT
# Compiles for aarch64, with warnings as errors, all that `make cross` names, and runs its tests in
# qemu's emulation of a process.
#
#   check-cross.sh MAKE BUILD CC
#
# That emulator has no ptrace: what traces another process is compiled only.
set -eu

make=${1:?usage: check-cross.sh MAKE BUILD CC}
build=${2:?usage: check-cross.sh MAKE BUILD CC}
CROSS_CC=${3:?usage: check-cross.sh MAKE BUILD CC}
export CROSS_CC
cd "$(dirname "$0")/../.."
. tests/support/step.sh

tests/support/deps.sh cross

step "cross: compile" "$make" BUILD="$build" CC="$CROSS_CC" CPPFLAGS=-Itests/cross WERROR=1 cross
if [ "$step_rc" -eq 0 ]; then
    for program in "$build"/cross/test_*; do
        [ ! -x "$program" ] ||
            step "cross: ${program##*/}" qemu-aarch64 -L /usr/aarch64-linux-gnu "$program"
    done
fi
steps_end
