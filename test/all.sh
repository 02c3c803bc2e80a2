#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# all.sh BUILD [SANITIZERS]: runs the CUnit suites, then the end-to-end tests, and closes on both
# summaries. ONLY=unit runs the suites and the fuzz targets' inputs alone, ONLY=fuzz those inputs,
# ONLY=PATTERN the end-to-end tests whose names match.
set -u
cd "$(dirname "$0")/.." || exit 1
build=$1
sanitizers=${2-}
only=${ONLY-}
log=$build/unit.log
status=0

if [ -n "$sanitizers" ]; then
    export UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    E2E_LIBASAN=$(gcc -print-file-name=libasan.so)
    export E2E_SANITIZE="$sanitizers" E2E_LIBASAN
fi

# runs COMMAND... : beside this shell, so that a signal to it ends the tests too, and their clean-up is
# waited for.
running=
runs() {
    "$@" </dev/null &
    running=$!
    wait "$running"
    set -- $?
    running=
    return "$1"
}
# shellcheck disable=SC2317 # the traps call it
stop() {
    trap '' INT TERM HUP
    [ -z "$running" ] || { kill -TERM "$running" && wait "$running"; }
    exit $((128 + $1))
}
trap 'stop 2' INT
trap 'stop 15' TERM
trap 'stop 1' HUP

# suites COMMAND... : shows what they say and keeps it for the end.
suites() {
    runs "$@" >"$log.part" 2>&1 || status=1
    cat "$log.part"
    cat "$log.part" >>"$log"
}

: >"$log"
if [ -z "$only" ] || [ "$only" = unit ]; then
    echo "CUnit suites"
    suites timeout -k 5 900 "$build/unit"
    # What libserialport takes for a serial port: a pty, by a preloaded library.
    for suite in port port_output port_lock port_kill session; do
        echo "CUnit suite $suite on a pty that libserialport takes for a serial port"
        suites timeout -k 5 300 env LD_PRELOAD="$PWD/$build/port_shim.so" \
            ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0" \
            "$build/unit" "$suite"
    done
fi
if [ -z "$only" ] || [ "$only" = unit ] || [ "$only" = fuzz ]; then
    echo "Inputs of the fuzz targets"
    if [ ! -x "$build/fuzz-replay" ] && [ ! -x "$build/simkey" ]; then
        echo "left out: they need the provider, which this build does not have"
    elif ! { /usr/bin/python3 test/fuzz/seeds.py "$build/seeds" &&
        runs timeout -k 5 300 "$build/fuzz-replay" test/fuzz/corpus "$build/seeds"; }; then
        echo "FAILED: make fuzz shows more" >&2
        status=1
    fi
fi
summary=$log.summary
sed -n '/^Run Summary/,/^Elapsed/p' "$log" >"$summary"
if [ "$only" != unit ] && [ "$only" != fuzz ]; then
    echo "End-to-end tests"
    python=/usr/bin/python3
    [ -x $python ] || python=python3
    # It closes on what is in E2E_SUMMARY, and on its own `N passed, N failed`.
    runs env E2E_BUILD="$build" E2E_SUMMARY="$summary" $python test/e2e/run.py "$only" || status=1
fi
exit $status
