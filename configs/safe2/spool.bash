# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What safe2-enrol does in sims, devices and telemetry, which belong to the web server's user. It hands
# this text to a bash that runs as that user: whatever links and files he has made there, nothing
# happens that he could not do himself. Arguments: the root, a command, and the command's.
# Exit status: 0 done, 3 not there, else not done.
set -uo pipefail
umask 077
new=
trap 'if [ -n "$new" ]; then rm -f -- "$new"; fi' EXIT
cd -- "$1" || exit 1

is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }

make_sim() { # ICCID, swapped: its folders, and under which other name they are found
    local sim=sims/$1
    # What an interrupted removal left would be the new SIM's.
    rm -rf -- "$sim" "sims/$2" && mkdir "$sim" "$sim/device" || return
    is_folder "telemetry/$1" || { rm -f -- "telemetry/$1" && mkdir "telemetry/$1"; } || return
    ln -s ../../devices "$sim/devices" && ln -s "../../telemetry/$1" "$sim/telemetry" || return
    if [ "$2" != "$1" ]; then ln -sfnT "$1" "sims/$2"; fi
}

remove_sim() { # ICCID, swapped
    if [ -L "sims/$2" ]; then rm -f -- "sims/$2" || return; fi
    rm -rf -- "sims/$1"
}

put_file() { # place, its bytes, which come on stdin
    local folder=${1%/*}
    is_folder "$folder" && [ ! -d "$1" ] || return
    rm -f -- "$folder"/.new.* # of a run that was killed
    new=$(mktemp "$folder/.new.XXXXXX") && cat >"$new" && [ "$(stat -c %s "$new")" = "$2" ] &&
        sync "$new" && mv -fT "$new" "$1" && new=
}

case $2 in
    make) make_sim "$3" "$4" ;;
    remove) remove_sim "$3" "$4" ;;
    put) put_file "$3" "$4" ;;
    show) [ -f "$3" ] || exit 3; cat -- "$3" ;;
    unset) [ -f "$3" ] || [ -L "$3" ] || exit 3; rm -f -- "$3" ;;
    list) find sims devices -mindepth 1 -maxdepth 3 -regextype posix-egrep \
        \( -type d -regex 'sims/[0-9]+' -o -type f -regex '(sims/[0-9]+/(config|device/[0-9a-f]+)|devices/[0-9a-f]+)' \) \
        -printf '%p %s\n' | sort ;;
    telemetry) is_folder "telemetry/$3" || exit 3
        find "telemetry/$3" -mindepth 2 -maxdepth 2 -regextype posix-egrep -type f \
            -regex 'telemetry/[0-9]+/[0-9a-f]+/[0-9]+[.][0-9]+-[0-9a-f]+' -printf '%P %s\n' ;;
    *) exit 1 ;;
esac
