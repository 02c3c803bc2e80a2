# SPDX-License-Identifier: Apache-2.0
"""Other users of the machine, and the surroundings in which programs are started: nobody's file is
written but the one that was named, nobody is locked out, and no program is ended."""

import os
import pty
import re
import resource
import shutil
import socket
import stat
import subprocess
import zlib

from fixture import SIMKEY, UNREACHABLE, USAGE, test
from signer import dgst, none_open, verified

NOBODY = 65534
DIALOUT = 20
ROOT = None if os.geteuid() == 0 else "only root can be another user, give files away and mount"

# What a stranger does in a folder, as user nobody, in the group of the port or not.
STRANGER = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--groups"]


def stranger(t, *command, groups="65534"):
    t.run([*STRANGER, groups, *command], preload=False)


# Result files and the trace

def target_is_untouched(t, path):
    t.equal(t.read("target"), b"precious\n", "a file of root's")
    t.equal(stat.S_IMODE(os.stat(path).st_mode), 0o644, "its mode")


@test(left_out=ROOT)
def a_strangers_link_is_not_followed(t):
    """Neither for a result nor for a trace, as a file or as a folder on the way."""
    sim = t.sim("p256")
    target = t.write("target", "precious\n", 0o644)
    os.mkdir(t.path("tmp"))
    os.chmod(t.path("tmp"), 0o1777)
    stranger(t, "ln", "-s", target, t.path("tmp/sim.crt"))
    stranger(t, "ln", "-s", t.dir, t.path("tmp/way"))
    for path in ("tmp/sim.crt", "tmp/way/target"):
        for command in (["cert", "signing"], ["key", "signing"]):
            t.simkey(sim, *command, "--out", t.path(path), expect=USAGE,
                     says="symbolic link of another user")
        t.simkey(sim, "info", "--trace", "at,file:" + t.path(path))
        target_is_untouched(t, target)
    t.equal(sorted(os.listdir(t.path("tmp"))), ["sim.crt", "way"], "what is in the folder")
    # the same name once the stranger's link is gone
    os.unlink(t.path("tmp/sim.crt"))
    t.simkey(sim, "cert", "signing", "--out", t.path("tmp/sim.crt"))
    t.says(t.read("tmp/sim.crt").decode(), "BEGIN CERTIFICATE")


@test
def a_link_in_a_folder_that_all_can_write_is_not_followed(t):
    sim = t.sim("p256")
    target = t.write("target", "precious\n", 0o644)
    os.mkdir(t.path("tmp"))
    os.chmod(t.path("tmp"), 0o1777)
    os.symlink(target, t.path("tmp/sim.crt"))
    t.simkey(sim, "cert", "signing", "--out", t.path("tmp/sim.crt"), expect=USAGE,
             says="a folder that others can write")
    target_is_untouched(t, target)
    os.chmod(t.path("tmp"), 0o755)  # now only its owner can have made the link
    t.simkey(sim, "cert", "signing", "--out", t.path("tmp/sim.crt"))
    t.says(t.read("target").decode(), "BEGIN CERTIFICATE")
    t.check(os.path.islink(t.path("tmp/sim.crt")), "the link is gone")


@test
def standard_output_is_a_place_for_a_result(t):
    sim = t.sim("p256")
    wanted = t.simkey(sim, "cert", "signing").out
    for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
        t.equal(t.simkey(sim, "cert", "signing", "--out", name).out, wanted, f"--out {name}")
    with open(t.path("both"), "wb") as file:
        file.write(b"first\n")
        file.flush()
        subprocess.run([SIMKEY, "cert", "signing", "--out", "/dev/stdout"], env=t.env(sim),
                       stdout=file, check=True, timeout=60)
    t.equal(t.read("both").decode(), "first\n" + wanted, "what was there, and the result behind it")
    t.simkey(sim, "cert", "signing", "--out", "/dev/null")


