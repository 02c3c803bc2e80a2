# SPDX-License-Identifier: Apache-2.0
"""What IoT SAFE cards do differently, with the client that knows only the published facts: forms of the
answers, other keys and hashes, sessions, remote administration, and APDUs that real cards were given."""

from fixture import test
from iotsafe_card import LONG, NOT_NOW, NOT_OF_THIS_KEY, TEXT, Card
from iotsafe_client import (CLOSE, CMAC, DIGEST, FULL_TEXT, GET_DATA, LAST, PRIVATE, PSS, PUBLIC, RSA, SECRET,
                            SHA256, SHA384, SHA512, SIGN_INIT, SIGN_UPDATE, by_id, digest_block,
                            objects, raw_of, signature, tagged_point, text_block, tlv)
from iotsafe_host import der_of, digest, extract
from test_iotsafe_client import every_command, reads_files, signed, verified

KEY = by_id(PRIVATE, b"\1")
PEER = by_id(PUBLIC, b"\5")
BLOCK = digest_block(digest(TEXT))

for serving, how in (
        ("--iotsafe-list grouped --iotsafe-order id --iotsafe-two-octets --iotsafe-size padded", {}),
        ("--iotsafe-list grouped --iotsafe-raw-length --iotsafe-order mixed --iotsafe-end 6A86", {}),
        ("--iotsafe-list flat --iotsafe-order id --iotsafe-bad-92 --iotsafe-data 90 --iotsafe-end 6981", {}),
        ("--iotsafe-list flat --iotsafe-info wrapped --iotsafe-order mixed --iotsafe-page 20 --iotsafe-pem", {}),
        ("--iotsafe-page 1 --iotsafe-info bare --iotsafe-no-labels --iotsafe-no-usage --iotsafe-end 9000", {}),
        ("--iotsafe-list absent --iotsafe-data odd --iotsafe-generated key --iotsafe-bare-point", {"listed": False}),
        ("--iotsafe-der --iotsafe-generated nothing --iotsafe-9110 --iotsafe-no-fci", {}),
        ("--iotsafe-new-ids --iotsafe-sessions 1 --iotsafe-size none --t0", {"le": False}),
        ("--iotsafe-class 0x --get-response", {"cla": 0}), ("--iotsafe-class 8x --reject-le", {"le": False})):
    test(name=f"a client of the facts runs every IoT SAFE command with {serving}", serving=serving,
         **how)(every_command)
test(name="a client of the facts runs every IoT SAFE command with --iotsafe-public-next",
     making="--iotsafe-public-next", public_next=True)(every_command)


@test
def iot_safe_signs_and_verifies_with_all_hashes(t):
    c = Card(t, making="--iotsafe-all-hashes")
    key = c.host.key_in(reads_files(c))
    for hashed, name in ((SHA256, "sha256"), (SHA384, "sha384"), (SHA512, "sha512")):
        signed(c, key, KEY, hashed)
        verified(c, hashed)
        t.equal(c.card.extract(digest(TEXT), b"salt", hashed), extract(digest(TEXT), b"salt", name), "HKDF-Extract")
        c.card.begin(SIGN_INIT, KEY, DIGEST, hashed)
        other = bytes(48 if name == "sha256" else 32)
        c.refuses(NOT_OF_THIS_KEY, c.card.command, SIGN_UPDATE, LAST, 1, digest_block(other), le=0)


@test
def iot_safe_signs_with_an_rsa_key(t):
    c = Card(t, making="--iotsafe-key rsa2048", serving="--t0")
    key = c.host.key_in(reads_files(c))
    for algorithm, padding in ((RSA, "pkcs1"), (PSS, "pss")):
        options = [f"rsa_padding_mode:{padding}", "digest:sha256"] + ["rsa_pss_saltlen:32"] * (algorithm == PSS)
        for mode, block in ((DIGEST, BLOCK), (FULL_TEXT, text_block(TEXT))):
            value = c.card.sign(KEY, block, mode=mode, algorithm=algorithm)
            t.equal(len(value), 256, "length of the signature")
            c.card.begin(SIGN_INIT, KEY, mode, algorithm=algorithm)
            tagged = c.card.command(SIGN_UPDATE, LAST, 1, block, le=0)
            t.equal((tagged[:3], len(tagged)), (b"\x33\1\0", 259), "tag 33 and its length")
            c.card.close(SIGN_INIT)
            t.check(c.host.is_signature(key, digest(TEXT), value, *options), f"wrong: {padding}, mode {mode}")
            t.check(not c.host.is_signature(key, digest(LONG), value, *options), "openssl takes any signature")
    c.refuses(NOT_OF_THIS_KEY, c.card.begin, SIGN_INIT, KEY)


