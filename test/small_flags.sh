#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# small_flags.sh CC...: of the flags that make the module small, those that this compiler, its linker and
# the C library can do: for compiling, and on a second line for linking. They come behind the usual ones.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat >"$folder/t.c" <<'C'
#include <features.h>
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 36)
int relr;
#endif
int one(void);
int one(void) { return 1; }
C

works() { # flags...: compiles and links a shared object with them, without a word
    "$@" -shared -fPIC -o "$folder/t.so" "$folder/t.c" >"$folder/said" 2>&1 && [ ! -s "$folder/said" ]
}

flags='-Os -fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections'
for more in -flto=auto -flto; do
    # shellcheck disable=SC2086 # words
    if works "$@" $flags $more; then
        flags="$flags $more"
        break
    fi
done
link=
for more in -flto-partition=one -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-O1; do
    # shellcheck disable=SC2086
    ! works "$@" $flags $link $more || link="$link $more"
done
# glibc's loader knows packed relocations since 2.36; the linker alone may know them before.
# shellcheck disable=SC2086
if works "$@" $flags $link -Wl,-z,pack-relative-relocs && nm "$folder/t.so" | grep -q ' relr$'; then
    link="$link -Wl,-z,pack-relative-relocs"
fi
printf '%s\n%s\n' "$flags" "$link"
