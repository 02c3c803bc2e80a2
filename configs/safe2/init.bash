# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# safe2-enrol init, which reads this: lays out the root, fills in the servers' files, makes a certificate.
# shellcheck disable=SC2015,SC2086,SC2154 # `a && b || fail`: fail never returns; safe2-enrol sets the others, to numbers

service_user() { # package that brings it, its names: the user, or us where we cannot become another
    local name
    if [ "$me" != 0 ]; then user_name "$me" && return; fi
    for name in "${@:2}"; do
        if id "$name" >/dev/null 2>&1; then printf %s "$name" && return; fi
    done
    fail $SYSTEM "the user $2 does not exist: install $1 first; the server must not run as root."
}

fill_in() { # name of a configuration: from beside this script into $root/etc
    local text new
    if [ -e "$root/etc/$1" ]; then
        say "$root/etc/$1 is there already and stays as it is."
        return
    fi
    text=$(<"$here/$1") || fail $SYSTEM "$here/$1 is missing: keep safe2-enrol in its folder."
    text=${text//@ROOT@/$root} text=${text//@ADDRESS@/$address}
    text=${text//@PSK_PORT@/$psk_port} text=${text//@HTTPS_PORT@/$https_port}
    text=${text//@FRONT_PORT@/$front_port} text=${text//@HTTP_PORT@/$http_port}
    text=${text//@HTTPS_NAME@/$https_name} text=${text//@WEB_USER@/$web}
    text=${text//@PROXY_USER@/$proxy} text=${text//@FRONT_USER@/$front}
    begin_file "$root/etc" new
    # Only root can become somebody else.
    if [ "$me" = 0 ]; then printf '%s\n' "$text"; else
        grep -vE '^ *((setuid|setgid) =|(user|group) [a-z0-9_-]+;?$)' <<<"$text"
    fi >"$new" || fail $SYSTEM "cannot write $root/etc/$1."
    finish_file "$new" "$root/etc/$1" "$me" 644
}

make_certificate() {
    local new_key new_certificate
    if [ -e "$root/https.crt" ] && [ -e "$root/https.key" ]; then return; fi
    [ ! -e "$root/https.crt" ] ||
        fail $SYSTEM "$root/https.crt has no https.key beside it: put it there, or take the other away."
    begin_file "$root" new_key
    begin_file "$root" new_certificate
    # With a configuration of its own, whatever OPENSSL_CONF says.
    OPENSSL_CONF=/dev/null openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -config /dev/stdin -keyout "$new_key" -out "$new_certificate" \
        -subj "/CN=$https_name" -addext "subjectAltName=DNS:$https_name" \
        2>"$root/log/openssl.log" <<<$'[req]\ndistinguished_name=n\n[n]' ||
        fail $SYSTEM "no certificate for $https_name could be made: see $root/log/openssl.log."
    rm -f "$root/log/openssl.log"
    finish_file "$new_key" "$root/https.key" "$me" 600
    finish_file "$new_certificate" "$root/https.crt" "$me" 644
}

is_port() { [[ $1 =~ ^[1-9][0-9]{0,4}$ ]] && [ "$1" -le 65535 ]; }
is_address() {
    [[ $1 =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})$ ]] &&
        ((10#${BASH_REMATCH[1]} < 256 && 10#${BASH_REMATCH[2]} < 256 && 10#${BASH_REMATCH[3]} < 256 &&
            10#${BASH_REMATCH[4]} < 256))
}
is_host() { [[ $1 =~ ^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$ ]]; }

make_root() { # an empty folder, or one of ours
    local name
    # The servers' users must pass what is made here.
    find_root || { (umask 022 && mkdir -p -- "$root") && find_root; } || fail $SYSTEM "cannot make $root."
    [[ $root =~ ^/[A-Za-z0-9._/-]*$ ]] ||
        fail $USAGE "$root: the servers' files take only letters, digits and ._- in a path."
    check_ours "$root"
    [ -e "$root/.lock" ] || [ -e "$root/psk" ] ||
        for name in "$root"/* "$root"/.[!.]*; do
            case ${name##*/} in '*' | '.[!.]*' | https.crt | https.key | lost+found) ;;
                *) fail $REFUSED "$root is not empty: give a folder that is the servers' alone." ;;
            esac
        done
    take_lock
}

lay_out() {
    local name user
    user=$(user_name "$me")
    # stunnel's user lost the 4 with 5.78, Debian 14.
    web=$(service_user nginx www-data) && proxy=$(service_user stunnel4 stunnel4 stunnel) &&
        front=$(service_user haproxy haproxy) || exit
    # The servers' users pass through ours; what is theirs we only make.
    for name in etc run log run/nginx; do
        make_folder "$root/$name" "$user"
        chmod 755 "$root/$name" && check_ours "$root/$name"
    done
    chmod 755 "$root" || fail $SYSTEM "cannot lay out $root."
    make_folder "$root/run/stunnel" "$proxy"
    for name in tmp sims devices telemetry; do make_folder "$root/$name" "$web"; done
    # nginx gives its logs to its workers, as which it opens them anew.
    for name in tokens log/{access,writers,nginx}.log; do
        [ -e "$root/$name" ] || touch "$root/$name" || fail $SYSTEM "cannot write $root/$name."
    done
    [ -e "$root/log/stunnel.log" ] || {
        begin_file "$root/log" name
        finish_file "$name" "$root/log/stunnel.log" "$proxy" 600
    }
}

cmd_init() {
    local address=0.0.0.0 psk_port=4433 https_port=8443 front_port=8081 http_port=8082 https_name='' front file new
    while [ $# -gt 0 ]; do
        [ $# -ge 2 ] || fail $USAGE "init: $1 needs a value, see --help."
        case $1 in
            --psk-port | --https-port | --front-port | --http-port)
                is_port "$2" || fail $USAGE "init: $2 is not a port." ;;&
            --address)
                is_address "$2" || fail $USAGE "init: $2 is not an IPv4 address."
                address=$2 ;;
            --psk-port) psk_port=$2 ;;
            --https-port) https_port=$2 ;;
            --front-port) front_port=$2 ;;
            --http-port) http_port=$2 ;;
            --https-name) https_name=$2 ;;
            *) fail $USAGE "init: unknown option $1, see --help." ;;
        esac
        shift 2
    done
    https_name=${https_name:-$(uname -n)}
    is_host "$https_name" || fail $USAGE "init: $https_name is not a host's name: give --https-name."
    make_root
    lay_out
    for file in stunnel.conf haproxy.cfg nginx.conf nginx-safe2.conf; do fill_in $file; done
    make_certificate
    # Last, because by this the others know that all is laid out.
    if [ ! -e "$root/psk" ]; then
        begin_file "$root" new
        printf '%s:%s\n' $NOBODY "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" >"$new" ||
            fail $SYSTEM "cannot write the keys: is the disk full?"
        finish_file "$new" "$root/psk" "$proxy" 600
    fi
}
