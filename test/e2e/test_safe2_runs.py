# SPDX-License-Identifier: Apache-2.0
"""Runs of safe2-enrol that others wait for: one that was killed, and one that has much to do."""

import glob
import os
import re
import signal
import subprocess
import time

from fixture import test
from safe2_server import ENROL, new_key
from test_safe2_neighbours import ICCID, NOT_ROOT, OTHER, Place
from tls import free_ports


def is_stopped(t, pid):
    """Whether it is: a signal to a process that has ended, but was not waited for, is no error."""
    try:
        return t.read(f"/proc/{pid}/stat").rpartition(b") ")[2][:1] == b"T"
    except OSError:
        return False


def stop_its_part(t, place, run):
    """Stops what works for this run as the web server's user; its pid, or None if the run was faster."""
    while run.poll() is None:
        for folder in glob.glob("/proc/[0-9]*"):  # no other test is this user
            try:
                if os.stat(folder).st_uid != 34 or place.root not in t.read(folder + "/cmdline").decode("latin1"):
                    continue
                os.kill(int(folder[6:]), signal.SIGSTOP)
                until = time.monotonic() + 1
                while not is_stopped(t, folder[6:]) and time.monotonic() < until and os.path.exists(folder):
                    time.sleep(0.01)
                if is_stopped(t, folder[6:]):
                    return int(folder[6:])
            except OSError:
                pass
    return None


@test(left_out=NOT_ROOT, seconds=120)
def what_a_killed_run_left_at_work_is_waited_for(t):
    """Its part as the web server's user is in another session: it would take the next SIM's folder."""
    place = Place(t)
    t.run(["chown", "-R", "backup:backup", *(place.path(name) for name in ("sims", "devices", "telemetry"))])
    stopped = None
    for _ in range(20):
        place.enrol("add", ICCID, "-", stdin=new_key())
        killed = subprocess.Popen([ENROL, "--root", place.root, "remove", ICCID], env=t.env(),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  start_new_session=True)
        stopped = stop_its_part(t, place, killed)
        if stopped:
            break
    t.check(stopped, "remove had nothing to do as the web server's user")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    again = t.start("add", [ENROL, "--root", place.root, "add", OTHER, t.write("key", new_key())], t.env())
    time.sleep(2)
    t.equal(again.popen.poll(), None, "another run, while the killed one's work goes on")
    os.kill(stopped, signal.SIGCONT)
    again.wait_for(lambda: again.popen.poll() is not None, "the end of the next run", 20)
    t.equal(again.popen.poll(), 0, "status of the next run")
    t.running.remove(again)


@test(left_out=NOT_ROOT, seconds=120)
def a_list_of_many_sims_takes_no_minutes_and_stops_nobody(t):
    place = Place(t)
    sims = [f"8944500000000{number:06d}" for number in range(1500)]
    for iccid in sims:
        os.makedirs(place.path(f"sims/{iccid}/device"))
    t.run(["chown", "-R", "www-data:www-data", place.path("sims")])
    with open(place.path("psk"), "a", encoding="ascii") as keys:
        keys.writelines(f"{iccid}:{'0' * 32}\n" for iccid in sims)
    listed = place.enrol("list", seconds=30).out
    t.equal(listed, "".join(f"{iccid}  identity: digits\n" for iccid in sims), "the list")


@test(seconds=240, long=True)
def a_run_that_is_killed_leaves_nothing_half(t):
    root = t.path("safe2")
    os.chmod(t.dir, 0o755)
    server = [ENROL, "--root", root]
    ports = ["--psk-port", str(free_ports(1)[0])]

    def killed(delay, *words, stdin=b""):
        process = subprocess.Popen([*server, *words], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=t.env(), start_new_session=True)
        process.stdin.write(stdin)
        process.stdin.close()
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    for number in range(12):
        killed(0.02 * number, "init", "--https-name", "localhost", *ports)
    t.run([*server, "init", "--https-name", "localhost", *ports], env=t.env())
    t.run(["openssl", "x509", "-in", root + "/https.crt", "-noout", "-checkhost", "localhost"])
    pair = [t.run(["openssl", *words, "-in", f"{root}/{name}"]).out for words, name in
            ((["pkey", "-pubout"], "https.key"), (["x509", "-noout", "-pubkey"], "https.crt"))]
    t.equal(pair[0], pair[1], "key and certificate")
    sims = [f"8944500000000000{number:03d}" for number in range(12)]
    for number, iccid in enumerate(sims):
        killed(0.02 * number, "add", iccid, "-", stdin=new_key().encode())
        killed(0.02 * number, "put", "--iccid", iccid, "-", stdin=b'{"old":1}')
        killed(0.02 * number, "remove", iccid)
    for iccid in sims:
        t.run([*server, "remove", iccid], env=t.env(), expect=(0, 3))
        t.run([*server, "add", iccid, "-"], env=t.env(), stdin=new_key())
        t.run([*server, "show", "--iccid", iccid], env=t.env(), expect=3)
    for folder in ("", "etc/", "log/"):
        t.write(f"safe2/{folder}.new.abcdef", "")
    t.run([*server, "list"], env=t.env())
    for line in t.read(root + "/psk").split(b"\n")[:-1]:
        t.check(re.fullmatch(rb"[a-z0-9-]+:[0-9a-f]{32}", line), f"a line of psk: {line}")
    t.equal(glob.glob(root + "/**/.new.*", recursive=True) + glob.glob(root + "/.new.*"), [], "new files left")
