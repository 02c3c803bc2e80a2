#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# deps.sh [lint|usb|bench|demo|deb|chroot]: installs what building and testing (and linting, the test on a
# USB port, the bench) need and this machine lacks, on Debian and Ubuntu; with demo, deb or chroot what
# building and the demo, making Debian packages or testing them needs. Where nothing is missing it does nothing and needs
# neither network nor root.
set -eu

build='gcc libc6-dev make pkg-config libssl-dev libserialport-dev zlib1g-dev libcjson-dev libpcsclite-dev'
tests='libcunit1-dev openssl curl python3 nginx stunnel4 haproxy mosquitto mosquitto-clients
    valgrind binutils util-linux mount procps mandoc opensc opensc-pkcs11 pcscd vsmartcard-vpcd
    nodejs git wget openvpn eapoltest hostapd apache2-bin lighttpd lighttpd-mod-openssl
    postgresql-client redis-server socat python3-paho-mqtt
    iproute2 libqmi-proxy libqmi-utils libmbim-proxy libmbim-utils'
syslog='rsyslog rsyslog-openssl'
demo='openssl curl nginx stunnel4 haproxy'
lint='clang libclang-rt-dev clang-format clang-tidy cppcheck shellcheck pyflakes3 git'
usb='qemu-system-x86 kmod cpio' # and what test/usb/image.py fetches without installing it
# Keys elsewhere than in a SIM, to compare with. udev comes with the TPM's packages.
bench='udev softhsm2 libengine-pkcs11-openssl tpm2-openssl swtpm libtss2-tcti-swtpm0'
# Its name since time_t has 64 bits everywhere.
! dpkg-query -W libtss2-tcti-swtpm0t64 >/dev/null 2>&1 || bench="${bench}t64"
deb='build-essential dpkg-dev debhelper lintian'
chroot='debootstrap iproute2 util-linux'
services='nginx stunnel4 haproxy mosquitto pcscd udev openvpn hostapd lighttpd redis-server
    rsyslog' # they need not run for the tests

wanted="$build $tests"
[ "${1-}" != lint ] || wanted="$build $tests $lint"
[ "${1-}" != usb ] || wanted="$build $tests $usb"
[ "${1-}" != bench ] || wanted="$build $tests $bench"
[ "${1-}" != demo ] || wanted="$build $demo"
[ "${1-}" != deb ] || wanted="$build $deb"
[ "${1-}" != chroot ] || wanted="$chroot"

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is neither Debian nor Ubuntu: install what these packages hold there:" >&2
    # shellcheck disable=SC2086 # words
    printf '    %s\n' $wanted >&2
    echo "deps: going on; make names the libraries that it misses" >&2
    exit 0
fi

# rsyslog would take the place of another syslog daemon: there its tests are left out.
if [ "${wanted#*"$tests"}" != "$wanted" ] && ! dpkg-query -W -f '${Package} ${db:Status-Status} ${Provides}\n' |
    grep -v '^rsyslog ' | grep -q ' installed .*system-log-daemon'; then
    wanted="$wanted $syslog"
fi

missing=
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>&1) || state=absent
    [ "$state" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: missing:$missing" >&2
        echo "deps: run as root: apt-get install$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# Services that come with it shall not start here, nor at the next boot.
policy=/usr/sbin/policy-rc.d
fresh=
for service in $services; do
    case " $missing " in *" $service "*) fresh="$fresh $service" ;; esac
done
if [ -n "$fresh" ] && [ ! -e $policy ]; then
    trap '$as_root rm -f $policy' EXIT
    trap 'exit 130' INT TERM HUP
    printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null
    $as_root chmod 755 $policy
fi

echo "deps: installing$missing"
# shellcheck disable=SC2086 # words
install() {
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        $missing </dev/null
}
$as_root apt-get update -q </dev/null
install
if [ -n "$fresh" ] && command -v systemctl >/dev/null; then # also where systemd does not run: an image
    for service in $fresh; do
        $as_root systemctl disable --quiet "$service" || echo "deps: $service stays enabled" >&2
    done
fi