@test
def iot_safe_calculates_a_cmac_as_some_cards_do(t):
    c = Card(t, making="--iotsafe-cmac")
    t.equal(c.card.info(by_id(SECRET, b"\7")).tags[0x92], bytes([CMAC]), "the algorithm")
    key = c.kept("private/iotsafe-cmac")
    for text in (TEXT, LONG[:33], b"x"):
        c.card.begin(SIGN_INIT, by_id(SECRET, b"\7"), FULL_TEXT, algorithm=CMAC)
        got = signature(c.card.command(SIGN_UPDATE, LAST, 1, tlv(0x9F, text), le=0))
        c.card.close(SIGN_INIT)
        t.equal(got, c.host.cmac(key, text), "the CMAC")


@test
def iot_safe_keeps_sessions_apart(t):
    """Two of signing and one of verifying, the blocks between one another."""
    c = Card(t)
    key = c.host.key_in(reads_files(c))
    host, _ = c.put_key()
    c.card.begin(SIGN_INIT, KEY, session=1)
    c.card.begin(SIGN_INIT, KEY, FULL_TEXT, session=2)
    t.check(c.card.verify(PEER, BLOCK, raw(c, host), session=3), "the card's word of a good signature")
    for session, block, text in ((2, text_block(LONG[:100]), LONG[:100]), (1, BLOCK, TEXT)):
        value = signature(c.card.command(SIGN_UPDATE, LAST, session, block, le=0))
        t.check(c.host.is_signature(key, digest(text), der_of(value)), f"wrong in session {session}")
        c.card.command(SIGN_INIT, CLOSE, session)


def raw(c, key):
    """A signature of TEXT by the host."""
    return raw_of(c.host.sign(key, digest(TEXT)))


@test
def iot_safe_with_one_session_left_open_wants_it_closed(t):
    c = Card(t, serving="--iotsafe-left-open")
    c.refuses(NOT_NOW, c.card.begin, SIGN_INIT, KEY)
    c.card.close(SIGN_INIT)
    t.equal(len(c.card.sign(KEY, BLOCK)), 64, "length of a signature")


@test
def iot_safe_takes_the_blocks_of_a_text_one_after_the_other(t):
    c = Card(t)
    key = c.host.key_in(reads_files(c))
    blocks = [text_block(LONG[at:at + 100]) for at in (0, 100, 200)]
    value = c.card.sign(KEY, *blocks, mode=FULL_TEXT)
    t.check(c.host.is_signature(key, digest(LONG), der_of(value)), "wrong signature of three blocks")


@test
def iot_safe_takes_a_public_key_in_pieces(t):
    c = Card(t)
    _, octets = c.host.new_key()
    whole = tagged_point(octets)
    c.card.put(PEER, octets, parts=[whole[:30], whole[30:]])
    t.equal(c.card.public_key(PEER), octets, "the key that was put")


@test
def iot_safe_keeps_what_was_generated_and_put_through_a_new_start(t):
    c = Card(t)
    _, put = c.put_key()
    _, _, octets = c.card.generate(by_id(PRIVATE, b"\4"))
    c.line.sim.stop_cleanly()
    again = Card(t, folder=c.folder)
    t.equal(again.card.public_key(by_id(PUBLIC, b"\4")), octets, "the generated key")
    t.equal(again.card.public_key(PEER), put, "the put one")
    signed(again, again.host.key_of(octets), by_id(PRIVATE, b"\4"))


@test
def iot_safe_tells_its_objects_in_pages(t):
    c = Card(t, serving="--iotsafe-page 50")
    first, sw = c.card.send(GET_DATA, 1, 0, le=0, good=("9000", "6300"))
    t.equal((len(first), sw), (50, "6300"), "the first page")
    whole = c.card.pages()
    t.equal((whole[:50], len(objects(whole))), (first, 8), "all pages: how they begin, how many objects")
    t.equal([(o.kind, o.id) for o in objects(whole)], [(o.kind, o.id) for o in c.card.list()], "twice")


