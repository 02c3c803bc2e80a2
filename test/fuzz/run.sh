#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh BUILD SECONDS [TARGET...]: runs the fuzz targets one after the other, each so long, from the
# corpus in this folder and from what earlier runs left in BUILD/corpus. FULL=1 in place of a time:
# 200,000 sessions, and a million inputs of each other target; FULL=3 thrice as many. One line a target (progress.py). Fails
# if there is a finding, which is an input in BUILD/findings; give it to BUILD/TARGET to see it again,
# with SHOW=1 in the environment to see what the modem was asked and answered.
set -u
cd "$(dirname "$0")/../.." || exit 1
build=$1
seconds=$2
shift 2
status=0

# A small quarantine, because it counts as memory in use.
asan=quarantine_size_mb=32
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

if [ $# = 0 ]; then
    for source in test/fuzz/fuzz_*.c; do
        set -- "$@" "$(basename "$source" .c)"
    done
fi
mkdir -p "$build/findings" "$build/log"
python3 test/fuzz/seeds.py "$build/seeds" || exit 1
for target; do
    name=${target#fuzz_}
    log=$build/log/$name
    mkdir -p "$build/corpus/$name" "$build/seeds/$name" "test/fuzz/corpus/$name"
    limit=-max_total_time=$seconds
    if [ -n "${FULL-}" ]; then
        limit=-runs=$((1000000 * FULL))
        [ "$name" != session ] || limit=-runs=$((200000 * FULL))
    fi
    longest=2048
    case $name in chain | inventory) longest=8192 ;; esac # a certificate is 500 characters at least
    # a session takes long, and most of that is what libFuzzer learns from its many features
    learns=-entropic=1
    stacks=1
    if [ "$name" = session ]; then
        longest=1024
        learns=-entropic=0
        stacks=0
    fi
    ASAN_OPTIONS=$asan:detect_stack_use_after_return=$stacks \
        "$build/$target" "$limit" "$learns" -timeout=5 -rss_limit_mb=1024 -max_len="$longest" \
            -print_final_stats=1 -artifact_prefix="$build/findings/$name-" \
            "$build/corpus/$name" "test/fuzz/corpus/$name" "$build/seeds/$name" >"$log" 2>&1 </dev/null
    code=$?
    verdict='nothing found'
    if [ $code != 0 ]; then
        status=1
        verdict="FOUND: $(sed -n "s|.*Test unit written to ||p" "$log" | tail -1), see $log"
    fi
    python3 test/fuzz/progress.py "$name" "$log" "$verdict"
done
exit $status
