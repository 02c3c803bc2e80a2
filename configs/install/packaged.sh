#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# packaged.sh FILE...: fails, with what to do, if one of the files is a package's: `make install` would
# destroy it, and `make uninstall` take it away under running services. Debian 12's packages have files in
# /lib that are found in /usr/lib too.
set -eu
command -v dpkg-query >/dev/null || exit 0
for file; do
    package=$(dpkg-query -S "$file" "${file#/usr}" 2>/dev/null | sed -n '1s/: .*//p')
    [ -n "$package" ] || continue
    echo "simkey: $file belongs to the package $package: sudo apt-get remove $package first," \
        "or leave this to the package" >&2
    exit 1
done
