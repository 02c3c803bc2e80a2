# SPDX-License-Identifier: Apache-2.0
"""Key references and URIs are data that anybody may have made: they take no PIN to another modem, write
no file and read none. And the settings file, which is not data, is read without waiting and only if
nobody else can write it."""

import os
import stat
import time

from fixture import MODULE, SIMKEY, USAGE, test
from reference import forged, uri_of
from test_order import CONF

ROOT_ONLY = None if os.geteuid() == 0 else "only root can give a file away"
NOBODY = 65534
SIGN = ("dgst", "-sha256", "-sign")


def victim(t):
    """A configured SIM with a PIN of its own, its key reference, and the modem of a thief."""
    sim = t.sim(t.new_card("--pin", "135790"))
    thief = t.sim("p256")
    pin = t.pin_file("135790")
    conf = t.write("openssl.cnf", CONF.format(
        lines="default = section_default\nsimkey = section_simkey", module=MODULE,
        device=sim.device, pin=pin))
    env = t.env(None, True, OPENSSL_CONF=conf)
    tool = t.env(None, SIMKEY_DEVICE=sim.device, SIMKEY_PIN_SOURCE=pin)
    path = t.path("key.pem")
    t.run([SIMKEY, "key", "signing", "--out", path], env=tool)
    sim.mark()
    return sim, thief, env, tool, path


def words_of(t, thief):
    """Each of these would send the PIN away, write a file or read another one."""
    secret = t.write("secret", "999999\n")
    return {"device": f"device={thief.device}", "trace": f"trace=at,file:{t.path('written')}",
            "run-dir": f"run-dir={t.path('made')}", "pin-source": f"pin-source={secret}",
            "pin_source": f"pin_source={secret}", "sim-pin-source": f"sim-pin-source={secret}",
            "pin": "pin=999999", "baud": "baud=9600"}


def nothing_taken(t, sim, thief):
    t.equal(thief.all_apdus(), [], "APDUs at the thief's modem")
    t.equal(sim.tries(), 3, "tries left")
    t.check(not os.path.exists(t.path("written")), "the trace was written")
    t.check(not os.path.exists(t.path("made")), "the run-dir was made")


@test
def settings_in_a_reference_take_nothing_of_its_reader(t):
    sim, thief, env, _, path = victim(t)
    words = words_of(t, thief)
    for name, word in {**words, "all": "&".join(words.values())}.items():
        evil = t.write("evil.pem", forged(t.read("key.pem"), uri_of(t.read("key.pem")) + "?" + word))
        trace = t.path(f"note-{name}")
        result = t.run(["openssl", *SIGN, evil, path],
                       env={**env, "SIMKEY_TRACE": f"apdu,file:{trace}"})
        t.equal(result.err, "", f"what is said of {name}")
        notes = [line for line in t.read(f"note-{name}").decode().splitlines() if "note:" in line]
        t.equal(len(notes), 1, f"warnings of {name} in the trace")
        t.says(notes[0], [name.replace("_", "-") if name != "all" else "device", "--rewrite"])
        nothing_taken(t, sim, thief)
    t.signatures(sim, len(words) + 1)


@test
def a_reference_of_another_key_sends_no_pin_to_its_maker(t):
    """The thief's own key and SIM, with the number of his SIM and without."""
    sim, thief, env, _, path = victim(t)
    t.run([SIMKEY, "key", "signing", "--out", t.path("his.pem")],
          env=t.env(None, SIMKEY_DEVICE=thief.device))
    before = len(thief.all_apdus())
    for iccid in (None, ""):
        evil = t.write("evil.pem", forged(t.read("his.pem"),
                                          f"sim:signing;container=0;key-id=31?device={thief.device}", iccid))
        t.run(["openssl", *SIGN, evil, path], env=env, expect="failure")
        t.equal(len(thief.all_apdus()), before, "APDUs at the thief's modem")
    t.equal(sim.tries(), 3, "tries left")


