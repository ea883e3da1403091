#!/bin/sh
# SPDX-License-Identifier: MIT
# Make (or reuse) a Debian sid chroot with CPython 3.13, 3.14 and 3.15 and what building looptop needs.
#
#   sid-chroot.sh ROOT        prepares ROOT; prints nothing when it is ready already
#
# The mirror is the machine's own, read from its apt sources. Needs root (or sudo) and debootstrap.
set -eu

root=${1:?usage: sid-chroot.sh ROOT}
stamp=$root/.looptop-ready-3
packages="gcc libc6-dev make pkgconf libncurses-dev libcmocka-dev tmux ncurses-term jq socat procps
 python3.13-dev python3.14-dev python3.15-dev python3.13-venv python3.14-venv python3.15-venv
 python3-pytest python3-uvloop"

[ -e "$stamp" ] && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "sid-chroot: needs root or sudo" >&2; exit 1; }
    as_root=sudo
fi

# the first http(s) Debian URI of the machine's sources, deb822 or one-line
mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
    grep -oE '^(URIs:|deb )[^#]*https?://[^ ]*/debian/?( |$)' |
    grep -oE 'https?://[^ ]+' | head -n 1)
[ -n "$mirror" ] || mirror=http://deb.debian.org/debian

log=$(mktemp)
trap 'rm -f "$log"' EXIT

# a chroot of an earlier recipe only gets the packages it lacks
if ! ls "$root"/.looptop-ready-* >/dev/null 2>&1; then
    if ! command -v debootstrap >/dev/null; then
        echo "sid-chroot: installing debootstrap" >&2
        $as_root apt-get update -qq
        $as_root apt-get install -y -qq debootstrap >/dev/null
    fi
    echo "sid-chroot: making $root from $mirror (once; a few minutes)" >&2
    for dir in proc sys dev tmp; do
        mountpoint -q "$root/$dir" && $as_root umount -l "$root/$dir"
    done
    $as_root rm -rf --one-file-system "$root"
    $as_root mkdir -p "$root"
    if ! $as_root debootstrap --variant=minbase --no-check-gpg \
        --include=ca-certificates sid "$root" "$mirror" >"$log" 2>&1; then
        tail -n 20 "$log" >&2
        exit 1
    fi
fi
# an archived or proxied mirror may serve a Release file past its date
echo 'Acquire::Check-Valid-Until "false";' | $as_root tee "$root/etc/apt/apt.conf.d/99looptop" >/dev/null
echo "deb $mirror sid main" | $as_root tee "$root/etc/apt/sources.list" >/dev/null
for setting in /etc/apt/apt.conf.d/*proxy*; do
    [ -e "$setting" ] && $as_root cp "$setting" "$root/etc/apt/apt.conf.d/"
done
$as_root cp /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true
words=$(echo "$packages" | tr '\n' ' ')
echo "sid-chroot: installing packages in $root" >&2
if ! $as_root chroot "$root" sh -ec "apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $words
    apt-get clean" >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
$as_root touch "$stamp"
