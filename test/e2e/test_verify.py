# SPDX-License-Identifier: Apache-2.0
"""simkey verify: chains of both generations, everything that can be wrong with them, and the proof
that the key is in this SIM. Each verdict on a chain is compared with that of openssl verify."""

import os
import shutil
import time

from fixture import PIN, SHARED, SIMKEY, USAGE, VERIFY, test
from hierarchy import FAR, NOW, PAST, Authority, certify, generation

ROOT_ONLY = slice(0, 1)


class Place:
    """A card with a certificate of a hierarchy, in its modem when first asked."""

    def __init__(self, t, chain, key="p256", what="signing", **how):
        self.t, self.chain, self.what, self.modem = t, chain, what, None
        self.card = t.path(f"card-{t.number()}")
        shutil.copytree(os.path.join(SHARED, "cards", key), self.card)
        self.cert = certify(t, self.card, chain[-1], "signing-0" if what == "signing" else what, **how)

    def bundle(self, authorities=None):
        text = "".join(a.pem() for a in (self.chain if authorities is None else authorities))
        return self.t.write(f"bundle-{self.t.number()}.pem", text)

    def crls(self, *texts):
        return self.t.write(f"crl-{self.t.number()}.pem", "".join(texts))

    def verify(self, bundle, says=(), crl=None, purpose=None, proven=True, expect=None):
        """says: what is wrong with the chain, in words; none: it is good."""
        t = self.t
        if self.modem is None:
            self.modem = t.sim(self.card)
        options = (["--crl", crl] if crl else []) + (["--purpose", purpose] if purpose else [])
        expect = expect if expect is not None else VERIFY if says or not proven else 0
        done = t.simkey(self.modem, "verify", self.what, "--CAfile", bundle, *options, expect=expect)
        t.says(done.out, says)
        if expect in (0, VERIFY):
            t.says(done.out, ["(?m)^ok +certificate +CN=the SIM",
                              "(?m)^failure +chain" if says else "(?m)^ok +chain",
                              "(?m)^ok +possession" if proven else "(?m)^failure +possession"])
        self.agrees(bundle, crl, purpose, "failure" if expect == USAGE else 2 if says else 0)
        return done

    def agrees(self, bundle, crl, purpose, status):
        """-CApath /dev/null, as the vendor has it, is "Not a directory" for openssl today."""
        options = (["-crl_check_all", "-CRLfile", crl] if crl else []) + \
            (["-purpose", "ssl" + purpose] if purpose else [])
        self.t.run(["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", bundle, *options,
                    self.cert], preload=False, expect=status)


def good(t, number, key, what):
    place = Place(t, generation(t, number), key, what)
    done = place.verify(place.bundle(), purpose="client")
    path = " <- ".join(f"CN={name}" for name in
                       [f"the SIM {'signing-0' if what == 'signing' else what}",
                        *(a.name for a in reversed(place.chain))])
    t.says(done.out, [f"(?m)^ok +chain +{path}$", "2055-01-01T00:00:00Z"])
    t.equal(done.err, "", "stderr")
    t.signatures(place.modem, 1 if what == "signing" else 0)


for generation_number in (1, 2):
    for card_key, asked in (("rsa2048", "signing"), ("p256", "signing"), ("p384", "available")):
        test(name=f"{asked} of generation {generation_number} with {card_key}, until 2055",
             number=generation_number, key=card_key, what=asked)(good)


@test
def a_bundle_may_be_in_any_order_and_hold_other_hierarchies(t):
    chain, other = generation(t, 1), generation(t, 2)
    place = Place(t, chain)
    root, policy, issuer = chain
    for order in ([issuer, policy, root], [policy, root, issuer], [other[1], issuer, root, other[0], policy],
                  [root, root, issuer, policy, issuer]):
        place.verify(place.bundle(order))
    text = "a heading\r\n" + "".join(f"# {a.name}\n{a.pem()}\n" for a in chain).replace("\n", "\r\n")
    place.verify(t.write("with-text.pem", text))


def wrong_date(t, number, who, begin, end, says):
    dates = {"begin": begin, "end": end}
    chain = generation(t, number, **({} if who == "SIM" else {who: dates}))
    place = Place(t, chain, **(dates if who == "SIM" else {}))
    done = place.verify(place.bundle(), says)
    t.says(done.err, says)


for who in ("SIM", "issuer", "root"):
    test(name=f"{who} expired", number=2, who=who, begin=PAST, end=NOW,
         says=f"expired: CN=.*{who}.* ended on 2024-01-01T00:00:00Z")(wrong_date)
    test(name=f"{who} not yet valid, before and after 2038", number=1, who=who,
         begin="20450101000000Z", end=FAR, says="not yet valid: CN=.*2045-01-01T00:00:00Z")(wrong_date)