@test(left_out=ROOT)
def a_strangers_pipe_or_file_gets_no_key(t):
    sim = t.sim("p256")
    os.mkdir(t.path("tmp"))
    os.chmod(t.path("tmp"), 0o1777)
    stranger(t, "mkfifo", "-m", "600", t.path("tmp/pipe"))
    stranger(t, "sh", "-c", f"umask 0; : >{t.path('tmp/file')}")
    t.simkey(sim, "key", "available", "--out", t.path("tmp/pipe"), expect=USAGE,
             says="belongs to another user")
    t.simkey(sim, "key", "available", "--out", t.path("tmp/file"))
    made = os.stat(t.path("tmp/file"))
    t.equal((made.st_uid, stat.S_IMODE(made.st_mode)), (0, 0o600), "owner and mode of the key")


# The run-dir's group

RUN = """
mount -t tmpfs -o mode=755 none /run || exit 77
for device in {devices}; do
    {simkey} info --device "$device" --timeout 1 >/dev/null 2>&1
    stat -c '%U:%g %a' /run/simkey
    {after}
done
"""


def run_dirs(t, devices, after):
    """Whose /run/simkey is after root's programs with these devices, in a mount namespace."""
    script = RUN.format(devices=" ".join(devices), simkey=SIMKEY, after=after)
    env = t.env(SIMKEY_RUN_DIR=None)
    alone = ["unshare", "-m"]
    if t.run([*alone, "true"], expect=None, preload=False).status != 0:
        alone += ["--propagation", "unchanged"]
    return t.run([*alone, "sh", "-c", script], env=env).out.splitlines()


@test(left_out=ROOT)
def the_run_dir_takes_no_group_but_a_ports(t):
    sim = t.sim("p256")
    real = os.path.realpath(sim.device)
    os.chown(real, 0, DIALOUT)  # a pty all the same
    os.chmod(real, 0o660)
    plain = t.write("plain", "", 0o660)
    os.chown(plain, 0, NOBODY)
    os.symlink(plain, t.path("link"))
    os.mkfifo(t.path("fifo"), 0o660)
    os.chown(t.path("fifo"), 0, NOBODY)
    devices = [sim.device, plain, t.path("link"), t.path("fifo"), t.dir, "/dev/null", "/dev/ptmx",
               "pcsc:0", t.path("nothing")]
    t.equal(run_dirs(t, devices, "rm -rf /run/simkey"), ["root:0 700"] * len(devices),
            "whose /run/simkey is")


@test(left_out=ROOT)
def the_run_dir_is_given_to_the_port_that_comes(t):
    sim = t.sim("p256")
    port = t.path("ttyUSB7")
    try:
        os.mknod(port, stat.S_IFCHR | 0o660, os.makedev(188, 7))
    except PermissionError:
        print("no device nodes can be made here")
        return
    os.chown(port, 0, DIALOUT)
    os.chmod(port, 0o660)
    t.equal(run_dirs(t, [sim.device, port, sim.device], "ls -n /run/simkey >&2"),
            ["root:0 700", f"root:{DIALOUT} 2770", f"root:{DIALOUT} 2770"],
            "whose /run/simkey is after a pty, a port, a pty")


@test(left_out=ROOT)
def a_folder_that_waits_in_tmp_is_not_used(t):
    """Where a stranger has taken the name of the last choice another one is used, and doctor tells which."""
    sim = t.sim("p256")
    cert, key = t.exported(sim)
    script = """
mount -t tmpfs -o mode=755 none /run && : >/run/simkey || exit 77
mkdir -p /tmp/simkey-0 && mount -t tmpfs -o uid=65534,mode=777 none /tmp/simkey-0 || exit 77
"$@" || exit 1
{simkey} doctor >"$DIR/doctor"
ls -A /tmp/simkey-0 >"$DIR/list"
rm -rf /tmp/simkey-0-??????
"""
    alone = ["unshare", "-m"]
    if t.run([*alone, "true"], expect=None, preload=False).status != 0:
        alone += ["--propagation", "unchanged"]
    t.run([*alone, "sh", "-c", script.format(simkey=SIMKEY), "sh", *dgst(t, key)],
          env=t.env(sim, True, SIMKEY_RUN_DIR=None, DIR=t.dir))
    verified(t, cert)
    t.equal(t.read("list"), b"", "what is in the stranger's folder")
    t.says(t.read("doctor").decode(), r"(?m)^ok +run-dir .* /tmp/simkey-0-\w{6}$")
    none_open(t, sim)


# Descriptors and limits

