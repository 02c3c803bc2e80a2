# SPDX-License-Identifier: Apache-2.0
"""Keys of a SIM with IoT SAFE's applet: by URI and by key reference, what each costs, both families on one
SIM, CA certificates, and one row for each of the ways in which cards disagree."""

import json
import os
import subprocess

import tls
from fixture import ABSENT, REFUSED, SIMKEY, UNREACHABLE, USAGE, test

KEY = "sim:signing;applet=iotsafe"


def iotsafe(t, *switches, new=(), applet="iotsafe"):
    """A SIM with the applet, in a modem that has these switches."""
    return t.sim(t.new_card("--applet", applet, "--key", "p256", *new), *switches)


def signed(t, sim, key, digest="sha256", **how):
    """Signs by openssl, and openssl verifies with the public key by itself."""
    data = t.write("data", "what is signed\n")
    signature = t.path("signature")
    t.openssl(sim, "dgst", f"-{digest}", "-sign", key, "-out", signature, data, **how)
    return data, signature


def public_key(t, sim):
    """The client key's, as simmodem made it."""
    public = t.path("public.pem")
    t.run(["openssl", "x509", "-in", os.path.join(sim.card, "iotsafe.pem"), "-noout", "-pubkey", "-out", public],
          preload=False)
    return public


def verified(t, sim, data, signature, digest="sha256"):
    t.run(["openssl", "dgst", f"-{digest}", "-verify", public_key(t, sim), "-signature", signature, data],
          preload=False)


def closed(t, sim):
    """No channel is open, and no session."""
    opened = [a for a in sim.apdus() if a.words == "MANAGE CHANNEL OPEN" and a.sw == "9000"]
    ended = [a for a in sim.apdus() if a.words == "MANAGE CHANNEL CLOSE" and a.sw == "9000"]
    t.equal(len(ended), len(opened), "channels closed")


@test
def a_key_reference_costs_five_apdus_and_then_three(t):
    sim = iotsafe(t)
    _, key = t.exported(sim, "--session", "keep")
    t.simkey(sim, "close")
    sim.mark()
    env = {"SIMKEY_SESSION": "keep"}
    for wanted in (5, 3, 3):
        data, signature = signed(t, sim, key, **env)
        verified(t, sim, data, signature)
        t.equal(len(sim.apdus()), wanted, "APDUs of a signature:\n" + "\n".join(map(str, sim.apdus())))
        sim.mark()
    t.simkey(sim, "close")


@test
def a_uri_leads_to_the_key_and_its_certificate(t):
    sim = iotsafe(t)
    for uri in ("sim:signing", KEY, "sim:signing;id=%01", "sim:signing;object=BootstrapKey_1"):
        data, signature = signed(t, sim, uri)
        verified(t, sim, data, signature)
    with open(os.path.join(sim.card, "iotsafe.pem"), encoding="ascii") as file:
        t.equal(t.simkey(sim, "cert", "signing").out, file.read(), "the certificate")
    closed(t, sim)


# ---- TLS ----

def mutual_tls(t, carrier, version, files):
    sim = iotsafe(t)
    cert, key = t.exported(sim) if files else ("sim:signing", "sim:signing")
    said = tls.handshake(t, sim, cert, key, version=version, signatures=None,
                         env=t.env(sim, True, SIMKEY_TRANSPORT=carrier, SIMKEY_PIN_SOURCE=None))
    t.says(said, "Signature type: (ECDSA|ecdsa_secp256r1_sha256)")
    t.equal(sim.count("COMPUTE SIGNATURE UPDATE"), 1, "signatures of the card")
    t.equal(sim.count("VERIFY"), 0, "commands with a PIN")
    closed(t, sim)


for c in ("csim", "ccho"):
    for v in ("-tls1_2", "-tls1_3"):
        for f in (False, True):
            test(name=f"an IoT SAFE key over {c}, {v[1:]}, " + ("PEM files" if f else "URIs"),
                 carrier=c, version=v, files=f)(mutual_tls)


# ---- the ways of cards ----

