# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# system.sh: fresh Debian systems in chroots below build/chroot/, and commands in them. Sourced by the
# scripts beside it, in the top folder of the tree. As root, with a network. MIRROR: where from.
# shellcheck disable=SC2016 # inner shells expand

mirror=${MIRROR-http://deb.debian.org/debian}
chroots=$PWD/build/chroot
export chroots

if [ "$(id -u)" != 0 ]; then
    echo "chroots need root" >&2
    exit 1
fi

# Runs a command in a chroot, in namespaces of its own, which end with what it leaves running.
inside() { # chroot, command
    unshare --mount --pid --fork --kill-child sh -euc 'mount --bind "$1" "$1"; exec chroot "$@"' sh \
        "$1" /bin/bash -euo pipefail -c \
        'mount -t proc proc /proc; mount -t sysfs -o ro sysfs /sys; mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
        export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
        exec bash -euo pipefail -c "$1" </dev/null' bash "$2"
}

# The same without a network but for the loopback, which then is its own, too.
alone() { # chroot, command
    unshare --net bash -euo pipefail -c 'ip link set lo up; inside "$@"' bash "$@"
}
export -f inside alone

# Makes a system once, from which fresh() copies. Services do not start in it; sudo does nothing.
make_system() { # its folder, suite, architecture
    [ ! -e "$1.done" ] || return 0
    rm -rf --one-file-system "${1:?}"
    mkdir -p "${1%/*}"
    debootstrap --variant=minbase --arch="$3" "$2" "$1" "$mirror" >"$1.log" </dev/null
    ln -sf /dev/pts/ptmx "$1/dev/ptmx"
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    printf '#!/bin/sh\nexec "$@"\n' >"$1/usr/local/bin/sudo"
    chmod 755 "$1/usr/sbin/policy-rc.d" "$1/usr/local/bin/sudo"
    # A mirror may be the copy of a day.
    echo 'Acquire::Check-Valid-Until "false";' >"$1/etc/apt/apt.conf.d/90mirror"
    touch "$1.done"
}

fresh() { # system, the copy's folder
    rm -rf --one-file-system "${2:?}"
    cp -a --reflink=auto "$1" "$2"
}

# Copies the tree, without what was built, to /tree of a chroot.
put_tree() { # chroot
    mkdir "$1/tree"
    tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ . | tar -x -C "$1/tree"
}
