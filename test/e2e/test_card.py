# SPDX-License-Identifier: Apache-2.0
"""Cards and modems that behave otherwise: TLS works with each of them, by URI (which reads the
card's files) and by PEM files."""

from fixture import KEYS, test
from tls import handshake

BOTH = ("csim", "ccho")
CARDS = {
    # words: switches, carriers, keys
    "MSE SET is used up by a signature": (["--mse-each"], BOTH, KEYS),
    "mIAS on one channel at a time": (["--single-select"], BOTH, ("p256",)),
    "61xx and 6Cxx as T=0 has them": (["--t0"], BOTH, KEYS),
    "the modem follows 61xx itself": (["--get-response"], BOTH, KEYS),
    "T=0 and the modem follows 61xx itself": (["--t0", "--get-response"], BOTH, ("rsa2048",)),
    "no case 4 command with Le": (["--reject-le"], BOTH, KEYS),
    "T=0 and no case 4 command with Le": (["--reject-le", "--t0"], BOTH, ("rsa2048",)),
    "no SELECT with P2 0C": (["--p2-0c-refused"], BOTH, ("p256",)),
    "no AT+CSIM": (["--no-csim"], ("auto", "ccho"), ("p256",)),
    "no AT+CCHO": (["--no-ccho"], ("auto", "csim"), ("p256",)),
    "no MANAGE CHANNEL over AT+CSIM": (["--no-manage-channel"], ("auto", "ccho"), ("p256",)),
    "no AT+CCHC": (["--fault", "no-cchc"], ("auto", "csim"), ("p256",)),
    "reads of 100 octets": (["--max-read", "100"], BOTH, ("p256",)),
    "reads of 20 octets": (["--max-read", "20"], ("csim",), ("p256",)),
    "a compressed certificate": (["--cert", "compressed"], BOTH, KEYS),
    "a compressed certificate, T=0, reads of 50 octets":
        (["--cert", "compressed", "--t0", "--max-read", "50"], BOTH, ("rsa2048",)),
    "ECDSA only with algorithm 44": (["--ecdsa-alg44-only"], BOTH, ("p256", "p384")),
    "19 channels": (["--channels", "19"], BOTH, ("p256",)),
    "one channel": (["--channels", "1"], BOTH, ("p256",)),
    "no OAEP": (["--no-oaep"], ("csim",), ("rsa2048",)),
    "signatures that take 1.5 s": (["--sign-ms", "1500"], ("csim",), ("rsa2048",)),
    "a line of 9600 baud": (["--baud", "9600"], ("csim",), ("p256",)),
}
ICCID_COMMANDS = ("+CCID", "+ICCID", "+QCCID", "#CCID", "+CICCID", "%XICCID", "+CRSM")
FAULTS = ("lower-case", "no-quotes", "no-blank", "blanks", "bare-ccho", "session16",
          "urc", "urc:1", "urc:3", "cme-text", "plain-error", "no-compound", "busy:1", "busy:5",
          "two-finals", "mute:1200", "late:60")
MIXTURES = (("lower-case", "no-quotes", "urc"), ("plain-error", "no-compound"),
            ("cme-text", "two-finals", "busy:2"), ("blanks", "session16", "urc:1"),
            ("no-blank", "no-quotes", "bare-ccho"))


def tls_works(t, switches, carrier, key):
    sim = t.sim(key, *switches)
    env = t.env(sim, True, SIMKEY_TRANSPORT=carrier)
    handshake(t, sim, env=env, signatures=None)
    cert, reference = t.exported(sim, "--transport", carrier)
    handshake(t, sim, cert, reference, env=env, version="-tls1_2", signatures=None)
    t.check(sim.count("PSO CDS") >= 1, "no signature")
    t.equal((sim.tries(), sim.tries("pin1")), (3, 3), "tries")


def all_cards():
    for words, (switches, carriers, keys) in CARDS.items():
        for carrier in carriers:
            for key in keys:
                yield f"{words}, {carrier}, {key}", switches, carrier, key
    for fault in FAULTS:
        for carrier in BOTH:
            for key in ("rsa2048", "p256"):
                yield f"the modem's fault {fault}, {carrier}, {key}", ["--fault", fault], carrier, key
    for mixture in MIXTURES:
        switches = [word for fault in mixture for word in ("--fault", fault)]
        for carrier in BOTH:
            yield f"the faults {', '.join(mixture)}, {carrier}", switches, carrier, "p256"
    for command in ICCID_COMMANDS:
        yield (f"the ICCID only by AT{command}", ["--iccid-commands", command], "auto", "p256")