# Name, switches of the modem, switches of the card. The key is found and signs, by URI and by reference.
WAYS = [
    ("a list in groups", ["--iotsafe-list", "grouped"], []),
    ("a flat list", ["--iotsafe-list", "flat"], []),
    ("a flat list whose tag 92 is wrong", ["--iotsafe-list", "flat", "--iotsafe-bad-92"], []),
    ("a list in any order", ["--iotsafe-order", "mixed"], []),
    ("a list in which ids come first", ["--iotsafe-list", "flat", "--iotsafe-order", "id"], []),
    ("a list in pages", ["--iotsafe-page", "17"], []),
    ("groups in pages", ["--iotsafe-list", "grouped", "--iotsafe-page", "100"], []),
    ("long groups in one octet", ["--iotsafe-list", "grouped", "--iotsafe-raw-length"], []),
    ("objects without labels", ["--iotsafe-no-labels"], []),
    ("files that do not tell their usage", ["--iotsafe-no-usage"], []),
    ("certificates as PEM", ["--iotsafe-pem"], []),
    ("padded files", ["--iotsafe-size", "padded"], []),
    ("sizes the wrong way round", ["--iotsafe-size", "swapped"], []),
    ("no sizes, 6A86 behind the end", ["--iotsafe-size", "none", "--iotsafe-end", "6A86"], []),
    ("no sizes, PEM, 6981 behind the end", ["--iotsafe-size", "none", "--iotsafe-end", "6981", "--iotsafe-pem"], []),
    ("no sizes, 9000 behind the end", ["--iotsafe-size", "none", "--iotsafe-end", "9000"], []),
    ("signatures with a long length", ["--iotsafe-two-octets"], []),
    ("signatures in DER", ["--iotsafe-der"], []),
    ("DER with a long length", ["--iotsafe-der", "--iotsafe-two-octets"], []),
    ("public keys without tags", ["--iotsafe-bare-point"], []),
    ("CLA 0x alone", ["--iotsafe-class", "0x"], []),
    ("CLA 8x alone", ["--iotsafe-class", "8x"], []),
    ("one session", ["--iotsafe-sessions", "1"], []),
    ("a session that was left open", ["--iotsafe-left-open"], []),
    ("a session that was left open, 6989", ["--iotsafe-left-open", "--iotsafe-full", "6989"], []),
    ("a SELECT without FCI", ["--iotsafe-no-fci"], []),
    ("9110 after each command", ["--iotsafe-9110"], []),
    ("T=0", ["--t0"], []),
    ("T=0 and pages", ["--t0", "--iotsafe-page", "90"], []),
    ("answers fetched by the modem", ["--get-response", "--iotsafe-page", "200"], []),
    ("case 4 commands without Le", ["--reject-le"], []),
    ("administration for a while", ["--fault", "iotsafe-6984:4,3"], []),
    ("administration that ends", ["--fault", "iotsafe-6989:5"], []),
    ("objects that may have changed", ["--fault", "iotsafe-63cf:3"], []),
    ("another AID", [], ["--iotsafe-aid", "A00000003053F12401770101495341"]),
    ("the third AID", [], ["--iotsafe-aid", "A0000002480400"]),
    ("ids of two bytes", [], ["--iotsafe-id-size", "2"]),
    ("ids of 20 bytes", [], ["--iotsafe-id-size", "20"]),
    ("public keys under the next id", [], ["--iotsafe-public-next"]),
    ("an RSA key", [], ["--iotsafe-key", "rsa2048"]),
]


def handshakes(t, sim, peer, files, **how):
    """TLS 1.2 and 1.3 by URI and by key reference: one signature each, and no channel is left."""
    sim.mark()
    for cert, key in (("sim:signing", "sim:signing"), files):
        for version in ("-tls1_2", "-tls1_3"):
            command = tls.client_command(peer.port, cert, key, [version])
            answered, said, status = tls.talk(t, command, t.env(sim, True, SIMKEY_PIN_SOURCE=None, **how))
            t.check(answered and status == 0, f"{' '.join(command)}\n  status {status}\n{said}\n{peer.said()}")
    made = [a for a in sim.apdus() if a.words == "COMPUTE SIGNATURE UPDATE" and a.sw[:2] in ("90", "91", "61", "63")]
    t.equal(len(made), 4, "signatures of the card:\n" + "\n".join(map(str, sim.apdus())))
    t.equal(sim.count("VERIFY"), 0, "commands with a PIN")
    closed(t, sim)


