# SPDX-License-Identifier: Apache-2.0
"""What people write into openssl.cnf: a program and `simkey doctor` take the same of it, and what cannot
be right is told."""

import json
import os
import re

from fixture import MODULE, ROOT, SIMKEY, test
from test_order import conf
from tls import handshake


def cnf(t, sim, *changes, name="changed.cnf"):
    """The usual openssl.cnf with each (text, its replacement)."""
    text = t.read(conf(t, sim, ("default", "simkey"))).decode()
    for old, new in changes:
        t.check(old in text, f"no {old} in {text}")
        text = text.replace(old, new)
    return t.env(None, True, OPENSSL_CONF=t.write(name, text))


def with_properties(t, sim, properties, providers="default = section_default"):
    """The file with default_properties; `base` is there, for what stands in providers."""
    return cnf(t, sim, ("providers = providers", "providers = providers\nalg_section = algorithms"),
               ("default = section_default", f"base = section_default\n{providers}"),
               ("[req]", f"[algorithms]\ndefault_properties = {properties}\n[req]"))


def signs(t, env, expect=0, says=None):
    return t.run(["openssl", "dgst", "-sha256", "-sign", "sim:signing", "-out", t.path("signature"),
                  "/dev/null"], env=env, expect=expect, says=says)


def doctor(t, env, expect=0):
    done = t.run([SIMKEY, "doctor", "--json"], env=env, expect=expect, preload=False)
    return {step["step"]: step for step in json.loads(done.out)}


@test
def underscores_are_hyphens(t):
    sim = t.sim("p256")
    env = cnf(t, sim, ("pin-source", "pin_source"),
              ("activate = 1\ndevice", f"activate = 1\nrun_dir = {t.path('records')}\ndevice"))
    env.pop("SIMKEY_RUN_DIR", None)
    signs(t, env)
    found = doctor(t, env)
    t.equal((found["settings"]["result"], found["signature"]["result"]), ("ok", "ok"), "doctor's words")
    t.says(found["run-dir"]["text"], t.path("records"))
    env = cnf(t, sim, ("pin-source = ", "sim_pin-source = /nonexistent/pin\npin-source = "))
    signs(t, env)
    t.equal(doctor(t, env)["settings"]["result"], "ok", "one of two hyphens")


@test
def the_spelling_with_hyphens_counts_where_both_are_there(t):
    sim = t.sim("p256")
    pin = t.pin_file()
    for lines, good in ((f"pin_source = /nonexistent/pin\npin-source = {pin}", True),
                        (f"pin-source = {pin}\npin_source = /nonexistent/pin", True),
                        (f"pin-source = /nonexistent/pin\npin_source = {pin}", False),
                        ("pin = 0000\npin-source = /nonexistent/pin", True),
                        ("pin-source = /nonexistent/pin\npin = 0000", True)):
        env = cnf(t, sim, (f"pin-source = {pin}", lines))
        signs(t, env, 0 if good else "failure", None if good else "/nonexistent/pin")
        found = doctor(t, env, 0 if good else None)
        t.equal(found["signature"]["result"], "ok" if good else "skipped", f"doctor, with {lines}")
    t.equal(sim.tries(), 3, "tries")


@test
def a_name_that_nobody_knows_is_told(t):
    sim = t.sim("p256")
    env = cnf(t, sim, ("pin-source", "sesion = keep\ncolour = red\n1.activate = 1\npin-source"))
    done = signs(t, env)
    t.equal(done.err, "", "stderr of a program without a trace")
    found = doctor(t, env)
    t.equal(found["settings"]["result"], "warning", "doctor's settings")
    t.says(found["settings"]["text"], ["does not know: sesion, colour;", "PIN .*pin-0000"])
    t.says(found["settings"]["remedy"], "pin-source")
    t.equal(found["signature"]["result"], "ok", "doctor's signature")
    trace = t.path("trace")
    signs(t, dict(env, SIMKEY_TRACE=f"apdu,file:{trace}"))
    told = [line for line in t.read("trace").decode().splitlines() if "sesion" in line]
    t.equal(len(told), 1, f"lines in the trace: {told}")
    t.says(told[0], r"does not know: sesion, colour$")
    env = cnf(t, sim)
    signs(t, dict(env, SIMKEY_TRACE=f"apdu,file:{trace}.2"))
    t.silent(t.read("trace.2").decode(), "does not know")
    t.equal(doctor(t, env)["settings"]["result"], "ok", "doctor where all names are known")


