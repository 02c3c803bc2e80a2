#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the guest of the test on a USB port: starts udev, then runs the command lines
# that come over the second serial port and sends back what they say. run.py on the host decides what
# they are.
#
#   host    NUMBER SECONDS COMMAND...\n
#   guest   what it wrote, then \nNUMBER STATUS end\n
/bin/busybox --install -s /usr/local/bin
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/bin LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
chown -R 1000:1000 /home/user
chown -R 0:0 /etc/simkey
chown 0:20 /etc/simkey/pin # dialout
ip link set lo up

systemd-udevd --daemon
udevadm trigger --type=subsystems --action=add
udevadm trigger --type=devices --action=add
udevadm settle --timeout=60

line=/dev/ttyS1
stty -F $line raw -echo 115200
agent() {
    printf '\n0 0 end\n'
    while read -r number seconds command; do
        timeout -s KILL "$seconds" sh -c "$command" </dev/null >/tmp/said 2>&1
        status=$?
        cat /tmp/said
        printf '\n%s %s end\n' "$number" "$status"
    done
}
# A process of its own: the first one becomes the parent of all that others leave behind, and their
# ends would break into its read.
agent 0<>$line 1>&0 &
wait
poweroff -f
