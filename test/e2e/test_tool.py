# SPDX-License-Identifier: Apache-2.0
"""The simkey command: what it prints, what it refuses, where its settings come from."""

import json
import os
import re
import shutil

from fixture import KEYS, REFUSED, SHARED, SIMKEY, UNREACHABLE, USAGE, test
from test_tries import Between


def info(t, key):
    sim = t.sim(key)
    result = t.simkey(None, "info", "--json", env=t.env(sim, SIMKEY_PIN_SOURCE=None))
    told = json.loads(result.out)
    with open(os.path.join(sim.card, "card"), encoding="ascii") as card:
        iccid = re.search(r"\d{18,20}", card.read())[0]
    t.equal(told["iccid"], iccid, "ICCID")
    t.equal(told["imei"], "356938035643809", "IMEI")
    t.equal(told["pin"]["tries_left"], 3, "tries left")
    t.equal([c["container"] for c in told["containers"]], [0, 2, 3, 4, 6], "containers")
    first = told["containers"][0]
    t.equal((first["key"], first["bits"]), {"rsa2048": ("RSA", 2048), "p256": ("EC", 256),
                                            "p384": ("EC", 384)}[key], "container 0")
    words = {"rsa2048": "RSA 2048", "p256": "EC P-256", "p384": "EC P-384"}[key]
    t.says(first["subject"], "signing 0")
    t.says(told["available"]["subject"], "available")
    lines = t.simkey(sim, "info").out.split("\n")
    t.says(lines[0], f"^SIM +{iccid}, ready$")
    t.says(lines[1], "^modem +simkey simmodem, firmware simmodem [0-9.]+, IMEI 356938035643809$")
    t.says(lines[2], "^PIN +needed to sign, 3 tries left$")
    t.says(lines[3], "^applets +mias, typea_files, safe2 ")
    t.equal([re.split("  +", line)[0] for line in lines[5:-1]],
            ["key", *(f"container {c['container']}" for c in told["containers"]), "available"], "the table")
    t.says(lines[6], f"^container 0 +{words} +sign and decrypt +{first['not_after'][:10]} +.*signing 0")
    t.check(all(line[:line.index("CN=")].rstrip()[-10:] == told["containers"][0]["not_after"][:10]
                for line in lines[6:-1]), "the column until")
    verbose = t.simkey(sim, "info", "--verbose").out
    t.check(verbose.startswith("\n".join(lines[:-1])), "--verbose begins with the same")
    for name in ("serial", "sha256", "public_key_sha256", "not_before", "algorithms", "tries_left", "revision"):
        t.says(verbose, f"(?m)^ *{name}: ")
    t.silent("\n".join(lines), ["sha256", "BEGIN"])
    t.signatures(sim, 0)
    t.check(not [a for a in sim.apdus() if a.words == "VERIFY" and "{" in a.command], "a PIN was sent")


for kind in KEYS:
    test(name=f"info tells modem, SIM and keys of a {kind} card and needs no PIN", key=kind)(info)


def disturbed(t, command):
    sim = t.sim("p256")
    between = Between(t, sim, torn=(command, "900"))
    result = t.simkey(None, "info", "--json", env=t.env(sim, SIMKEY_DEVICE=between.device), expect=REFUSED)
    t.equal(result.out, "", "what is told")


for what, pattern in (("SAFE2", r"A4040[0-9A-F]{3}F0706F6467"), ("algorithms", r'"0[123]2241B6')):
    test(name=f"info takes no torn answer for the absence of {what}", command=pattern)(disturbed)


@test
def one_certificate_that_cannot_be_used_is_told_and_is_no_failure(t):
    """Whichever container it is in, the last one too."""
    other = t.path("other.pem")
    t.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=x", "-keyout",
           t.path("other.key"), "-out", other], preload=False)
    for place in (2, 6):
        card = t.path(f"card-{place}")
        shutil.copytree(os.path.join(SHARED, "cards", "p256"), card)
        shutil.copy(other, os.path.join(card, f"signing-{place}.pem"))
        result = t.simkey(t.sim(card), "info", expect=None)
        t.says(result.out, "error: the key's type is neither RSA nor EC")
        t.equal((result.status, result.err), (0, ""), f"with that of container {place}")