for sentence, options, by, kind in all_cards():
    test(name=sentence, switches=options, carrier=by, key=kind)(tls_works)


@test
def a_modem_that_does_not_tell_the_iccid(t):
    sim = t.sim("p256", "--iccid-commands", "none")
    handshake(t, sim)
    cert, reference = t.exported(sim)
    handshake(t, sim, cert, reference)


LETTERS = "898830070000124A567"


@test
def an_iccid_that_only_the_card_tells(t):
    sim = t.sim(t.new_card("--iccid", LETTERS), "--iccid-commands", "none")
    for _ in range(3):
        t.says(t.simkey(sim, "info").out, f"SIM +{LETTERS}")
    t.says(t.simkey(sim, "doctor").out, f"ok +iccid +{LETTERS}")


def an_iccid_with_letters(t, command, carrier):
    """Whole, by whichever way the modem tells it, and a key reference finds its SIM by it."""
    sim = t.sim(t.new_card("--iccid", LETTERS), "--iccid-commands", command)
    env = t.env(sim, True, SIMKEY_TRANSPORT=carrier)
    cert, reference = t.exported(sim, "--transport", carrier)
    with open(reference, encoding="ascii") as file:
        found = t.run(["openssl", "asn1parse"], stdin=file.read().encode()).out
    t.says(found, ["INTEGER *:02", f"PRINTABLESTRING *:{LETTERS}"])
    handshake(t, sim, cert, reference, env=env)
    t.says(t.simkey(sim, "info").out, LETTERS)
    t.openssl(None, "dgst", "-sha256", "-sign", f"sim:signing;iccid={LETTERS.lower()}", "/dev/null", env=env)
    t.openssl(None, "dgst", "-sha256", "-sign", f"sim:signing;iccid={LETTERS[:12]}", "/dev/null", env=env,
              expect="failure", says=LETTERS)
    t.equal(sim.tries(), 3, "tries")


for words in ("+CRSM", "+CCID", "#CCID"):
    for way in BOTH:
        test(name=f"an ICCID with letters by AT{words}, {way}", command=words, carrier=way)(an_iccid_with_letters)


@test
def no_way_to_close_a_session_over_ccho(t):
    sim = t.sim("p256", "--fault", "no-cchc")
    handshake(t, sim, env=t.env(sim, True, SIMKEY_TRANSPORT="ccho"))


@test
def an_explicit_transport_is_not_replaced_by_the_other(t):
    for switch, carrier in (("--no-csim", "csim"), ("--no-ccho", "ccho")):
        sim = t.sim("p256", switch)
        t.openssl(None, "dgst", "-sha256", "-sign", "sim:signing", "/dev/null", expect="failure",
                  env=t.env(sim, True, SIMKEY_TRANSPORT=carrier), says="simkey:")
        t.equal(sim.words(), [], "APDUs")


def public_key_is_read(t, key, form):
    """Every container's certificate, plain and compressed, is what the card has."""
    import os
    sim = t.sim(key, "--cert", form)
    for container in (0, 2, 3, 4, 6):
        got = t.openssl(sim, "x509", "-in", f"sim:signing;container={container}", "-outform", "PEM")
        with open(os.path.join(sim.card, f"signing-{container}.pem"), encoding="ascii") as file:
            t.equal(got.out.strip(), file.read().strip(), f"certificate {container}")
        out = t.path("cert.der")
        t.simkey(sim, "cert", f"sim:signing;container={container}", "--der", "--out", out)
        der = t.run(["openssl", "x509", "-in", os.path.join(
            sim.card, f"signing-{container}.pem"), "-outform", "DER"])
        t.equal(t.read("cert.der"), der.raw, "DER")


for kind in KEYS:
    for way in ("plain", "compressed"):
        test(name=f"all {way} certificates of the {kind} card are read", key=kind,
             form=way)(public_key_is_read)
