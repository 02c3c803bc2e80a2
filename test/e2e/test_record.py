# SPDX-License-Identifier: Apache-2.0
"""The session record and the run-dir are hints: whatever happens to them, signatures are right, no
PIN try is spent, nothing is left open, and nothing else is touched."""

import os
import re
import time
import zlib

from fault_cells import SAFE2
from fixture import MODULE, SIMKEY, test
from foreign import CHANNELS, MIAS, UICC, Foreign
from signer import TWO, Signer, dgst, none_open, verified

NOBODY = 65534
NO_PROC = "the sanitizers want a /proc" if os.environ.get("E2E_SANITIZE") else None
ROOT = None if os.geteuid() == 0 else "only root can give files away and mount"


class Seat:
    """A modem, a process that keeps the session alive, and the record's file."""

    def __init__(self, t, *switches, **env):
        self.t = t
        self.sim = t.sim("p256", *switches)
        self.exported = t.exported(self.sim)
        self.user = Signer(t, self.sim, self.exported, **env)
        self.user.sign()
        name, = [name for name in os.listdir(t.run_dir) if name.endswith(".session")]
        self.path = os.path.join(t.run_dir, name)

    def text(self):
        with open(self.path, "rb") as file:
            return file.read()

    def replace(self, content):
        with open(self.path, "r+b") as file:
            file.truncate(0)
            file.write(content)

    def edited(self, old, new):
        """The record with a change, and with its checksum right. old: a regular expression."""
        text, _, _ = self.text().partition(b"\nsum ")
        self.t.check(re.search(old, text), f"{old} is not in the record:\n{text.decode()}")
        text = re.sub(old, new, text, count=1) + b"\n"
        return (text + b"sum %08x\n" % zlib.crc32(text)).ljust(4096, b"\n")

    def works(self, what, shared=True):
        """The next process and the one that was there sign; then the session is shared again."""
        t, sim = self.t, self.sim
        t.run(dgst(t, self.exported[1]), env=t.env(sim, True))
        verified(t, self.exported[0])
        self.user.sign()
        sim.mark()
        t.run(dgst(t, self.exported[1]), env=t.env(sim, True))
        if shared:
            t.equal(sim.words(), TWO, f"APDUs when all is well again after {what}")
        t.equal(sim.tries(), 3, f"tries after {what}")

    def close(self, known=True):
        """known: no record of a channel was lost."""
        self.user.end()
        if known:
            none_open(self.t, self.sim)


def damages(seat):
    """(what, content) of records that are wrong."""
    good = seat.text()
    yield "nothing", b""
    for size in (1, 15, 16, 17, 60, 200, 400, 4095):
        yield f"a truncation to {size}", good[:size]
    yield "a truncation of its text", good[:good.index(b"users")]
    yield "garbage", os.urandom(4096)
    yield "zeros", bytes(4096)
    yield "a huge file", b"simkey session 1\n" * 400000
    yield "one changed letter", good.replace(b"channel 1", b"channel 2", 1)
    yield "another version", seat.edited(b"simkey session 1", b"simkey session 9")
    yield "another boot", seat.edited(b"boot ", b"boot 0")
    yield "another device", seat.edited(b"device ", b"device 1")
    yield "a negative number", seat.edited(b"\nlearnt ", b"\nlearnt -")
    yield "a long word", good.replace(b"boot ", b"boot " + b"A" * 3000, 1)


@test
def a_damaged_record_is_as_good_as_none(t):
    seat = Seat(t)
    for what, content in list(damages(seat)):
        print("--", what, flush=True)
        seat.replace(content)
        seat.works(what)
    seat.close(known=False)


@test
def a_record_that_lies_is_found_out(t):
    """With a good checksum: about the channel, the applet, the PIN, the environment."""
    seat = Seat(t)
    channel, environment = rb"(?<=\nchannel )1 0 1 \d+", rb"(?<=\nenvironment )1 182 68 97"
    for old, new in ((channel, b"1 0 1 2"), (channel, b"1 0 1 3"), (channel, b"1 0 1 19"),
                     (channel, b"0 0 0 0"), (environment, b"1 182 68 100"),
                     (environment, b"1 182 84 97")):
        print("--", new.decode(), flush=True)
        seat.replace(seat.edited(old, new))
        seat.works(new.decode())
    # another applet, and nobody's PIN, while the record says mIAS, verified
    for disturbed in (UICC, MIAS):
        with Foreign(seat.sim.device) as foreign:
            for channel in CHANNELS:
                foreign.select(channel, disturbed)
        seat.works("a selection by others")
    seat.user.end()
    t.equal(seat.sim.tries(), 3, "tries")


@test
def the_record_of_a_session_that_is_over_is_found_out(t):
    seat = Seat(t)
    before = seat.text()
    seat.user.end()
    none_open(t, seat.sim)
    seat.replace(before)
    seat.user = Signer(t, seat.sim, seat.exported)
    seat.works("a record of old")
    seat.close()


