# SPDX-License-Identifier: Apache-2.0
"""SAFE2's server and the other users of its machine: what the web server's user, the proxy's user and a
stranger may try against safe2-enrol, which root runs. Nobody gets what another one has."""

import os
import pty
import pwd
import re
import select
import shutil
import signal
import socket
import stat
import subprocess
import time

from fixture import PYTHON, test
from safe2_server import ENROL, Safe2Server, new_key
from test_readme import blocks

# stunnel's user, by its version.
PROXY = "stunnel4" if "stunnel4" in (entry.pw_name for entry in pwd.getpwall()) else "stunnel"
NOT_ROOT = None if os.geteuid() == 0 else "needs root, who becomes the other users"
ICCID = "89883070000000000016"
SWAPPED = "98880307000000000061"
OTHER = "8944501234567890124"
DEVICE = "0123456789abcdef0123"
SECRET = "of root alone"

# As the web server's user: whatever appears under the name of a new file is made a link.
RACER = """import os, sys
folders, target = sys.argv[2:], sys.argv[1]
print("ready", flush=True)
while True:
    for folder in folders:
        try:
            names = os.listdir(folder)
        except OSError:
            continue
        for name in names:
            path = folder + "/" + name
            if name.startswith(".new.") and not os.path.islink(path):
                try:
                    os.rename(path, path + ".x")
                    os.symlink(target, path)
                except OSError:
                    pass
"""
# As the web server's user: a folder of its own is sometimes a link to one of root's.
SWAPPER = """import os, sys
target, path = sys.argv[1:]
print("ready", flush=True)
while True:
    try:
        os.rename(path, path + ".x")
        os.symlink(target, path)
        os.unlink(path)
        os.rename(path + ".x", path)
    except OSError:
        try:
            if os.path.islink(path):
                os.unlink(path)
            os.rename(path + ".x", path)
        except OSError:
            pass
"""
# As the web server's user: what the other processes of this user have in their hands.
WATCHER = """import glob, os
seen = set()
print("ready", flush=True)
while not os.path.exists("/proc/self/fd/0") or not __import__("select").select([0], [], [], 0)[0]:
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            if os.stat(folder).st_uid != os.getuid() or folder == "/proc/%d" % os.getpid():
                continue
            terminal = open(folder + "/stat").read().rpartition(")")[2].split()[4]
            seen.add("terminal " + terminal)
            seen.add("folder " + os.readlink(folder + "/cwd"))
            if "OF_ROOT=" in open(folder + "/environ").read():
                seen.add("a variable of root")
            for name in glob.glob(folder + "/fd/*"):
                seen.add("file " + os.readlink(name))
        except (OSError, IndexError):
            pass
for line in sorted(seen):
    print(line)
"""


class Place:
    """A root that is laid out, without servers, and files of root beside it."""

    def __init__(self, t, lay_out=True):
        self.t = t
        os.chmod(t.dir, 0o755)
        self.root = t.path("safe2")
        self.roots = t.path("roots")
        os.mkdir(self.roots)
        os.mkdir(self.roots + "/device")
        for name in ("shadow", "config", DEVICE, "device/" + DEVICE):
            t.write("roots/" + name, SECRET)
        os.chmod(self.roots, 0o755)
        os.chmod(self.roots + "/device", 0o755)
        if lay_out:
            self.enrol("init", "--address", "127.0.0.1", "--https-name", "localhost")
        self.before = self.state()

    def enrol(self, *words, stdin=b"", **how):
        return self.t.run([ENROL, "--root", self.root, *words], stdin=stdin,
                          env=how.pop("env", None) or self.t.env(), **how)

    def state(self):
        """Owner, mode, name and content of all that is root's beside the servers' folder."""
        found = []
        for at, folders, names in os.walk(self.roots):
            for path in [at] + [os.path.join(at, name) for name in names + folders]:
                seen = os.lstat(path)
                text = self.t.read(path) if stat.S_ISREG(seen.st_mode) else b""
                found.append((path, seen.st_uid, seen.st_gid, seen.st_mode, text))
        return sorted(set(found))

    def untouched(self, what):
        self.t.equal(self.state(), self.before, f"{what}: what is root's")

    def as_user(self, *command, user="www-data", **how):
        return self.t.run(["setpriv", "--reuid", user, "--regid", user, "--clear-groups", *command],
                          env=self.t.env(), **how)

    def starts(self, user, program, *words, **how):
        """A Python program of another user, which runs until stop()."""
        process = self.t.start("other", ["setpriv", "--reuid", user, "--regid", user, "--clear-groups",
                                         PYTHON, "-c", program, *words], self.t.env(), **how)
        process.wait_for(lambda: "ready" in process.said(), "ready")
        return process

    def stop(self, process):
        process.stop(signal.SIGKILL)
        self.t.running.remove(process)

    def path(self, name):
        return os.path.join(self.root, name)


