#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh: the Debian packages, into build/deb/. They are built from a copy of the tree, where this
# folder is the debian/ that Debian's tools want.
set -eu
cd "$(dirname "$0")/../.."
out=$PWD/build/deb
version=$(sed -n 's/.*SIMKEY_VERSION "\(.*\)"/\1/p' apdu/version.h)
packaged=$(sed -n '1s/.*(\(.*\)).*/\1/p' configs/debian/changelog)
if [ "$version" != "$packaged" ]; then
    echo "deb: configs/debian/changelog is of $packaged, apdu/version.h of $version" >&2
    exit 1
fi

rm -rf "$out"
tree=$out/simkey-$version
mkdir -p "$tree"
tar -c --exclude=./build --exclude=./.git --exclude=__pycache__ . | tar -x -C "$tree"
cp -r "$tree/configs/debian" "$tree/debian"
rm "$tree/debian/build.sh"
cd "$tree"
if ! dpkg-buildpackage -b -uc -us >"$out/build.log" 2>&1; then
    tail -n 40 "$out/build.log" >&2
    exit 1
fi
cd "$out"
rm -rf "$tree"
ls -- *.deb
