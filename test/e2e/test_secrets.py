# SPDX-License-Identifier: Apache-2.0
"""No PIN and no private byte in a trace, an error, or an exported file."""

import os

from fixture import MODULE, SIMKEY, test
from tls import handshake

PIN, PIN1 = "739146", "58203917"
WINDOW = 8  # octets in a row that may not show


def secret_windows(t, sim, name):
    """Pieces of the secret numbers of an RSA key of the card, in lower-case hex."""
    der = t.run(["openssl", "rsa", "-in", os.path.join(sim.card, "private", name), "-traditional",
                 "-outform", "DER"], preload=False).raw
    secret = der[11 + 257 + 5 + 4:]  # behind version, modulus and exponent
    t.check(len(secret) > 800, "not the key's secret part")
    return {secret[i:i + WINDOW].hex() for i in range(0, len(secret) - WINDOW, WINDOW // 2)}


def personalised(t, *switches):
    card = t.new_card("--key", "rsa2048", "--pin", PIN, "--pin1", PIN1)
    return t.sim(card, "--trace-at", *switches)


def env_of(t, sim, preload, **more):
    return t.env(sim, preload, SIMKEY_PIN_SOURCE=t.pin_file(PIN),
                 SIMKEY_SIM_PIN_SOURCE=t.pin_file(PIN1), **more)


def look(t, text, sim, what):
    text = text.lower()
    for pin in (PIN, PIN1):
        for form in (pin, pin.encode().hex()):
            t.check(form not in text, f"the PIN {pin} is in {what}")
    for name in ("available.key", "signing-0.key"):
        for window in secret_windows(t, sim, name):
            t.check(window not in text, f"a part of {name} is in {what}")


def everything_once(t, sim, env):
    said = handshake(t, sim, env=env, signatures=None)
    for arguments in (["pkey", "-in", "sim:available", "-noout"],
                      ["pkey", "-in", "sim:available;store=files", "-noout"],
                      ["dgst", "-sha256", "-sign", "sim:signing", "-out", t.path("sig"), "/dev/null"]):
        result = t.openssl(None, *arguments, env=env)
        said += result.out + result.err
    plain = t.write("plain", b"NOBODY MAY READ THIS")
    t.openssl(None, "pkey", "-in", "sim:signing", "-pubout", "-out", t.path("pub"), env=env)
    t.run(["openssl", "pkeyutl", "-encrypt", "-pubin", "-inkey", t.path("pub"), "-in", plain,
           "-out", t.path("cryptogram")], preload=False)
    t.openssl(None, "pkeyutl", "-decrypt", "-inkey", "sim:signing", "-in", t.path("cryptogram"),
              "-out", t.path("back"), env=env)
    t.equal(t.read("back"), t.read("plain"), "what was deciphered")
    return said


def our_trace(t, level, carrier, switches):
    sim = personalised(t, *switches)
    trace = t.path("our.trace")
    setting = f"{level},file:{trace}"
    said = everything_once(t, sim, env_of(t, sim, True, SIMKEY_TRACE=setting,
                                          SIMKEY_TRANSPORT=carrier))
    env = env_of(t, sim, False, SIMKEY_TRACE=setting)
    for arguments in (["pin", "verify"], ["pin", "status"], ["info"],
                      ["key", "available", "--out", t.path("available")]):
        result = t.run([SIMKEY, *arguments], env=env, preload=False)
        said += result.out + result.err
    text = t.read("our.trace").decode("latin1")
    t.says(text, ["0020008106\\[6 bytes\\]", "002A9E9A00"] if level == "apdu" else r"AT\+(CSIM|CGLA)=")
    t.silent(text, [b"NOBODY MAY READ THIS".hex(), "NOBODY MAY"])
    look(t, text, sim, "our trace")
    look(t, said, sim, "what the programs said")
    t.equal(os.stat(trace).st_mode & 0o077, 0, "the trace file's mode for others")
    with open(sim.trace, encoding="latin1") as file:
        look(t, file.read(), sim, "simmodem's trace")


for detail in ("apdu", "at"):
    for by in ("csim", "ccho"):
        for words, options in (("a plain card", []), ("a T=0 card", ["--t0"]),
                               ("a modem whose echo comes back", ["--fault", "echo-returns:3"])):
            test(name=f"nothing secret in a trace of level {detail}, {by}, {words}", level=detail,
                 carrier=by, switches=options)(our_trace)


@test
def a_trace_to_stderr_holds_no_secret(t):
    sim = personalised(t)
    for level in ("apdu", "at"):
        env = env_of(t, sim, True, SIMKEY_TRACE=level)
        result = t.openssl(None, "pkey", "-in", "sim:available", "-noout", env=env)
        t.says(result.err, r"AT\+|00A4")
        look(t, result.err, sim, "stderr")


@test
def exported_files_hold_no_secret(t):
    import base64
    sim = personalised(t)
    env = env_of(t, sim, False)
    key, cert = t.path("key.pem"), t.path("cert.pem")
    t.run([SIMKEY, "key", "signing", "--out", key], env=env, preload=False)
    t.run([SIMKEY, "cert", "signing", "--out", cert], env=env, preload=False)
    for name in ("key.pem", "cert.pem"):
        body = "".join(line for line in t.read(name).decode().splitlines() if "-----" not in line)
        look(t, t.read(name).decode() + base64.b64decode(body).hex(), sim, name)


@test
def the_module_exports_one_symbol_only(t):
    result = t.run(["nm", "-D", "--defined-only", MODULE], preload=False)
    t.equal([line.split()[-1] for line in result.out.splitlines() if " A " not in line],
            ["OSSL_provider_init"], "symbols")
