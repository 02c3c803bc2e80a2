#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make demo` shows: mutual TLS of two unmodified programs with a key that stays in a (simulated)
# SIM, and at the end, in demo_safe2.sh, a configuration that the SIM itself fetches. Needs the built
# programs in $BUILD (default: build/); leaves nothing behind.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
build=$(realpath -s "${BUILD:-build}")
for program in simkey simkey.so simmodem safe2; do
    [ -e "$build/$program" ] || { echo "demo: $build/$program is missing: run make" >&2; exit 1; }
done
umask 077
dir=$(mktemp -d) || exit 1
pids=()

clean_up() {
    for pid in "${pids[@]}"; do # each is a `timeout -k`, which passes the signal on and sees to it
        kill "$pid" 2>>"$dir/null" && wait "$pid"
    done
    rm -rf "$dir"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

fail() {
    printf 'demo: %s\n' "$1" >&2
    for log in "${@:2}"; do [ -s "$log" ] && sed "s/^/    ${log##*/}: /" "$log" | tail -n 15 >&2; done
    exit 1
}

wait_for() { # seconds, what for, command...
    local end=$((SECONDS + $1))
    until "${@:3}"; do
        [ "$SECONDS" -lt "$end" ] || fail "$2 did not come within $1 seconds" "$dir"/*.log
        sleep 0.05
    done
}

count() { grep -c -- "$1" "$dir/trace"; }
say() { printf '  %-12s %s\n' "$1" "$2"; }

# The settings of the demo alone, whatever the caller's environment says.
unset "${!SIMKEY_@}" OPENSSL_MODULES OPENSSL_CONF SSL_CERT_FILE SSL_CERT_DIR
export LC_ALL=C SIMKEY_CONF=$dir/simkey.conf SIMKEY_RUN_DIR=$dir/run
mkdir -m 700 "$dir/run"
echo 0000 >"$dir/pin"
sed "s|/dev/ttyUSB2|$dir/modem|; s|/etc/simkey/pin|$dir/pin|" configs/simkey.conf >"$dir/simkey.conf"
sed "s|^# module = .*|module = $build/simkey.so|" configs/openssl.cnf >"$dir/openssl.cnf"

echo "1. A SIM is personalised, and put into a modem (both simulated)"
timeout 60 "$build/simmodem" --card "$dir/card" --new >"$dir/simmodem.log" 2>&1 ||
    fail "the SIM could not be personalised" "$dir/simmodem.log"
timeout -k 5 300 "$build/simmodem" --card "$dir/card" --link "$dir/modem" --trace "$dir/trace" \
    >>"$dir/simmodem.log" 2>&1 &
pids+=($!)
wait_for 10 "the simulated modem" test -e "$dir/modem"
say "AT port" "$(readlink "$dir/modem")"

echo "2. Certificate and key reference are exported: what programs get instead of a private key"
export OPENSSL_CONF=$dir/openssl.cnf
for what in cert key; do
    timeout 60 "$build/simkey" $what signing --out "$dir/sim.$what" 2>"$dir/simkey.log" ||
        fail "\`simkey $what signing\` failed" "$dir/simkey.log"
done
subject=$(openssl x509 -in "$dir/sim.cert" -noout -subject | sed 's/^subject= *//; s/ = /=/g')
[ -n "$subject" ] || fail "the exported certificate is not readable"
say "certificate" "$subject"
say "reference" "$(head -n 1 "$dir/sim.key")"

echo "3. A server that demands a client certificate (openssl s_server, without the SIM)"
OPENSSL_CONF=/dev/null openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/server.key" -days 2 \
    -out "$dir/server.pem" -config configs/openssl.cnf -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost 2>"$dir/server.log" ||
    fail "the server's certificate could not be made" "$dir/server.log"
OPENSSL_CONF=/dev/null timeout -k 5 300 openssl s_server -accept 127.0.0.1:0 -cert "$dir/server.pem" \
    -key "$dir/server.key" -CAfile "$dir/card/ca.pem" -Verify 1 -verify_return_error -www \
    >"$dir/server.log" 2>&1 &
pids+=($!)
wait_for 10 "the server" grep -q '^ACCEPT .*:[0-9]' "$dir/server.log"
port=$(sed -n 's/^ACCEPT .*://p' "$dir/server.log" | head -n 1)
say "listens on" "localhost:$port"

echo "4. Mutual TLS, each with one signature by the SIM (curl is held to TLS 1.2, to show that too)"
printf '  %-9s %-8s %-29s %-10s %s\n' program TLS cipher signatures "client certificate at the server"
handshake() { # name, command...
    local before page signed tls cipher seen
    before=$(count 'PSO CDS')
    page=$(printf 'GET / HTTP/1.0\r\n\r\n' | timeout 60 "${@:2}" 2>"$dir/$1.log") ||
        fail "$1 got no page from the server" "$dir/$1.log" "$dir/server.log"
    signed=$(($(count 'PSO CDS') - before))
    # Both lines are the server's words, in the page that it sent through this connection.
    read -r tls cipher < <(sed -n 's/^New, \(TLSv[^,]*\), Cipher is \([^ ]*\).*/\1 \2/p' <<<"$page" | tail -n 1)
    seen=$(sed -n '/^Client certificate/,$p' <<<"$page" | sed -n 's/^ *Subject: *//p' | sed 's/ = /=/g')
    printf '  %-9s %-8s %-29s %-10s %s\n' "$1" "$tls" "$cipher" "$signed" "$seen"
    if [ -z "$tls" ] || [ "$seen" != "$subject" ] || [ "$signed" != 1 ]; then
        fail "$1: this was no handshake with the client's certificate and one signature" "$dir/$1.log"
    fi
}
handshake s_client openssl s_client -quiet -connect "localhost:$port" -CAfile "$dir/server.pem" \
    -verify_return_error -cert "$dir/sim.cert" -key "$dir/sim.key"
handshake curl curl -qsS --noproxy "*" --max-time 50 --tls-max 1.2 --cacert "$dir/server.pem" \
    --cert "$dir/sim.cert" --key "$dir/sim.key" "https://localhost:$port/"

echo "5. What went over the line to the SIM (simmodem's trace of all APDUs)"
grep -v ' modem ' "$dir/trace" | sed -E 's/.* -> [^ ]+ //' | sort | uniq -c | sort -rn |
    while read -r times words; do printf '  %4d %s\n' "$times" "$words"; done

echo "6. Did the private key leave the SIM?"
# The simulated SIM keeps it in its card directory, so that its secret numbers can be looked for, in
# pieces of 16 bytes, in all answers of the SIM and in the exported files.
grep -q -- '-> [0-9A-F]*{' "$dir/trace" && fail "the trace hides an answer: nothing can be said"
sed -n 's/.* -> \([0-9A-F]*\).... .*/\1/p' "$dir/trace" | tr -d '\n' >"$dir/seen"
for file in "$dir/sim.cert" "$dir/sim.key"; do
    sed '/^-----/d' "$file" | base64 -d | od -An -v -tx1 | tr -d ' \n' | tr a-f A-F
done >>"$dir/seen"
openssl rsa -in "$dir/card/private/signing-0.key" -traditional -outform DER 2>>"$dir/null" |
    openssl asn1parse -inform DER | sed -n 's/.*INTEGER *://p' >"$dir/numbers" # 0 n e d p q dp dq qinv
sed -n 2p "$dir/numbers" | grep -o '.\{32\}' >"$dir/public"
sed -n 4,9p "$dir/numbers" | grep -o '.\{32\}' >"$dir/secret"
found() { grep -oFf "$1" "$dir/seen" | sort -u | wc -l; }
say "looked at" "$(($(wc -c <"$dir/seen") / 2)) bytes: all answers of the SIM, and the exported files"
say "public key" "$(found "$dir/public") of $(wc -l <"$dir/public") pieces found (everybody may have it)"
say "private key" "$(found "$dir/secret") of $(wc -l <"$dir/secret") pieces found"
# The same search must have found the public modulus, or it is worth nothing.
if [ "$(found "$dir/public")" != 16 ] || [ "$(wc -l <"$dir/secret")" -lt 50 ]; then
    fail "the search itself does not work"
fi
[ "$(found "$dir/secret")" = 0 ] || fail "a part of the private key left the SIM"
echo "The private key never left the SIM."

# shellcheck source=/dev/null
. test/e2e/demo_safe2.sh
