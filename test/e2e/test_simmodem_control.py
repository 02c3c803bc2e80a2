# SPDX-License-Identifier: Apache-2.0
"""simmodem as a QMI or MBIM modem, by messages that are written here byte by byte."""

import struct

from control import direct, said
from fixture import test


def uim(message, parts, length=None):
    """A request to the card's service, of the first client id; parts as hex, whose length may be a lie."""
    size = len(parts) // 2
    return (struct.pack("<BHBBBBHHH", 1, size + 12, 0, 0x0B, 1, 0, 7, message,
                        size if length is None else length).hex() + parts)


@test()
def simmodem_answers_as_a_qmi_modem_does(t):
    """Lengths that lie; FCI wanted: none, FCP, FCI; a part without its value; a range of EF.ICCID."""
    sim = direct(t, "qmi")
    said(sim, "010f000000000001220004000101000b")
    mias, malformed = "010100011" + "00e000da0000000188000000006624151", "02040001000100"
    for message, expect in ((uim(0x2F, "", 5), malformed), (uim(0x42, "01010001" + "10ff00a0"), malformed),
                            (uim(0x42, mias + "11010000"), "110200" + "9000 and no more"),
                            (uim(0x42, mias + "11010001"), "1219001862"),
                            (uim(0x42, mias + "11010002"), "121900186f"),
                            (uim(0x42, mias + "11010009"), "02040001003000"),
                            (uim(0x3B, "01010001" + "02070005000020008100" + "100000"), "02040001003000"),
                            (uim(0x20, "01020000000205" + "00e22f02003f" + "03040002000300"), "1105000300")):
        answer = said(sim, message)
        t.check(expect in answer + " and no more", f"{message} is answered {answer}, not with {expect}")
        if "1101000" in message:  # channels are few
            said(sim, uim(0x3F, "01010001" + "11010001"))


@test()
def simmodem_answers_as_an_mbim_modem_does(t):
    """A buffer that lies about its length, a command that ends within its head, a part of a command."""
    sim = direct(t, "mbim")
    said(sim, "01000000100000000200000000100000")
    caps = "a289cc33bcbb8b4fb6b0133ec2aae6df" + "01000000" + "00000000"
    for message, error in (("0300000030000000030000000100000000000000" + caps + "04000000", 3),
                           ("030000001800000004000000010000000000000061626364", 3),
                           ("0300000030000000050000000200000000000000" + caps + "00000000", 1)):
        expect = "0400008010000000" + message[16:24] + f"{error:02x}000000"
        answer = said(sim, message)
        t.check(answer == expect, f"{message} is answered {answer}, not {expect}")
