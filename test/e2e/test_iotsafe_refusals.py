# SPDX-License-Identifier: Apache-2.0
"""What simmodem's IoT SAFE applet refuses, to the client that knows only the published facts: what is not
there, not in this state, not in this session, not of this form."""

from fixture import test
from iotsafe_card import (BEHIND, LONG, NOT_ALLOWED, NOT_NOW, NOT_OF_THIS_KEY, NOT_THERE, TEXT, WRONG_DATA, WRONG_P,
                          Card)
from iotsafe_client import (AIDS, DH, DIGEST, ECDSA, FILE, FULL_TEXT, GENERATE, GET_DATA, HKDF, LAST,
                            LAST_BLOCK, OPEN, PRF, PRIVATE, PSS, PUBLIC, PUT_INIT, PUT_UPDATE, RANDOM,
                            READ_FILE, READ_KEY, RSA, SECRET, SHA256, SHA384, SIGN_INIT, SIGN_UPDATE, VERIFY_INIT,
                            VERIFY_UPDATE, by_id, digest_block, last_block, tagged_point, text_block, tlv)
from iotsafe_host import Sha2, digest

BLOCK = digest_block(digest(TEXT))
KEY = by_id(PRIVATE, b"\1")
TWO, FOUR, FIVE, SIX, NONE = b"\2", b"\4", b"\5", b"\6", b"\x63"


@test
def iot_safe_refuses_what_no_applet_or_command_is(t):
    c = Card(t)
    c.refuses(("6D00",), c.card.command, 0xEE, 0, 0)
    c.card.cla = 0xA0
    c.refuses(("6E00",), c.card.command, RANDOM, 0, 0, le=16)
    c.card.cla = 0x80
    c.refuses(NOT_THERE, c.card.select, "A0000005590099")
    c.card.select(AIDS[1])
    t.equal(len(c.card.random(16)), 16, "random octets after all")


@test
def iot_safe_refuses_parameters_that_are_not_its_own(t):
    c = Card(t)
    command, agreement = c.card.command, by_id(PRIVATE, FOUR) + by_id(PUBLIC, FIVE)
    init = KEY + tlv(0xA1, b"\3") + tlv(0x91, b"\0\1") + tlv(0x92, b"\4")
    seed = tlv(0xD1, digest(TEXT)) + tlv(0xD2, b"seed") + tlv(0xD3, b"\x10")
    for ins, p1, p2, data in (
            (GET_DATA, 0xC5, 0, KEY), (GET_DATA, 2, 0, None), (GET_DATA, 1, 2, None), (GET_DATA, 0, 1, None),
            (GENERATE, 1, 0, KEY), (READ_KEY, 0, 1, by_id(PUBLIC, b"\1")), (PUT_INIT, 2, 1, by_id(PUBLIC, FIVE)),
            (SIGN_INIT, 2, 1, init), (VERIFY_INIT, 0x80, 1, init), (DH, 1, 0, agreement), (PRF, 3, 0, seed),
            (HKDF, 1, 0, tlv(0xD1, TEXT) + tlv(0xD5) + tlv(0x91, b"\0\1")), (RANDOM, 1, 0, None)):
        c.refuses(WRONG_P, command, ins, p1, p2, data, le=0)
    c.card.begin(SIGN_INIT, KEY)
    c.refuses(WRONG_P, command, SIGN_UPDATE, 0x40, 1, BLOCK, le=0)


