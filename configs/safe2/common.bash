# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What safe2-enrol stands on, which reads this: words, users, paths and files. The rule behind it: root
# makes, changes and replaces files only where nobody else can change what a name leads to. Where
# somebody else can, the work is done as that one (as_user, spool.bash), so that a link in his folder
# leads no further than he gets himself.
# shellcheck disable=SC2015,SC2034 # `a && b || fail`: fail never returns; what is set here is used there
USAGE=1 SYSTEM=2 ABSENT=3 REFUSED=4
me=$(id -u)
scratch=() real='' stranger=''

say() { printf 'safe2-enrol: %s\n' "$1" >&2; }
fail() { # status, sentence
    say "$2"
    exit "$1"
}
clean_up() { if [ ${#scratch[@]} -gt 0 ]; then rm -f -- "${scratch[@]}"; fi; }
trap clean_up EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# Users

user_name() { id -un "$1" 2>>/dev/null || printf %s "$1"; }

# Runs a command as this user (name or number). It gets none of our folder, environment, terminal, lock
# and privileges, nor what whoever called us has open, because that user has the process in his hands:
# only two pipes, which he cannot keep open without end. The caller sees to stdin. What it says on
# stderr is left out. The process of root that waits for it keeps the lock (9): if we are killed, it
# goes on, and the next run must not work in the same folders meanwhile.
as_user() { # user, command...
    local change=() number
    if [ "$me" = 0 ] && [ "$1" != root ] && [ "$1" != 0 ]; then
        change=(setpriv --reuid "$1" --regid "$(id -g "$1" 2>>/dev/null || echo 65534)" --clear-groups
            --no-new-privs --inh-caps=-all)
    fi
    (cd / && exec 2>>/dev/null || exit
        for number in /proc/self/fd/*; do
            number=${number##*/}
            if [ "$number" -gt 2 ] && [ "$number" != 9 ]; then exec {number}>&-; fi
        done
        # shellcheck disable=SC2016 # its own arguments
        exec env -i PATH="$PATH" LC_ALL=C setsid -w timeout -k 2 120 sh -c 'exec 9>&-; exec "$@"' sh \
            "${change[@]}" "${@:2}") |
        timeout --foreground 125 head -c 100000000
}

# Paths

writable_by_others() { # mode in octal, group: whether more than the owner can rename what is in it
    local group=$2
    (((8#$1 & 8#1000) == 0 && (8#$1 & 8#22) != 0)) || return 1
    ((8#$1 & 8#2)) && return
    # Group 0 is root's, and a group that is named like its user is his alone.
    [ "$group" != 0 ] && ! { [ "$group" = "$(id -g)" ] && [ "$(id -gn)" = "$(id -un)" ]; }
}

# Follows a path name by name, links too. Sets $real to where it leads, and $stranger to the first user
# (number, or "several") beside root and us who can make it lead elsewhere; false if it is not there.
walk() { # path
    local left=$1 links=0 name next kind owner group mode
    [[ $left = /* ]] || left=$(pwd -P)/$left
    real=/ stranger=''
    while [ -n "$left" ]; do
        name=${left%%/*}
        left=${left#"$name"} left=${left#/}
        case $name in '' | .) continue ;; ..) real=$(dirname -- "$real") && continue ;; esac
        next=${real%/}/$name
        if ! IFS='|' read -r kind owner group mode < <(stat -c '%F|%u|%g|%a' -- "$next" 2>>/dev/null); then
            real=$next${left:+/$left}
            return 1
        fi
        if [ "$owner" != 0 ] && [ "$owner" != "$me" ]; then stranger=${stranger:-$owner}; fi
        if [ "$kind" = 'symbolic link' ]; then
            [ $((++links)) -le 40 ] || return 1
            name=$(readlink -- "$next") || return 1
            if [[ $name = /* ]]; then real=/; fi
            left=$name/$left
            continue
        fi
        if [ "$kind" = directory ] && writable_by_others "$mode" "$group"; then
            stranger=${stranger:-several}
        fi
        real=$next
    done
}

# Copies what the caller gave us to stdout: FILE, or - for stdin. Where another user can say what FILE
# leads to, he reads it: so his link to a file of root, or of a third one, is of no use to him. By sudo,
# which may allow somebody nothing but us, it is the caller who reads.
give() { # FILE, how many bytes at most
    local caller
    # A number and nothing behind it: /dev/fd/../root/ leads to all files there are. And what is open
    # there, not the name: that opens the file anew, with our rights instead of the caller's (O_PATH).
    if [[ $1 =~ ^(/dev/fd|/proc/self/fd)/([0-9]{1,4})$ ]]; then
        head -c "$2" <&"${BASH_REMATCH[2]}"
        return
    fi
    case $1 in
        - | /dev/stdin) head -c "$2" && return ;;
        *)
            walk "$1" && [ -f "$real" ] || return
            caller=$me
            if [ "$me" = 0 ] && [[ ${SUDO_UID-} =~ ^[0-9]+$ && ${SUDO_COMMAND-} =~ ^[^\ ]*/safe2-enrol(\ |$) ]]; then
                caller=$SUDO_UID
            fi
            if [ "$stranger" = several ] || { [ "$caller" != 0 ] && [ "${stranger:-$caller}" != "$caller" ]; }; then
                say "others can make a link of $1: use - <$1"
                return 1
            fi
            as_user "${stranger:-$caller}" head -c "$2" -- "$real" </dev/null && return ;;
    esac
}

# Files in folders that are ours alone. A new one replaces the old one whole.

begin_file() { # folder, variable; the file's name is then in the variable
    local made
    made=$(mktemp "$1/.new.XXXXXX") || fail $SYSTEM "cannot write into $1: is this the right user?"
    scratch+=("$made")
    printf -v "$2" %s "$made"
}

finish_file() { # new file, name, owner, mode
    if [ "$me" = 0 ]; then
        chown -h "$3:$(id -g "$3")" "$1" || fail $SYSTEM "cannot set the owner of $2."
    fi
    chmod "$4" "$1" && sync "$1" && mv -fT "$1" "$2" || fail $SYSTEM "cannot write $2."
}

its_owner() { user_name "$(stat -c %u "$1" 2>/dev/null)"; }
is_folder() { [ -d "$1" ] && [ ! -L "$1" ]; }

check_ours() { # folder: it is ours, and nobody else may write there
    local owner mode
    is_folder "$1" && read -r owner mode < <(stat -c '%u %a' "$1") && [ "$owner" = "$me" ] &&
        (((8#$mode & 8#22) == 0)) ||
        fail $SYSTEM "$1 must be a folder of $(user_name "$me") that nobody else may write into: is this \
the right user? Do not go on before you know who changed it."
}

check_theirs() { # folder, user: it is his
    is_folder "$1" && [ "$(its_owner "$1")" = "$2" ] ||
        fail $SYSTEM "$1 must be a folder of $2, not a link, and not another's."
}

make_folder() { # folder in one of ours, its owner: makes it, or sees that it is so
    local owner
    if [ ! -e "$1" ] && [ ! -L "$1" ]; then
        mkdir -m 700 "$1" || fail $SYSTEM "cannot make $1."
    fi
    is_folder "$1" && owner=$(its_owner "$1") || fail $SYSTEM "$1 must be a folder, not a link or a file."
    if [ "$me" = 0 ] && [ "$owner" = root ] && [ "$2" != root ]; then
        chown -h "$2:$(id -g "$2")" "$1" || fail $SYSTEM "cannot give $1 to $2."
    fi
    check_theirs "$1" "$2"
}