@test
def without_a_configured_device_settings_in_a_reference_are_refused_by_name(t):
    sim, thief, _, _, path = victim(t)
    evil = t.write("evil.pem", forged(t.read("key.pem"), uri_of(t.read("key.pem"))
                                      + f"?device={thief.device}&trace=at,file:{t.path('written')}"))
    for name, env in {"no device": t.env(None, True),
                      "a PIN": t.env(None, True, SIMKEY_PIN_SOURCE=t.pin_file("135790"))}.items():
        t.openssl(None, *SIGN, evil, path, env=env, expect="failure",
                  says=["device and trace", "simkey key --rewrite FILE", "no device is set"])
        t.equal(thief.all_apdus(), [], f"APDUs at the thief's modem with {name}")
    nothing_taken(t, sim, thief)


@test
def a_uri_takes_nothing_of_its_reader(t):
    sim, thief, env, tool, path = victim(t)
    for name, word in words_of(t, thief).items():
        says = [name.replace("_", "-")]
        for uri in (f"sim:signing?{word}", f"sim:signing?timeout=5&{word}",
                    f"sim:signing;container=0?{word}", f"sim:available?{word}"):
            t.run(["openssl", *SIGN, uri, path], env=env, expect="failure", says=says)
            t.run(["openssl", "storeutl", uri], env=env, expect="failure", says=says)
            for command in ("cert", "key"):
                t.run([SIMKEY, command, uri, "--out", t.path("out")], env=tool, expect=USAGE, says=says)
        nothing_taken(t, sim, thief)
    t.equal(sim.words(), [], "APDUs")


@test
def a_uri_may_name_a_configured_device_also_by_a_link(t):
    sim, thief, env, tool, path = victim(t)
    link, other = t.path("link"), t.path("other")
    os.symlink(sim.device, link)
    os.symlink(thief.device, other)
    for device in (sim.device, link, os.path.realpath(sim.device)):
        t.run(["openssl", *SIGN, f"sim:signing?device={device}", path], env=env)
        t.run([SIMKEY, "cert", f"sim:signing?device={device}"], env=tool)
    for device in (thief.device, other, os.path.realpath(thief.device), t.path("none"), "/dev/null"):
        t.run(["openssl", *SIGN, f"sim:signing?device={device}", path], env=env, expect="failure",
              says="device in the sim: URI")
        t.run([SIMKEY, "cert", f"sim:signing?device={device}"], env=tool, expect=USAGE,
              says="device in the sim: URI")
    # an option of the command line is configuration
    t.run([SIMKEY, "cert", f"sim:signing?device={thief.device}", "--device", other], env=tool)
    t.check(not [a for a in thief.apdus() if a.words == "VERIFY" and "{" in a.command], "a PIN at the other modem")
    os.unlink(link)
    os.symlink(thief.device, link)  # what it leads to counts, not what it led to
    t.run([SIMKEY, "cert", f"sim:signing?device={link}"], env=tool, expect=USAGE)


@test
def a_uri_neither_keeps_a_session_nor_waits_for_long(t):
    sim, _, env, tool, path = victim(t)
    for query, says in (("session=keep", "session"), ("timeout=86400", "timeout may be at most")):
        t.run(["openssl", *SIGN, f"sim:signing?{query}", path], env=env, expect="failure", says=says)
        t.run([SIMKEY, "cert", f"sim:signing?{query}"], env=tool, expect=USAGE, says=says)
    t.equal(sim.words(), [], "APDUs")
    for query in ("session=private", "timeout=60", "transport=csim", "timeout=60&session=shared"):
        t.run(["openssl", *SIGN, f"sim:signing?{query}", path], env=env)
    t.run(["openssl", *SIGN, "sim:signing?session=keep", path], env={**env, "SIMKEY_SESSION": "keep"})


# simkey key --rewrite

