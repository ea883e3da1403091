#!/bin/sh
# SPDX-License-Identifier: MIT
# Prints those of the flags given that the compiler takes without a word: probe-flags.sh CC FLAG...
# A flag -Wl,... is tried in a link, the others in a compilation.
set -u

cc=${1:?usage: probe-flags.sh CC FLAG...}
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo 'int main(void) { return 0; }' >"$work/t.c"
for flag; do
    case $flag in
    -Wl,*) set -- "$flag" -o "$work/t" ;;
    *) set -- "$flag" -c -o "$work/t.o" ;;
    esac
    # shellcheck disable=SC2086 # CC may hold more than one word
    $cc -O2 -Werror "$@" "$work/t.c" 2>/dev/null && printf '%s ' "$flag"
done
echo
