# shellcheck shell=sh
# SPDX-License-Identifier: MIT
# For scripts that run several things and sum what they counted. Sourced, not run.
#
#   step NAME COMMAND...   runs it, shows what it prints, remembers status and counts
#   steps_end              prints what failed and `N passed, N failed, N skipped`; status 1 if any did
#
# The counts of a step are its last line of that form. A step without one, like a build, counts only
# when it fails.

steps_passed=0
steps_failed=0
steps_skipped=0
steps_bad=
steps_log=$(mktemp)
steps_status=$(mktemp)
trap 'rm -f "$steps_log" "$steps_status"' EXIT

step()
{
    step_name=$1
    shift
    echo "==> $step_name"
    step_begin=$(date +%s)
    { "$@" 2>&1 && echo 0 >"$steps_status" || echo "$?" >"$steps_status"; } | tee "$steps_log"
    step_rc=$(cat "$steps_status")
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$steps_log" | tail -n 1)
    if [ -n "$counts" ]; then
        # shellcheck disable=SC2046,SC2086 # words on purpose
        set -- $(echo $counts | tr -d ',a-z')
    else
        set -- 0 0 0
    fi
    # a step can fail without a failed test: the build, for one
    if [ "$step_rc" -ne 0 ] && [ "$2" -eq 0 ]; then
        set -- "$1" 1 "$3"
    fi
    steps_passed=$((steps_passed + $1))
    steps_failed=$((steps_failed + $2))
    steps_skipped=$((steps_skipped + $3))
    [ "$2" -eq 0 ] || steps_bad="$steps_bad $step_name;"
    echo "<== $step_name: status $step_rc, $(($(date +%s) - step_begin)) s"
}

steps_end()
{
    [ -z "$steps_bad" ] || echo "failed:$steps_bad"
    echo "$steps_passed passed, $steps_failed failed, $steps_skipped skipped"
    [ "$steps_failed" -eq 0 ]
}
