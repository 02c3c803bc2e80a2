#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh: layout, warnings, static analysis and the house's measures, over all files of the
# repository. Says every complaint, and fails if there is one.
# shellcheck disable=SC2317 # check() calls the functions
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
FILE_LINES=500 FUNCTION_LINES=60
MODULE_GCC=262144 MODULE_CLANG=270336 # bytes of the stripped module, on amd64
status=0

files() { # those of the repository whose names match one of the patterns
    local name pattern
    if [ -d .git ] && command -v git >/dev/null; then
        git -c safe.directory='*' ls-files -co --exclude-standard
    else
        find . -name build -prune -o -name __pycache__ -prune -o -type f -print | sed 's|^\./||'
    fi | sort -u | while read -r name; do
        for pattern in "$@"; do
            # shellcheck disable=SC2254 # it is a pattern
            case $name in $pattern) [ -e "$name" ] && echo "$name" && break ;; esac
        done
    done
}

check() { # words, command...
    echo "lint: $1"
    "${@:2}" || { echo "lint: FAILED: $1" >&2; status=1; }
}

mapfile -t c < <(files '*.c')
mapfile -t c_and_h < <(files '*.c' '*.h')
mapfile -t shell < <(files '*.sh' '*.bash' '.ci/run' configs/safe2/safe2-enrol)
mapfile -t pages < <(files '*.[178]')
mapfile -t python < <(files '*.py')

builds() { # compiler: everything without a warning
    make --no-print-directory -s -j"$(nproc)" CC="$1" OUT="build/lint/$1" everything >/dev/null
}

module_size() { # compiler, bytes: stripped, only where the figures were taken
    local size
    [ "$(uname -m)" = x86_64 ] || return 0
    strip -s -o "build/lint/$1/stripped.so" "build/lint/$1/simkey.so" || return 1
    size=$(stat -c %s "build/lint/$1/stripped.so")
    [ "$size" -le "$2" ] || { echo "simkey.so has $size bytes without symbols, at most $2"; return 1; }
}

measures() {
    awk -v file_lines="$FILE_LINES" -v function_lines="$FUNCTION_LINES" '
        FNR == 1 { begin = 0 }
        FNR == file_lines + 1 { print FILENAME ": more than " file_lines " lines"; bad = 1 }
        /^\{/ { begin = FNR }
        /^\}/ && begin && FNR - begin - 1 > function_lines {
            print FILENAME ":" begin ": a function of " FNR - begin - 1 " lines"; bad = 1
        }
        /^\}/ { begin = 0 }
        END { exit bad }' "${c_and_h[@]}"
}

heads() { # the licence's name stands in every source file
    ! grep -L 'SPDX-License-Identifier: Apache-2.0' "${c_and_h[@]}" "${shell[@]}" "${python[@]}" | grep .
}

unfinished() {
    ! grep -nE 'TOD[O]|FIXM[E]|XX[X][ :]' "${c_and_h[@]}" "${shell[@]}" "${python[@]}"
}

outside() { # the repository speaks of nothing beside it
    mapfile -t all < <(files '*')
    ! grep -InE '[.][.]/sha[r]ed|/work/[a-z]' "${all[@]}"
}

python_compiles() {
    for file in "${python[@]}"; do
        /usr/bin/python3 -c 'import sys; compile(open(sys.argv[1]).read(), sys.argv[1], "exec")' "$file" ||
            return 1
    done
    pyflakes3 "${python[@]}"
}

man_pages() { # whether another page is installed here does not matter
    local page said
    said=$(for page in "${pages[@]}"; do mandoc -T lint "$page" 2>&1; done |
        grep -v 'referenced manual not found\|outdated mandoc.db')
    [ -z "$said" ] || { echo "$said"; return 1; }
}

tidy() { # one file a process, as many at once as there are processors
    # Left out: matters of taste, and what the analyser cannot see (report_set() never returns OK).
    local checks='-*,clang-analyzer-*,bugprone-*,performance-*,misc-redundant-expression
        readability-misleading-indentation,-clang-analyzer-core.uninitialized.Assign
        -clang-analyzer-security.insecureAPI.*,-bugprone-not-null-terminated-result
        -bugprone-easily-swappable-parameters,-bugprone-reserved-identifier
        -bugprone-assignment-in-if-condition,-bugprone-branch-clone,-bugprone-narrowing-conversions
        -bugprone-implicit-widening-of-multiplication-result,-bugprone-sizeof-expression
        -performance-no-int-to-ptr'
    mapfile -t product < <(files 'modem/*.c' 'apdu/*.c' 'provider/*.c' 'test/sim/*.c' 'test/e2e/*.c')
    # shellcheck disable=SC2016 # $0 and $1 are the inner shell's
    printf '%s\0' "${product[@]}" | xargs -0 -n 1 -P "$(nproc)" sh -c 'clang-tidy --quiet \
        --warnings-as-errors="*" --checks="$0" "$1" -- -std=c11 -I. -I/usr/include/PCSC -D_GNU_SOURCE 2>/dev/null' \
        "$(tr -s ' \n' , <<<"$checks" | sed 's/,$//')"
}

check "layout (clang-format)" clang-format --dry-run -Werror "${c_and_h[@]}"
check "no warning of gcc" builds gcc
check "no warning of clang" builds clang
check "the module's size (gcc)" module_size gcc "$MODULE_GCC"
check "the module's size (clang)" module_size clang "$MODULE_CLANG"
check "arrows between files run one way" /usr/bin/python3 test/layers.py build/lint/gcc/obj
check "cppcheck" cppcheck --quiet --std=c11 -I. -D_GNU_SOURCE -j"$(nproc)" --error-exitcode=1 \
    --enable=warning,performance,portability --inline-suppr --suppress=missingIncludeSystem \
    '--suppress=uninitvar:test/unit/*' "${c[@]}"
check "clang-tidy" tidy
check "shellcheck" shellcheck "${shell[@]}"
check "man pages (mandoc)" man_pages
check "Python compiles, pyflakes" python_compiles
check "files of $FILE_LINES lines, functions of $FUNCTION_LINES at most" measures
check "every source file names the licence" heads
check "nothing unfinished" unfinished
check "nothing outside the repository is mentioned" outside
[ $status = 0 ] && echo "lint: all is well"
exit $status