def ways_of_cards(t, carrier, switches, new):
    sim = iotsafe(t, *switches, new=new)
    peer = tls.Server(t, os.path.join(sim.card, "ca.pem"))
    handshakes(t, sim, peer, t.exported(sim), SIMKEY_TRANSPORT=carrier)


# All pairs of them are in test_iotsafe_pairs.py.
for i, (n, s, c) in enumerate(WAYS):
    test(name=f"a card with {n}", carrier=("csim", "ccho")[i % 2], switches=s, new=c)(ways_of_cards)


def without_a_list(t, way, missing):
    sim = iotsafe(t, "--iotsafe-list", way, "--iotsafe-missing", missing)
    t.openssl(sim, "pkey", "-in", "sim:signing", "-pubout", expect="failure", says="does not list")
    for name in ("id=%01", "object=BootstrapKey_1"):
        uri = f"sim:signing;{name}"
        key = t.path("named.pem")
        t.simkey(sim, "key", uri, "--out", key)
        for one in (uri, key):
            data, signature = signed(t, sim, one)
            verified(t, sim, data, signature)
        with open(os.path.join(sim.card, "iotsafe.pem"), encoding="ascii") as file:
            t.equal(t.simkey(sim, "cert", uri).out, file.read(), "the certificate")


for w in ("absent", "no-data"):
    for m in ("6A82", "6A88"):
        test(name=f"a card that does not list its objects ({w}, {m})", way=w, missing=m)(without_a_list)


@test
def an_aid_that_nobody_knows_is_a_setting(t):
    sim = iotsafe(t, new=["--iotsafe-aid", "A0000001157000000000000049534102"])
    t.simkey(sim, "cert", "signing", expect=ABSENT, says="asked for: .*A0000005590010")
    t.says(t.simkey(sim, "doctor", expect=ABSENT).out, r"(?m)^failure +mias .*\n +-> .*another AID, .* setting `aid`$")
    env = {"SIMKEY_AID": "A0000001157000000000000049534102"}
    data, signature = signed(t, sim, "sim:signing", **env)
    verified(t, sim, data, signature)


# ---- what it cannot do ----

@test
def what_the_key_cannot_do_is_told_by_what_it_can(t):
    sim = iotsafe(t)
    cert, key = t.exported(sim)
    can = r"cannot sign ECDSA with SHA384: it can do ECDSA with SHA256$"
    data = t.write("data", "x")
    t.openssl(sim, "req", "-new", "-key", key, "-sha384", "-subj", "/CN=x", expect="failure", says="(?m)" + can)
    t.openssl(sim, "cms", "-sign", "-signer", cert, "-inkey", key, "-md", "sha384", "-in", data, "-out",
              t.path("no"), expect="failure", says="(?m)" + can)
    t.openssl(sim, "dgst", "-sha512", "-sign", "sim:signing", "-out", t.path("no"), data,
              expect="failure", says="cannot sign .* it can do ECDSA with SHA256")
    t.equal(sim.count("COMPUTE SIGNATURE INIT"), 0, "signatures that were begun")
    sim = iotsafe(t, new=["--iotsafe-all-hashes"])
    for digest in ("sha384", "sha512"):
        data, signature = signed(t, sim, "sim:signing", digest)
        verified(t, sim, data, signature, digest)


