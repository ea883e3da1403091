#!/bin/sh
# SPDX-License-Identifier: MIT
# `make test` on Debian sid's CPython 3.13, 3.14 and 3.15: test-matrix.sh ROOT
#
# Then, from outside, attaches to programs of the chroot, with the client of this system's build.
#
# The chroot ROOT is made by sid-chroot.sh. The sources, without build/ and .git, are copied to
# ROOT/work; what is mounted for the run is unmounted however it ends. MATRIX_PYTHONS and
# MATRIX_TARGETS (default: test) override what runs. Needs root or sudo.
set -eu

root=${1:?usage: test-matrix.sh ROOT}
here=$(cd "$(dirname "$0")/../.." && pwd)
pythons=${MATRIX_PYTHONS:-/usr/bin/python3.13 /usr/bin/python3.14 /usr/bin/python3.15}
targets=${MATRIX_TARGETS:-test}
. "$here/tests/support/step.sh"

if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "test-matrix: needs root or sudo" >&2
        exit 1
    }
    exec sudo "$0" "$@"
fi

"$here/tests/support/sid-chroot.sh" "$root"

# one run at a time: the other would unmount under it
exec 9>"$root.lock"
flock -n 9 || {
    echo "test-matrix: another run uses $root" >&2
    exit 1
}

unmount()
{
    for dir in dev/pts dev/shm dev proc sys tmp; do
        if mountpoint -q "$root/$dir"; then
            umount "$root/$dir" 2>/dev/null || umount -l "$root/$dir"
        fi
    done
}
trap 'unmount; rm -f "$steps_log" "$steps_status"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM
unmount

mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir -p "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
ln -sf /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# build/ of an earlier run stays, so that only what changed is compiled again: what differs from what
# was compiled then is new, whatever its own time says (it may come from another tree)
new=$root/work.new
rm -rf "$new"
mkdir -p "$root/work" "$new"
(cd "$here" && tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ .) |
    tar -x -C "$new" --no-same-owner
(cd "$new" && find . -type f -print) | while read -r file; do
    if ! cmp -s "$new/$file" "$root/work/$file"; then
        mkdir -p "$(dirname "$root/work/$file")"
        cp "$new/$file" "$root/work/$file"
    fi
    [ ! -x "$new/$file" ] || chmod +x "$root/work/$file"
done
(cd "$root/work" && find . -path ./build -prune -o -type f -print) | while read -r file; do
    [ -e "$new/$file" ] || rm -f "$root/work/$file"
done
rm -rf "$new"

# what the machine trusts: registries may be reached through a proxy with a certificate of its own
authorities=/etc/ssl/certs/ca-certificates.crt
if [ -e $authorities ]; then
    cp $authorities "$root$authorities"
fi

# what it prints is its own: counts are those of the last step otherwise
in_chroot()
{
    # shellcheck disable=SC2016 # expands inside
    env -i HOME=/root TERM="${TERM:-xterm}" LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
        PIP_CERT=$authorities ${TESTS:+"TESTS=$TESTS"} ${PIP_INDEX_URL:+"PIP_INDEX_URL=$PIP_INDEX_URL"} \
        ${https_proxy:+"https_proxy=$https_proxy"} ${http_proxy:+"http_proxy=$http_proxy"} \
        chroot "$root" sh -c 'cd /work && exec make $0 PYTHONS="$1"' "$targets" "$pythons"
}

from_outside()
{
    LOOPTOP_BUILD=$here/build LOOPTOP_SID=$root \
        "$here/tests/support/run-tests.sh" tests/integration/test_attach_chroot.py --
}

step "in the chroot" in_chroot
case " $targets " in
*" test "*) step "from outside" from_outside ;;
esac
steps_end
