#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# small_flags.sh CC...: of the flags that make the module small, those that this compiler, its linker and
# the C library can do: for compiling, and on a second line for linking. They come behind the usual ones.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
printf 'int one(void);\nint one(void) { return 1; }\n' >"$folder/t.c"
printf '#include <features.h>\n#if defined __GLIBC__ && __GLIBC_PREREQ(2, 36)\nrelocations\n#endif\n' >"$folder/libc.c"

works() { # flags...: compiles and links a shared object with them, without a word
    "$@" -shared -fPIC -o "$folder/t.so" "$folder/t.c" >"$folder/said" 2>&1 && [ ! -s "$folder/said" ]
}

size=-Os
! works "$@" -Oz || size=-Oz # smaller yet: clang, gcc 12
flags="$size -fno-unwind-tables -fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections"
# shellcheck disable=SC2086 # words
! works "$@" $flags -flto || flags="$flags -flto"
link=
for more in -flto-partition=one -Wl,--gc-sections -Wl,-z,noseparate-code -Wl,-O1; do
    # shellcheck disable=SC2086
    ! works "$@" $flags $link $more || link="$link $more"
done
# glibc's loader knows packed relocations since 2.36; the linker alone may know them before.
# shellcheck disable=SC2086
if "$@" -E "$folder/libc.c" | grep -q '^relocations' && works "$@" $flags $link -Wl,-z,pack-relative-relocs; then
    link="$link -Wl,-z,pack-relative-relocs"
fi
printf '%s\n%s\n' "$flags" "$link"