def rsa_key_cannot(t, bits, can, pss_sha256):
    """bits: what the card says of its key's signatures; SHA-256 is all that it hashes."""
    card = t.new_card("--applet", "iotsafe", "--key", "p256", "--iotsafe-key", "rsa2048")
    with open(os.path.join(card, "iotsafe"), encoding="ascii") as file:
        text = file.read()
    t.write(os.path.join(card, "iotsafe"), text.replace("hash 0001 sign 03 label BootstrapKey_1",
                                                        f"hash 0001 sign {bits} label BootstrapKey_1"))
    sim = t.sim(card)
    cert, key = t.exported(sim)
    request = ["req", "-new", "-key", key, "-subj", "/CN=x", "-out", t.path("csr")]
    signed_data = ["cms", "-sign", "-signer", cert, "-inkey", key, "-in", t.write("data", "x"), "-out", t.path("cms")]
    pss = ["rsa_padding_mode:pss", "rsa_pss_saltlen:digest"]
    for words, name in ((request + ["-sha384"], "PKCS1"), (signed_data + ["-md", "sha384"], "PKCS1"),
                        ([*request, "-sha384", "-sigopt", pss[0], "-sigopt", pss[1]], "PSS"),
                        ([*signed_data, "-md", "sha384", "-keyopt", pss[0], "-keyopt", pss[1]], "PSS")):
        failed = t.openssl(sim, *words, expect="failure", says=rf"cannot sign {name} with SHA384: it can do {can}\b")
        t.silent(failed.err, "cannot do PSS")
    how = {} if pss_sha256 else {"expect": "failure", "says": rf"cannot do PSS, which TLS 1\.3 .*it can do {can}\b"}
    t.openssl(sim, *request, "-sha256", "-sigopt", pss[0], "-sigopt", pss[1], **how)
    t.openssl(sim, *request, "-sha256")
    t.run(["openssl", "req", "-in", t.path("csr"), "-noout", "-verify"], preload=False)


test(name="what an RSA key cannot do is told by what it can", bits="03", can="PKCS1 with SHA256, PSS with SHA256",
     pss_sha256=True)(rsa_key_cannot)
test(name="what an RSA key without PSS cannot do is told by what it can", bits="01", can="PKCS1 with SHA256",
     pss_sha256=False)(rsa_key_cannot)


@test
def it_has_no_pin(t):
    sim = iotsafe(t)
    t.says(t.simkey(sim, "pin", "status").out, "no PIN|not wanted")
    t.simkey(sim, "pin", "verify", expect=REFUSED, says="has no PIN")
    t.simkey(sim, "pin", "verify", "--pin-source", "/nonexistent/pin", expect=REFUSED, says="has no PIN")
    t.equal(sim.count("VERIFY"), 0, "commands with a PIN")
    data, signature = signed(t, sim, "sim:signing", SIMKEY_PIN_SOURCE=None)
    verified(t, sim, data, signature)


# ---- two families ----

@test
def a_sim_with_both_families_serves_both_at_once(t):
    sim = iotsafe(t, applet="both")
    _, safe = t.exported(sim, "--applet", "iotsafe")
    _, mias = t.exported(sim)
    t.simkey(sim, "close")
    sim.mark()
    env = {"SIMKEY_SESSION": "keep"}
    wanted = ((safe, 5), (mias, 7), (safe, 3), (mias, 2), (mias, 2), (safe, 3))
    for key, apdus in wanted:
        data, signature = signed(t, sim, key, **env)
        if key == safe:
            verified(t, sim, data, signature)
        t.equal(len([a for a in sim.apdus() if a.words != "GET RESPONSE"]), apdus,
                "APDUs:\n" + "\n".join(map(str, sim.apdus())))
        sim.mark()
    t.simkey(sim, "close")
    t.equal(t.simkey(sim, "cert", "signing;applet=mias").out, t.simkey(sim, "cert", "signing").out, "the first family")


@test
def a_sim_without_mias_is_asked_once(t):
    sim = iotsafe(t)
    env = {"SIMKEY_SESSION": "keep"}
    for _ in range(3):
        t.simkey(sim, "cert", "signing", env=t.env(sim, **env))
    asked = [a for a in sim.apdus() if a.words.startswith("SELECT AID") and a.sw == "6A82"]
    t.equal(len(asked), 1, "refused SELECTs")


# ---- CA certificates ----

