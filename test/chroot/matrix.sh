#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# matrix.sh [CELL...]: builds and tests in fresh chroots of other Debians, OpenSSLs and C libraries, and
# prints a table of the results. A cell's log stays in build/chroot/matrix/. ONLY: as for `make test`.
# shellcheck disable=SC2016,SC2317 # inner shells expand; the cells name functions
set -euo pipefail
cd "$(dirname "$0")/../.."
# shellcheck source=test/chroot/system.sh
. test/chroot/system.sh

# name, suite, architecture, what is done in it
cells='
debian-12    bookworm amd64 suite
debian-13    trixie   amd64 suite
sid          sid      amd64 suite
openssl-4.0  sid      amd64 experimental_suite
i386         bookworm i386  suite
musl         trixie   amd64 musl
big-endian   bookworm amd64 big_endian
'
results=$chroots/matrix
export ONLY=${ONLY-}

prepare='apt-get update -q && apt-get install -y -q --no-install-recommends make && cd /tree'

# Packages come by the network; the tests have none.
suite() { # chroot
    inside "$1" "$prepare && make deps" && alone "$1" "cd /tree && ONLY='$ONLY' make test"
}

# OpenSSL 4.0 for the openssl command, the tests' own programs and everything that is built; the other
# programs keep Debian's OpenSSL 3, and load a module that was built for 4.0.
experimental_suite() { # chroot
    echo "deb $mirror experimental main" >"$1/etc/apt/sources.list.d/experimental.list"
    inside "$1" 'apt-get update -q && apt-get install -y -q --no-install-recommends -t experimental openssl libssl-dev' &&
        suite "$1"
}

# The suites that need no OpenSSL, and safe2's tests with a static one.
musl() { # chroot
    echo "deb-src $mirror trixie main" >"$1/etc/apt/sources.list.d/source.list"
    inside "$1" "$prepare && test/chroot/musl.sh && make deps && make -s -j2 tests &&
        cp build/musl/static/safe2 build/safe2" &&
        alone "$1" "cd /tree && ONLY='^safe2: .*$ONLY' sh test/all.sh build"
}

# The suites, built for s390x, by qemu's emulation of one process. Left out is owners, which looks at how
# other processes began: qemu shows each its own beginning only.
big_endian() { # chroot
    inside "$1" "dpkg --add-architecture s390x && $prepare && apt-get install -y -q --no-install-recommends \
        pkg-config gcc-s390x-linux-gnu libc6-dev-s390x-cross qemu-user libserialport-dev:s390x zlib1g-dev:s390x \
        libcunit1-dev:s390x libssl-dev:s390x libcjson-dev:s390x &&
        export PKG_CONFIG_LIBDIR=/usr/lib/s390x-linux-gnu/pkgconfig QEMU_LD_PREFIX=/ unit=build/s390x/unit &&
        make -s -j2 CC=s390x-linux-gnu-gcc PCSC=0 OUT=build/s390x build/s390x/unit &&
        for suite in \$(qemu-s390x \$unit none 2>&1 | sed 's/.*there are://'); do
            [ \$suite = owners ] || timeout 300 qemu-s390x \$unit \$suite
        done"
}

# What a cell's log says: OpenSSL's version, what CUnit and the end-to-end tests counted.
row() { # name, chroot, status, seconds
    local log=$results/$1.log openssl units ends verdict=good
    openssl=$(chroot "$2" openssl version 2>&1 | awk '{ print $2 }') || openssl=-
    units=$(sed '/^End-to-end tests/,$d' "$log" | awk '
        /^Run Summary/ { on = 1 } on && /^ *tests/ { passed += $4; failed += $5; on = 0; any = 1 }
        END { if (any) print passed " passed, " failed " failed"; else print "-" }')
    ends=$(grep -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1) || ends=-
    [ "$3" = 0 ] || verdict="status $3"
    printf '%-12s  %-8s  %-24s  %-24s  %5d s  %s\n' "$1" "$openssl" "$units" "$ends" "$4" "$verdict"
}

mkdir -p "$results"
table=
bad=0
wanted=" ${*:-$(awk '{ print $1 }' <<<"$cells" | xargs)} "
while read -r name suite architecture work; do
    case $wanted in *" $name "*) wanted=${wanted/ $name / } ;; *) continue ;; esac
    echo "test-matrix: $name"
    system=$chroots/$suite-$architecture
    make_system "$system" "$suite" "$architecture"
    place=$results/$name
    fresh "$system" "$place"
    put_tree "$place"
    since=$SECONDS status=0
    "$work" "$place" >"$results/$name.log" 2>&1 || status=$?
    [ "$status" = 0 ] || { bad=1; grep '^FAILED  ' "$results/$name.log" | sort -u || tail -n 30 "$results/$name.log"; }
    table+=$(row "$name" "$place" "$status" $((SECONDS - since)))$'\n'
    rm -rf --one-file-system "${place:?}"
done < <(grep . <<<"$cells")
if [ -n "${wanted// /}" ]; then
    echo "test-matrix: no such cell:$wanted" >&2
    exit 1
fi
printf '%-12s  %-8s  %-24s  %-24s  %7s  %s\n' cell OpenSSL CUnit end-to-end time ''
printf '%s' "$table"
exit $bad