@test
def iot_safe_refuses_objects_that_are_not_there(t):
    c = Card(t)
    card = c.card
    peer = by_id(PUBLIC, FIVE)
    c.put_key()
    for wrong in (NONE, b"\0\1", b"\1\0"):  # ids are octets, not numbers
        private, public = by_id(PRIVATE, wrong), by_id(PUBLIC, wrong)
        for kind in (FILE, PRIVATE, PUBLIC, SECRET):
            c.refuses(NOT_THERE, card.info, by_id(kind, wrong))
        c.refuses(NOT_THERE, card.read, by_id(FILE, wrong))
        c.refuses(NOT_THERE, card.generate, private)
        c.refuses(NOT_THERE, card.public_key, public)
        c.refuses(NOT_THERE, card.command, PUT_INIT, OPEN, 1, public)
        c.refuses(NOT_THERE, card.begin, SIGN_INIT, private)
        c.refuses(NOT_THERE, card.begin, VERIFY_INIT, public)
        c.refuses(NOT_THERE, card.agree, private, peer)
        c.refuses(NOT_THERE, card.prf, by_id(SECRET, wrong), b"seed", 16)
    card.generate(by_id(PRIVATE, FOUR))
    c.refuses(NOT_THERE, card.agree, by_id(PRIVATE, FOUR), by_id(PUBLIC, NONE))
    # Ids and labels are of one kind of object: file 02 and secret key 06 are no keys.
    c.refuses(NOT_THERE, card.public_key, by_id(PUBLIC, TWO))
    c.refuses(NOT_THERE, card.generate, by_id(PRIVATE, SIX))
    c.refuses(NOT_THERE, card.public_key, tlv(0x75, b"secretkeyLabel"))
    c.refuses(NOT_THERE, card.read, tlv(0x73, b"bootstrapcert_1"))


@test
def iot_safe_refuses_names_of_another_form(t):
    c = Card(t)
    for ins, p1, wrong in ((GET_DATA, 0xC2, KEY), (READ_FILE, 0, KEY), (GENERATE, 0, by_id(PUBLIC, FOUR)),
                           (READ_KEY, 0, KEY), (PUT_INIT, 0, by_id(PRIVATE, FIVE)), (READ_KEY, 0, b"\x85\x02\1"),
                           (READ_KEY, 0, b"\x85")):
        c.refuses(WRONG_DATA, c.card.command, ins, p1, 0, wrong, le=0)
    c.refuses(WRONG_DATA + NOT_THERE, c.card.generate, by_id(PRIVATE, b""))
    for command, wanted in (("81CD000003850101FFFF", "6700"), ("81CD0000058501", "6700")):
        t.equal(c.line.apdu(command), wanted, f"the answer to {command}")


@test
def iot_safe_refuses_keys_in_the_wrong_state(t):
    c = Card(t)
    card, empty, peer = c.card, by_id(PRIVATE, FOUR), by_id(PUBLIC, FIVE)
    c.refuses(NOT_NOW, card.public_key, by_id(PUBLIC, FOUR))
    c.refuses(NOT_NOW, card.public_key, peer)
    c.refuses(NOT_NOW, card.sign, empty, BLOCK)
    c.refuses(NOT_NOW, card.verify, peer, BLOCK, bytes(64))
    c.put_key()
    c.refuses(NOT_NOW, card.agree, empty, peer)
    card.generate(empty)
    card.agree(empty, peer)
    c.refuses(NOT_NOW, card.agree, KEY, peer)  # its functions do not have key agreement


@test
def iot_safe_agrees_with_no_key_that_was_not_put(t):
    c = Card(t)
    c.card.generate(by_id(PRIVATE, FOUR))
    c.refuses(NOT_NOW, c.card.agree, by_id(PRIVATE, FOUR), by_id(PUBLIC, FIVE))


for _kind, _pattern, _by in (("private", r"^(private = 01 .*)access 02", r"\1access 00"),
                             ("public", r"^(public = 05 .*)access 03", r"\1access 01"),
                             ("file", r"^(file = 02) access 01", r"\1 access 00")):
    @test(name=f"IoT SAFE refuses access that an object does not give: {_kind}", kind=_kind, change=(_pattern, _by))
    def _access(t, kind, change):
        c = Card(t, change=change)
        _, octets = c.host.new_key()
        what, *arguments = {"private": (c.card.generate, KEY), "public": (c.card.put, by_id(PUBLIC, FIVE), octets),
                            "file": (c.card.read, by_id(FILE, TWO))}[kind]
        c.refuses(NOT_ALLOWED, what, *arguments)
        t.equal(len(c.card.sign(KEY, BLOCK)), 64, "a signature all the same")


