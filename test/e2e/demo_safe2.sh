# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The end of demo.sh, which sources it: the SIM fetches a configuration by TLS of its own. The server
# is made of stunnel, haproxy and nginx, as configs/safe2 has them. demo.sh stops what runs in pids.
# shellcheck disable=SC2154 # dir, build and pids are demo.sh's
server=$dir/server
config='{"configuration":{"version":"1","config":[{"action":"alarm","effect":"on"}]}}'

enrol() { configs/safe2/safe2-enrol --root "$server" "$@" 2>>"$dir/enrol.log"; }
listens() { (: <>"/dev/tcp/127.0.0.1/$1") 2>>"$dir/null"; }
start() { # name, command...
    timeout -k 5 300 "${@:2}" >>"$dir/$1.log" 2>&1 &
    pids+=($!)
}

free_ports() { # sets ports: four that nobody listens on
    local port
    ports=()
    while [ ${#ports[@]} -lt 4 ]; do
        port=$((12000 + RANDOM % 18000))
        case " ${ports[*]} " in *" $port "*) continue ;; esac
        listens $port || ports+=("$port")
    done
}

echo
echo "7. SAFE2: a server for SIMs, in which this SIM's own key is enrolled"
unset OPENSSL_CONF SIMKEY_PIN_SOURCE
# Servers that root starts become other users, who must reach the server's folder.
chmod 711 "$dir"
free_ports
enrol init --address 127.0.0.1 --psk-port "${ports[0]}" --https-port "${ports[1]}" \
    --front-port "${ports[2]}" --http-port "${ports[3]}" --https-name localhost ||
    fail "the server could not be laid out" "$dir/enrol.log"
start stunnel stunnel4 "$server/etc/stunnel.conf"
start haproxy /usr/sbin/haproxy -db -f "$server/etc/haproxy.cfg"
start nginx /usr/sbin/nginx -e "$server/log/nginx.log" -c "$server/etc/nginx.conf"
for port in "${ports[@]}"; do wait_for 10 "a server of SAFE2" listens "$port"; done
wait_for 10 "stunnel" test -s "$server/run/stunnel/pid"
# What its issuer put into the SIM: a key, and the server's address. It is read at every job.
iccid=$(sed -n 's/^iccid = //p' "$dir/card/card")
sed -n 's/^key = //p' "$dir/card/private/safe2" >"$dir/safe2.key"
sed -i "s/^port = .*/port = ${ports[0]}/" "$dir/card/private/safe2"
enrol add "$iccid" "$dir/safe2.key" || fail "the SIM could not be enrolled" "$dir/enrol.log"
enrol put --iccid "$iccid" - <<<"$config" || fail "no configuration could be put" "$dir/enrol.log"
say "listens on" "localhost:${ports[0]}, for TLS 1.3 with pre-shared keys (stunnel, haproxy, nginx)"
say "enrolled" "$config"

echo "8. The device asks its SIM, and the SIM asks the server"
export SIMKEY_DEVICE=$dir/modem SIMKEY_TRACE=at,file:$dir/safe2.trace
got=$(timeout 60 "$build/safe2" get --interval 0.2 2>"$dir/safe2.log") ||
    fail "the SIM fetched no configuration" "$dir/safe2.log" "$server/log/stunnel.log"
printf '%s\n' "$got" >"$dir/got.log"
say "the SIM got" "$got"
[ "$got" = "$config" ] || fail "this is not the configuration that was enrolled"
read -r identity exchange suite < <(sed -n 's/.* safe2 job get .* identity \([^ ]*\) \([^ ]*\) \([^ ]*\) .*/\1 \2 \3/p' \
    "$dir/trace")
say "identity" "${identity#digits:}, to which the server has the key"
[ "$exchange" = psk_ke ] || fail "the key exchange was ${exchange:-none}, not psk_ke"
say "how" "TLS 1.3, psk_ke, $suite: no certificates, no Diffie-Hellman"

echo "9. Did the SIM's key for SAFE2 show?"
# In capitals or small, in all that was traced, logged or printed.
shown=("$dir"/*.log "$dir"/*trace "$server"/log/*)
times=$(cat "${shown[@]}" | grep -oiFf "$dir/safe2.key" | wc -l)
say "looked at" "$(cat "${shown[@]}" | wc -c) bytes in ${#shown[@]} files: traces, logs and outputs"
say "SIM's key" "found $times times"
# The same search must find it where it is, or it is worth nothing.
[ "$(grep -ciFf "$dir/safe2.key" "$dir/card/private/safe2")" = 1 ] || fail "the search itself does not work"
[ "$times" = 0 ] || fail "the pre-shared key is in an output"
echo "The SIM's key for SAFE2 is in no output."