@test
def rewrite_takes_the_settings_out_of_a_reference_and_nothing_else(t):
    sim, thief, env, _, path = victim(t)
    clean = t.read("key.pem")
    old = forged(clean, uri_of(clean) + f"?device={thief.device}&trace=at,file:/tmp/x")
    text = b"# made by hand\n" + old + b"-----BEGIN X-----\nAAAA\n-----END X-----\n"
    file = t.write("old.pem", text, 0o640)
    os.symlink(file, t.path("link.pem"))
    # neither a SIM nor settings are needed
    bare = t.env(None, SIMKEY_CONF="/nonexistent", SIMKEY_TRANSPORT="smoke")
    told = t.run([SIMKEY, "key", "--rewrite", t.path("link.pem")], env=bare)
    t.says(told.out, "took device and trace out of ")
    t.check(os.path.islink(t.path("link.pem")), "the link is gone")
    t.equal(t.read("old.pem"), text.replace(old, clean), "the file")
    t.equal(stat.S_IMODE(os.stat(file).st_mode), 0o640, "its mode")
    before = os.stat(file)
    t.says(t.run([SIMKEY, "key", "--rewrite", file], env=bare).out, "stays as it is")
    after = os.stat(file)
    t.equal((after.st_ino, after.st_mtime_ns), (before.st_ino, before.st_mtime_ns), "a clean one")
    t.run(["openssl", *SIGN, file, path], env=env)
    t.equal([name for name in os.listdir(t.dir) if "rewrite" in name], [], "files left behind")


@test
def rewrite_leaves_what_it_cannot_read_as_it_is(t):
    sim, thief, _, _, path = victim(t)
    good = t.read("key.pem")
    old = forged(good, uri_of(good) + f"?device={thief.device}")
    os.mkfifo(t.path("fifo"))
    os.link(t.write("two", old), t.path("names"))
    for name, content in {"empty": b"", "cut": old[:-30], "another": b"-----BEGIN X-----\nAA==\n-----END X-----\n",
                          "broken": old.replace(b"\nM", b"\n!"), "nul": old + b"\0", "half": old + old[:200],
                          "unknown": forged(good, uri_of(good) + "?colour=red")}.items():
        t.run([SIMKEY, "key", "--rewrite", t.write(name, content)], env=t.env(), expect=USAGE, says=name)
        t.equal(t.read(name), content, name)
    for name in ("fifo", "two", "none", "card-none/x", "."):
        t.run([SIMKEY, "key", "--rewrite", t.path(name)], env=t.env(), expect=USAGE, seconds=5)
    t.run([SIMKEY, "key", "--rewrite", t.path("two"), "signing"], env=t.env(), expect=USAGE)
    t.run([SIMKEY, "cert", "--rewrite", t.path("two"), "signing"], env=t.env(), expect=USAGE)


@test
def rewrite_shows_a_name_and_a_terminal_does_not_obey_it(t):
    victim(t)
    path = t.write("a\x1b]0;owned\x07\n\u009b2J.pem", t.read("key.pem"))
    told = t.run([SIMKEY, "key", "--rewrite", path], env=t.env())
    t.equal([c for c in told.raw.decode()[:-1] if not c.isprintable()], [], f"controls in {told.raw}")
    t.says(told.out, r"a\\x1b]0;owned")


@test(left_out=ROOT_ONLY)
def rewrite_follows_no_link_of_another_user(t):
    _, thief, _, _, _ = victim(t)
    good = t.read("key.pem")
    mine = t.write("mine.pem", forged(good, uri_of(good) + f"?device={thief.device}"))
    before = t.read("mine.pem")
    os.mkdir(t.path("his"), 0o755)
    os.symlink(mine, t.path("his/link.pem"))
    os.chown(t.path("his/link.pem"), 65534, -1, follow_symlinks=False)
    os.chown(t.path("his"), 65534, -1)
    t.run([SIMKEY, "key", "--rewrite", t.path("his/link.pem")], env=t.env(), expect=USAGE, says="link of another user")
    t.equal(t.read("mine.pem"), before, "the file")
    t.run([SIMKEY, "key", "--rewrite", mine], env=t.env())


