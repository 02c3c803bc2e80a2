# SPDX-License-Identifier: Apache-2.0
"""trace = provider: a line for each call of libcrypto's, and nothing of what is signed."""

import hashlib
import re

from fixture import test

PIN = "739146"

LINE = re.compile(r"^\d+\.\d{3} simkey\[\d+\] (\w+) (.*)$")


def calls_of(t, sim, *arguments, level="provider"):
    """The calls that one run of openssl makes, as (function, what is said of it)."""
    t.write("trace", b"")
    result = t.openssl(None, *arguments,
                       env=t.env(sim, True, SIMKEY_PIN_SOURCE=t.pin_file(PIN),
                                 SIMKEY_TRACE=f"{level},file:{t.path('trace')}"))
    t.equal(result.err, "", "what openssl says")
    text = t.read("trace").decode()
    lines = [LINE.match(line) for line in text.splitlines()]
    t.check(all(lines), f"not lines of calls: {text}")
    return [match.groups() for match in lines], text


@test
def each_call_of_a_signature_is_told(t):
    sim = t.sim(t.new_card("--key", "rsa2048", "--pin", PIN))
    data = b"DATA THAT NOBODY MAY READ IN A TRACE"
    plain = t.write("plain", data)
    calls, text = calls_of(t, sim, "dgst", "-sha256", "-sign", "sim:signing", "-out", t.path("sig"), plain)
    said = dict(calls)
    for function in ("provider_query_operation", "store_open", "store_load", "keymgmt_load", "keymgmt_export",
                     "signature_digest_sign_init", "signature_digest_sign_update", "signature_digest_sign_final"):
        t.check(function in said, f"{function} is not told")
    t.check("key RSA 2048 (container 0, key id 31)" in said["keymgmt_load"], said["keymgmt_load"])
    t.check("digest SHA2" in said["signature_digest_sign_init"].replace("SHA256", "SHA2"),
            said["signature_digest_sign_init"])
    t.equal(said["signature_digest_sign_update"], f"{len(data)} bytes", "the update")
    t.equal(said["signature_digest_sign_final"], "ends: 256 bytes", "the end of it")
    digest = hashlib.sha256(data).digest()
    for secret in (data.decode(), data.hex(), digest.hex(), PIN, PIN.encode().hex(), t.read("sig")[:16].hex()):
        t.check(secret.lower() not in text.lower(), f"{secret} is in the trace")


@test
def no_call_is_told_at_another_level(t):
    sim = t.sim(t.new_card("--key", "rsa2048", "--pin", PIN))
    for level in ("apdu", "at"):
        t.write("trace", b"")
        t.openssl(None, "pkey", "-in", "sim:signing", "-pubout", "-out", t.path("pub"),
                  env=t.env(sim, True, SIMKEY_TRACE=f"{level},file:{t.path('trace')}"))
        text = t.read("trace").decode()
        t.check("store_open" not in text and "keymgmt_" not in text, text)
        t.check("9000" in text, f"no APDU at {level}")


@test
def a_pin_that_was_typed_into_a_uri_is_not_told(t):
    sim = t.sim(t.new_card("--key", "rsa2048", "--pin", PIN))
    t.write("trace", b"")
    result = t.openssl(None, "pkey", "-in", f"sim:signing?pin={PIN}", "-noout", expect=1,
                       env=t.env(sim, True, SIMKEY_TRACE=f"provider,file:{t.path('trace')}"))
    text = t.read("trace").decode()
    t.check("store_open a URI that is refused" in text, text)
    t.check(PIN not in text, "the PIN is in the trace")
    t.check("PIN" in result.err, result.err)