@test
def cert_prints_pem_or_der_and_nothing_else(t):
    sim = t.sim("p256")
    for what, file in (("signing", "signing-0.pem"), ("available", "available.pem"),
                       ("sim:signing;container=3", "signing-3.pem")):
        with open(os.path.join(sim.card, file), encoding="ascii") as pem:
            wanted = pem.read().strip()
        result = t.simkey(sim, "cert", what)
        t.equal((result.out.strip(), result.err), (wanted, ""), what)
        der = t.simkey(sim, "cert", what, "--der")
        again = t.run(["openssl", "x509", "-inform", "DER"], stdin=der.raw, preload=False)
        t.equal(again.out.strip(), wanted, what)


@test
def out_writes_a_whole_file_or_none(t):
    sim = t.sim("p256")
    there = t.write("there", "what was there before")
    t.simkey(sim, "cert", "sim:signing;container=9", "--out", there, expect="failure")
    t.equal(t.read("there"), b"what was there before", "the file after a failure")
    t.simkey(sim, "cert", "signing", "--out", "/nonexistent/cert.pem", expect="failure",
             says="/nonexistent/cert.pem")
    t.equal([name for name in os.listdir(t.dir) if "cert" in name], [], "files left behind")


@test
def a_key_reference_gets_the_mode_that_a_program_wants(t):
    """libpq, for one, takes no key that others may read."""
    sim = t.sim("p256")
    out = t.path("sim.key")
    os.umask(0o022)
    for arguments, mode in (([], 0o644), (["--mode", "0600"], 0o600), (["--mode", "640"], 0o640), (["--mode", "444"], 0o444)):
        t.simkey(sim, "key", "signing", "--out", out, *arguments)
        t.equal(oct(os.stat(out).st_mode & 0o7777), oct(mode), f"the mode by {arguments}")
    os.umask(0o077)
    t.simkey(sim, "key", "signing", "--out", out, "--mode", "0644")
    t.equal(oct(os.stat(out).st_mode & 0o7777), oct(0o644), "--mode is stronger than the umask")
    for bad in ("", "rw", "0800", "1777", "0200", "-1", " 600", "0600x"):
        t.simkey(sim, "key", "signing", "--out", out, "--mode", bad, expect=USAGE, says="--mode")
    t.simkey(sim, "key", "signing", "--mode", "0600", expect=USAGE, says="--out")
    t.simkey(sim, "key", "available", "--out", out, "--mode", "0640", expect=USAGE, says="secret")
    t.simkey(sim, "key", "--rewrite", out, "--mode", "0600", expect=USAGE, says="leave out --mode")
    t.simkey(sim, "key", "available", "--out", t.path("typea"), "--mode", "0400")
    t.equal(oct(os.stat(t.path("typea")).st_mode & 0o7777), oct(0o400), "the Type A key's mode")


@test
def the_key_reference_names_no_device(t):
    from reference import uri_of
    sim = t.sim("p256")
    pem = t.simkey(sim, "key", "signing").raw
    t.says(uri_of(pem), r"^sim:signing;container=0;key-id=[0-9a-f]{2}$")
    t.simkey(sim, "key", "signing", "--with-device", expect=USAGE, says="unknown option --with-device")


@test
def apdu_sends_hex_on_a_channel_of_its_own_and_closes_it(t):
    sim = t.sim("p256")
    result = t.simkey(sim, "apdu", "--aid", "A0000000188000000006624151", "00A40804020002", "0084000008")
    t.says(result.out, "9000")
    words = sim.words()
    t.equal(words[0], "MANAGE CHANNEL OPEN", "the first APDU")
    t.equal(words[-1], "MANAGE CHANNEL CLOSE", "the last APDU")
    t.check("GET CHALLENGE" in words, "GET CHALLENGE was not sent")
    t.check(not [a for a in sim.apdus() if a.channel == "0" and "CHANNEL" not in a.words],
            "something was sent on the basic channel")