@test
def the_ca_certificates_in_the_sim_are_a_store(t):
    sim = iotsafe(t)
    leaf = os.path.join(sim.card, "iotsafe.pem")
    found = t.openssl(sim, "storeutl", "-certs", "-text", "sim:trust")
    t.says(found.out, ["Total found: 1", "CA:TRUE"])
    t.openssl(sim, "verify", "-CAstore", "sim:trust", leaf)
    other = t.sim("rsa2048")
    t.openssl(other, "storeutl", "-certs", "sim:trust", expect=None)
    t.simkey(sim, "cert", "sim:trust", expect=USAGE, says="-CAstore")


@test
def a_server_is_trusted_by_a_ca_in_the_sim(t):
    card = t.new_card("--applet", "iotsafe", "--key", "p256")
    der = t.path("server-ca.der")
    t.run(["openssl", "x509", "-in", tls.pki("ca.pem"), "-outform", "DER", "-out", der], preload=False)
    with open(os.path.join(card, "iotsafe"), encoding="ascii") as file:
        text = file.read()
    t.check("ca.pem" in text, text)
    t.run(["cp", tls.pki("ca.pem"), os.path.join(card, "server-ca.pem")], preload=False)
    with open(os.path.join(card, "iotsafe"), "w", encoding="ascii") as file:
        file.write(text.replace("ca.pem", "server-ca.pem"))
    sim = t.sim(card)
    peer = tls.Server(t, os.path.join(card, "ca.pem"))
    command = tls.client_command(peer.port, "sim:signing", "sim:signing", ["-tls1_3"], ("default", "simkey"))
    at = command.index("-CAfile")
    command[at:at + 2] = ["-CAstore", "sim:trust"]
    answered, said, status = tls.talk(t, command, t.env(sim, preload=True))
    t.check(answered and status == 0, said)
    t.says(said, "Verify return code: 0")


# ---- key pairs ----

@test
def a_key_pair_is_made_where_nothing_is_lost(t):
    sim = iotsafe(t)
    key = t.path("new.pem")
    t.simkey(sim, "generate", "signing;id=%01", "--yes", expect=REFUSED, says="certificate .* --replace")
    t.simkey(sim, "generate", "signing", "--yes", expect=USAGE, says="id or object")
    t.simkey(sim, "generate", "signing;container=0", "--yes", expect=USAGE, says="mIAS come with the SIM")
    t.simkey(sim, "generate", "signing;id=%04", expect=USAGE, says="--yes")
    for command, scheme in (("generate", "sim:"), ("key", "SIM:")):  # the id as info tells it
        t.simkey(sim, command, scheme + "signing;id=04", expect=ABSENT, says="key id 3034: .*--verbose.* key_id 04 is id=%04")
    t.equal(sim.count("GENERATE KEY PAIR"), 0, "key pairs made")
    t.simkey(sim, "generate", "signing;id=%01", "--yes", "--replace", "--out", key, says="lost for good.*certificate")
    csr = t.path("new.csr")
    t.openssl(sim, "req", "-new", "-key", key, "-subj", "/CN=new", "-out", csr)
    t.run(["openssl", "req", "-in", csr, "-noout", "-verify"], preload=False)
    t.simkey(sim, "cert", "signing", expect=ABSENT, says="no certificate of its key id 01")
    data, signature = signed(t, sim, "sim:signing")
    t.openssl(sim, "pkey", "-in", key, "-pubout", "-out", t.path("pub"))
    t.run(["openssl", "dgst", "-sha256", "-verify", t.path("pub"), "-signature", signature, data], preload=False)


