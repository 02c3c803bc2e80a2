# SPDX-License-Identifier: Apache-2.0
"""simkey inventory: records of simkey info merged, what is there twice, what cannot be true, and the
fingerprints in a real nginx. The records are of simmodem, bent where a test wants a conflict."""

import copy
import csv
import hashlib
import io
import json
import os
import re
import socket
import ssl

from fixture import ROOT, SANITIZED, SIMKEY, USAGE, VERIFY, test
from hierarchy import certify, generation, rename
from tls import free_port, listens, pki

COLUMNS = ["iccid", "imei", "uri", "key", "bits", "subject", "issuer", "serial", "not_before", "not_after",
           "sha256", "public_key_sha256", "sha1"]
MAP_LINE = r"(?m)^[0-9a-f]{40} \d{18,20};$"


def record(t, key="p256", card=None):
    """What simkey info --json tells of a card."""
    sim = t.sim(card or key)
    told = json.loads(t.simkey(sim, "info", "--json", env=t.env(sim, SIMKEY_PIN_SOURCE=None)).out)
    sim.stop_cleanly()
    t.running.remove(sim)
    return told, sim.card


def moved(told, imei):
    """The same SIM in another modem."""
    return dict(copy.deepcopy(told), imei=imei)


def inventory(t, records, *options, expect=0):
    """Each record in a file of its own. Gives the result."""
    files = [t.write(f"{number}.json", json.dumps(told)) for number, told in enumerate(records, 1)]
    return t.simkey(None, "inventory", *options, *files, env=t.env(), expect=expect)


def two_sims(t):
    one, _ = record(t, "p256")
    other, _ = record(t, "rsa2048")
    return one, moved(other, "490154203237518")


