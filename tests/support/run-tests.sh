#!/bin/sh
# SPDX-License-Identifier: MIT
# Finds a Python that has pytest, has the venvs made, and hands over to run-tests.py, whose arguments
# these are. Needs LOOPTOP_BUILD, the build directory.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

runner=
for python in /usr/bin/python3 python3; do
    if "$python" -c 'import pytest' 2>/dev/null; then
        runner=$python
        break
    fi
done
if [ -z "$runner" ]; then
    echo "run-tests: no Python with pytest (Debian: python3-pytest)" >&2
    exit 1
fi

LOOPTOP_PYTHONS=$(paste -s -d : "$LOOPTOP_BUILD/pythons.list")
LOOPTOP_VENVS=$LOOPTOP_BUILD/venvs.json
export LOOPTOP_PYTHONS LOOPTOP_VENVS
# names of test programs alone need no venvs
case " $* " in
" unit -- "* | " golden -- "* | " unit golden -- "*) ;;
*) tr '\n' '\0' <"$LOOPTOP_BUILD/pythons.list" | xargs -0 -r "$here/venvs.sh" "$LOOPTOP_VENVS" ;;
esac
exec "$runner" "$here/run-tests.py" "$@"
