# SPDX-License-Identifier: Apache-2.0
"""The setting `log`: the provider's own sentence for programs that shorten OpenSSL's errors. What goes well
says nothing."""

import os
import re
import socket

from fixture import PYTHON, USAGE, test
from reader import own_mounts
from test_devices import machine
from test_order import conf
from tls import demanding_nginx, pki

CLIENT = """
import ssl, sys, urllib.request
context = ssl.create_default_context(cafile=sys.argv[2])
context.load_cert_chain(sys.argv[3], sys.argv[4])
for _ in range(int(sys.argv[5])):
    try:
        urllib.request.urlopen(f"https://localhost:{sys.argv[1]}/", context=context).read()
        print("SUCCESS")
    except OSError as error:
        print(error)
"""


class Place:
    def __init__(self, t):
        self.t, self.sim = t, t.sim("p256")
        self.cert, self.key = t.exported(self.sim)
        self.nginx = demanding_nginx(t, self.sim)

    def client(self, times=1, expect=0, **env):
        env.setdefault("OPENSSL_CONF", conf(self.t, self.sim, ("default", "simkey")))
        return self.t.run([PYTHON, "-c", CLIENT, str(self.nginx.port), pki("ca.pem"), self.cert, self.key, str(times)],
                          env=self.t.env(self.sim, True, **env), expect=expect)


@test(seconds=120)
def python_says_what_happened_by_stderr_and_nothing_when_all_is_well(t):
    place = Place(t)
    good = place.client(SIMKEY_LOG="stderr")
    t.equal((good.out, good.err), ("SUCCESS\n", ""), "a handshake that works")
    wrong = dict(SIMKEY_PIN_SOURCE="/nonexistent/pin", SIMKEY_RUN_DIR=t.path("other-run"))
    os.mkdir(t.path("other-run"), 0o700)
    t.equal(place.client(**wrong).err, "", "without the setting")
    bad = place.client(SIMKEY_LOG="stderr", **wrong)
    t.says(bad.out, r"EVP lib|SSL")
    t.says(bad.err, "(?m)^simkey: cannot read the PIN from /nonexistent/pin: No such file")
    text = t.write("log.cnf", t.read("openssl.cnf").decode() + "\n[section_simkey]\nlog = stderr\n")
    t.says(place.client(OPENSSL_CONF=text, **wrong).err, "(?m)^simkey: cannot read the PIN")
    file = t.write("simkey.conf", "log = stderr\n")
    t.says(place.client(SIMKEY_CONF=file, **wrong).err, "(?m)^simkey: cannot read the PIN")


@test(seconds=120)
def a_minute_has_ten_lines_and_then_a_count(t):
    place = Place(t)
    os.mkdir(t.path("other-run"), 0o700)
    bad = place.client(25, SIMKEY_LOG="stderr", SIMKEY_PIN_SOURCE="/nonexistent/pin", SIMKEY_RUN_DIR=t.path("other-run"))
    t.equal(len(bad.out.splitlines()), 25, "attempts")
    t.equal(len(re.findall("(?m)^simkey: ", bad.err)), 10, "lines")


@test(seconds=120, left_out=None if os.geteuid() == 0 else "only root may have a /dev of his own")
def syslog_gets_a_line_with_the_programs_name(t):
    place = Place(t)
    env = t.env(place.sim, True, SIMKEY_LOG="syslog", SIMKEY_PIN_SOURCE="/nonexistent/pin",
                OPENSSL_CONF=conf(t, place.sim, ("default", "simkey")))
    t.check(own_mounts(t), "a mount namespace")
    os.makedirs(t.path("dev"))
    journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    journal.bind(t.path("dev/log"))
    machine(t, {})
    journal.settimeout(10)
    t.write("message", "a message")
    t.run(["openssl", "dgst", "-sha256", "-sign", place.key, "-out", t.path("sig"), t.path("message")], env=env,
          expect="failure")
    t.says(journal.recv(4096).decode(), r"^<11>openssl\[\d+\]: simkey: cannot read the PIN from /nonexistent/pin")
    journal.close()
    os.remove(t.path("dev/log"))
    t.run(["openssl", "dgst", "-sha256", "-sign", place.key, "-out", t.path("sig"), t.path("message")], env=env,
          expect="failure", seconds=20)


@test
def the_setting_is_one_of_three_words_and_not_for_uris(t):
    sim = t.sim("p256")
    t.simkey(sim, "info", SIMKEY_LOG="journal", expect=USAGE, says="`log` is one of off, stderr, syslog")
    t.simkey(sim, "cert", "sim:signing?log=stderr", expect=USAGE, says="log")
    t.simkey(sim, "info", "--log", "stderr", expect=USAGE, says="unknown option")