@test
def info_is_a_stable_schema_and_says_what_openssl_says(t):
    told, card = record(t)
    t.equal((told["schema"], told["version"]), ("simkey-info", 1), "the schema")
    t.equal(set(told), {"schema", "version", "modem", "imei", "iccid", "sim", "pin", "containers", "applets",
                        "available"}, "fields")
    fields = {"key", "bits", "subject", "issuer", "serial", "not_before", "not_after", "sha256", "sha1",
              "public_key_sha256", "pem"}
    t.equal(set(told["available"]), fields, "fields of Type A")
    t.equal(set(told["containers"][0]), fields | {"container", "use", "key_id", "algorithms"}, "of a container")
    for shown, name in ((told["available"], "available"), (told["containers"][0], "signing-0")):
        path = os.path.join(card, name + ".pem")
        with open(path, encoding="ascii") as pem:
            t.equal(shown["pem"].split(), pem.read().split(), "PEM")
        der = ssl.PEM_cert_to_DER_cert(shown["pem"])
        t.equal(shown["sha256"], hashlib.sha256(der).hexdigest(), "SHA-256")
        t.equal(shown["sha1"], hashlib.sha1(der).hexdigest(), "SHA-1")
        public = t.run(["sh", "-c", 'openssl x509 -in "$0" -noout -pubkey | openssl pkey -pubin -outform DER',
                        path], preload=False).raw
        t.equal(shown["public_key_sha256"], hashlib.sha256(public).hexdigest(), "SHA-256 of the key")
        said = t.run(["openssl", "x509", "-in", path, "-noout", "-serial", "-subject", "-issuer", "-nameopt",
                      "RFC2253"], preload=False).out
        t.equal(said, f"serial={shown['serial']}\nsubject={shown['subject']}\nissuer={shown['issuer']}\n",
                "serial and names")
        for date in ("not_before", "not_after"):
            t.says(shown[date], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")


@test
def dates_past_2038_are_whole(t):
    told, card = record(t)
    certify(t, card, generation(t, 2)[-1], begin="20391231235959Z", end="21060207062816Z")
    again, _ = record(t, card=card)
    t.equal([again["containers"][0][name] for name in ("not_before", "not_after")],
            ["2039-12-31T23:59:59Z", "2106-02-07T06:28:16Z"], "dates")
    t.equal(told["containers"][1], again["containers"][1], "the others")


@test
def records_become_one_csv_or_json(t):
    one, other = two_sims(t)
    done = inventory(t, [one, other])
    t.equal(done.err, "", "stderr")
    lines = list(csv.reader(io.StringIO(done.out)))
    t.equal(lines[0], COLUMNS, "the columns")
    wanted = []
    for told in sorted((one, other), key=lambda told: told["iccid"]):
        found = [(f"sim:signing;container={c['container']}", c) for c in told["containers"]]
        for uri, cert in [*found, ("sim:available", told["available"])]:
            wanted.append([told["iccid"], told["imei"], uri, *(str(cert[name]) for name in COLUMNS[3:])])
    t.equal(lines[1:], wanted, "the lines")
    merged = json.loads(inventory(t, [one, other], "--json").out)
    t.equal((merged["schema"], merged["version"], merged["conflicts"]), ("simkey-inventory", 1, []), "JSON")
    t.equal([[sim["iccid"], sim["imei"], cert["uri"], *(str(cert[name]) for name in COLUMNS[3:])]
             for sim in merged["sims"] for cert in sim["certificates"]], wanted, "what JSON says")
    t.equal(inventory(t, [merged]).out, done.out, "an inventory read again")
    t.equal(inventory(t, [[one, other]]).out, done.out, "an array of records")
    both = t.write("both.json", json.dumps(one) + "\n" + json.dumps(other, indent=4) + "\n\n")
    t.equal(t.simkey(None, "inventory", both, env=t.env()).out, done.out, "records one after the other")
    t.simkey(None, "inventory", "--out", t.path("all.csv"), both, env=t.env())
    t.equal(t.read("all.csv").decode(), done.out, "--out")


@test
def the_same_record_twice_counts_once(t):
    one, other = two_sims(t)
    done = inventory(t, [one, other, one])
    t.equal(done.out, inventory(t, [one, other]).out, "the lines")
    t.says(done.err, f"note: SIM {one['iccid']} in .*3.json is the same as in .*1.json")


def conflict(t, bend, says):
    one, other = two_sims(t)
    records = bend(one, other)
    done = inventory(t, records, "--json", expect=VERIFY)
    t.says(done.err, [r"conflict: " + says, r"simkey: \d conflicts? among these records"])
    t.says("\n".join(json.loads(done.out)["conflicts"]), says)
    t.check(inventory(t, records, expect=VERIFY).out.startswith("iccid,"), "no CSV beside conflicts")
    done = inventory(t, records, "--nginx-map", expect=VERIFY)
    t.equal(done.out, "", "a map in spite of conflicts")


def without_available(told):
    return dict(told, available={"error": "none"})


for what, bend_it, words in (
        ("a SIM with other certificates", lambda one, other: [one, without_available(one)],
         r"SIM \d+ has other certificates in .*2.json than in .*1.json"),
        ("a SIM in two modems", lambda one, other: [one, moved(one, other["imei"])],
         r"SIM \d+ is in two modems: IMEI 356938035643809 in .*1.json, IMEI 490154203237518 in .*2.json"),
        ("a modem with two SIMs", lambda one, other: [one, moved(other, one["imei"])],
         r"the modem with IMEI 356938035643809 has two SIMs: \d+ in .*1.json, \d+ in .*2.json"),
        ("an ICCID with a digit more", lambda one, other: [one, dict(other, iccid=one["iccid"] + "0")],
         r"SIM \d{19} in .*1.json and SIM \d{20} in .*2.json may be the same"),
        ("a certificate in two SIMs", lambda one, other: [one, dict(other, available=one["available"])],
         r"the certificate [0-9a-f]{64} \(CN=\d+ available,O=simmodem\) is in two SIMs: \d+ in .*1")):
    test(name=f"{what} is a conflict", bend=bend_it, says=words)(conflict)


@test
def one_key_in_two_sims_is_a_conflict_even_with_two_certificates(t):
    _, card = record(t)
    authority = generation(t, 2)[-1]
    certify(t, card, authority)
    one, _ = record(t, card=card)
    certify(t, card, authority)  # with another serial
    again, _ = record(t, card=card)
    other, _ = record(t, "rsa2048")
    other = dict(moved(other, "490154203237518"), containers=again["containers"][:1])
    done = inventory(t, [one, other], expect=VERIFY)
    t.says(done.err, r"conflict: the key [0-9a-f]{64} is in two SIMs, with two certificates")
    t.silent(done.err, "the certificate")


@test
def a_sim_without_certificates_is_in_the_list_too(t):
    told, _ = record(t)
    done = inventory(t, [dict(without_available(told), containers=[])])
    t.equal(done.out.splitlines()[1], f"{told['iccid']},{told['imei']}" + "," * 11, "the line")


def no_record(t, bend, says):
    told, _ = record(t)
    text = bend(told)
    path = t.write("bad.json", text if isinstance(text, (str, bytes)) else json.dumps(text))
    done = t.simkey(None, "inventory", path, env=t.env(), expect=USAGE)
    t.says(done.err, says)
    t.equal(done.out, "", "stdout")


def with_container(told, **changes):
    return dict(told, containers=[dict(told["containers"][0], **changes)])


for what, bend_it, words in (
        ("an empty file", lambda told: "", "is empty"),
        ("garbage", lambda told: b"\x80" + os.urandom(500), "is not JSON, at byte"),
        ("half a record", lambda told: json.dumps(told)[:900], "is not JSON, at byte"),
        ("deeply nested", lambda told: "[" * 100000, "is not JSON, at byte"),
        ("other JSON", lambda told: {"hello": [1]}, "is not a record of a SIM"),
        ("a number", lambda told: "5", "is not a record of a SIM"),
        ("a later version", lambda told: dict(told, version=2), "another version of the format"),
        ("no ICCID", lambda told: {n: v for n, v in told.items() if n != "iccid"}, "no ICCID in it"),
        ("an ICCID that is none", lambda told: dict(told, iccid="8988; evil"), "no ICCID in it"),
        ("an IMEI that is none", lambda told: dict(told, imei="=1+1"), "is not an IMEI"),
        ("a broken certificate", lambda told: with_container(told, pem="x"), "container=0 is damaged"),
        ("PEM that is no text", lambda told: with_container(told, pem=5), "container=0 is damaged"),
        ("a changed fingerprint", lambda told: with_container(told, sha256="00" * 32), "the file was changed"),
        ("a changed SHA-1", lambda told: with_container(told, sha1="00" * 20), "the file was changed"),
        ("a changed key", lambda told: with_container(told, public_key_sha256="1"), "the file was changed"),
        ("a fingerprint that is a number", lambda told: with_container(told, sha256=5), '"sha256" is not a text'),
        ("an ICCID that is a number", lambda told: dict(told, iccid=89883), '"iccid" is not a text'),
        ("an ICCID with a line end", lambda told: dict(told, iccid=told["iccid"] + "\n"), "no ICCID in it"),
        ("an ICCID with a NUL", lambda told: dict(told, iccid=told["iccid"] + "\0;"), "byte .*a text has a NUL"),
        ("a NUL", lambda told: json.dumps(told) + "\0", "byte .*a NUL"),
        ("a raw line end in a text", lambda told: json.dumps(told).replace("READY", "RE\nADY"),
         "byte .*control character"),
        ("text that is not UTF-8", lambda told: json.dumps(told).encode().replace(b"READY", b"RE\x9bADY"),
         "byte .*not UTF-8"),
        ("UTF-16", lambda told: json.dumps(told).encode("utf-16"), "byte 0: this is not UTF-8"),
        ("an ICCID twice", lambda told: '{"iccid": "89883000000000000001", ' + json.dumps(told)[1:],
         'bad.json: the member "iccid" is there twice'),
        ("a certificate with two PEMs", lambda told: json.dumps(told).replace('"pem":', '"pem": "x", "pem":', 1),
         'the member "pem" is there twice'),
        ("half a version", lambda told: dict(told, version=1.5), "another version of the format"),
        ("a huge version", lambda told: json.dumps(told).replace('"version": 1', '"version": 1e999'),
         "another version of the format"),
        ("a version that is no number", lambda told: json.dumps(told).replace('"version": 1', '"version": NaN'),
         "is not JSON, at byte"),
        ("a container beyond the last", lambda told: with_container(told, container=15), '"container" is not'),
        ("a container below the first", lambda told: with_container(told, container=-1), '"container" is not'),
        ("half a container", lambda told: with_container(told, container=0.5), '"container" is not'),
        ("a huge container", lambda told: json.dumps(told).replace('"container": 0', '"container": 4294967296'),
         '"container" is not'),
        ("a container twice", lambda told: dict(told, containers=[told["containers"][0]] * 2),
         r"SIM \d+ has two certificates of sim:signing;container=0"),
        ("an object of containers", lambda told: dict(told, containers={"a": told["containers"][0]}),
         '"containers" is not an array'),
        ("containers that are texts", lambda told: dict(told, containers=["pem"]), "is not an object"),
        ("an array for Type A", lambda told: dict(told, available=[told["available"]]), "is not an object"),
        ("records in an array in an array", lambda told: [[told]], "is not a record of a SIM"),
        ("an endless PEM", lambda told: with_container(told, pem="-----BEGIN CERTIFICATE-----\n" + "A" * 999999),
         "container=0 is damaged"),
        ("too many values", lambda told: "[" + "[]," * 4000001 + "[]]", "more values than records")):
    test(name=f"{what} is refused in words", bend=bend_it, says=words)(no_record)


# An inventory may be a gateway's own work, too: what it says of URIs goes nowhere.

def bad_inventory(t, bend, says):
    told = json.loads(inventory(t, [record(t)[0]], "--json").out)
    bend(told)
    path = t.write("bad.json", json.dumps(told))
    for form in ([], ["--json"], ["--nginx-map"]):
        done = t.simkey(None, "inventory", *form, path, env=t.env(), expect=USAGE)
        t.says(done.err, says)
        t.equal((done.out, done.err.count("\n")), ("", 1), "stdout, and lines of stderr")


def with_uri(uri):
    return lambda told: told["sims"][0]["certificates"][0].update(uri=uri)


for what, bend_it, words in (
        ("a URI with a line end", with_uri("sim:signing;container=0\n" + "0" * 40 + " 89883070000000000016;\n#"),
         'bad.json: the member "uri" is not that of a key in a SIM'),
        ("a URI with an escaped line end", with_uri("sim:signing;container=0%0a"), '"uri" is not that of a key'),
        ("a URI with a line end before it", with_uri("\nsim:signing"), '"uri" is not that of a key'),
        ("a URI with spaces", with_uri("sim:signing; include /etc/passwd;"), '"uri" is not that of a key'),
        ("a URI of nothing", with_uri("sim:"), '"uri" is not that of a key'),
        ("a formula as URI", with_uri("=cmd|' /C calc'!A0"), '"uri" is not that of a key'),
        ("a URI that is a number", with_uri(5), '"uri" is not a text'),
        ("a long URI", with_uri("sim:signing;" + "x" * 5000), '"uri" is too long'),
        ("a URI of another SIM", with_uri("sim:signing;iccid=89883070000000000016"), "names another SIM"),
        ("a URI twice", with_uri("sim:available"), "has two certificates of sim:available"),
        ("no URI", lambda told: told["sims"][0]["certificates"][0].pop("uri"), '"uri" is not that of a key'),
        ("an object of SIMs", lambda told: told.update(sims={"a": told["sims"][0]}), '"sims" is not an array'),
        ("no SIMs", lambda told: told.pop("sims"), '"sims" is missing'),
        ("SIMs that are numbers", lambda told: told.update(sims=[1]), "is not an object"),
        ("certificates that are texts", lambda told: told["sims"][0].update(certificates=["uri"]),
         "is not an object"),
        ("an object of certificates", lambda told: told["sims"][0].update(certificates={}),
         '"certificates" is not an array')):
    test(name=f"an inventory with {what} is refused in words", bend=bend_it, says=words)(bad_inventory)


@test
def settings_in_a_uri_and_unknown_members_are_left_out(t):
    told = json.loads(inventory(t, [record(t)[0]], "--json").out)
    bent = copy.deepcopy(told)
    certificate = bent["sims"][0]["certificates"][0]
    certificate["uri"] = "SIM:%73igning;type=private?device=/dev/evil&trace=at\n"
    certificate.update(subject="=1+1", not_after="never", serial="\n", evil="\x1b")
    certificate["sha256"] = certificate["sha256"].upper()
    bent.update(evil={"iccid": "5"}, conflicts=["\x1b"])
    bent["sims"][0]["source"] = "evil"
    for form in ([], ["--json"], ["--nginx-map"]):
        t.equal(inventory(t, [bent], *form).out, inventory(t, [told], *form).out, f"what {form} writes")


@test
def the_map_has_nothing_but_digits(t):
    made = inventory(t, [record(t)[0]], "--nginx-map").out
    t.equal(len(re.findall(MAP_LINE, made)), len(made.splitlines()), "lines")
    t.check(made.isascii() and made.endswith(";\n"), made)


def renamed(told, *subject, serial=None):
    """The record with another name in the certificate of container 0."""
    pem = rename(told["containers"][0]["pem"], *subject, serial=serial)
    return dict(told, containers=[{"container": 0, "pem": pem}], available={"error": "none"})


@test
def hostile_names_are_ascii_and_no_formulas(t):
    told, _ = record(t)
    hostile = renamed(told, (0x0C, b"\n=1+1\x1b[31m,\"\0"), (0x0C, "\u202e\x9b;=cmd".encode()),  # UTF8String
                      (0x1E, "\x1b;é".encode("utf-16-be")),  # BMPString
                      (0x14, b"\x9b\xff\r\n"), (0x13, b"\0=2"), serial=b"\xfb")  # T61String, PrintableString
    done = inventory(t, [hostile])
    t.check(done.raw.isascii() and done.out.count("\n") == 2 and "\x1b" not in done.out, done.out)
    line = list(csv.DictReader(io.StringIO(done.out)))[0]
    t.equal(line["serial"], "'-05", "a serial that is a formula")
    t.equal(line["subject"], r"CN=\00=2,CN=\C2\9B\C3\BF\0D\0A,CN=\1B\3B\C3\A9,"
            r"CN=\E2\80\AE\C2\9B\3B=cmd,CN=\0A=1\+1\1B[31m\,\"\00", "the subject")
    for cell in done.out.splitlines()[1].split(";"):  # where semicolons separate
        t.check(cell[:1] not in "=+-@" or not cell, f"a formula: {cell}")
    merged = json.loads(inventory(t, [hostile], "--json").out)
    t.equal(merged["sims"][0]["certificates"][0]["serial"], "-05", "the serial in JSON")
    t.says(inventory(t, [hostile], "--nginx-map").out, MAP_LINE)


@test
def a_long_name_is_cut(t):
    told, _ = record(t)
    made = json.loads(inventory(t, [renamed(told, (0x0C, b"x" * 10000))], "--json").out)
    subject = made["sims"][0]["certificates"][0]["subject"]
    t.equal((len(subject), subject[:5], subject[-4:]), (1023, "CN=xx", "x..."), "the subject")


@test
def file_names_are_harmless_in_conflicts(t):
    one, other = two_sims(t)
    files = [t.write("a\x1b[31m\n.json", json.dumps(one)), t.write("b\x9b.json", json.dumps(one)),
             t.write("c", json.dumps(moved(other, one["imei"])))]
    done = t.simkey(None, "inventory", "--json", *files, env=t.env(), expect=VERIFY)
    t.says(done.err, [r"note: SIM \d+ in .*/b\\xc2\\x9b.json is the same as in .*/a\\x1b\[31m\\x0a.json",
                      r"conflict: .*a\\x1b"])
    t.equal(done.err.count("\n"), 3, "lines")
    t.says(json.loads(done.out)["conflicts"][0], r"a\\x1b")
    done = t.simkey(None, "inventory", t.path("\x1b]0;\x07"), env=t.env(), expect=USAGE)
    t.says(done.err, r"cannot read .*\\x1b\]0;\\x07")


@test
def what_is_no_file_is_not_waited_for(t):
    told, _ = record(t)
    good = t.write("good.json", json.dumps(told))
    os.mkfifo(t.path("fifo"))
    os.symlink(t.path("fifo"), t.path("link"))
    with open(t.path("huge"), "wb") as huge:
        huge.truncate(1 << 32)
    with socket.socket(socket.AF_UNIX) as there:
        there.bind(t.path("socket"))
        for name, words in (("fifo", "is a FIFO"), ("link", "is a FIFO"), ("socket", "is a socket"),
                            ("/dev/zero", "is a device"), ("/dev/tty", "is a device"),
                            ("huge", "huge is too large: 256 MiB at most")):
            done = t.simkey(None, "inventory", good, t.path(name), env=t.env(), expect=USAGE, seconds=10)
            t.says(done.err, words)
    t.run(["sh", "-c", f"exec {SIMKEY} inventory /dev/stdin < /dev/zero"], env=t.env(), preload=False, expect=USAGE,
          says="too large", seconds=30)
    wanted = t.simkey(None, "inventory", good, env=t.env()).out
    for command in (f"{SIMKEY} inventory <(cat {good})", f"cat {good} | {SIMKEY} inventory /dev/stdin",
                    f"{SIMKEY} inventory /proc/self/fd/0 < {good}"):
        t.equal(t.run(["bash", "-c", command], env=t.env(), preload=False).out, wanted, command)


@test
def thousands_of_records_of_one_sim_take_seconds(t):
    records = [{"schema": "simkey-info", "version": 1, "iccid": "89883070000000000016", "imei": f"35{number:013d}"}
               for number in range(120000)]
    done = t.simkey(None, "inventory", t.write("many.json", json.dumps(records)), env=t.env(), seconds=20,
                    expect=VERIFY)
    t.equal(len(done.out.splitlines()), 120001, "lines")
    t.says(done.err, r"simkey: and 119899 more conflicts: --json lists all\n")


@test
def a_certificate_in_all_containers_is_in_the_map_once(t):
    told, _ = record(t)
    same = [dict(told["containers"][0], container=number) for number in range(15)]
    made = inventory(t, [dict(without_available(told), containers=same)], "--nginx-map").out
    t.equal(len(re.findall(MAP_LINE, made)), 1, "lines")


@test
def inventory_says_how_it_is_used(t):
    t.simkey(None, "inventory", env=t.env(), expect=USAGE, says="simkey info --json")
    t.simkey(None, "inventory", t.path("absent"), env=t.env(), expect=USAGE, says="absent: No such file")
    t.simkey(None, "inventory", t.dir, env=t.env(), expect=USAGE, says="Is a directory")
    t.simkey(None, "inventory", "--json", "--nginx-map", t.dir, env=t.env(), expect=USAGE, says="not both")


@test
def thousands_of_sims_take_seconds(t):
    told, _ = record(t)
    records = []
    for number in range(3000):
        sim = dict(told, iccid=f"89883{number:014d}", imei=f"35{number:013d}")
        records.append(dict(without_available(sim), containers=[]))
    path = t.write("many.json", json.dumps(records + [told]))
    done = t.simkey(None, "inventory", path, env=t.env(), seconds=20)
    t.equal(len(done.out.splitlines()), 1 + 3000 + 6, "lines")


@test(left_out="nginx with a preloaded sanitizer is another program" if SANITIZED else None)
def nginx_knows_the_enrolled_sims_by_their_fingerprints(t):
    chain = generation(t, 2)
    enrolled, card = record(t)
    for name in ("signing-0", "available"):
        certify(t, card, chain[-1], name)
    enrolled, _ = record(t, card=card)
    stranger, other = record(t, "rsa2048")
    certify(t, other, chain[-1])
    folder = t.path("etc")
    os.mkdir(folder, 0o755)
    made = inventory(t, [enrolled], "--nginx-map")
    t.write("etc/sims.map", made.out, 0o644)
    t.write("etc/sim-cas.pem", "".join(authority.pem() for authority in chain), 0o644)
    for name, file in (("fleet.crt", "server-p256.pem"), ("fleet.key", "server-p256.key")):
        with open(pki(file), encoding="ascii") as source:
            t.write(f"etc/{name}", source.read(), 0o644)
    port = free_port()
    with open(os.path.join(ROOT, "configs/nginx-fingerprints.conf"), encoding="utf-8") as config:
        text = config.read().replace("/etc/simkey", folder).replace("8444", f"127.0.0.1:{port}")
    os.makedirs(t.path("tmp"))
    t.write("main", "worker_processes 1; daemon off; pid nginx.pid; error_log stderr info;\n"
            + ("user root;\n" if os.geteuid() == 0 else "")
            + "events { worker_connections 64; }\nhttp { access_log off;\n" + "".join(
                f"{kind}_temp_path tmp;" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + text + "}\n")
    nginx = t.start("nginx", ["nginx", "-p", t.dir + "/", "-c", t.path("main"), "-e", "stderr"],
                    t.env(preload=False))
    nginx.wait_for(lambda: listens(port), "listening")
    t.check("warn" not in nginx.said() and "optimal" not in nginx.said(), nginx.said())

    def visit(place, what="signing"):
        sim = t.sim(place)
        cert, key = t.path(f"{t.number()}.crt"), t.path(f"{t.number()}.key")
        t.simkey(sim, "cert", what, "--out", cert)
        if what == "available":
            t.simkey(sim, "key", what, "--out", key)
        else:
            key = "sim:signing"
        done = t.openssl(sim, "s_client", "-connect", f"localhost:{port}", "-CAfile", pki("ca.pem"), "-quiet",
                         "-verify_return_error", "-cert", cert, "-key", key, "-ign_eof",
                         stdin="GET / HTTP/1.0\r\n\r\n", expect=None)
        sim.stop_cleanly()
        t.running.remove(sim)
        return done.out

    t.says(visit(card), ["HTTP/1.1 200", f"SIM {enrolled['iccid']}\n"])
    t.says(visit(card, "available"), ["HTTP/1.1 200", f"SIM {enrolled['iccid']}\n"])
    t.says(visit(other), ["HTTP/1.1 403", "this SIM is not enrolled"])
    t.silent(made.out, stranger["iccid"])
    t.equal(len(re.findall(MAP_LINE, made.out)), 6, "lines of the map")
