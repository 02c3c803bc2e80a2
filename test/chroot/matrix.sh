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
arm64        bookworm amd64 arm64
armhf        bookworm amd64 armhf
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

# The suites, built for another processor, by qemu's emulation of one process (qemu_shim.c). Left out is
# port_kill, which traces a child: qemu cannot.
emulated() { # chroot, Debian's architecture, the compiler's triplet, qemu's name
    inside "$1" "dpkg --add-architecture $2 && $prepare && apt-get install -y -q --no-install-recommends \
        pkg-config gcc-$3 libc6-dev-$2-cross qemu-user libserialport-dev:$2 zlib1g-dev:$2 \
        libcunit1-dev:$2 libssl-dev:$2 libcjson-dev:$2 &&
        export PKG_CONFIG_LIBDIR=/usr/lib/$3/pkgconfig QEMU_LD_PREFIX=/ unit=build/$2/unit &&
        make -s -j2 CC=$3-gcc LD=$3-ld OBJCOPY=$3-objcopy PCSC=0 OUT=build/$2 build/$2/unit build/$2/simkey.so &&
        $3-gcc -D_GNU_SOURCE -O2 -shared -fPIC -o build/$2/qemu_shim.so test/chroot/qemu_shim.c &&
        bad=0
        for suite in \$(qemu-$4 \$unit none 2>&1 | sed 's/.*there are://'); do
            [ \$suite = port_kill ] ||
                timeout 300 qemu-$4 -E LD_PRELOAD=\$PWD/build/$2/qemu_shim.so \$unit \$suite || bad=1
        done
        exit \$bad"
}
big_endian() { emulated "$1" s390x s390x-linux-gnu s390x; }
arm64() { emulated "$1" arm64 aarch64-linux-gnu aarch64; } # gateways of today
armhf() { emulated "$1" armhf arm-linux-gnueabihf arm; }   # and of yesterday: 32 bits, aligned

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