@test
def no_key_pair_is_lost_for_a_file_that_cannot_be_written(t):
    sim = iotsafe(t)
    again = ["generate", "signing;id=%01", "--yes", "--replace"]
    before = public_key(t, sim)
    done = t.simkey(sim, *again, "--out", t.path("nowhere/new.pem"), expect=USAGE, says="cannot write .*No such file")
    t.silent(done.err, "lost")
    t.simkey(sim, *again, "--out", t.dir, expect=USAGE, says="Is a directory")
    t.equal(sim.count("GENERATE KEY PAIR"), 0, "key pairs made")
    t.equal(public_key(t, sim), before, "the key")
    with open("/dev/full", "wb") as full:
        done = subprocess.run([SIMKEY, *again], env=t.env(sim), stdout=full, stderr=subprocess.PIPE, text=True)
    t.equal((done.returncode, sim.count("GENERATE KEY PAIR")), (REFUSED, 1), "its status, and key pairs made")
    t.says(done.stderr, "new key pair is made, but .*`simkey key 'sim:signing;id=%01'`")


def generated(t, switches):
    sim = iotsafe(t, *switches)
    key = t.path("new.pem")
    t.simkey(sim, "generate", "signing;object=BootstrapKey_1", "--yes", "--replace", "--out", key)
    data, signature = signed(t, sim, key)
    t.openssl(sim, "pkey", "-in", key, "-pubout", "-out", t.path("pub"))
    t.run(["openssl", "dgst", "-sha256", "-verify", t.path("pub"), "-signature", signature, data], preload=False)


for n, s in (("that tells the key alone", ["--iotsafe-generated", "key"]),
             ("that tells nothing", ["--iotsafe-generated", "nothing"]),
             ("that gives new ids", ["--iotsafe-new-ids"]),
             ("that takes its time", ["--iotsafe-generate-ms", "6000"])):
    test(name=f"a key pair is made by a card {n}", switches=s)(generated)


# ---- the tools ----

@test
def raw_apdus_are_judged_by_the_applet(t):
    sim = iotsafe(t, applet="both")
    t.simkey(sim, "apdu", "8024000203850105", expect=USAGE, says="PIN command")
    t.simkey(sim, "apdu", "--aid", "A0000000188000000006624151", "802C000203850105", expect=USAGE, says="PIN command")
    t.equal(sim.apdus(), [], "APDUs")
    trace = t.path("trace")
    t.simkey(sim, "apdu", "--aid", "A0000005590010", "--trace", f"at,{trace}", "8024000203850105", "80240102",
             "00A4040C0DA0000000188000000006624151", "00240001", expect=USAGE, says="number 4")
    t.simkey(sim, "apdu", "--aid", "A0000005590010", "--trace", f"apdu,{trace}", "8024000203850105", "80240102")
    t.says(t.read("trace").decode(), "24000203850105")
    t.simkey(sim, "apdu", "--force", "--trace", f"apdu,{trace}", "00240001083030303031313131", expect=None)
    t.silent(t.read("trace").decode(), "3030303031313131")


@test
def info_inventory_verify_and_doctor_know_the_family(t):
    sim = iotsafe(t)
    info = json.loads(t.simkey(sim, "info", "--json").out)
    t.equal(info["applets"]["iotsafe"], True, "iotsafe")
    t.equal(info["applets"]["mias"], False, "mias")
    key = next(c for c in info["containers"] if c.get("key_id") == "01")
    t.equal(key["applet"], "iotsafe", "the applet")
    t.says(key["pem"], "BEGIN CERTIFICATE")
    record = t.write("info.json", json.dumps(info))
    t.says(t.run([SIMKEY, "inventory", record, "--json"]).out, "sim:signing;id=%01;applet=iotsafe")
    t.simkey(sim, "verify", "signing", "--CAfile", os.path.join(sim.card, "ca.pem"))
    found = json.loads(t.simkey(sim, "devices", "--json").out)
    t.equal([device["applet"] for device in found if device["device"] == sim.device], ["iotsafe"], "the applet")
    t.says(t.simkey(sim, "info").out, ["applets +iotsafe", "BootstrapKey_1 +EC P-256 +sign", "clientsessionKey .*empty",
                                            "available +Type A +cannot be read: this SIM does not have"])