@test
def a_program_without_standard_descriptors_says_nothing_to_the_modem(t):
    """Nobody answers here; what a modem would hear is kept."""
    sim = t.sim("p256")
    _, key = t.exported(sim)
    master, slave = pty.openpty()
    path = os.ttyname(slave)
    os.set_blocking(master, False)

    def bare():
        for fd in (0, 1, 2):
            os.close(fd)

    for number, command in enumerate(([SIMKEY, "info"], dgst(t, key))):
        os.mkdir(t.path(f"run-{number}"), 0o700)  # what was late for the first one is unknown here
        env = t.env(preload=command[0] != SIMKEY, SIMKEY_DEVICE=path, SIMKEY_TIMEOUT="1",
                    SIMKEY_PIN_SOURCE=t.pin_file(), SIMKEY_TRACE="at",
                    SIMKEY_RUN_DIR=t.path(f"run-{number}"))
        subprocess.run(command, env=env, cwd=t.dir, preexec_fn=bare, check=False, timeout=30)
        heard = b""
        try:
            while True:
                heard += os.read(master, 4096)
        except BlockingIOError:
            pass
        t.check(b"AT" in heard, f"the modem was not asked by {command[0]}: {heard}")
        t.silent(heard.decode("latin1"), ["simkey", "error"])
    os.close(master)
    os.close(slave)


@test
def a_limit_for_files_ends_no_program(t):
    """LimitFSIZE= of systemd; others go on with what they share meanwhile."""
    sim = t.sim("p256")
    cert, key = t.exported(sim)

    def signs(limit, trace=None):
        def limited():
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        command = [*dgst(t, key)]
        at = command.index("-out")
        del command[at:at + 2]  # to a pipe, which has no limit
        done = subprocess.run(command, env=t.env(sim, True, SIMKEY_TRACE=trace), cwd=t.dir,
                              preexec_fn=limited, capture_output=True, check=False, timeout=60)
        t.equal(done.returncode, 0, f"status with a limit of {limit}: {done.stderr}")
        t.write("sig", done.stdout)
        verified(t, cert)

    for limit in (0, 1, 100, 4095, 4096, 1 << 20):
        signs(limit)
        signs(limit, "at,file:" + t.path(f"trace-{limit}"))
        t.check(os.path.getsize(t.path(f"trace-{limit}")) <= limit, "a trace beyond the limit")
    def none():
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    for out in ([], ["--out", t.path("result")]):
        with open(t.path("out"), "wb") as file:
            done = subprocess.run([SIMKEY, "cert", "signing", *out], env=t.env(sim), preexec_fn=none,
                                  stdout=file, stderr=subprocess.PIPE, check=False, timeout=60)
        t.check(done.returncode > 0, f"status of simkey without room: {done.returncode}")
        t.says(done.stderr.decode(), "cannot write.*")
    t.check(not os.path.exists(t.path("result")), "a result without room")
    queue, = [name for name in os.listdir(t.run_dir) if name.endswith(".queue")]
    t.equal(os.path.getsize(os.path.join(t.run_dir, queue)), 0, "the size of the queue's file")
    os.truncate(os.path.join(t.run_dir, queue), 2 << 20)  # by a member of the group
    signs(1 << 20)
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


# Names that anybody may take

@test
def a_strangers_socket_locks_nobody_out_of_a_card_reader(t):
    numbers = {(0, 0)}
    try:
        at = os.stat("/run/pcscd/pcscd.comm")
        numbers.add((at.st_dev, at.st_ino))
    except OSError:
        pass
    taken = [socket.socket(socket.AF_UNIX) for _ in numbers]
    for sock, (device, inode) in zip(taken, numbers):
        sock.bind(f"\0simkey-{device:x}-{inode:x}-pcsc:no such reader")
    t.silent(t.run([SIMKEY, "info", "--device", "pcsc:no such reader", "--timeout", "2"],
                   expect=UNREACHABLE).err, "in use by another program")


# The run-dir's files

HOLD = """
import fcntl, os, sys, time
fds = []
for name in sys.argv[1:]:
    fd = os.open(name, os.O_RDWR | os.O_CREAT, 0o660)
    os.fchmod(fd, 0o660)
    fcntl.flock(fd, fcntl.LOCK_EX)
    fcntl.lockf(fd, fcntl.LOCK_EX)
    fds.append(fd)
print("held", flush=True)
time.sleep(60)
"""


