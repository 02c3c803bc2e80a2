#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# packaged.sh FILE...: fails, with what to do, if one of the files is a package's: `make install` would
# destroy it, and `make uninstall` take it away under running services.
set -eu
command -v dpkg-query >/dev/null || exit 0
for file; do
    package=$(dpkg-query -S "$file" 2>/dev/null | sed -n '1s/: .*//p')
    [ -n "$package" ] || continue
    echo "simkey: $file belongs to the package $package: sudo apt-get remove $package first," \
        "or leave this to the package" >&2
    exit 1
done
