# SPDX-License-Identifier: Apache-2.0
"""Certificate authorities made by openssl, in the shapes of the vendor's two generations, and
certificates of theirs for the keys of a simulated card."""

import os
import shutil
import ssl

CONF = """
[ca]
default_ca = ours
[ours]
new_certs_dir = .
database = index
serial = serial
crlnumber = crlnumber
default_md = sha256
policy = any
unique_subject = no
copy_extensions = none
[any]
commonName = supplied
[req]
distinguished_name = dn
[dn]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[no_ca]
basicConstraints = critical,CA:FALSE
[bare_authority]
basicConstraints = critical,CA:TRUE
subjectKeyIdentifier = none
authorityKeyIdentifier = none
[client]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical,CA:FALSE
extendedKeyUsage = serverAuth
[bare_client]
basicConstraints = critical,CA:FALSE
subjectKeyIdentifier = none
authorityKeyIdentifier = none
"""
PAST, NOW, FAR = "20200101000000Z", "20240101000000Z", "20550101000000Z"


class Authority:
    """A CA in a folder of its own; without a parent a root."""

    def __init__(self, t, name, parent=None, extensions="authority", begin=NOW, end=FAR):
        self.t, self.name = t, name
        self.dir = t.path(f"ca-{t.number()}")
        os.mkdir(self.dir)
        for file, text in (("conf", CONF), ("index", ""), ("serial", "1000\n"), ("crlnumber", "01\n")):
            self.write(file, text)
        self.openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-config", "conf", "-keyout", "key", "-out", "csr", "-subj", "/CN=" + name)
        if parent is None:
            self.openssl("ca", "-batch", "-config", "conf", "-selfsign", "-keyfile", "key", "-in", "csr",
                         "-out", "pem", "-notext", "-extensions", extensions, "-startdate", begin,
                         "-enddate", end)
        else:
            parent.issue(self.file("csr"), self.file("pem"), extensions, begin, end)

    def file(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, text):
        with open(self.file(name), "w", encoding="ascii") as file:
            file.write(text)

    def openssl(self, *arguments):
        # cd, because the files of a CA are named without a folder
        self.t.run(["sh", "-c", 'cd "$0" && exec openssl "$@"', self.dir, *arguments], preload=False)

    def issue(self, csr, out, extensions="client", begin=NOW, end=FAR):
        self.openssl("ca", "-batch", "-config", "conf", "-keyfile", "key", "-cert", "pem", "-in", csr,
                     "-out", out, "-notext", "-extensions", extensions, "-startdate", begin,
                     "-enddate", end)

    def pem(self):
        with open(self.file("pem"), encoding="ascii") as file:
            return file.read()

    def revoke(self, certificate):
        self.openssl("ca", "-config", "conf", "-keyfile", "key", "-cert", "pem", "-revoke", certificate)

    def crl(self, *dates):
        """PEM; dates: -crl_lastupdate and -crl_nextupdate, where not a month from now."""
        self.openssl("ca", "-config", "conf", "-keyfile", "key", "-cert", "pem", "-gencrl", "-out", "crl",
                     *(dates or ("-crldays", "30")))
        with open(self.file("crl"), encoding="ascii") as file:
            return file.read()


def generation(t, number, tag="", **changes):
    """The CAs of a generation, the root first: 1 has a policy CA between root and issuer."""
    names = ["root", "policy", "issuer"] if number == 1 else ["root", "issuer"]
    chain = []
    for name in names:
        chain.append(Authority(t, f"G{number} {name}{tag}", chain[-1] if chain else None,
                               **changes.get(name, {})))
    return chain


def certify(t, card, authority, key="signing-0", place=None, **how):
    """A certificate of this CA for a key of the card, which the card keeps."""
    place = place or key
    csr, out = t.path(f"csr-{t.number()}"), t.path(f"pem-{t.number()}")
    t.run(["openssl", "req", "-new", "-config", authority.file("conf"), "-key",
           os.path.join(card, "private", key + ".key"), "-subj", "/CN=the SIM " + key, "-out", csr],
          preload=False)
    authority.issue(csr, out, **how)
    shutil.copy(out, os.path.join(card, place + ".pem"))
    return os.path.join(card, place + ".pem")


# Certificates with names that no CA would write. Nobody who only looks at them asks for the signature.

COMMON_NAME = bytes.fromhex("0603550403")


def der(tag, *contents):
    content = b"".join(contents)
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    if len(content) > 127:
        length = bytes([0x80 | len(length)]) + length
    return bytes([tag]) + length + content


def elements(content):
    """The elements of a constructed one's content, each with its header."""
    at, found = 0, []
    while at < len(content):
        begin, length = at + 2, content[at + 1]
        if length > 127:
            begin += length & 127
            length = int.from_bytes(content[at + 2:begin], "big")
        found.append((content[at:begin + length], content[begin:begin + length]))
        at = begin + length
    return found


def rename(pem, *subject, serial=None):
    """PEM with another subject: common names, each its string's tag and bytes. serial: its bytes."""
    whole = elements(elements(ssl.PEM_cert_to_DER_cert(pem))[0][1])
    fields = [element for element, _ in elements(whole[0][1])]
    fields[5] = der(0x30, *(der(0x31, der(0x30, COMMON_NAME, der(tag, text))) for tag, text in subject))
    if serial is not None:
        fields[1] = der(0x02, serial)
    made = der(0x30, der(0x30, *fields), *(element for element, _ in whole[1:]))
    return ssl.DER_cert_to_PEM_cert(made)