def all_commands(place):
    """Each command once, with whatever status; all that it printed."""
    said = ""
    for words in (["add", ICCID, "-"], ["add", OTHER, "-"],
                  ["put", "--iccid", ICCID, "-"], ["put", "--iccid", ICCID, "--device-id", DEVICE, "-"],
                  ["put", "--device-id", DEVICE, "-"], ["list"], ["show", "--iccid", ICCID],
                  ["show", "--iccid", ICCID, "--device-id", DEVICE], ["show", "--device-id", DEVICE],
                  ["telemetry", ICCID], ["rotate", ICCID, "-"],
                  ["unset", "--iccid", ICCID], ["unset", "--iccid", ICCID, "--device-id", DEVICE],
                  ["unset", "--device-id", DEVICE], ["token-add", "fleet"], ["token-remove", "fleet"],
                  ["init", "--https-name", "localhost"], ["remove", ICCID], ["remove", OTHER]):
        stdin = new_key().encode() if words[0] in ("add", "rotate") else b'{"a":1}'
        done = place.enrol(*words, stdin=stdin, expect=None, seconds=30)
        said += done.out + done.err
        place.untouched(" ".join(words))
    return said


@test(left_out=NOT_ROOT, seconds=300, long=True)
def links_of_the_web_server_lead_root_nowhere(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    folder, file = place.roots, place.roots + "/shadow"
    for links in ({f"telemetry/{OTHER}": folder, f"sims/{OTHER}": folder, f"sims/{ICCID}/device": folder,
                   f"sims/{ICCID}/config": file, f"sims/{SWAPPED}": folder, f"devices/{DEVICE}": file},
                  {f"sims/{ICCID}": folder, f"telemetry/{ICCID}": folder},
                  {f"sims/{ICCID}/device/{DEVICE}": file, f"sims/{ICCID}/devices": folder}):
        for link, target in links.items():
            place.as_user("rm", "-rf", place.path(link))
            place.as_user("ln", "-sT", target, place.path(link))
        t.silent(all_commands(place), SECRET)
        place.enrol("add", ICCID, "-", stdin=new_key(), expect=(0, 2, 4))


@test(left_out=NOT_ROOT, seconds=300, long=True)
def what_is_another_thing_than_it_should_be_stops_nothing_for_long(t):
    place = Place(t)
    folders = (f"sims/{ICCID}", f"telemetry/{ICCID}", f"sims/{ICCID}/device")
    files = (f"sims/{ICCID}/config", f"devices/{DEVICE}", f"sims/{SWAPPED}")
    for kind, names in (("mkfifo", folders + files), ("mkdir", files), ("touch", folders)):
        for name in names:
            place.enrol("add", ICCID, "-", stdin=new_key(), expect=(0, 4))
            place.as_user("rm", "-rf", place.path(name))
            place.as_user(kind, place.path(name))
            for words in (["put", "--iccid", ICCID, "-"], ["show", "--iccid", ICCID], ["list"],
                          ["put", "--device-id", DEVICE, "-"], ["telemetry", ICCID], ["remove", ICCID]):
                done = place.enrol(*words, stdin=b"{}", expect=(0, 2, 3), seconds=20)
                t.silent(done.err, "line [0-9]+:")
        place.as_user("sh", "-c", f"rm -rf {place.root}/sims/* {place.root}/devices/* {place.root}/telemetry/*")
        place.enrol("remove", ICCID, expect=None)
    place.enrol("add", ICCID, "-", stdin=new_key())
    place.enrol("put", "--iccid", ICCID, "-", stdin=b"{}")


@test(left_out=NOT_ROOT, seconds=300, long=True)
def who_swaps_a_file_between_two_steps_gets_nothing_of_root_s(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    sim = place.path("sims/" + ICCID)
    others = [place.starts("www-data", RACER, place.roots + "/shadow", sim, sim + "/device",
                           place.path("devices"), place.root, place.path("tmp")),
              place.starts("www-data", SWAPPER, place.roots, sim)]
    for number in range(24):
        where = (["--iccid", ICCID], ["--iccid", ICCID, "--device-id", DEVICE], ["--device-id", DEVICE])
        place.enrol("put", *where[number % 3], "-", stdin=b'{"a":1}', expect=None)
        if number % 8 == 0:
            place.enrol("remove", ICCID, expect=None)
            place.enrol("add", ICCID, "-", stdin=new_key(), expect=None)
        place.untouched(f"put {number}")
    for process in others:
        place.stop(process)
    place.as_user("rm", "-rf", sim, sim + ".x")
    place.enrol("remove", ICCID, expect=None)
    place.enrol("add", ICCID, "-", stdin=new_key())
    place.enrol("put", "--iccid", ICCID, "-", stdin=b"{}")
    t.equal(place.enrol("show", "--iccid", ICCID).out, "{}", "the configuration, once left alone")


@test(left_out=NOT_ROOT)
def what_root_lends_the_web_server_s_user_is_two_pipes(t):
    """A process of that user is his: a terminal, folder or open file of root in it would be, too."""
    place = Place(t)
    t.run(["chown", "-R", "games:games", *(place.path(name) for name in ("sims", "devices", "telemetry"))])
    place.enrol("add", ICCID, "-", stdin=new_key())
    os.mkdir(t.path("closed"), 0o700)
    os.mkdir(t.path("closed/open"), 0o755)
    watcher = place.starts("games", WATCHER, stdin=subprocess.PIPE)  # no other test is this user
    env = dict(t.env(), OF_ROOT="1")
    ours = [os.open(t.write("ours", SECRET), os.O_RDONLY), socket.socketpair()[0].detach()]
    for number in ours:
        os.set_inheritable(number, True)
    lent = [os.readlink(f"/proc/self/fd/{number}") for number in ours]
    end = time.monotonic() + 6
    while time.monotonic() < end:
        for words in (["list"], ["put", "--iccid", ICCID, t.write("config", "{}")], ["show", "--iccid", ICCID]):
            child, terminal = pty.fork()
            if child == 0:
                os.chdir(t.path("closed/open"))
                os.execve(ENROL, [ENROL, "--root", place.root, *words], env)
            while select.select([terminal], [], [], 20)[0]:
                try:
                    if not os.read(terminal, 4096):
                        break
                except OSError:
                    break
            os.close(terminal)
            os.waitpid(child, 0)
    watcher.popen.stdin.close()
    watcher.wait_for(lambda: "folder" in watcher.said() and watcher.popen.poll() is not None, "the list")
    seen = watcher.said()
    t.says(seen, ["file pipe:", "terminal 0"])
    for number, name in zip(ours, lent):
        os.close(number)
        t.check("file " + name not in seen, f"a process of that user has what root's caller has open: {name}")
    # A socket of its own: bash looks for its user at nscd.
    for line in re.sub(r"(?m)^file socket:.*\n", "", seen).split("\n"):
        t.check(re.fullmatch(r"|ready|terminal 0|"
                             rf"folder (/|{place.root})|file (pipe:.*|/dev/null|/(etc|lib|usr|proc)/.*|{place.root}(/(sims|devices).*)?)",
                             line), f"a process of that user has: {line}")


@test(left_out=NOT_ROOT)
def names_that_the_web_server_made_are_not_shown_as_they_are(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    for name in ("\x1b]0;owned\x07", "a\nb", f"{ICCID}\n{OTHER}", "-rf", "*", "$(id)", "aa\x1b[2J"):
        for folder in (f"sims/{ICCID}/device/", "devices/", "sims/", f"telemetry/{ICCID}/"):
            place.as_user("mkdir", "-p", "--", place.path(folder) + name)
            place.as_user("touch", "--", f"{place.path(folder)}{name}/12.345-{'0' * 32}")
        place.as_user("touch", "--", place.path(f"sims/{ICCID}/device/{name}.x"))
        place.as_user("mkdir", "-p", place.path(f"telemetry/{ICCID}/aa"))
        place.as_user("touch", "--", place.path(f"telemetry/{ICCID}/aa/{name}"))
    place.as_user("touch", place.path(f"telemetry/{ICCID}/aa/1600000000.250-{'1' * 32}"))
    said = place.enrol("list").out + place.enrol("telemetry", ICCID).out
    t.equal(said, f"{ICCID}  identity: digits\n2020-09-13T12:26:40.250Z aa 0 "
            f"{place.root}/telemetry/{ICCID}/aa/1600000000.250-{'1' * 32}\n", "what is listed")
    place.enrol("remove", ICCID)


@test(left_out=NOT_ROOT)
def a_configuration_does_not_talk_to_the_terminal_that_shows_it(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    place.enrol("put", "--iccid", ICCID, "-", stdin=b"\x1b]0;owned\x07{}")
    child, terminal = pty.fork()
    if child == 0:
        os.execve(ENROL, [ENROL, "--root", place.root, "show", "--iccid", ICCID], t.env())
    said = b""
    while select.select([terminal], [], [], 20)[0]:
        try:
            said += os.read(terminal, 4096)
        except OSError:
            break
    os.close(terminal)
    os.waitpid(child, 0)
    t.equal(said, b"?]0;owned?{}", "what the terminal gets")


@test(left_out=NOT_ROOT)
def the_proxy_s_user_cannot_choose_whom_root_signals_nor_stop_it(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    program = t.path("stunnel-of-root")
    os.symlink("/bin/sleep", program)
    of_root = t.start("stunnel-of-root", [program, "300"], t.env())
    pid = place.path("run/stunnel/pid")
    for text in (str(of_root.popen.pid), "-1", "1", "0", f"{of_root.popen.pid} 1", "x" * 100, "1\n2",
                 "a[$(touch /tmp/never)]"):
        place.as_user("sh", "-c", f'printf %s "$1" >{pid}', "sh", text, user=PROXY)
        place.enrol("rotate", ICCID, "-", stdin=new_key(), says="stunnel does not run", seconds=10)
        t.equal(of_root.popen.poll(), None, f"root's process, with {text!r} as number")
    for command in (f"rm -f {pid}; mkfifo {pid}", f"rm -f {pid}; ln -s {place.roots}/shadow {pid}",
                    f"rm -f {pid}; mkdir {pid}", f"rmdir {pid}; ln -s /dev/zero {pid}"):
        place.as_user("sh", "-c", command, user=PROXY)
        place.enrol("rotate", ICCID, "-", stdin=new_key(), says="stunnel does not run", seconds=10)
        place.untouched(command)


@test(left_out=NOT_ROOT)
def root_lays_out_nothing_where_another_user_may_write(t):
    place = Place(t, lay_out=False)
    others = t.path("others")
    os.mkdir(others, 0o755)
    os.chown(others, 33, 33)
    os.symlink(place.roots, others + "/link")
    os.lchown(others + "/link", 33, 33)
    os.mkdir(t.path("shared"))
    os.chown(t.path("shared"), 0, 33)
    os.chmod(t.path("shared"), 0o775)
    os.symlink(others + "/link", t.path("far"))
    os.mkdir(t.path("sticky"))
    os.chmod(t.path("sticky"), 0o1777)
    os.mkdir(t.path("sticky/others"))
    os.chown(t.path("sticky/others"), 33, 33)
    os.mkdir(t.path("full"))
    t.write("full/something", "")
    for folder in ("others", "others/safe2", "others/link", "others/link/safe2", "shared/safe2", "far",
                   "sticky/others", "roots", "full"):
        place.root = t.path(folder)
        there = os.path.exists(place.root)
        for words in (["init", "--https-name", "localhost"], ["list"], ["add", ICCID, "-"]):
            place.enrol(*words, stdin=new_key(), expect=(2, 4), says="another folder|not laid out|not empty")
            place.untouched(f"{folder} {words}")
            t.equal(os.path.exists(place.root), there, f"{folder} is there after {words}")
    t.equal(os.listdir(others), ["link"], "what is in another user's folder")
    # The rest of a path is not the matter: links of root, and folders in which nobody changes another's.
    os.symlink(t.path("sticky"), t.path("near"))
    place.root = t.path("near/safe2")
    place.enrol("init", "--https-name", "localhost")
    place.enrol("add", ICCID, "-", stdin=new_key())
    # What was well and is another's now.
    for change, back in ((["chown", "33", place.path("etc")], ["chown", "0", place.path("etc")]),
                         (["chmod", "775", place.path("log")], ["chmod", "755", place.path("log")]),
                         (["chmod", "777", place.path("")], ["chmod", "755", place.path("")]),
                         (["chown", PROXY, place.path("telemetry")],
                          ["chown", "33", place.path("telemetry")])):
        t.run(change)
        place.enrol("rotate", ICCID, "-", stdin=new_key(), expect=(2, 4), says="must be a folder of|another folder")
        t.run(back)
    os.rename(place.path("sims"), place.path("moved"))
    os.symlink(place.path("moved"), place.path("sims"))
    place.enrol("list", expect=2, says="must be a folder of|belongs to root")


@test(left_out=NOT_ROOT)
def a_file_that_another_user_names_is_read_as_that_user(t):
    place = Place(t)
    place.enrol("add", ICCID, "-", stdin=new_key())
    folder = t.path("home")
    os.mkdir(folder, 0o755)
    os.chown(folder, 33, 33)
    key = t.write("roots/key", new_key())
    place.before = place.state()
    place.as_user("ln", "-s", place.roots + "/shadow", folder + "/config.json")
    place.as_user("ln", "-s", key, folder + "/sim.psk")
    place.as_user("ln", "-s", place.roots, folder + "/folder")
    put = ["put", "--iccid", ICCID]
    for file in ("config.json", "folder/shadow"):
        place.enrol(*put, f"{folder}/{file}", expect=2, says="cannot read")
        place.enrol("show", "--iccid", ICCID, expect=3)
    place.enrol("rotate", ICCID, folder + "/sim.psk", expect=1, says="cannot read the key file")
    place.as_user("sh", "-c", f"umask 077; echo '{{}}' >{folder}/mine; mkfifo {folder}/fifo")
    place.enrol(*put, folder + "/mine")
    place.enrol(*put, folder + "/fifo", expect=2, says="cannot read", seconds=10)
    t.equal(place.enrol("show", "--iccid", ICCID).out, "{}\n", "the user's own file")
    # A second administrator, to whom sudo gives safe2-enrol and nothing else.
    by_sudo = dict(t.env(), SUDO_UID="33", SUDO_COMMAND="/usr/local/sbin/safe2-enrol put ...")
    place.enrol(*put, place.roots + "/shadow", expect=2, says="cannot read", env=by_sudo)
    place.enrol("rotate", ICCID, key, expect=1, says="cannot read", env=by_sudo)
    for way in ("/dev/fd/../root", "/proc/self/fd/../root", "/dev/fd/0/../../root", "/proc/self/root", "/dev/fd/../cwd",
                f"/proc/{os.getpid()}/root"):
        place.enrol(*put, way + place.roots + "/shadow", expect=2, says="cannot read", env=by_sudo)
    # A descriptor that gives no right to the file: its name must not be opened anew, as root.
    only_named = os.open(place.roots + "/shadow", os.O_PATH)
    for way in ("/dev/fd/0", "/proc/self/fd/0", "/dev/stdin", "-"):
        done = subprocess.run([ENROL, "--root", place.root, *put, way], stdin=only_named, env=by_sudo,
                              capture_output=True, timeout=20)
        t.equal(done.returncode, 2, f"status for {way}, opened O_PATH")
    os.close(only_named)
    t.equal(place.enrol("show", "--iccid", ICCID).out, "{}\n", "what is still served")
    os.mkdir(t.path("another"), 0o755)
    t.write("another/own", "{}", 0o600)
    for path in ("another/own", "another"):
        t.run(["chown", PROXY, t.path(path)])
    place.enrol(*put, t.path("another/own"), expect=2, says="can make a link of", env=by_sudo)
    place.enrol(*put, folder + "/mine", env=by_sudo)
    place.untouched("all of that")


@test(left_out=NOT_ROOT)
def each_file_of_the_server_is_for_whom_it_must_be(t):
    server = Safe2Server(t)
    server.add(ICCID)
    server.put(b"{}", ICCID)
    token = server.token()
    server.put_by_token(b"{}", token, device="aa")
    wanted = {".": (0, 0o755), "etc": (0, 0o755), "run": (0, 0o755), "log": (0, 0o755), "run/nginx": (0, 0o755),
              "psk": (PROXY, 0o600), "tokens": (0, 0o600), "https.key": (0, 0o600), ".lock": (0, 0o600),
              "log/stunnel.log": (PROXY, 0o600), "log/access.log": (0, 0o600),
              "log/writers.log": (0, 0o600), "log/nginx.log": (0, 0o600), "run/stunnel": (PROXY, 0o700),
              "sims": ("www-data", 0o700), "devices": ("www-data", 0o700), "telemetry": ("www-data", 0o700),
              "tmp": ("www-data", 0o700), f"sims/{ICCID}": ("www-data", 0o700),
              f"sims/{ICCID}/config": ("www-data", 0o600), "devices/aa": ("www-data", 0o600),
              "etc/nginx-safe2.conf": (0, 0o644), "etc/stunnel.conf": (0, 0o644)}
    for name, (user, mode) in wanted.items():
        seen = os.lstat(os.path.join(server.root, name))
        if user:
            user = int(t.run(["id", "-u", user]).out)
        t.equal((seen.st_uid, oct(stat.S_IMODE(seen.st_mode))), (user, oct(mode)), name)
    for at, folders, names in os.walk(server.root):
        for name in folders + names:
            seen = os.lstat(os.path.join(at, name))
            t.check(stat.S_ISLNK(seen.st_mode) or not seen.st_mode & 0o022, f"{at}/{name} is writable for others")


@test(left_out=NOT_ROOT)
def the_proxy_runs_as_the_user_that_its_package_brings(t):
    os.chmod(t.dir, 0o755)
    root = t.path("safe2")

    def among(names, *command, **how):
        """Where of stunnel's users there are these."""
        for file in ("passwd", "group"):
            lines = [line for line in t.read(f"/etc/{file}").decode().splitlines()
                     if line.split(":")[0] not in ("stunnel4", "stunnel")]
            more = {"passwd": "{0}:x:{1}:{1}::/nonexistent:/usr/sbin/nologin", "group": "{0}:x:{1}:"}[file]
            t.write(file, "\n".join(lines + [more.format(name, number) for name, number in names.items()]) + "\n", 0o644)
        bind = 'for f in passwd group; do mount --bind "$1/$f" /etc/$f; done; shift; exec "$@"'
        return t.run(["unshare", "--mount", "sh", "-ec", bind, "sh", t.dir, *command], env=t.env(), **how)

    def owners():
        return {os.lstat(os.path.join(root, name)).st_uid for name in ("run/stunnel", "log/stunnel.log", "psk")}

    init = [ENROL, "--root", root, "init", "--https-name", "localhost"]
    among({}, *init, expect=2, says="the user stunnel4 does not exist")
    for names, number in (({"stunnel": 64001}, 64001), ({"stunnel": 64001, "stunnel4": 64002}, 64002)):
        among(names, *init)
        t.equal(owners(), {number}, f"owner with {names}")
        t.says(t.read("safe2/etc/stunnel.conf").decode(), rf"setuid = {list(names)[-1]}\nsetgid = {list(names)[-1]}\n")
        if number == 64001:
            shutil.rmtree(root)
    # An upgrade takes the old one away: the commands for that.
    among({"stunnel": 64001}, *init, expect=2, says="must be a folder of stunnel")
    block, = (text for _, words, text in blocks() if words[1:] == ["safe2-renamed"])
    for line in block.splitlines():
        words = line.replace("/var/lib/safe2", root).split()[1:]
        if words[0] == "safe2-enrol":
            words = [ENROL, "--root", root, *words[1:]]
        if words[0] != "systemctl":
            among({"stunnel": 64001}, *words)
    t.equal(owners(), {64001}, "owner after the upgrade")
    t.says(t.read("safe2/etc/stunnel.conf").decode(), r"setuid = stunnel\nsetgid = stunnel\n")
    among({"stunnel": 64001}, ENROL, "--root", root, "add", ICCID, "-", stdin=new_key())
    t.equal(owners(), {64001}, "owner after a SIM was added")


@test
def values_that_mean_something_to_the_servers_are_refused(t):
    for option, values in (
            ("--address", ("1.2.3.4; include /etc/shadow", "1.2.3.4\nexec = sh", "1.2.3", "1.2.3.256", "-1.2.3.4", "::1")),
            ("--https-name", ("a;b", "-subj", "a\nb", "a b", ".", "a/CN=b", "x" * 300, "a..", "$(id)")),
            ("--psk-port", ("0", "65536", "1 1", "1\n", "-1", "0x10", "99999999999999999999"))):
        for value in values:
            t.run([ENROL, "--root", t.path("safe2"), "init", option, value], env=t.env(), expect=1, says="is not a")
            t.check(not os.path.exists(t.path("safe2")), f"{option} {value}: something was laid out")
    for root in ("a b", "a;b", "a\nb", "a'b", "@ADDRESS@", "$(id)"):
        t.run([ENROL, "--root", t.path(root), "init", "--https-name", "localhost"], env=t.env(), expect=1,
              says="take only letters")


@test
def a_name_with_a_line_end_is_no_device_and_a_flood_is_stopped(t):
    server = Safe2Server(t)
    server.add(ICCID)
    server.put(b"{}", ICCID)
    token = server.token()
    for path in ("/v1/devices/aa%0a", f"/v1/sims/{ICCID}/config%0a", f"/v1/sims/{ICCID}/device/aa%0A",
                 f"/v1/sims/{ICCID}%0a/config"):
        for method in ("PUT", "GET", "DELETE"):
            t.equal(server.https(method, path, token, b"{}" if method == "PUT" else None), 404, f"{method} {path}")
    here = f"http://127.0.0.1:{server.http_port}"
    code = ["curl", "-sS", "-o", os.devnull, "-w", "%{http_code}\n"]
    for path in (f"/v1/config/aa%0a?iccid={ICCID}", f"/v1/data/aa%0a?iccid={ICCID}",
                 f"/v1/config/aa?iccid={ICCID}%0a"):
        t.equal(t.run([*code, here + path], env=t.env()).out, "404\n", path)
    done = t.run([*code, "-X", "PUT", "--data-binary", "x", f"{here}/v1/data/aaaa[1000-1249]?iccid={ICCID}"],
                 env=t.env())
    statuses = re.findall(r"\d{3}$", done.out, re.M)
    t.equal(len(statuses), 250, "answers")
    t.check(90 <= statuses.count("201") <= 130 and "429" in statuses, f"of 250: {statuses.count('201')} were kept")
    t.equal(os.listdir(os.path.join(server.root, "tmp")), [], "bodies left behind")