for sw, patience in (("6984", 0), ("6989", 0), ("6984", 2), ("6989", 1)):
    @test(name=f"IoT SAFE under remote administration: {sw}, {patience} more tries", sw=sw, patience=patience)
    def _administration(t, sw, patience):
        c = Card(t, fault=(f"iotsafe-{sw}:2",), patience=patience)
        t.equal(len(c.card.random(16)), 16, "the first command")
        if not patience:
            c.refuses((sw,), c.card.random, 16)
        t.equal(len(c.card.random(16)), 16, "the command after")


@test
def iot_safe_has_done_what_it_answers_63cf_to(t):
    c = Card(t, fault=("iotsafe-63cf:2",))
    c.card.random(16)
    got, sw = c.card.send(0x84, 0, 0, le=16)
    t.equal((len(got), sw), (16, "63CF"), "random octets")


@test
def iot_safe_takes_the_apdus_of_real_clients(t):
    """The octets of published traces of Quantag's, ZARIOT's, NTT's, Thales' and wolfSSL's clients, on ids
    of this card. Where two lengths are in use both are right."""
    c = Card(t, size=2)
    say, private, public = c.line.apdu, "84020004", "85020005"
    host, octets = c.host.new_key()

    def has(command, pattern):
        t.says(say(command), f"^{pattern}$")

    def fetched(command, sw):
        """What a command without Le has to give."""
        got = say(command)
        t.says(got, f"^({sw})$")
        return say("81C00000" + got[2:])

    has("81CB000044", "[0-9A-F]+9000")
    has("81CB000000", "[0-9A-F]+9000|6C[0-9A-F]{2}")
    has("81CBC30004" + "83020002" + "00", "[0-9A-F]+2002[0-9A-F]{4}[0-9A-F]*9000")
    has("81B00000" + "0483020002" + "FF", "3082[0-9A-F]{506}9000")
    made = fetched("81B9000004" + private, "614F")
    t.says(made, "^840200048502000434454943864104[0-9A-F]{128}9000$")
    made = bytes.fromhex(made[-134:-4])
    t.equal(fetched("81CD000004" + "85020004", "6147"), "344549438641" + made.hex().upper() + "9000", "READ PUBLIC KEY")
    has("8124000204" + public, "9000")
    has("81D8800247" + tagged_point(octets).hex().upper(), "9000")
    has("81240102", "9000")
    hashed = digest(TEXT).hex().upper()
    for close in ("812A0101", "812A010100", "012A0101"):
        has("812A00010E" + private + "A1010391020001920104", "9000")
        value = fetched("812B8001229E20" + hashed, "6142|6143")
        t.says(value, "^33(40|0040)[0-9A-F]{128}9000$")
        t.check(c.host.is_signature(c.host.key_of(made), digest(TEXT), der_of(bytes.fromhex(value[-132:-4]))),
                "wrong signature")
        has(close, "9000")
    for _ in range(6):  # Thales': session 0, Le everywhere, and it is never closed
        has("012A00000E" + private + "A1010391020001920104" + "00", "9000")
        has("012B8000229E20" + hashed + "00", "33(40|0040)[0-9A-F]{128}9000")
    value = raw(c, host).hex().upper()
    for length, sw in (("40", "9000"), ("0040", "9000"), ("40", "6D01"), ("0040", "6D01")):
        has("812C00020E" + public + "A1010391020001920104", "9000")
        signed_hash = hashed if sw == "9000" else hashed[2:] + "00"
        has(f"812D8002{0x63 + len(length) // 2:02X}9E20{signed_hash}33{length}{value}", sw)
        has("812C0102", "9000")
    t.equal(say("8146000008" + private + public + "00"),
            c.host.agree(host, made).hex().upper() + "9000", "COMPUTE DH")
    seed = ("657874656E646564206D617374657220736563726574"
            "CE15B44D68440B652624244DB8D2FB7DD601C759E9EB627FB10529AB0DB76049")
    got = say("81480000" + "5DD120C0485B054863F6DFA458789768B9035C6CACB160DD1A01834811F5783309DB81D236" + seed
              + "D301FF" + "00")
    t.equal(got[:96], "A1F02A766DA04C8FD83A40E358267528F8D815C48E3DC353D55FE3861C350622"
            "C78B48FE6F49F6E13E1B6B175CFE59FB", "PRF")
    t.equal(len(got), 2 * 255 + 4, "length of PRF's answer")
    has("814A000048D120" + hashed + "D520" + hashed + "91020001" + "00", "[0-9A-F]{64}9000")
    has("8184000010", "[0-9A-F]{32}9000")