@test(left_out=ROOT)
def a_member_of_the_group_holds_up_nobody(t):
    """By locks on every file, by files of the wrong kind, and by taking the folder away."""
    sim = t.sim("p256")
    os.chmod(t.dir, 0o711)
    os.chown(t.run_dir, 0, DIALOUT)
    os.chmod(t.run_dir, 0o2770)
    cert, key = t.exported(sim)
    base, = [name[:-len(".queue")] for name in os.listdir(t.run_dir) if name.endswith(".queue")]
    kinds = ["queue", "session", "channel-1", "queue.turn-0"]
    paths = [os.path.join(t.run_dir, f"{base}.{kind}") for kind in kinds]

    def signs(what):
        t.run(dgst(t, key), env=t.env(sim, True, SIMKEY_TIMEOUT="5"), seconds=5)
        verified(t, cert)
        print("signed with", what, flush=True)

    def clear():
        for name in os.listdir(t.run_dir):
            path = os.path.join(t.run_dir, name)
            if os.path.isdir(path):
                os.rmdir(path)
            else:
                os.unlink(path)

    clear()
    holder = t.start("holder", [*STRANGER, str(DIALOUT), "/usr/bin/python3", "-c", HOLD, *paths],
                     preload=False)
    holder.wait_for(lambda: "held" in holder.said(), "holding")
    signs("all locked")
    holder.popen.kill()
    holder.popen.wait()
    t.running.remove(holder)
    for make in ("ln -s /etc/passwd", "mkfifo", "mkdir", "ln -s /nonexistent/there", "touch"):
        clear()
        for path in paths:
            stranger(t, *make.split(), path, groups=str(DIALOUT))
        if make == "touch":
            for path in paths:
                stranger(t, "chmod", "000", path, groups=str(DIALOUT))
        signs(make)
    clear()
    signs("nothing there")
    with open(paths[1], "rb") as file:  # an answer that is due for ever, with a good checksum
        text, _, _ = file.read().partition(b"\nsum ")
    text = re.sub(rb"(?<=\nline )(.*) \d+(?=\n)", rb"\1 9223372036854775807", text, count=1) + b"\n"
    t.write("forged", (text + b"sum %08x\n" % zlib.crc32(text)).ljust(4096, b"\n"), 0o644)
    stranger(t, "cp", t.path("forged"), paths[1], groups=str(DIALOUT))
    signs("a late answer")
    clear()
    os.rmdir(t.run_dir)
    signs("a run-dir that was removed")
    t.equal(sim.tries(), 3, "tries")


@test(left_out=ROOT)
def a_run_dir_that_a_stranger_made_first_is_replaced(t):
    """Else he could take from a user's programs what they know of refused PINs."""
    user, sim = 54321, t.sim("p256")
    os.chown(os.path.realpath(sim.device), user, -1)
    program = t.path("simkey")
    shutil.copy(SIMKEY, program)
    above = t.dir
    while above.startswith("/tmp/"):
        os.chmod(above, os.stat(above).st_mode | 0o055)
        above = os.path.dirname(above)
    name = f"simkey-{user}"
    ours = lambda: sorted(n for n in os.listdir("/tmp") if n.startswith(name))
    env = t.env(SIMKEY_DEVICE=sim.device, SIMKEY_RUN_DIR=None, HOME="/")
    try:
        for make in (["mkdir", "-m", "700"], ["mkdir", "-m", "777"], ["ln", "-s", t.run_dir], ["mkfifo"]):
            stranger(t, *make, f"/tmp/{name}")
            for _ in range(2):
                t.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", program, "cert", "signing"],
                      env=env, preload=False)
            t.equal(len(ours()), 2, f"{make}: {ours()}")
            place = os.path.join("/tmp", ours()[1])
            t.equal((os.stat(place).st_uid, stat.S_IMODE(os.stat(place).st_mode)), (user, 0o700), "the folder")
            t.check([n for n in os.listdir(place) if n.endswith(".session")], f"no record: {os.listdir(place)}")
            stranger(t, "rm", "-rf", f"/tmp/{name}")
        t.equal(os.listdir(t.run_dir), [], "in the folder that the link named")
    finally:
        for left in ours():
            t.run(["rm", "-rf", f"/tmp/{left}"])
