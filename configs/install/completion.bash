# SPDX-License-Identifier: Apache-2.0
# Completion in bash for simkey, safe2 and simmodem. What there is to complete is what --help says of
# it; only the values of a few settings stand here.

_simkey_help() { # program, command: its help, with one blank between words
    "$1" ${2:+"$2"} --help 2>/dev/null | tr -s ' '
}

_simkey_ports() { # the serial ports
    local port
    for port in /dev/serial/by-id/* /dev/ttyUSB* /dev/ttyACM* /dev/simkey*; do
        [ ! -e "$port" ] || echo "$port"
    done
}

_simkey_modems() { # the sections of the settings file
    local file=${SIMKEY_CONF:-/etc/simkey/simkey.conf}
    [ ! -f "$file" ] || sed -n 's/^[[:blank:]]*\[[[:blank:]]*\([A-Za-z0-9._-]*\)[[:blank:]]*\].*/\1/p' "$file" 2>/dev/null
}

_simkey_value() { # program, option: words for its value, or "-f" or "-d" for a name of a file
    local argument
    case ${1##*/}:$2 in
    simmodem:--fault)
        _simkey_help "$1" | sed -n '/^Faults/,/^Result codes/s/^ \([a-z0-9-]*\).*/\1/p'
        return ;;
    simmodem:--baud) return ;;
    *:--device) _simkey_ports; return ;;
    *:--modem) _simkey_modems; return ;;
    *:--baud) echo 9600 57600 115200 230400 460800 921600; return ;;
    *:--transport) echo auto csim ccho; return ;;
    *:--purpose) echo client server any; return ;;
    *:--session) echo shared keep private; return ;;
    *:--trace) [ "${1##*/}" = simmodem ] && echo -f || echo off apdu at provider; return ;;
    *:--*-source) echo -f; return ;;
    *:--run-dir) echo -d; return ;;
    *:--exec) compgen -c -- "$cur"; return ;;
    esac
    argument=$(_simkey_help "$1" | sed -n "s/^ $2 \([^ ]*\) .*/\1/p" | head -n 1)
    case $argument in
    DIR) echo -d ;;
    FILE | PATH) echo -f ;;
    *'|'*) tr '|' ' ' <<<"$argument" | sed 's/N //' ;;
    esac
}

_simkey() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} program=$1
    local command='' words='' word index
    COMPREPLY=()

    # --option=value comes as three words.
    [ "$cur" != = ] || cur=''
    [ "$previous" != = ] || previous=${COMP_WORDS[COMP_CWORD - 2]}
    for ((index = 1; index < COMP_CWORD && ${#command} == 0; index++)); do
        word=${COMP_WORDS[index]}
        case $word in
        -* | =) ;;
        *) [[ $program == *simmodem || ${COMP_WORDS[index - 1]} == -* ]] || command=$word ;;
        esac
    done

    if [[ $previous == --* ]] &&
        _simkey_help "$program" "$command" | grep -Eq -- "^ $previous [^ a-z]|^ $previous [a-z0-9]*\||(take|and) --.*$previous"; then
        words=$(_simkey_value "$program" "$previous")
    elif [[ $cur == -* ]]; then
        words=$(_simkey_help "$program" "$command" | grep -Eo -- '--[A-Za-z][A-Za-z0-9-]*' | sort -u)
    elif [[ $program == *simmodem ]]; then
        words='--card --link --new --help'
    elif [ -z "$command" ]; then
        words=$(_simkey_help "$program" | sed -n "s/^${program##*/} \([a-z]*\) .*/\1/p")
    else # the operands that the usage names
        words=$(_simkey_help "$program" "$command" | sed -n "s/^${program##*/} $command \(\[options\] *\)\{0,1\}//p" |
            head -n 1)
        case $words in
        FILE*) words=-f ;;
        *[A-Z]*) words='' ;;
        *) words=${words//|/ } ;;
        esac
    fi

    case $words in
    -f | -d) compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen "$words" -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
    esac
}

complete -F _simkey simkey safe2 simmodem