@test
def iot_safe_refuses_updates_without_their_session(t):
    c = Card(t)
    card, peer = c.card, by_id(PUBLIC, FIVE)
    _, octets = c.put_key()
    signs = (SIGN_UPDATE, LAST, 1, BLOCK)
    checks = (VERIFY_UPDATE, LAST, 1, BLOCK + b"\x33\x40" + bytes(64))
    puts = (PUT_UPDATE, LAST, 1, tagged_point(octets))
    for update in (signs, checks, puts):
        c.refuses(NOT_NOW, card.command, *update, le=0)
    openings = ((SIGN_INIT, lambda: card.begin(SIGN_INIT, KEY), signs),
                (VERIFY_INIT, lambda: card.begin(VERIFY_INIT, peer), checks),
                (PUT_INIT, lambda: card.command(PUT_INIT, OPEN, 1, peer), puts))
    for init, begin, own in openings:
        begin()
        for update in (signs, checks, puts):
            if update is not own:  # a session is of one command
                c.refuses(NOT_NOW, card.command, *update, le=0)
        card.close(init)
        begin()
        c.refuses(NOT_NOW, card.command, own[0], own[1], 2, own[3], le=0)  # of another number
        card.close(init)
        begin()
        card.close(init)
        c.refuses(NOT_NOW, card.command, *own, le=0)
        begin()
        card.select()
        c.refuses(NOT_NOW, card.command, *own, le=0)
    t.equal(card.verify(peer, BLOCK, bytes(64)), False, "the card's word of 64 zeros")


@test
def iot_safe_closes_a_session_when_it_refuses_its_update(t):
    c = Card(t)
    c.card.begin(SIGN_INIT, KEY)
    c.refuses(WRONG_DATA, c.card.command, SIGN_UPDATE, LAST, 1, b"\x9E\x21" + bytes(32), le=0)
    c.refuses(NOT_NOW, c.card.command, SIGN_UPDATE, LAST, 1, BLOCK, le=0)
    t.equal(len(c.card.sign(KEY, BLOCK)), 64, "a signature after that")


@test
def iot_safe_refuses_modes_and_algorithms_that_a_key_does_not_have(t):
    c = Card(t)
    c.put_key()
    for init, name in ((SIGN_INIT, KEY), (VERIFY_INIT, by_id(PUBLIC, FIVE))):
        for mode in (0, 4, 0xFF):
            c.refuses(NOT_OF_THIS_KEY, c.card.begin, init, name, mode)
        for hashed in (0, SHA384, SHA256 | SHA384, 8, 0x100):
            c.refuses(NOT_OF_THIS_KEY, c.card.begin, init, name, DIGEST, hashed)
        for algorithm in (0, RSA, PSS, RSA | ECDSA, 0x10):
            c.refuses(NOT_OF_THIS_KEY, c.card.begin, init, name, DIGEST, SHA256, algorithm)
        for parts in (b"", tlv(0xA1, b"\3"), tlv(0x91, b"\0\1") + tlv(0x92, b"\4"),
                      tlv(0xA1, b"\3") + tlv(0x91, b"\1") + tlv(0x92, b"\4"),
                      tlv(0xA1, b"\3") + tlv(0x91, b"\0\1") + tlv(0x92, b"\0\4")):
            c.refuses(WRONG_DATA, c.card.command, init, OPEN, 1, name + parts)
    c.refuses(NOT_OF_THIS_KEY, c.card.begin, SIGN_INIT, by_id(PUBLIC, FIVE))
    c.refuses(NOT_OF_THIS_KEY, c.card.begin, VERIFY_INIT, KEY)


