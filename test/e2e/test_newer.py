# SPDX-License-Identifier: Apache-2.0
"""What only newer programs can: sim: URIs in place of files. The documents' blocks for them are run
where the program is new enough (make test-matrix), and said to be left out elsewhere."""

import os
import re
import subprocess

from fixture import BUILD, PATH, SANITIZED, test
from test_applications import START, Place, page_server
from test_readme import BY_ID, Machine, tagged
from tls import free_port


def too_old(command, wanted, what):
    """None if the program has this version, else why it is left out."""
    if SANITIZED:
        return "a sanitizer's library makes another program of it"
    done = subprocess.run(command, env={"PATH": PATH}, capture_output=True, check=False)
    found = re.search(rb"(?:curl |nginx/)(\d+)\.(\d+)(\S*)", done.stdout + done.stderr)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    return None if version >= wanted else f"{what} begins with {wanted[0]}.{wanted[1]}; here: " \
        + (found[0].decode() if found else "none")


CURL = too_old(["curl", "--version"], (8, 12), "--key-type PROV of curl")
NGINX = too_old(["nginx", "-v"], (1, 29), "store: of nginx")


def curl_by_uris(t, key, conf):
    """conf: whether there is an OPENSSL_CONF, which curl's own context does not read."""
    port = free_port()
    place = Place(t, key, [("https://server.example", f"https://localhost:{port}")])
    page_server(t, place.ca, port)
    env = place.env(OPENSSL_MODULES=BUILD, CURL_CA_BUNDLE=place.env()["SSL_CERT_FILE"])
    if not conf:
        env.pop("OPENSSL_CONF")
    blocks = tagged("curl-uri")
    t.check(blocks, "no document has a block \"curl-uri\"")
    for text in blocks:
        t.says(place.shell(text, env=env).out, "^SUCCESS CN=.* signing 0")
    t.signatures(place.sim, 1)


for kind in ("rsa2048", "p256"):
    for with_conf in (True, False):
        test(name=f"curl by URIs with a {kind} key, " + ("with" if with_conf else "without")
             + " OPENSSL_CONF", key=kind, conf=with_conf, left_out=CURL)(curl_by_uris)

# What the documents have done by then.
BEFORE = START + """
install -d /etc/systemd/system/nginx.service.d
openssl req -new -key sim:signing -subj /CN=gateway.example -out gateway.csr
openssl x509 -req -in gateway.csr -CA ca.crt -CAkey ca.key -out /etc/simkey/gateway.crt
cp clients-ca.crt /etc/simkey/
echo "Environment=OPENSSL_CONF=/etc/simkey/openssl.cnf" > /etc/systemd/system/nginx.service.d/simkey.conf
"""


def nginx_by_uri(t, key):
    machine = Machine(t)
    card = t.new_card("--key", key)
    try:
        machine.outside(card)
        machine.furnish()
        machine.modem(card)
        machine.run(0, ["sh"], BEFORE)
        os.remove(t.path("etc/simkey/sim.key"))
        blocks = tagged("nginx-store")
        t.check(blocks, "no document has a block \"nginx-store\"")
        for text in blocks:
            machine.run(0, ["sh"], text)
        t.check(os.path.islink(t.path("by-id/" + BY_ID)), "the modem's link")
    finally:
        machine.close()


for kind in ("rsa2048", "p256"):
    test(name=f"nginx as a server with a {kind} key by its URI", key=kind, left_out=NGINX)(nginx_by_uri)