@test
def an_end_that_is_near_is_told_in_time(t):
    """For a timer: status 7, though all else is well."""
    place = Place(t, generation(t, 1), begin=PAST, end=time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + 10.5 * 86400)))
    bundle = place.bundle()
    place.verify(bundle)
    for days, status in ((1, 0), (10, 0), (11, VERIFY), (365, VERIFY)):
        done = t.simkey(place.modem, "verify", "signing", "--CAfile", bundle, "--warn", str(days), expect=status)
        t.says(done.out, ["(?m)^ok +chain", "(?m)^ok +possession"])
        if status:
            t.says(done.out, r"(?m)^failure +end +the certificate ends on \d{4}-\d\d-\d\dT.*, in 10 days")
            t.says(done.err, "ends on")
        else:
            t.silent(done.out + done.err, "ends on")
    for bad in ("0", "-1", "soon", "", "36501", "7d"):
        t.simkey(place.modem, "verify", "signing", "--CAfile", bundle, "--warn", bad, expect=USAGE, says="--warn")


@test
def an_unknown_issuer_is_named(t):
    chain, foreign = generation(t, 1), generation(t, 2)
    place = Place(t, chain)
    place.verify(place.bundle(foreign), "unknown issuer: .*CN=G1 issuer, which issued CN=the SIM")
    place.verify(place.bundle(chain[ROOT_ONLY]), "unknown issuer: .*CN=G1 issuer, which issued CN=the SIM")
    place.verify(place.bundle(chain[1:]), "unknown issuer: .*CN=G1 root, which issued CN=G1 policy")
    place.verify(place.bundle([chain[0], chain[2]]), "unknown issuer: .*CN=G1 policy, which issued CN=G1 issuer")


@test
def a_root_of_the_same_name_does_not_do(t):
    place = Place(t, generation(t, 2))
    # OpenSSL 4.0 no longer passes over an issuer whose key identifier differs.
    place.verify(place.bundle(generation(t, 2)), "unknown issuer: .*CN=G2 issuer, which issued CN=the SIM"
                 "|bad signature: CN=the SIM .* key of CN=G2 issuer")


@test
def nor_does_one_that_no_key_identifier_tells_apart(t):
    bare = {name: {"extensions": "bare_authority"} for name in ("root", "issuer")}
    place = Place(t, generation(t, 2, **bare), extensions="bare_client")
    place.verify(place.bundle(generation(t, 2, **bare)), "bad signature: CN=the SIM .* key of CN=G2 issuer")


@test
def a_certificate_for_servers_is_not_for_clients(t):
    place = Place(t, generation(t, 2), extensions="server")
    place.verify(place.bundle(), "wrong purpose: CN=the SIM \\S+ is not for TLS clients", purpose="client")
    place.verify(place.bundle(), purpose="server")
    place.verify(place.bundle())


@test
def who_is_no_ca_may_not_issue(t):
    place = Place(t, generation(t, 2, issuer={"extensions": "no_ca"}))
    place.verify(place.bundle(), "CN=G2 issuer is not a CA")


@test
def all_reasons_are_told_at_once(t):
    place = Place(t, generation(t, 2, issuer={"begin": PAST, "end": NOW}), extensions="server", end=NOW,
                  begin=PAST)
    place.verify(place.bundle(), ["expired: CN=the SIM", "expired: CN=G2 issuer", "wrong purpose"],
                 purpose="client")