@test
def apdu_refuses_pin_commands_without_force(t):
    sim = t.sim("p256")
    for hexadecimal in ("002000810439393939", "00240081083030303031313131", "002C008100",
                        "0020008100", "012000810439393939", "002600010831323334FFFFFFFF",
                        "002800010831323334FFFFFFFF", "0021008100"):
        t.simkey(sim, "apdu", "--aid", "A0000000188000000006624151", hexadecimal, expect=USAGE,
                 says="--force")
    t.equal(sim.words(), [], "APDUs")
    t.simkey(sim, "apdu", "--force", "--aid", "A0000000188000000006624151", "002000810439393939",
             expect=(0, REFUSED))
    t.equal(sim.tries(), 2, "tries after a wrong PIN by force")


def usage(t, arguments):
    result = t.simkey(None, *arguments, env=t.env(), expect=USAGE)
    t.check(result.err.strip() and not result.out, f"stderr and stdout: {result}")


for name, words in {"no command": [], "an unknown command": ["fly"], "an unknown option":
                    ["info", "--fly"], "no operand": ["cert"], "too many operands":
                    ["cert", "signing", "available"], "an unknown operand": ["key", "nothing"],
                    "no value": ["info", "--device"], "bad hex": ["apdu", "0G"],
                    "odd hex": ["apdu", "00A40"], "a bad time": ["info", "--timeout", "soon"]}.items():
    test(name=f"usage: {name} ends with status 1 and a word", arguments=words)(usage)


@test
def help_and_version_go_to_stdout(t):
    for arguments in (["--help"], ["info", "--help"], ["--version"]):
        result = t.simkey(None, *arguments, env=t.env())
        t.check(result.out.strip() and not result.err, f"{result}")
    t.says(t.simkey(None, "--help", env=t.env()).out,
           ["info", "cert", r"pin .*status\|verify\|change", "--old-source", "apdu", r"doctor \[options\]"])


@test
def the_command_line_goes_before_the_environment_before_the_file(t):
    sim = t.sim("p256")
    conf = t.write("simkey.conf", f"# the device\ndevice = {sim.device}\ntransport = ccho\n")
    t.simkey(None, "cert", "signing", env=t.env(SIMKEY_CONF=conf))
    t.equal({a.source for a in sim.apdus()}, {"ccho", "cgla"}, "carriers by the file")
    sim.mark()
    t.simkey(None, "cert", "signing", env=t.env(SIMKEY_CONF=conf, SIMKEY_TRANSPORT="csim"))
    t.equal({a.source for a in sim.apdus()}, {"csim"}, "carriers by the environment")
    sim.mark()
    t.simkey(None, "cert", "sim:signing?transport=ccho",
             env=t.env(SIMKEY_CONF=conf, SIMKEY_TRANSPORT="csim"))
    t.equal({a.source for a in sim.apdus()}, {"ccho", "cgla"}, "carriers by the URI")
    sim.mark()
    t.simkey(None, "cert", "sim:signing?transport=ccho", "--transport", "csim",
             env=t.env(SIMKEY_CONF=conf))
    t.equal({a.source for a in sim.apdus()}, {"csim"}, "carriers by the command line")
    t.simkey(None, "info", "--device", "/dev/no-such-modem", env=t.env(SIMKEY_CONF=conf),
             expect=UNREACHABLE)


@test
def the_providers_settings_come_in_the_same_order(t):
    from test_order import conf
    sim = t.sim("p256")
    by_conf = conf(t, sim, ("default", "simkey"))
    with open(by_conf, "a", encoding="ascii") as file:
        file.write("[section_simkey]\ntransport = ccho\n")

    def carriers(uri="sim:signing", **more):
        sim.mark()
        t.run(["openssl", "x509", "-in", uri, "-noout"],
              env=t.env(None, True, OPENSSL_CONF=by_conf, **more))
        return {a.source for a in sim.apdus()}

    t.equal(carriers(), {"ccho", "cgla"}, "carriers by openssl.cnf")
    t.equal(carriers(SIMKEY_TRANSPORT="csim"), {"csim"}, "carriers by the environment")
    t.equal(carriers("sim:signing?transport=ccho", SIMKEY_TRANSPORT="csim"), {"ccho", "cgla"},
            "carriers by the URI")


@test
def a_broken_pipe_or_full_disk_is_an_error(t):
    sim = t.sim("p256")
    t.run(["sh", "-c", f"exec {SIMKEY} cert signing >/dev/full"], env=t.env(sim),
          expect="failure", preload=False)