@test
def a_record_that_is_gone_or_no_file_does_no_harm(t):
    seat = Seat(t)
    other = t.write("other", "not yours\n", 0o666)
    for what, make in {
            "removal": lambda path: None, "a symbolic link": lambda path: os.symlink(other, path),
            "a dangling link": lambda path: os.symlink(t.path("nowhere"), path),
            "a hard link": lambda path: os.link(other, path), "a directory": os.mkdir,
            "a FIFO": os.mkfifo}.items():
        print("--", what, flush=True)
        os.unlink(seat.path)
        make(seat.path)
        seat.works(what, shared=what == "removal")
        t.equal(t.read("other"), b"not yours\n", f"another file after {what}")
        t.check(not os.path.exists(t.path("nowhere")), "a file was made through a link")
        if os.path.isdir(seat.path):
            os.rmdir(seat.path)
        elif what != "removal":
            os.unlink(seat.path)
        with open(seat.path, "wb"):
            os.chmod(seat.path, 0o660)
        seat.works("it was mended")
    seat.close(known=False)


@test(left_out=ROOT)
def a_record_of_a_foreign_owner_or_that_all_can_write_is_not_used(t):
    seat = Seat(t)
    claims_all = seat.text()
    for what, spoil in {"a foreign owner": lambda: os.chown(seat.path, NOBODY, -1),
                        "mode 666": lambda: os.chmod(seat.path, 0o666)}.items():
        spoil()
        seat.works(what, shared=False)
        t.equal(seat.text(), claims_all, f"the file of {what}")
        os.unlink(seat.path)
        seat.works("it was removed")
        claims_all = seat.text()
    seat.close(known=False)


# The run-dir

def unusable(t):
    """(what, path) of directories that cannot be used."""
    yield "a file", t.write("file", "")
    os.symlink(t.run_dir, t.path("link"))
    yield "a symbolic link", t.path("link")
    yield "below nothing", t.path("no/such/folder")
    os.mkdir(t.path("open-to-all"))
    os.chmod(t.path("open-to-all"), 0o777)
    yield "a directory that all can write", t.path("open-to-all")
    yield "/dev/null", "/dev/null"
    yield "/proc", "/proc/self"
    if os.geteuid() == 0:
        os.mkdir(t.path("foreign"), 0o755)
        os.chown(t.path("foreign"), NOBODY, NOBODY)
        yield "somebody else's", t.path("foreign")


@test
def without_a_usable_run_dir_sessions_are_private_and_all_works(t):
    sim = t.sim("p256", "--sign-ms", "20")
    exported = t.exported(sim)
    for what, path in unusable(t):
        print("--", what, flush=True)
        before = sorted(os.listdir(path)) if what.endswith(("write", "else's")) else None
        sim.mark()
        t.run(dgst(t, exported[1]), env=t.env(sim, True, SIMKEY_RUN_DIR=path))
        verified(t, exported[0])
        t.equal((sim.words()[0], sim.words()[-1]), ("MANAGE CHANNEL OPEN", "MANAGE CHANNEL CLOSE"),
                f"the first and the last APDU with {what}")
        none_open(t, sim)
        signers = [Signer(t, sim, exported, SIMKEY_RUN_DIR=path) for _ in range(4)]
        for signer in signers:
            signer.say("sign")
        for signer in signers:
            signer.heard_signature()
            signer.end()
        none_open(t, sim)
        if before is not None:
            t.equal(sorted(os.listdir(path)), before, f"files in the directory of {what}")
    t.equal(sim.tries(), 3, "tries")


@test
def different_run_dirs_share_the_device_one_after_the_other(t):
    """The lock is on the device: nothing is torn, though nobody knows of the others' sessions."""
    sim = t.sim("p256", "--sign-ms", "20")
    exported = t.exported(sim)
    signers = []
    for number in range(3):
        os.mkdir(t.path(f"run-{number}"), 0o700)
        signers += [Signer(t, sim, exported, SIMKEY_RUN_DIR=t.path(f"run-{number}"))
                    for _ in range(2)]
    for _ in range(5):
        for signer in signers:
            signer.say("sign")
        for signer in signers:
            signer.heard_signature()
    for signer in signers:
        signer.end()
    none_open(t, sim)
    t.equal(sim.tries(), 3, "tries")


@test
def another_programs_echo_forgets_no_channel(t):
    """After each of the disturbances the channel may be somebody else's: it is asked, and closed."""
    seat = Seat(t, SIMKEY_TRANSPORT="csim")
    for _ in range(2):
        with Foreign(seat.sim.device) as foreign:
            foreign.disturb("echo")
            foreign.disturb("selects another applet")
        seat.user.sign()
    seat.user.end()
    t.run([SIMKEY, "close"], env=t.env(seat.sim))
    none_open(t, seat.sim)
    t.equal(seat.sim.tries(), 3, "tries")