@test
def settings_outside_the_section_do_not_count(t):
    sim = t.sim("p256")
    pin = t.pin_file()
    env = cnf(t, sim, (f"pin-source = {pin}\n", ""), ("openssl_conf =", f"pin-source = {pin}\nopenssl_conf ="))
    signs(t, env, "failure", "the signing PIN is needed and none is configured")
    found = doctor(t, env)
    t.equal(found["pin-source"]["result"], "warning", "doctor's PIN")


def documented_fips_line():
    with open(os.path.join(ROOT, "configs", "openssl.cnf"), encoding="ascii") as file:
        return re.search(r"For FIPS: .* and (\S+)\. ", file.read()).group(1)


@test
def the_line_for_fips_in_our_example_works(t):
    """Debian has no FIPS provider: the default one does what is only preferred to be of it, and base's
    stores and decoders are fips=yes. See provider-simkey(7) for one that has."""
    sim = t.sim("p256")
    env = with_properties(t, sim, documented_fips_line())
    _, reference = t.exported(sim)
    signs(t, env)
    t.run(["openssl", "dgst", "-sha256", "-sign", reference, "-out", t.path("signature"), "/dev/null"], env=env)
    t.equal(doctor(t, env)["provider"]["result"], "ok", "doctor's provider")
    for version in ("-tls1_2", "-tls1_3"):
        sim.mark()
        handshake(t, sim, version=version, providers=(), env=env)


@test
def who_demands_fips_gets_certificates_and_doctor_says_why_no_keys(t):
    sim = t.sim("p256")
    env = with_properties(t, sim, "fips=yes,?provider!=simkey")
    done = t.run(["openssl", "storeutl", "-noout", "sim:signing;type=cert"], env=env)
    t.says(done.out, "found: 1")
    signs(t, env, "failure")
    found = doctor(t, env)["provider"]
    t.equal(found["result"], "warning", "doctor's provider")
    t.says(found["text"], "default_properties = fips=yes.*none of the SIM's keys")
    t.says(found["remedy"], re.escape(documented_fips_line()))


def preferred(t, properties, says):
    sim = t.sim("p256")
    found = doctor(t, with_properties(t, sim, properties))["provider"]
    t.equal(found["result"], "warning", "doctor's provider")
    t.says(found["text"], [re.escape(f"default_properties = {properties}"), says])
    t.says(found["remedy"], r"default_properties = \?provider!=simkey")


for line, words in {"?provider=simkey": "has no P-256", "provider=simkey": "has no P-256",
                    "provider=default": "no sim: URI", "provider!=simkey": "no sim: URI"}.items():
    test(name=f"doctor says what {line} does", properties=line, says=words)(preferred)


@test
def doctor_finds_nothing_wrong_with_our_own_line(t):
    sim = t.sim("p256")
    for properties in ("?provider!=simkey", "?provider=default"):
        t.equal(doctor(t, with_properties(t, sim, properties))["provider"]["result"], "ok", properties)


def named(t, changes):
    sim = t.sim("p256")
    env = cnf(t, sim, *changes)
    signs(t, env)
    found = doctor(t, env)
    t.equal((found["provider"]["result"], found["settings"]["result"], found["signature"]["result"]),
            ("ok", "ok", "ok"), "doctor's words")


for how, lines in {"with a number": [("simkey = section", "1.simkey = section")],
                   "by its identity": [("simkey = section_simkey", "sim = section_simkey"),
                                       ("[section_simkey]", "[section_simkey]\nidentity = simkey")]}.items():
    test(name=f"doctor finds a section that names the provider {how}", changes=lines)(named)


def requests(t, file_name):
    """openssl req asks for a name, and makes a CA that is one, as with the system's file."""
    sim = t.sim("p256")
    with open(os.path.join(ROOT, "configs", file_name), encoding="utf-8") as file:
        text = re.sub(r"(?m)^# module = .*", f"module = {MODULE}", file.read())
    env = t.env(sim, True, OPENSSL_CONF=t.write("openssl.cnf", text))
    csr, ca, leaf = t.path("csr"), t.path("ca.crt"), t.path("leaf.crt")
    t.run(["openssl", "req", "-new", "-key", "sim:signing", "-out", csr], env=env, stdin="gateway.example\n")
    t.says(t.run(["openssl", "req", "-in", csr, "-noout", "-subject"], env=env).out, "CN ?= ?gateway.example")
    t.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=a CA",
           "-keyout", t.path("ca.key"), "-out", ca], env=env)
    t.run(["openssl", "x509", "-req", "-in", csr, "-CA", ca, "-CAkey", t.path("ca.key"), "-out", leaf], env=env)
    t.says(t.run(["openssl", "verify", "-CAfile", ca, leaf], env=env).out, "OK$")


for name in ("openssl.cnf", "openssl-nopss.cnf"):
    test(name=f"openssl req has in {name} what it needs", file_name=name)(requests)