@test(left_out=ROOT_ONLY)
def rewrite_keeps_the_owner_of_the_file(t):
    _, thief, _, _, _ = victim(t)
    good = t.read("key.pem")
    file = t.write("old.pem", forged(good, uri_of(good) + f"?device={thief.device}"), 0o640)
    os.chown(file, NOBODY, 20)
    t.run([SIMKEY, "key", "--rewrite", file], env=t.env())
    now = os.stat(file)
    t.equal((now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)), (NOBODY, 20, 0o640), "owner and mode")
    t.equal(t.read("old.pem"), good, "the file")


# The settings file

def both(t, env, expect, says=None):
    """The tool and a program that loads the provider, neither for long."""
    since = time.monotonic()
    t.run([SIMKEY, "cert", "signing"], env=t.env(**env), expect=USAGE if expect else 0, says=says, seconds=20)
    t.openssl(None, "x509", "-in", "sim:signing", "-noout", env=t.env(None, True, **env),
              expect="failure" if expect else 0, says=says, seconds=20)
    t.check(time.monotonic() - since < 20, "that took long")


@test
def a_settings_file_that_is_none_stops_nobody(t):
    sim = t.sim("p256")
    os.mkfifo(t.path("fifo"))
    huge = t.write("huge", "# much\n" * 20000)
    os.mkdir(t.path("folder"))
    os.symlink(t.path("fifo"), t.path("link"))
    for path, says in ((t.path("fifo"), "not a regular file"), (t.path("link"), "not a regular file"),
                       (t.path("folder"), "regular file|directory"), (huge, "longer than 65536"),
                       ("/dev/zero", "not a regular file"), ("/dev/tty", "regular file|No such device"),
                       (sim.device, "not a regular file"), ("/proc/kmsg", "cannot|line|longer|chmod")):
        both(t, {"SIMKEY_CONF": path, "SIMKEY_DEVICE": sim.device}, True, says)
    t.equal(sim.words(), [], "APDUs")
    both(t, {"SIMKEY_CONF": "/dev/null", "SIMKEY_DEVICE": sim.device}, False)


@test
def a_settings_file_that_others_can_write_is_not_used(t):
    sim = t.sim("p256")
    for mode in (0o602, 0o620, 0o666, 0o664, 0o660):
        file = t.write("simkey.conf", f"device = {sim.device}\n", mode)
        both(t, {"SIMKEY_CONF": file}, True, "chmod go-w")
    for mode in (0o600, 0o644, 0o640, 0o444):
        file = t.write("simkey.conf", f"device = {sim.device}\n", mode)
        both(t, {"SIMKEY_CONF": file}, False)


@test(left_out=ROOT_ONLY)
def a_settings_file_of_another_user_is_not_used(t):
    sim = t.sim("p256")
    file = t.write("simkey.conf", f"device = {sim.device}\n", 0o644)
    os.chown(file, NOBODY, 0)
    both(t, {"SIMKEY_CONF": file}, True, "chown root")
    t.equal(sim.words(), [], "APDUs")


@test
def the_tool_waits_for_no_openssl_conf(t):
    sim = t.sim("p256")
    os.mkfifo(t.path("fifo"))
    t.run([SIMKEY, "info"], env=t.env(sim, OPENSSL_CONF=t.path("fifo")), expect=USAGE, seconds=10,
          says="OPENSSL_CONF")
    told = t.run([SIMKEY, "doctor"], env=t.env(sim, OPENSSL_CONF=t.path("fifo")), expect=USAGE, seconds=20)
    t.says(told.out, "not a regular file")
    t.run([SIMKEY, "info"], env=t.env(sim, OPENSSL_CONF="/dev/null"))