@test
def doctor_wants_no_pin_for_it(t):
    """Nor blames a PIN file that simkey.conf names as delivered, and that is not there."""
    sim = iotsafe(t)
    for source, says in (("/nonexistent/pin", "needs no PIN: the one that is configured is not used"),
                         (None, "no PIN is configured, and the IoT SAFE applet needs none")):
        told = t.simkey(sim, "doctor", env=t.env(sim, SIMKEY_PIN=None, SIMKEY_PIN_SOURCE=source)).out
        t.says(told, ["(?m)^ok +pin-source +.*" + says, "(?m)^ok +signature +the SIM signed"])
    other = t.simkey(sim, "doctor", env=t.env(SIMKEY_DEVICE="/nonexistent", SIMKEY_PIN_SOURCE="/nonexistent/pin"),
                     expect=UNREACHABLE)
    t.says(other.out, "(?m)^failure +pin-source +cannot read the PIN")


# ---- enrolment ----

def issued_for(t, sim, key, name):
    """What a CA would answer: a certificate for the key, whose request the SIM signs."""
    csr, cert = t.path(f"{name}.csr"), t.path(f"{name}.crt")
    t.openssl(sim, "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", csr)
    t.run(["openssl", "x509", "-req", "-in", csr, "-CA", tls.pki("ca.pem"), "-CAkey", tls.pki("ca.key"),
           "-CAcreateserial", "-CAserial", t.path("serial"), "-days", "3", "-out", cert], preload=False)
    return cert


def cmp(t, sim, command, key, answer, out, *how):
    """openssl cmp with the server that it has in itself."""
    t.openssl(sim, "cmp", "-cmd", command, "-use_mock_srv", "-newkey", key, "-rsp_cert", answer, "-certout", out,
              "-recipient", "/CN=Test server CA", *how)
    t.equal(t.run(["openssl", "x509", "-in", out], preload=False).out,
            t.run(["openssl", "x509", "-in", answer], preload=False).out, "the certificate that came")


@test
def a_new_key_is_enrolled_and_used(t):
    sim = iotsafe(t)
    key, cert = t.path("new.pem"), t.path("new.crt")
    t.simkey(sim, "generate", "signing;id=%04", "--yes", "--out", key)
    answer = issued_for(t, sim, key, "answer")
    cmp(t, sim, "ir", key, answer, cert, "-subject", "/CN=answer", "-ref", "1", "-secret", "pass:once",
        "-srv_ref", "1", "-srv_secret", "pass:once")
    peer = tls.Server(t, tls.pki("ca.pem"))
    answered, said, status = tls.talk(t, tls.client_command(peer.port, cert, key, ["-tls1_3"], ("default", "simkey")),
                                      t.env(sim, preload=True))
    t.check(answered and status == 0, said)


def renewed(t, card):
    """The key stays, and signs the request for its new certificate. The server of older versions compares the
    certificate that it gives out with the old one, and cannot have another one. (That of 3.5.9 gives out
    -ref_cert, where that is given.)"""
    sim = iotsafe(t) if card == "iotsafe" else t.sim(card)
    old, key = t.exported(sim)
    ca, cert = os.path.join(sim.card, "ca.pem"), t.path("renewed.crt")
    knows_two = "-ref_cert" in t.run(["openssl", "cmp", "-help"], expect=None, preload=False).err
    answer = issued_for(t, sim, key, "answer") if knows_two else old
    cmp(t, sim, "kur", key, answer, cert, "-cert", old, "-key", key, "-srv_cert", tls.pki("server-p256.pem"),
        "-srv_key", tls.pki("server-p256.key"), "-srv_trusted", ca, "-srvcert", tls.pki("server-p256.pem"))


for n in ("iotsafe", "p256", "rsa2048"):
    test(name=f"a certificate is renewed whose key stays in the SIM ({n})", card=n)(renewed)


# ---- RSA ----

def rsa_tls(t, version):
    sim = iotsafe(t, new=["--iotsafe-key", "rsa2048"])
    said = tls.handshake(t, sim, version=version, signatures=None)
    t.says(said, "Signature type: (RSA-PSS|rsa_pss_rsae)")
    closed(t, sim)


for v in ("-tls1_2", "-tls1_3"):
    test(name=f"an RSA key of IoT SAFE, {v[1:]}", version=v)(rsa_tls)
