#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# install.sh SUITE: builds the Debian packages in a fresh chroot of this suite, installs them in
# another one and does there what README says, word for word, with simmodem in the place of the modem;
# then purges them and looks for what is left.
# shellcheck disable=SC2016 # inner shells expand
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=test/chroot/system.sh
. test/chroot/system.sh
suite=$1
base=$chroots/install-$suite
system=$chroots/$suite-$(dpkg --print-architecture)

blocks() { # the blocks of the documents behind whose fence this word is
    awk -v tag="$1" '/^```/ { if (on) print pause; on = $0 ~ "^```sh " tag "$"; next } on' \
        pause="sleep 2" README.md configs/safe2/README.md
}

files() { # chroot: all but what dpkg, apt and the linker keep for themselves
    find "$base/$1" -xdev \( -path '*/var/lib/dpkg' -o -path '*/var/lib/apt' -o -path '*/var/cache' \
        -o -path '*/var/log' -o -path '*/tmp' -o -path '*/proc' -o -path '*/dev' -o -path '*/tree' \) -prune \
        -o -printf '/%P %y %m %u %g\n' | sort
}

step() {
    echo "test-install: $suite: $1"
}

nothing_left() {
    if ! diff "$base/before" "$base/after" >"$base/left"; then
        echo "test-install: left behind, or taken away too much:" >&2
        cat "$base/left" >&2
        exit 1
    fi
}

mkdir -p "$base"
[ -e "$system.done" ] || step "debootstrap"
make_system "$system" "$suite" "$(dpkg --print-architecture)"
log=$base/log
: >"$log"
finished=
trap '[ -n "$finished" ] || tail -n 30 "$log" >&2' EXIT

step "make deb, and lintian"
fresh "$system" "$base/build"
put_tree "$base/build"
inside "$base/build" 'apt-get update -q && apt-get install -y -q --no-install-recommends make && cd /tree && make deb &&
    cd build/deb && lintian --allow-root --fail-on error simkey_*.changes | tee /tree/lintian' >>"$log" 2>&1
sed 's/^/    /' "$base/build/tree/lintian"

step "make install and uninstall by README"
inside "$base/build" 'cd /tree && make deps && make && { command -v systemd-tmpfiles ||
    apt-get install -y -q --no-install-recommends systemd-standalone-tmpfiles; }' >>"$log" 2>&1
files build >"$base/before"
inside "$base/build" "cd /tree; $(blocks install | sed '/^sudo make uninstall/,$d')" >"$base/source.out" 2>&1 ||
    { cat "$base/source.out" >>"$log"; exit 1; }
grep 'name: simkey' "$base/source.out"
inside "$base/build" "stat -c '%n %a %G' /run/simkey; cd /tree; $(blocks install | grep 'make uninstall')" \
    >>"$log" 2>&1
files build >"$base/after"
nothing_left

step "installing the packages"
fresh "$system" "$base/target"
mkdir -p "$base/target/tree/build/deb"
# What the try-outs need beside the packages.
inside "$base/target" 'apt-get update -q && apt-get install -y -q --no-install-recommends curl openssl \
    stunnel4 haproxy nginx python3' >>"$log" 2>&1
files target >"$base/before"
cp "$base"/build/tree/build/deb/simkey*.deb "$base/target/tree/build/deb/"
inside "$base/target" "cd /tree; $(blocks package | grep 'apt-get install')" >>"$log" 2>&1
files target >"$base/installed"

step "mutual TLS by README"
alone "$base/target" "cd /root; $(blocks package-try)" >"$base/try.out" 2>&1 || { cat "$base/try.out" >>"$log"; exit 1; }
cat "$base/try.out" >>"$log"
sed -n '/^Client certificate/,$s/^/    /p' "$base/try.out" | grep 'Client\|Subject:\|Issuer:'
sed -n '/^Client certificate/,$p' "$base/try.out" | grep 'Subject:.*simmodem' >/dev/null

step "SAFE2 by README"
examples=/usr/share/doc/simkey/examples
try=$(blocks safe2-try | sed "s|build/||g; s|configs/|$examples/|g; /kill %1/s/^/sleep 1; /")
alone "$base/target" "cd /root; $try" >"$base/safe2.out" 2>&1 || { cat "$base/safe2.out" >>"$log"; exit 1; }
cat "$base/safe2.out" >>"$log"
grep -h '"action":"alarm"\|safe2 job' "$base/safe2.out" | sed 's/^/    /'
grep -q '"effect":"off"' "$base/safe2.out"

step "purging"
inside "$base/target" "cd /tree; $(blocks package | grep 'apt-get purge')" >>"$log" 2>&1
files target >"$base/after"
nothing_left
rm -rf --one-file-system "${base:?}/build" "${base:?}/target"
finished=yes
step "all is well: nothing is left"