@test
def renewed_and_cross_signed_cas_do(t):
    chain, foreign = generation(t, 2), generation(t, 2, " of another")
    place = Place(t, chain)
    root, issuer = chain

    def again(authority, by, **how):
        out = t.path(f"again-{t.number()}")
        by.issue(authority.file("csr"), out, "authority", **how)
        with open(out, encoding="ascii") as file:
            return file.read()

    old = again(issuer, root, begin=PAST, end=NOW)
    older_root = again(root, root, begin=PAST, end=NOW)
    cross, cross_root = again(issuer, foreign[0]), again(root, foreign[0])
    parts = {"old": old, "issuer": issuer.pem(), "root": root.pem(), "cross": cross, "cross root": cross_root,
             "foreign": foreign[0].pem(), "older root": older_root}
    for names, says in (
            (("old", "issuer", "root"), ()), (("issuer", "old", "root"), ()), (("old", "root"), "expired: CN=G2 issuer"),
            (("older root", "root", "issuer"), ()), (("root", "older root", "issuer"), ()),
            (("older root", "issuer"), "expired: CN=G2 root"),
            (("cross", "foreign"), ()), (("issuer", "cross root", "foreign"), ()),
            (("issuer", "cross root"), "unknown issuer: .*CN=G2 root of another"),
            (("issuer", "cross", "root"), ()), (("cross", "issuer", "foreign"), ()),
            (("issuer", "root", "cross root"), ()), (("issuer", "cross root", "root", "foreign", "cross"), ())):
        print("--", *names, flush=True)
        place.verify(t.write("mix.pem", "".join(parts[name] for name in names)), says)
    # With a cross-signed root whose issuer is absent, openssl's verdict on one file depends on the order
    # in it; told what is trusted and what is not, it says the same as we in any order.
    mixed = t.write("mix.pem", issuer.pem() + cross_root + root.pem())
    t.simkey(place.modem, "verify", "signing", "--CAfile", mixed)
    t.run(["openssl", "verify", "-no-CApath", "-no-CAstore", "-CAfile", root.file("pem"), "-untrusted", mixed,
           place.cert], preload=False)


@test
def the_system_and_its_environment_are_not_trusted(t):
    place = Place(t, generation(t, 2))
    bundle = place.bundle(place.chain[1:])
    modem = place.modem = t.sim(place.card)
    everything = place.bundle()
    t.simkey(modem, "verify", "signing", "--CAfile", bundle,
             env=t.env(modem, SSL_CERT_FILE=everything, SSL_CERT_DIR=t.dir), expect=VERIFY,
             says="unknown issuer")


def foreign_key(t, key, other):
    """The certificate in container 0 is another SIM's."""
    place = Place(t, generation(t, 2), key)
    stranger = Place(t, place.chain, other)
    shutil.copy(stranger.cert, place.cert)
    done = place.verify(place.bundle(), proven=False)
    t.says(done.err, "do not belong together")


for inside, outside in (("p256", "p384"), ("rsa2048", "p256"), ("p256", "rsa2048")):
    test(name=f"another SIM's {outside} certificate on a SIM with {inside}", key=inside,
         other=outside)(foreign_key)


@test
def a_certificate_for_another_sims_key_of_the_same_kind(t):
    for what in ("signing-0", "available"):
        place = Place(t, generation(t, 2), "p256", what.partition("-")[0])
        stranger = t.path(f"stranger-{t.number()}")
        os.makedirs(os.path.join(stranger, "private"))
        t.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
               os.path.join(stranger, "private", what + ".key")], preload=False)
        shutil.copy(certify(t, stranger, place.chain[-1], what), place.cert)
        done = place.verify(place.bundle(), proven=False)
        t.says(done.err, "do not belong together")


@test
def crls_say_who_is_revoked(t):
    for number in (1, 2):
        place = Place(t, generation(t, number))
        bundle = place.bundle()
        clean = [a.crl() for a in place.chain]
        place.verify(bundle, crl=place.crls(*clean))
        place.verify(bundle, crl=place.crls(*reversed(clean)))
        place.verify(bundle, "no CRL for the issuer: .* has none of CN=G. issuer", crl=place.crls(*clean[:-1]))
        place.verify(bundle, "no CRL for the issuer: .* has none of CN=G. root", crl=place.crls(*clean[1:]))
        old = place.chain[-1].crl("-crl_lastupdate", PAST, "-crl_nextupdate", NOW)
        place.verify(bundle, "the CRL of CN=G. issuer is out of date", crl=place.crls(*clean[:-1], old))
        place.chain[-1].revoke(place.cert)
        revoked = place.chain[-1].crl()
        place.verify(bundle, "revoked: CN=the SIM .*, on 20", crl=place.crls(*clean[:-1], revoked))
        place.chain[0].revoke(place.chain[1].file("pem"))
        place.verify(bundle, f"revoked: CN={place.chain[1].name}, on 20",
                     crl=place.crls(place.chain[0].crl(), *clean[1:]))


@test
def a_crl_of_somebody_else_of_that_name_is_refused(t):
    bare = {name: {"extensions": "bare_authority"} for name in ("root", "issuer")}
    place, other = Place(t, generation(t, 2, **bare), extensions="bare_client"), generation(t, 2, **bare)
    place.verify(place.bundle(), "the CRL of CN=G2 issuer has a bad signature",
                 crl=place.crls(place.chain[0].crl(), other[1].crl()))


