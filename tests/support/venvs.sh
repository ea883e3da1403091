#!/bin/sh
# SPDX-License-Identifier: MIT
# A venv for each interpreter, with what the tests run looptop against. Made once, kept in the cache.
#
#   venvs.sh OUT.json INTERPRETER...
#
# OUT.json maps each interpreter to its venv: {"/usr/bin/python3": {"python": ..., "version": ...,
# "failed": [packages]}}. A package that cannot be installed (no wheel for a new Python, no network) is
# recorded, never an error; the tests that need it are skipped. LOOPTOP_OFFLINE=1 installs nothing.
set -eu

out=${1:?usage: venvs.sh OUT.json INTERPRETER...}
shift
packages="uvloop fastapi uvicorn aiohttp gunicorn aiodebug aiomonitor sentry-sdk
 opentelemetry-instrumentation-asyncio opentelemetry-distro ddtrace"
cache=${XDG_CACHE_HOME:-$HOME/.cache}/looptop/venvs
recipe=2 # raise to have every venv made anew
mkdir -p "$cache" "$(dirname "$out")"

version_of()
{
    "$1" -I -S -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])'
}

# All packages in one go, which is fast; where that fails, one by one to learn which.
fill()
{
    venv=$1
    if [ -n "${LOOPTOP_OFFLINE:-}" ]; then
        # shellcheck disable=SC2086 # a list of words
        printf '%s\n' $packages >"$venv/failed"
        return 0
    fi
    : >"$venv/failed"
    pip="$venv/bin/python -m pip --disable-pip-version-check install -q --retries 1 --timeout 30 --only-binary :all:"
    # shellcheck disable=SC2086 # lists of words
    $pip $packages >"$venv/venv.log" 2>&1 && return 0
    for package in $packages; do
        # shellcheck disable=SC2086
        $pip "$package" >>"$venv/venv.log" 2>&1 || echo "$package" >>"$venv/failed"
    done
}

# The venv of an interpreter, made where it is missing. Debian's own sees Debian's packages.
make_venv()
{
    python=$1 version=$2 venv=$3
    options=
    case $python in /usr/bin/*) options=--system-site-packages ;; esac
    echo "  VENV    $version ($python)"
    rm -rf "$venv"
    mkdir -p "$venv"
    # shellcheck disable=SC2086
    if ! "$python" -m venv $options "$venv" >"$venv/venv.log" 2>&1; then
        echo "venvs: $python cannot make a venv: $(tail -n 1 "$venv/venv.log")" >&2
        return 1
    fi
    fill "$venv"
    # Debian's uvloop is for Debian's default Python alone, but pip takes it as installed for all
    if ! grep -qx uvloop "$venv/failed" && ! "$venv/bin/python" -c 'import uvloop' 2>/dev/null; then
        $pip --ignore-installed uvloop >>"$venv/venv.log" 2>&1 || echo uvloop >>"$venv/failed"
    fi
    # gunicorn is pure Python: where even that fails it is the network, to be tried again next time
    grep -qx gunicorn "$venv/failed" || touch "$venv/.looptop-ready-$recipe"
}

json=
for python; do
    version=$(version_of "$python") || continue
    venv=$cache/$version-$(realpath "$python" | cksum | cut -d' ' -f1)
    if [ ! -e "$venv/.looptop-ready-$recipe" ]; then
        make_venv "$python" "$version" "$venv" || continue
    fi
    failed=$(sed 's/.*/"&"/' "$venv/failed" | paste -s -d ,)
    [ -z "$failed" ] || echo "  VENV    $version lacks $(paste -s -d ' ' "$venv/failed")"
    json="$json${json:+,}
 \"$python\": {\"python\": \"$venv/bin/python\", \"version\": \"$version\", \"failed\": [$failed]}"
done
printf '{%s\n}\n' "$json" >"$out"
