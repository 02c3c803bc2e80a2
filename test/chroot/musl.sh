#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# musl.sh: modem/ and apdu/ with the C library musl. Builds the libraries that they need from the
# sources that Debian has, runs the suites that need no OpenSSL, and builds a static safe2. For a chroot
# that may be changed, with deb-src in its sources; matrix.sh calls it.
set -euo pipefail
cd "$(dirname "$0")/../.."
place=/opt/musl

apt-get install -y -q --no-install-recommends gcc libc6-dev make pkg-config musl-tools dpkg-dev \
    autoconf automake libtool
mkdir -p /src $place/include
for folder in linux asm-generic; do ln -sfn "/usr/include/$folder" "$place/include/$folder"; done
ln -sfn "/usr/include/$(gcc -print-multiarch)/asm" $place/include/asm
export CC="musl-gcc -I$place/include" LDFLAGS="-L$place/lib -Wl,-rpath,$place/lib"

# The authors' sources alone: Debian's changes to them are not needed.
build() { # library, commands...
    (cd /src && apt-get source -q --tar-only "$1" && mkdir "$1" && tar -x -C "$1" --strip-components=1 -f "$1"_*.orig.tar.*)
    (cd "/src/$1" && bash -euc "$2" && make && make install)
}
build libserialport "./configure --prefix=$place"
build zlib "CFLAGS=-O2 ./configure --prefix=$place"
build cunit "autoreconf -fi; ./configure --prefix=$place"

# The suites against shared libraries, because one of them is preloaded; safe2 without any.
make="make PROVIDER=0 PCSC=0"
export PKG_CONFIG_LIBDIR=$place/lib/pkgconfig
$make OUT=build/musl build/musl/unit build/musl/port_shim.so
$make OUT=build/musl/static LDFLAGS="$LDFLAGS -static" all
ONLY=unit sh test/all.sh build/musl