@test
def bundles_that_are_none_are_errors_of_usage(t):
    place = Place(t, generation(t, 2))
    pem = place.chain[0].pem()
    t.run(["openssl", "x509", "-in", place.chain[0].file("pem"), "-outform", "DER", "-out",
           t.path("der.pem")], preload=False)
    for name, text in (("empty", ""), ("garbage", os.urandom(3000)), ("text", "no certificate here\n"),
                       ("cut", pem + pem[:300]), ("bent", pem[:200] + "!" + pem[201:]),
                       ("key", place.chain[0].file("key")), ("der.pem", None), ("crl", place.chain[0].crl())):
        if name == "key":
            with open(text, encoding="ascii") as file:
                text = file.read()
        path = t.path(name) if text is None else t.write(name, text)
        done = place.verify(path, expect=USAGE)
        t.says(done.err, f"{name} (has no certificate in it|is damaged)")
        if name != "crl":
            done = t.simkey(place.modem, "verify", "signing", "--CAfile", place.bundle(), "--crl", path,
                            expect=USAGE)
            t.says(done.err, f"{name} (has no CRL in it|is damaged)")
    for absent in (t.path("absent"), t.dir):
        place.verify(absent, expect=USAGE)
    t.simkey(place.modem, "verify", "signing", expect=USAGE, says="--CAfile BUNDLE")
    t.simkey(place.modem, "verify", "signing", "--CAfile", place.bundle(), "--purpose", "cake", expect=USAGE,
             says="client, server or any")
    t.signatures(place.modem, 0)


@test
def bundles_are_files_of_a_sensible_size(t):
    place = Place(t, generation(t, 2))
    modem, bundle = t.sim(place.card), place.bundle()
    os.mkfifo(t.path("fifo"))
    for name, size in (("17 MiB", 17 << 20), ("5 GiB", 5 << 30)):
        with open(t.path(name), "wb") as file:
            file.truncate(size)
    t.write("many", place.chain[0].pem() * 2001)
    for name, words in (("fifo", "fifo is a FIFO, not a file"), ("/dev/zero", "is a device"),
                        ("17 MiB", "is too large: 16 MiB at most"), ("5 GiB", "is too large"),
                        ("many", "has more than 2000 objects")):
        t.simkey(modem, "verify", "signing", "--CAfile", t.path(name), expect=USAGE, says=words, seconds=20)
        if name != "17 MiB":
            t.simkey(modem, "verify", "signing", "--CAfile", bundle, "--crl", t.path(name), expect=USAGE,
                     says=words, seconds=20)
    for command in (f"<(cat {bundle})", f"/dev/stdin < {bundle}"):
        t.run(["bash", "-c", f"{SIMKEY} verify signing --CAfile {command}"], modem, preload=False)


@test
def thousands_of_cas_of_one_name_take_seconds(t):
    """Also where each was issued by the next: such a chain has no end."""
    place = Place(t, generation(t, 2))
    modem = t.sim(place.card)
    one, other = (Authority(t, name, place.chain[0]) for name in ("G2 issuer", "the other"))
    rings = []
    for issuer, subject in ((one, other), (other, one)):
        issuer.issue(subject.file("csr"), t.path("ring"), extensions="bare_authority")
        rings.append(t.read("ring").decode())
    for name, text in (("ring", "".join(rings) * 900), ("roots", place.chain[0].pem() * 1900)):
        t.simkey(modem, "verify", "signing", "--CAfile", t.write(name, text), seconds=20, expect=VERIFY)
    text = place.chain[0].pem() * 1900 + place.chain[1].pem()
    t.simkey(modem, "verify", "signing", "--CAfile", t.write("good", text), seconds=20)


@test
def a_crl_file_makes_nobody_trusted(t):
    place = Place(t, generation(t, 2))
    crl = place.crls(*(a.crl() for a in place.chain), *(a.pem() for a in place.chain))
    modem = t.sim(place.card)
    t.simkey(modem, "verify", "signing", "--CAfile", place.bundle([Authority(t, "foreign")]), "--crl", crl,
             expect=VERIFY, says="unknown issuer")


@test
def without_the_pin_the_chain_is_told_and_the_key_not_proven(t):
    place = Place(t, generation(t, 2))
    modem = t.sim(place.card)
    for what in ("signing", "available"):
        bundle = place.bundle() if what == "signing" else os.path.join(place.card, "ca.pem")
        done = t.simkey(modem, "verify", what, "--CAfile", bundle,
                        env=t.env(modem, SIMKEY_PIN_SOURCE=None), expect=PIN)
        t.says(done.out, ["(?m)^ok +chain", "(?m)^failure +possession .*none is configured"])
    t.equal(modem.tries(), 3, "tries left")
