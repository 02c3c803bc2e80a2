#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# chroot.sh SUITE: builds the Debian packages in a fresh chroot of this suite, installs them in
# another one and does there what README says, word for word, with simmodem in the place of the modem;
# then purges them and looks for what is left. As root, with a network; below build/chroot/SUITE.
# shellcheck disable=SC2016 # inner shells expand
set -euo pipefail
cd "$(dirname "$0")/../.."
suite=$1
base=$PWD/build/chroot/$suite
mirror=${MIRROR-http://deb.debian.org/debian}
if [ "$(id -u)" != 0 ]; then
    echo "test-install: chroots need root" >&2
    exit 1
fi

inside() { # chroot, command...: in namespaces of its own, which end with what it leaves running
    unshare --mount --pid --fork --kill-child chroot "$base/$1" /bin/bash -euo pipefail -c \
        'mount -t proc proc /proc; mount -t devpts -o newinstance,ptmxmode=666 devpts /dev/pts
        export PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root
        exec bash -euo pipefail -c "$1" </dev/null' bash "$2"
}

fresh() { # chroot
    rm -rf --one-file-system "${base:?}/$1"
    cp -a --reflink=auto "$base/system" "$base/$1"
}

blocks() { # the blocks of README behind whose fence this word is
    awk -v tag="$1" '/^```/ { if (on) print pause; on = $0 ~ "^```sh " tag "$"; next } on' \
        pause="sleep 2" README.md
}

files() { # chroot: all but what dpkg, apt and the linker keep for themselves
    find "$base/$1" -xdev \( -path '*/var/lib/dpkg' -o -path '*/var/lib/apt' -o -path '*/var/cache' \
        -o -path '*/var/log' -o -path '*/tmp' -o -path '*/proc' -o -path '*/dev' -o -path '*/tree' \) -prune \
        -o -printf '/%P %y %m %u %g\n' | sort
}

step() {
    echo "test-install: $suite: $1"
}

if [ ! -e "$base/system.done" ]; then
    step "debootstrap"
    rm -rf --one-file-system "${base:?}"
    mkdir -p "$base"
    debootstrap --variant=minbase "$suite" "$base/system" "$mirror" >"$base/debootstrap.log"
    ln -sf /dev/pts/ptmx "$base/system/dev/ptmx"
    printf '#!/bin/sh\nexit 101\n' >"$base/system/usr/sbin/policy-rc.d"
    printf '#!/bin/sh\nexec "$@"\n' >"$base/system/usr/local/bin/sudo"
    chmod 755 "$base/system/usr/sbin/policy-rc.d" "$base/system/usr/local/bin/sudo"
    touch "$base/system.done"
fi
log=$base/log
: >"$log"
finished=
trap '[ -n "$finished" ] || tail -n 30 "$log" >&2' EXIT

step "make deb, and lintian"
fresh build
mkdir "$base/build/tree"
tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ . | tar -x -C "$base/build/tree"
inside build 'apt-get update -q && apt-get install -y -q --no-install-recommends make && cd /tree && make deb &&
    cd build/deb && lintian --allow-root --fail-on error simkey_*.changes | tee /tree/lintian' >>"$log" 2>&1
sed 's/^/    /' "$base/build/tree/lintian"

step "installing"
fresh target
mkdir -p "$base/target/tree/build/deb"
# What the try-outs need beside the packages.
inside target 'apt-get update -q && apt-get install -y -q --no-install-recommends curl openssl \
    stunnel4 haproxy nginx python3' >>"$log" 2>&1
files target >"$base/before"
cp "$base"/build/tree/build/deb/simkey*.deb "$base/target/tree/build/deb/"
inside target "cd /tree; $(blocks package | grep 'apt-get install')" >>"$log" 2>&1
files target >"$base/installed"

# Beside this machine's servers: a network of its own, with nothing in it.
step "mutual TLS by README"
alone() {
    unshare --net bash -euo pipefail -c 'ip link set lo up; inside target "$1"' bash "$1"
}
export -f inside
export base
alone "cd /root; $(blocks package-try)" >"$base/try.out" 2>&1 || { cat "$base/try.out" >>"$log"; exit 1; }
cat "$base/try.out" >>"$log"
sed -n '/^Client certificate/,$s/^/    /p' "$base/try.out" | grep 'Client\|Subject:\|Issuer:'
sed -n '/^Client certificate/,$p' "$base/try.out" | grep 'Subject:.*simmodem' >/dev/null

step "SAFE2 by README"
examples=/usr/share/doc/simkey/examples
try=$(blocks safe2-try | sed "s|build/||g; s|configs/|$examples/|g; /kill %1/s/^/sleep 1; /")
alone "cd /root; $try" >"$base/safe2.out" 2>&1 || { cat "$base/safe2.out" >>"$log"; exit 1; }
cat "$base/safe2.out" >>"$log"
grep -h '"action":"alarm"\|safe2 job' "$base/safe2.out" | sed 's/^/    /'
grep -q '"effect":"off"' "$base/safe2.out"

step "purging"
inside target "cd /tree; $(blocks package | grep 'apt-get purge')" >>"$log" 2>&1
files target >"$base/after"
if ! diff "$base/before" "$base/after" >"$base/left"; then
    echo "test-install: left behind, or taken away too much:" >&2
    cat "$base/left" >&2
    exit 1
fi
rm -rf --one-file-system "${base:?}/build" "${base:?}/target"
finished=yes
step "all is well: nothing is left"
