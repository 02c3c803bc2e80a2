#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""seeds.py FOLDER: writes the seed inputs of the fuzz targets, one folder a target. What a target's
input looks like stands at the head of its source file. Longer inputs that fuzzing itself found are
in corpus/ beside this file."""
import base64
import os
import struct
import sys
import zlib

SEEDS = {}


def seed(target, *inputs):
    SEEDS.setdefault(target, []).extend(
        text.encode("latin-1") if isinstance(text, str) else text for text in inputs)


def h(text):
    return bytes.fromhex(text)


def ok(data=b"", sw=0x00):
    """A card's answer: a usual status word by its place in hostile.c's table, length, data."""
    return bytes([sw, len(data) if len(data) < 256 else 0xFF]) + data


# ---- values in AT answers ----
seed("at_value", "OK", "ERROR", "+CME ERROR: 14", "+CME ERROR: SIM busy", "+CMS ERROR: 300", "NO CARRIER",
     '8,"62069000"', "4,9000", ' 8 , "62829000" ', '4,"9000",1', '0123456789abcdef', '144,0,"98883003000000000071"',
     "COMMAND NOT SUPPORT", "TOO MANY PARAMETERS", '20,"98883003000000000071"', "0,1", '"A","B"', "+CME ERROR: 99999")

# ---- bytes of files ----
CONTAINER_MAP = h("0100000000000800000000" "0100000008000000000000" "0000000000000000000000")


def entry(file, size, name, folder):
    return struct.pack(">HH8s8sB", file, size, name.encode(), folder.encode(), 0)


def field(data):
    length = len(data)
    return (bytes([length]) if length < 128 else struct.pack(">BH", 0x82, length)) + data


DIRECTORY = bytes([3]) + entry(0x0201, 0x300, "kxc00", "mscp") + entry(0x0202, 40, "pubdat0", "p11") + \
    entry(0x0203, 40, "pridat0", "p11")


def data_object(label, value):
    return bytes(16) + field(label.encode().ljust(32)) + field(b"app") + field(b"") + field(value)


seed("tlv", h("6206810200108201"), h("62098002012c8301018a01"), h("6f0581010a"), h("ff00620480021000"), h("5f2d02454e"),
     CONTAINER_MAP, DIRECTORY, data_object("CERT_AVAILABLE", b"-----BEGIN"), data_object("PRIV_TYPE_A", bytes(200)))

# ---- IoT SAFE ----
SAFE_KEY = h("74023131 84020002 600102 4a0101 4b0113 4e0103 610107 920204 91020007 6f0101")
SAFE_FILE = h("73023031 83020001 600101 4a0101 210102 20020340")
SAFE_POINT = b"\x34\x45\x49\x43\x86\x41\x04" + bytes(range(64))
seed("iotsafe", SAFE_KEY + SAFE_FILE, b"\xc1" + bytes([len(SAFE_KEY)]) + SAFE_KEY + b"\xc3" +
     bytes([len(SAFE_FILE)]) + SAFE_FILE, b"\xc1\x81\x8c" + 4 * (SAFE_KEY + h("8400")),
     h("100110 1120") + bytes(32) + h("b1010a b2010a 61010f 91020001 920104 6f0101 940102 b70101"),
     h("100110 1105") + bytes(32) + h("b1010a 90010f 91010001 920104"), SAFE_POINT, h("84020002 85020002") + SAFE_POINT,
     b"\x33\x40" + bytes(range(64)), b"\x33\x00\x40" + bytes(range(64)), h("33083006020101020102"))
# ---- QMI and MBIM: the size of the pieces, then messages ----
seed("qmi", b"\x3f" + h("011200800000010100ff070002040000000000"),
     b"\x3f" + h("011700800000010222000c00020400000000000102000b03"),
     b"\x3f" + h("01290080020102010025001d000204000000000010010030110f00333536393338303335363433383039"),
     b"\x3f" + h("011c00800b030201004200100002040000000000100100011102009000"),
     b"\x3f" + h("011800800b0302010042000c0002040001005a001102006a82"),
     b"\x3f" + h("012200800b030202003b00160002040000000000100c000a0011223344556677889000"),
     b"\x3f" + h("011300800b030203003f00070002040000000000"),
     b"\x3f" + h("011300800b030205004700070002040001005e00"),
     b"\x3f" + h("012700800b0302060020001b00020400000000001002009000110c000a0098880000000000000010"))
seed("mbim", b"\x3f" + h("0700008030000000000000000100000000000000838cf7fb8d0d4d7f871ed71dbefbb39b020000000400"
              "000000010003"),
     b"\x3f" + h("01000080100000000200000000000000"),
     b"\x3f" + h("0300008040000000030000000100000000000000c2f6588ef0374bc98665f4d44bd09367020000000000"
              "00001000000090000000010000000000000000000000"),
     b"\x3f" + h("0300008040000000030000000100000000000000c2f6588ef0374bc98665f4d44bd09367020000000200"
              "4387100000006a820000000000000000000000000000"),
     b"\x3f" + h("0300008044000000040000000100000000000000c2f6588ef0374bc98665f4d44bd09367040000000000"
              "00001400000090000000080000000c0000001122334455667788"),
     b"\x3f" + h("0300008094000000070000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df020000000000"
              "000064000000010000001c0000001e0000003c0000002600000000000000000000003000300031003000"
              "310030003100320033003400350036003700380039000000380039003800380030003000300030003000"
              "30003000300030003000300030003000300031000000"),
     b"\x3f" + h("0300008098000000070000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df020000000000"
              "0000680000000100000001000000200000001e0000004000000026000000000000000000000030003000"
              "310030003100300031003200330034003500360037003800390000003800390038003800300030003000"
              "3000300030003000300030003000300030003000300031000000"),
     b"\x3f" + h("03000080a0000000060000000100000000000000a289cc33bcbb8b4fb6b0133ec2aae6df010000000000"
              "000070000000020000000100000001000000020000003f00000003000000010000000800000000000000"
              "00000000400000001e000000600000000600000068000000060000003300350036003900330038003000"
              "33003500360034003300380030003900000046005700310000004800570031000000"))

# ---- session records, behind their binding ----
ZEROS = " ".join(["0000"] * 32)
STANDING = ("channel 1 0 1 1 -\napplet 1 0 0 1 0\nenvironment 1 182 66 49\n"
            "iccid 1 89880330000000000017\n")
TAIL = f"learnt 89880330000000000017 0 1 256 0 0\n{ZEROS}\nusers 1\n4711 123456"
seed("record", "line 0 1 0 1 0 1 0\n" + STANDING + "channel 0 0 0 0 -\n" + TAIL,
     "line 1 0 1 3 1 2 77\n" + STANDING.replace("1 0 1 1 -", "1 1 2 0 A0F3")
     + "channel 1 0 1 2 -\n" + TAIL.replace("users 1\n4711 123456", "users 0"),
     "line 0 1 0 1 0 1 0\n" + STANDING + "channel 0 0 0 0 -\n" + TAIL + "\ntries - 0 0\nopeners 0\nrefusals 0\n"
     "owners 0 3\nsecond 2 1 1\nchannel 1 0 1 2 -\napplet 3 0 0 0 0\nenvironment 0 0 0 0\niccid 0 -\n")

# ---- claims of older programs ----
seed("old_claims", "1 4\n", "1234 567890\n", "0 0\n", "-1 5\n", "99999999999999999999 1\n", "x")

# ---- URIs, settings ----
seed("uri", "sim:signing", "sim:signing;container=3;key-id=31", "sim:available;store=files;type=cert",
     "SIM:signing;iccid=89880330000000000017;type=private?device=/dev/ttyUSB2&pin-source=file:/etc/pin&timeout=5",
     "sim:available;store=objects?trace=at,file:/tmp/x&session=keep&run_dir=%2frun%2Fsimkey&baud=9600",
     "sim:signing?transport=ccho&sim-pin-source=/x%20y%01&device=%E2%82%AC")
seed("settings", "# simkey\ndevice = /dev/ttyUSB2\nbaud = 115200\ntransport = csim\npin-source = /etc/simkey/pin\n",
     "pin = 0000\nsim_pin_source = file:/x\ntimeout = 5\n", "session = private\nrun-dir = /run/simkey\ntrace = apdu,file:/tmp/t\n",
     "session=shared\r\ntrace = at:/tmp/x\r\n\tdevice=\n", "pin = 73519\npin 12", "timeout = 0\n", "x" * 1100)


# ---- key references ----
def tlv(tag, body):
    return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else struct.pack(">BH", 0x82, len(body))) + body


SPKI = h("3059301306072a8648ce3d020106082a8648ce3d03010703420004"
         "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
         "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")


def reference(version=1, uri=b"sim:signing;container=0;key-id=61", iccid=b"89880330000000000017"):
    return tlv(0x30, tlv(2, bytes([version])) + tlv(12, uri) + SPKI + tlv(18, iccid))


def pem(der):
    return b"-----BEGIN SIM KEY REFERENCE-----\n" + base64.encodebytes(der) + b"-----END SIM KEY REFERENCE-----\n"


seed("keyref", b"\0" + reference(), b"\0" + reference(2), b"\0" + reference(iccid=b""), b"\1" + pem(reference()),
     b"\2sim:signing;key-id=31?device=/dev/x", b"\2sim:signing;container=14;key-id=ff;iccid=8988033000000000001",
     b"\0" + reference(uri=b"sim:available"), b"\3" + b"89880330000000000017")

# ---- packets of simkey-agent: which half reads them, then the packet ----
def agent(operation, option=0, kind=1, scheme=2, digest=3, container=255, iccid=b"", key=b"", label=b"", data=b"",
          applet=0):
    return b"\0SK\1" + bytes([operation]) + struct.pack(">I", 30000) + bytes([kind, scheme, digest, option, 1, 0, container,
           len(iccid), len(key), len(label)]) + struct.pack(">H", len(data)) + bytes([applet]) + iccid + key + label + data


def answer(operation, body=b"", outcome=0, text=b"", count=0):
    return bytes([operation]) + b"SK\1" + bytes([outcome]) + struct.pack(">HHHHI", 0, 65535, len(text), count, len(body)) + text + body


ITEM = b"\2\0\0\3\10\0\1\0"
seed("agent", agent(1), agent(2, 1, container=2), agent(3, container=2, key=b"\x63", data=bytes(32)),
     agent(3, key=b"\1\2", label=b"a", data=bytes(32)), agent(3, label=b"a", iccid=b"89880330000000000017", data=bytes(32)),
     agent(4, 1, 0, 0, container=2, key=b"\x33", data=bytes(256)), agent(5, container=2, key=b"\x63"), agent(6), agent(7),
     agent(8, 0x81), agent(9, 1, applet=2), answer(1, ITEM + b"\xff\2\6\0\0\0\2\4\1\2Client", count=2),
     answer(2, ITEM + b"\x0a8988033000\3\4\1\2" + SPKI), answer(9, b"\x0a8988033000" + SPKI),
     answer(3, bytes(64)), answer(4, b"plain"), answer(5, bytes(8)), answer(6, b"\1a\4EC25\0\0\5READY\x0a8988033000"),
     answer(7, b"\1\0\3\0"), answer(8, pem(SPKI)), answer(3, outcome=8, text=b"no (SW 6985)"))

# ---- certificates: a shape that DER readers follow for a while ----
SHELL = tlv(0x30, tlv(0x30, h("a003020102") + tlv(2, b"\1") + tlv(0x30, h("06082a8648ce3d040302")) + tlv(0x30, b"") +
                      tlv(0x30, tlv(23, b"200101000000Z") + tlv(23, b"400101000000Z")) + tlv(0x30, b"") + SPKI) +
            tlv(0x30, h("06082a8648ce3d040302")) + tlv(3, b"\0" + tlv(0x30, tlv(2, b"\1") + tlv(2, b"\1"))))
EC_KEY = tlv(0x30, tlv(2, b"\1") + tlv(4, bytes(31) + b"\1") + tlv(0xA0, h("06082a8648ce3d030107")))


def pem_of(label, der):
    return pem(der).replace(b"SIM KEY REFERENCE", label)


seed("certificate", b"\0" + SHELL, b"\0\1\0" + struct.pack("<H", len(SHELL)) + zlib.compress(SHELL), b"\1" + SHELL,
     b"\2\xff\xff" + bytes(200), b"\2\x01\x04" + SHELL, b"\3" + SHELL, b"\3" + pem_of(b"CERTIFICATE", SHELL) * 2,
     b"\4" + EC_KEY, b"\4" + pem_of(b"EC PRIVATE KEY", EC_KEY),
     b"\4" + tlv(0x30, tlv(2, b"\0") + tlv(0x30, h("06072a8648ce3d020106082a8648ce3d030107")) + tlv(4, EC_KEY)))

# ---- card answers (places in hostile.c: 0 9000, 1 63C3, 2 6103, 5 6C05, 9 6700, 11 6982) ----
FCP = h("6206810200308201")


def file(data):
    return ok(h("62048002") + struct.pack(">H", len(data))) + b"".join(
        ok(data[i:i + 255]) for i in range(0, len(data), 255))


CERT_FILE = b"\1\0" + struct.pack("<H", len(SHELL)) + zlib.compress(SHELL)
LISTS = file(CONTAINER_MAP) + file(DIRECTORY)
for operation in range(12):
    for argument in (0, 1, 2, 3, 7, 130):
        seed("apdu", bytes([0, operation, argument]) + ok(sw=1) + ok() * 4, bytes([0, operation, argument]) + ok() * 6)
seed("apdu", bytes([0, 0, 3]) + ok(sw=9) + ok(b"abc"), bytes([0, 0, 2]) + ok(sw=5) + ok(b"abcde", 2) + ok(b"fgh"),
     bytes([0, 0, 0]) + ok(b"a", 2) + ok(b"b", 4) * 40, bytes([0, 0, 2]) + ok(sw=4) * 140,
     bytes([0, 4, 0]) + LISTS, bytes([0, 3, 0]) + file(CERT_FILE),
     bytes([0, 3, 0]) + file(data_object("CERT_AVAILABLE", b"x" * 140)), bytes([0, 5, 0]) + ok(FCP) + ok(sw=11),
     bytes([0, 7, 0]) + ok(sw=1) + ok(sw=7), bytes([0, 7, 0]) + ok(sw=7), bytes([0, 7, 1]) + ok(sw=13),
     bytes([0, 8, 0]) + ok(sw=26), bytes([0, 8, 2]) + ok(sw=26) + ok(), bytes([3, 9, 3, 7, 0, 6, 0, 10, 100]) + ok() * 12)

# ---- dialogues ----
END = "\xfe"
OK = "\r\nOK\r\n"


def dialogue(first, second, *turns):
    seed("dialogue", chr(first) + chr(second) + "\0" + END.join(("",) + turns))


dialogue(0, 3, "AT\r\r\nOK\r\n", OK, OK, '\r\n+CSIM: 4,"9000"\r\n' + OK, "")
dialogue(0, 9, "\r\n^RSSI: 3\r\n", OK, "\r\nERROR\r\n", OK, OK, OK, OK, '\r\n+CRSM: 144,0,"98883003000000000071"\r\n' + OK)
dialogue(1, 6, OK, '\r\n+CGLA:8,"61626' + '39000"\r\n' + OK)
dialogue(7, 8, '+CSIM: 6,"019000"' + OK, '+CSIM: 4,"9000"' + OK, '+CSIM: 4,"9000"' + OK, "+CCHO: 0123456789ABCDEF" + OK,
         '+CGLA:4,"611A"' + OK, OK)
dialogue(10, 11, "Quectel" + OK, "EC25" + OK, "\r\nRDY\r\n\xfd\x05" + OK, "860000000000000" + OK, "+CPIN: READY" + OK,
         "+CEREG: 0,5" + OK)
dialogue(3, 3, "+CME ERROR: 14\r\n", "+CME ERROR: SIM busy\r\nERROR\r\n", "\xfd\xff+CSIM: 4,9000" + OK, "\xff")
dialogue(9, 4, "ERROR\r\n", "89880330000000000017F" + OK, "+CGSN: 86" + OK)
dialogue(5, 2, "+CFUN: 1\r\n\xfd\x20AB", "NO CARRIER\r\n", "+CSQ: 1\r\nx\r\n" + OK)
dialogue(3, 3, "x" * 700 + OK, "y" * 1300 + OK, '+CSIM: 4,"9000"' + OK)

# ---- whole operations ----
SELECT, STATE3, DONE = ok(), ok(sw=1), ok()
SIGN = SELECT + STATE3 + DONE * 3 + ok(bytes(range(64)))
for head in (0, 2, 4, 8):
    opened = ok(b"\1") if head == 8 else b""
    for which in range(16):
        seed("session", bytes([head, which]) + opened + DONE * 8, bytes([head, which]) + opened + SIGN * 2)
    for which in (5, 6):
        seed("session", bytes([head, which]) + opened + SELECT + LISTS + file(CERT_FILE))
    seed("session", bytes([head, 7]) + opened + SELECT + file(DIRECTORY) + file(data_object("CERT_AVAILABLE", b"-----BEGIN")),
         bytes([head, 8]) + opened + SELECT + STATE3 + DONE + file(DIRECTORY) + file(data_object("PRIV_TYPE_A", b"0")),
         bytes([head, 9]) + opened + SELECT + ok(h("00070000")), bytes([head, 0x29]) + opened + SELECT + ok(b"{}" * 20),
         bytes([head, 0x29]) + opened + SELECT + h("03fe00fe"), bytes([head, 0x29]) + opened + SELECT + h("00fe"),
         bytes([head, 0]) + opened + SELECT + STATE3 + DONE * 3 + h("04fe04fe00fe"),
         bytes([head | 1, 0, 0]) + opened + SIGN + DONE + ok(bytes(range(64))))

# A SIM without mIAS that has IoT SAFE: its lists in one piece or in two, a key pair and a certificate.
NO_MIAS = ok(sw=17)
SAFE_PAIR = h("c129 740e426f6f7473747261704b65795f31 840131 600101 4a0101 4b0113 4e0101 610103 920104 91020001")
SAFE_ALL = SAFE_PAIR + h("c217 7503426f6f 850131 600101 4a0101 4b01a0 610108 940103") + \
    h("c321 730f426f6f747374726170436572745f31 830131 600101 4a0101 210102 2002") + struct.pack(">H", len(SHELL))
SAFE_HALF = len(SAFE_ALL) // 2
SAFE_LISTS = ok(SAFE_ALL)
SAFE_LISTS_T0 = b"\x80\x61" + bytes([len(SAFE_ALL) - SAFE_HALF, SAFE_HALF]) + SAFE_ALL[:SAFE_HALF] + ok(SAFE_ALL[SAFE_HALF:])
SAFE_SIGN = DONE + ok(b"\x33\x40" + bytes(range(64))) + DONE
for head in (0, 2):
    opened = NO_MIAS + ok(sw=22) + SELECT
    for lists in (SAFE_LISTS, SAFE_LISTS_T0):
        for which in (5, 6, 15):
            seed("session", bytes([head, which]) + opened + lists + ok(SAFE_POINT) + ok(SHELL) + ok(SAFE_PAIR),
                 bytes([head, which]) + opened + lists + ok(SAFE_PAIR) + ok(sw=17) * 2, bytes([head, which]) + opened + lists * 2)
        for which in (0, 2, 3, 4):
            seed("session", bytes([head, which]) + opened + lists + SAFE_SIGN, bytes([head, which]) + opened + SAFE_SIGN)
    seed("session", bytes([head, 14]) + opened + ok(bytes(200)), bytes([head, 13]) + opened + ok(sw=1),
         bytes([head | 0x11, 5, 0, 2, 0]) + opened + SAFE_LISTS + SELECT + SAFE_SIGN + DONE)

# With a record: operations in turn by programs that share it, and what others write into it.
WARM = DONE + ok(bytes(range(64)))
FORGED = h("02" "81" "27" "01" "00" "05" "01" "00")  # ready; a channel, mIAS, verified, this SIM; one user
SAFE2 = SELECT + ok(h("00070000")) + ok(b"{}" * 20)


def turns(head, *steps):
    return bytes([head]) + b"".join(bytes([which, turn]) for which, turn, _ in steps) + \
        b"".join(answers for _, _, answers in steps)


for head in (0x10, 0x12, 0x14, 0x50, 0x90):
    for which in (0, 2, 3, 4, 6, 8, 10, 12, 0x1C, 0x2C, 13, 0x2D, 14):
        seed("session", turns(head | 1, (which, 0, SIGN), (which, 0, WARM + SIGN)),
             turns(head | 1, (0, 0, SIGN), (which, 1, SELECT + STATE3 + DONE + WARM)),
             turns(head | 1, (which, 0x11, FORGED + WARM + SIGN), (which, 2, WARM)))
    seed("session", turns(head | 1, (5, 0, SELECT + LISTS), (0, 0, STATE3 + DONE + WARM)),
         turns(head | 1, (5, 2, SELECT + LISTS), (0, 1, STATE3 + DONE + WARM)),
         turns(head | 1, (0, 0, SIGN), (8, 1, STATE3 + DONE + file(DIRECTORY) + file(data_object("PRIV_TYPE_A", b"0")))),
         turns(head | 1, (0, 0, SIGN), (8, 1, file(DIRECTORY) + STATE3 + DONE + file(data_object("PRIV_TYPE_A", b"0")))))
    seed("session", turns(head | 0x21, (0, 0, SIGN), (0, 1, STATE3 + WARM), (0, 2, WARM), (6, 0x81, SELECT + LISTS)),
         turns(head | 0x21, (10, 0, SAFE2), (0x1A, 4, DONE + SAFE2), (0, 0x4D, SIGN), (0, 0x18, SIGN)),
         turns(head | 0x21, (0, 0, SELECT + STATE3 + ok(sw=7)), (0, 0, SELECT + STATE3 * 2 + DONE * 3), (0, 0x40, SIGN),
               (0, 0x15, FORGED + SIGN)),
         turns(head | 0x21, (0, 0x20, SELECT + STATE3 + b"\xf2"), (0, 0x80, SIGN), (13, 0, SIGN), (7, 0x1C, SIGN)),
         turns(head | 0x21, (2, 0, SIGN), (2, 3, SELECT + b"\xf4" + SIGN), (2, 0x14, h("2001") + SIGN), (11, 0, DONE * 2)))

# ---- PIN files ----
seed("pin_source", *[bytes([kind]) + content for kind in (0, 4, 5, 6, 7, 0o10, 0o20, 0x80)
                     for content in (b"0000\n", b"12345678\r\n", b"1234567890123456\n", b"12345678901234567\n")],
     b"\0", b"\0\n0000\n", b"\x000000\0", b"\x00 0000\n", b"\x00123\n", b"\0123a\n", b"\x00" + b"1" * 300)


# ---- /proc ----
def text(content):
    return bytes([len(content)]) + content


COMM = text(b"minicom\n")
MAPS = text(b"7f00-7f01 r-xp 00000000 08:01 77 /usr/lib/simkey.so\n")
LOCK = text(b"1: FLOCK  ADVISORY  WRITE 5 00:05:77 0 EOF\n2: POSIX  ADVISORY  READ 5 08:01:1 0 0\n")
HOLDER = b"\x01\x03\x00\x03"  # one file: number 3, the port, its number
STAT = b"4711 (a b) c) S 1 " + b"0 " * 17 + b"123456 0\n"
for kind in (0, 1):
    seed("proc", bytes([kind]) + b"\x01\x05" + HOLDER + MAPS + COMM + LOCK,
         bytes([kind]) + b"\x02\x05\x06" + HOLDER + text(b"") + COMM + b"\xfe" + text(b"ModemManager\n") + LOCK + COMM,
         bytes([kind]) + b"\x02\x05\x06\x02\x03\x01\x07" + text(b"pos: 0\ntty-index: 3\n") + b"\x01\x04\x00\x03" + MAPS
         + text(b"x\x1b[2J\n") + b"\x00" + LOCK + COMM,
         bytes([kind]) + b"\x03\x80" + text(b"self") + b"\x05\xff\x06\xfe" + text(b"ModemManager\n") + LOCK,
         bytes([kind]) + b"\x01\x05\x03\x03\x03\x03\x04\x03\x03\x05\x04" + text(b"/dev/char/188:3") + b"\x03" + MAPS + COMM + LOCK,
         bytes([kind]) + b"\x14" + bytes(range(1, 21)) + (HOLDER + text(b"") + COMM) * 20 + LOCK)
seed("proc", b"\x02" + LOCK + COMM, b"\x02" + text(b"1: FLOCK  ADVISORY  WRITE 7 00:05:77 0 EOF\n") + text(b"a\x1b]0;b\n"), b"\x02\xff",
     b"\x03" + text(STAT), b"\x03" + text(STAT.replace(b"S", b"Z")), b"\x03" + text(b"4711 (x"), b"\x03\xff")

# ---- card readers: how many commands and the protocol, name; establish, list, connect, begin, transmit... ----
READERS = b"\0\x02" + text(b"Omnikey 00 00") + text(b"Virtual PCD 00 01")
READY = b"\0" + READERS + b"\0\0"
OPENED, NINE = b"\0" + text(h("019000")), b"\0" + text(h("9000"))
for head in (2, 0x83, 0x41):
    seed("pcsc", bytes([head]) + text(b"Omni") + READY + OPENED + NINE * 4, bytes([head]) + text(b"1") + READY + NINE * 4,
         bytes([head]) + text(b"") + READY, bytes([head]) + text(b"x") + READY,
         bytes([head]) + text(b"Omni") + b"\0" + READERS + b"\x2c\x2c\0\x2b\0\0" + OPENED + b"\x2b\0" + NINE * 2,
         bytes([head]) + text(b"Omni") + READY + OPENED + b"\x40\0" + NINE * 3,
         bytes([head]) + text(b"Omni") + READY + OPENED + b"\x2d\0\0\x10" + NINE * 3,
         bytes([head]) + text(b"Omni") + b"\x40" + READERS + b"\0\0", bytes([head]) + text(b"Omni") + b"\x21")


def main():
    for target, inputs in SEEDS.items():
        folder = os.path.join(sys.argv[1], target)
        os.makedirs(folder, exist_ok=True)
        for number, data in enumerate(inputs):
            with open(os.path.join(folder, "%03d" % number), "wb") as out:
                out.write(data)


main()