@test(left_out=ROOT or NO_PROC)
def a_program_without_proc_shares_the_session(t):
    """In a chroot, say: both ways the record is believed, and the channel closed in the end."""
    seat = Seat(t)
    for _ in range(2):
        t.run(["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh",
               *dgst(t, seat.exported[1])], env=t.env(seat.sim, True), preload=False)
        verified(t, seat.exported[0])
        seat.sim.mark()
        seat.user.sign()
        t.equal(seat.sim.words(), TWO, "APDUs of the one that was there")
    seat.close()
    t.equal(seat.sim.tries(), 3, "tries")


FULL = """
mount -t tmpfs -o size=8k,mode=0700 tmpfs "$RUN" || exit 77
{before}
head -c 65536 /dev/zero >"$RUN/fill" 2>/dev/null
for i in 1 2 3; do
    openssl dgst {provider} -sha256 -sign {key} -out "$DIR/sig-$i" /dev/null &
done
wait
openssl dgst {provider} -sha256 -sign {key} -out "$DIR/sig-4" /dev/null || exit 1
ls -l "$RUN" >&2
umount "$RUN"
"""


def full_disk(t, first):
    sim = t.sim("p256", "--sign-ms", "20")
    cert, key = t.exported(sim)
    provider = f"-provider-path {os.path.dirname(MODULE)} -provider default -provider simkey"
    before = f"openssl dgst {provider} -sha256 -sign {key} -out $DIR/sig-0 /dev/null" if first else ""
    # where / is no mount point (a chroot) its propagation cannot be changed, nor need it be
    alone = ["unshare", "-m"]
    if t.run([*alone, "true"], expect=None, preload=False).status != 0:
        alone += ["--propagation", "unchanged"]
    t.run([*alone, "sh", "-c", FULL.format(before=before, provider=provider, key=key)],
          env=t.env(sim, True, RUN=t.run_dir, DIR=t.dir, SIMKEY_SESSION="keep" if first else None))
    for number in range(0 if first else 1, 5):
        verified(t, cert, f"sig-{number}")
    t.equal(sim.tries(), 3, "tries")
    if not first:
        none_open(t, sim)


test(name="a full disk leaves private sessions", first=False, left_out=ROOT)(full_disk)
test(name="a disk that is full by now does no harm", first=True, left_out=ROOT)(full_disk)


@test
def a_modem_that_closes_no_channel_is_not_used_up(t):
    """Programs one after the other, of two applets: more than there are channels."""
    sim = t.sim("p256", "--fault", "no-close", "--fault", "no-ccho")
    for session in ("shared", "private"):
        for _ in range(3):
            t.run([SIMKEY, "cert", "signing"], env=t.env(sim, SIMKEY_SESSION=session))
            t.run([SAFE2, "status", "--timeout", "10"], env=t.env(sim, SIMKEY_SESSION=session))
    opened = [a for a in sim.all_apdus() if a.words == "MANAGE CHANNEL OPEN" and a.sw == "9000"]
    t.equal(len(opened), 1, "channels that were opened")


@test
def a_pin_that_met_a_busy_sim_is_tried_again_by_the_next_program(t):
    """Four times by the first one, which says what the matter is; nothing is held against its source."""
    sim = t.sim("p256", "--fault", "pin-busy:4")
    cert, key = t.exported(sim)
    t.run(dgst(t, key), env=t.env(sim, True), expect=1, says="busy")
    t.run(dgst(t, key), env=t.env(sim, True))
    verified(t, cert)
    t.equal(sim.tries(), 3, "tries")
    seen = [a for a in sim.all_apdus() if a.words == "VERIFY" and "{" in a.command]
    t.equal(len(seen), 1, "PINs that the card has seen")


@test
def the_gap_that_a_modem_needs_is_found_out_once(t):
    """By a command of the start that is lost, or answered ERROR; other modems' records do not tell of one."""
    for number, (fault, gap) in enumerate(
            ((("--fault", "gap:15"), "gap 20"), (("--fault", "gap:60"), "gap 100"),
             (("--fault", "gap-error:15"), "gap 20"), (("--fault", "gap-error:60"), "gap 100"), ((), None))):
        sim = t.sim("p256", *fault)
        run_dir = t.path(f"run-{number}")
        os.makedirs(run_dir, 0o700)
        env = t.env(sim, SIMKEY_RUN_DIR=run_dir)
        t.run([SIMKEY, "cert", "signing"], env=env)
        began = time.monotonic()
        t.run([SIMKEY, "cert", "signing"], env=env)
        t.check(time.monotonic() - began < 3, "it was found out once more")
        name, = [name for name in os.listdir(run_dir) if name.endswith(".session")]
        with open(os.path.join(run_dir, name), encoding="ascii") as record:
            t.equal(re.findall(r"^gap .*", record.read(), re.M), [gap] if gap else [], "the gap")
