# SPDX-License-Identifier: Apache-2.0
"""Key references as anybody can make them: of another one, with another URI."""

import base64


def _length(number):
    if number < 128:
        return bytes([number])
    octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def _tlv(tag, body):
    return bytes([tag]) + _length(len(body)) + body


def _take(der):
    """The first TLV, its value, and the rest."""
    length, at = der[1], 2
    if length & 0x80:
        octets = length & 0x7F
        length, at = int.from_bytes(der[2:2 + octets], "big"), 2 + octets
    return der[:at + length], der[at:at + length], der[at + length:]


def der_of(pem):
    lines = pem.decode().splitlines()
    return base64.b64decode("".join(line for line in lines if line and not line.startswith("-")))


def uri_of(pem):
    """The URI in a reference."""
    _, _, rest = _take(_take(der_of(pem))[1])
    return _take(rest)[1].decode("latin1")


def forged(pem, uri, iccid=None):
    """The reference with another URI, and another ICCID if one is given."""
    version, _, rest = _take(_take(der_of(pem))[1])
    _, _, rest = _take(rest)
    key, _, rest = _take(rest)
    number = rest if iccid is None else _tlv(0x12, iccid.encode())
    der = _tlv(0x30, version + _tlv(0x0C, uri.encode()) + key + number)
    text = base64.b64encode(der).decode()
    lines = [text[i:i + 64] for i in range(0, len(text), 64)]
    label = "SIM KEY REFERENCE-----\n"
    return (f"-----BEGIN {label}" + "\n".join(lines) + f"\n-----END {label}").encode()