@test
def iot_safe_refuses_blocks_of_another_mode_or_length(t):
    c = Card(t)
    state, text = Sha2("sha256").after(LONG[:256]), text_block(TEXT)
    last = last_block(LONG[256:], state, 256)
    for mode, blocks in (
            (DIGEST, (text, last, digest_block(bytes(31)), digest_block(bytes(48)), digest_block(b""), b"\x9E\x20\1")),
            (FULL_TEXT, (BLOCK, last, b"\x9B\x05abc")),
            (LAST_BLOCK, (BLOCK, text, last_block(bytes(129), state, 256), last_block(b"x", state[1:], 256),
                          last_block(b"x", state, 100), tlv(0x9A, b"x") + tlv(0x9C, state), tlv(0x9A, b"x")))):
        for block in blocks:
            c.card.begin(SIGN_INIT, KEY, mode)
            c.refuses(NOT_OF_THIS_KEY, c.card.command, SIGN_UPDATE, LAST, 1, block, le=0)
            c.card.close(SIGN_INIT)
    t.equal(len(c.card.sign(KEY, BLOCK)), 64, "a signature after that")


@test
def iot_safe_refuses_to_verify_what_is_no_signature(t):
    c = Card(t)
    peer = by_id(PUBLIC, FIVE)
    c.put_key()
    for block in (BLOCK, b"\x33\x40" + bytes(64), BLOCK + b"\x33\x40" + bytes(63), b""):
        c.card.begin(VERIFY_INIT, peer)
        c.refuses(NOT_OF_THIS_KEY, c.card.command, VERIFY_UPDATE, LAST, 1, block)
        c.card.close(VERIFY_INIT)
    for value in (bytes(64), b"\xFF" * 64, b"\1" * 64):
        t.equal(c.card.verify(peer, BLOCK, value), False, "the card's word of no signature")


@test
def iot_safe_puts_no_point_that_is_not_on_the_curve(t):
    c = Card(t)
    peer = by_id(PUBLIC, FIVE)
    _, octets = c.put_key()
    off = octets[:64] + bytes([octets[64] ^ 1])
    for wrong in (tagged_point(off), tagged_point(b"\4" + bytes(64)), tagged_point(b"\2" + octets[1:]),
                  tagged_point(octets[:64]), tagged_point(octets)[:-1], octets, b"\x34\0", tlv(0x34, octets)):
        c.refuses(NOT_OF_THIS_KEY, c.card.put, peer, b"", parts=[wrong])
        t.equal(c.card.public_key(peer), octets, "the key that was put before")


@test
def iot_safe_derives_nothing_from_parts(t):
    c = Card(t)
    secret, seed, wanted = tlv(0xD1, digest(TEXT)), tlv(0xD2, b"seed"), tlv(0xD3, b"\x10")
    for ins in (PRF, HKDF):
        c.refuses(WRONG_DATA + ("6700",), c.card.command, ins, 0, 0, le=0)
    for parts in (secret + seed, secret + wanted, seed + wanted, secret + seed + tlv(0xD3, b"\0"),
                  secret + seed + tlv(0xD3, b"\0\x10"), secret + seed + b"\xD3"):
        c.refuses(WRONG_DATA, c.card.command, PRF, 0, 0, parts, le=0)
    c.refuses(WRONG_DATA, c.card.command, PRF, 2, 0, secret + seed + wanted, le=0)  # no result of ECDH
    salt, hashed = tlv(0xD5, b"salt"), tlv(0x91, b"\0\1")
    for parts in (secret, secret + salt, salt + hashed, secret + salt + tlv(0x91, b"\0\0"),
                  secret + salt + tlv(0x91, b"\0\x08"), secret + salt + tlv(0x91, b"\1"),
                  secret + salt + tlv(0x91, b"\0\3")):
        c.refuses(WRONG_DATA, c.card.command, HKDF, 0, 0, parts, le=0)


@test
def iot_safe_reads_nothing_behind_the_end_of_a_file(t):
    c = Card(t)
    name = by_id(FILE, TWO)
    size = len(c.card.read(name))
    t.equal(int.from_bytes(c.card.info(name).tags[0x20], "big"), size, "size in tag 20")
    t.equal(len(c.card.command(READ_FILE, (size - 1) >> 8, (size - 1) & 255, name, le=0)), 1, "the last octet")
    for offset in (size + 1, 0x7FFF, 0xFFFF):
        c.refuses(BEHIND, c.card.command, READ_FILE, offset >> 8, offset & 255, name, le=0)
