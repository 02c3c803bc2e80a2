# SPDX-License-Identifier: Apache-2.0
"""The C program api.c: what a program sees that uses libcrypto and libssl directly."""

import os

from fixture import BUILD, KEYS, VALGRIND, test

API = os.path.join(BUILD, "api")
PARTS = {
    "loading": "keys load by URI and by PEM reference, sign, and are the same key",
    "reading": "a key reference is read beside certificates in one file",
    "comparing": "EVP_PKEY_eq and SSL_CTX_check_private_key hold, with keys of the old kind too",
    "secrecy": "no call hands out the private key",
    "functions": "each function that prints, writes, compares, asks or sets works, or says why not",
    "public": "what takes the public half alone works with the private key's object",
    "composite": "signature algorithms that name their digest work, or stay digests before 3.4",
    "others": "software keys are made and compared beside the SIM's",
    "tls-1.2": "TLS 1.2 with P-256 only",
    "tls-1.3": "TLS 1.3 with P-256 only",
    "refusals": "wrong URIs leave our words in the error queue",
    "threads": "four threads sign",
    "children": "four children sign after a fork",
    "fork-while-signing": "children of a fork in the middle of another thread's signature sign",
    "unload": "the key signs after the provider's unload was asked for",
    "contexts": "two library contexts, one by a file and one by the environment",
}
ORDERS = {"default first": ("default", "simkey"), "simkey first": ("simkey", "default")}


def command(t, sim, order, parts, *settings):
    cert, reference = t.exported(sim, *settings)
    return [API, BUILD, cert, reference, *ORDERS[order], *parts]


def settings(t, sim, **more):
    return t.env(sim, SIMKEY_PIN_SOURCE=None, SIMKEY_PIN="0000", **more)


def in_c(t, key, order, part, carrier):
    sim = t.sim(key, "--sign-ms", "100")
    result = t.run(command(t, sim, order, [part]), preload=False,
                   env=settings(t, sim, SIMKEY_TRANSPORT=carrier))
    t.says(result.out, "[1-9]\\d* checks, 0 failures")
    t.equal(result.err, "", "stderr")
    t.equal(sim.tries(), 3, "tries")


for name, sentence in PARTS.items():
    for first in ORDERS:
        for kind, by in zip(KEYS, ("csim", "ccho", "csim")):
            test(name=f"{sentence}; {kind}, {first}", key=kind, order=first, part=name,
                 carrier=by)(in_c)


def busy_forks(t, carrier):
    sim = t.sim("p256", "--sign-ms", "3")
    result = t.run(command(t, sim, "default first", ["busy-forks"]), preload=False, seconds=100,
                   env=settings(t, sim, SIMKEY_TRANSPORT=carrier,
                                SIMKEY_TRACE=f"at,file:{t.path('trace')}"))
    t.says(result.out, "[1-9]\\d* checks, 0 failures")
    t.equal(result.err, "", "stderr")
    t.equal(sim.tries(), 3, "tries")


for by in ("csim", "ccho"):
    test(name=f"forks of a program with forty threads in operations keep no descriptor, {by}",
         carrier=by)(busy_forks)


def under_valgrind(t, key, parts):
    sim = t.sim(key, "--sign-ms", "50")
    result = t.run(["valgrind", "--quiet", "--leak-check=full", "--show-leak-kinds=definite,indirect",
                    "--errors-for-leak-kinds=definite,indirect", "--error-exitcode=99",
                    "--child-silent-after-fork=yes", "--track-fds=no",
                    *command(t, sim, "simkey first", parts)],
                   env=settings(t, sim, SIMKEY_TIMEOUT="60"), preload=False, seconds=280)
    t.says(result.out, "[1-9]\\d* checks, 0 failures")
    t.equal(result.err, "", "what valgrind said")


for kind, some in (("rsa2048", ["loading", "secrecy", "tls-1.2", "tls-1.3", "refusals"]),
                   ("p256", ["comparing", "tls-1.3", "threads", "contexts", "unload"]),
                   ("p384", ["loading", "tls-1.2", "children"])):
    test(name=f"valgrind finds nothing with a {kind} key in {', '.join(some)}", key=kind,
         parts=some, seconds=300, long=True, left_out=VALGRIND)(under_valgrind)
