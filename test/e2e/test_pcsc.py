# SPDX-License-Identifier: Apache-2.0
"""The SIM in a card reader: the same commands with `device = pcsc:...`, and what becomes of them if
the card is pulled, reset, or held by another program."""

import json
import os
import re
import signal
import time

from fixture import PATH, PYTHON, ROOT, SANITIZED, SIMKEY, UNREACHABLE, USAGE, Talk, test, with_providers
from reader import NAMES, Reader
from test_order import conf
from test_readme import Machine, tagged
from test_safe2 import CONFIG, SAFE2, Site
from tls import CLOSING, COLD, demanding_nginx, handshake, pki

DEVICE = "pcsc:" + NAMES[0]
PROVIDERS = ("default", "simkey")
ICCID = ["SELECT", "GET RESPONSE", "READ BINARY"]
T1 = "3B959540FFAE01030000"  # an ATR of a card that speaks T=1

# One handshake with a page a line of its input, all in one process.
CLIENT = """
import socket, ssl, sys
context = ssl.create_default_context(cafile=sys.argv[2])
context.load_cert_chain(sys.argv[3], sys.argv[4])
for line in sys.stdin:
    try:
        with socket.create_connection(("localhost", int(sys.argv[1]))) as sock:
            with context.wrap_socket(sock, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
                page = b""
                while chunk := tls.recv(65536):
                    page += chunk
        print(line.strip(), page.split(b"\\r\\n\\r\\n")[1].decode().strip(), flush=True)
    except OSError as error:
        print(line.strip(), "failed:", error, flush=True)
"""


class Bench:
    """A SIM in a reader."""

    def __init__(self, t, key="p256", *switches, atr=()):
        self.t, self.sim = t, t.sim(key, *switches)
        self.reader = Reader(t, self.sim, *atr)
        self.sim.mark()

    def env(self, **more):
        return self.t.env(self.sim, True, **{"SIMKEY_DEVICE": DEVICE, **more})

    def simkey(self, *arguments, device=DEVICE, **how):
        return self.t.simkey(self.sim, *arguments, SIMKEY_DEVICE=device, **how)

    def exported(self):
        cert, key = self.t.path("sim.crt"), self.t.path("sim.key")
        self.simkey("cert", "signing", "--out", cert)
        self.simkey("key", "signing", "--out", key)
        self.sim.mark()
        return cert, key

    def client(self, **more):
        return Client(self, **more)

    def signer(self, key, number):
        text = self.t.write(f"text-{number}", f"text {number}")
        return self.t.start("openssl", ["openssl", *with_providers(
            ["dgst", "-sha256", "-sign", key, "-out", self.t.path(f"sig-{number}"), text],
            PROVIDERS)], self.env())


class Client(Talk):
    """A process that makes one handshake after the other."""

    def __init__(self, bench, **more):
        t = bench.t
        cert, key = bench.exported()
        nginx = demanding_nginx(t, bench.sim)
        super().__init__([PYTHON, "-c", CLIENT, str(nginx.port), pki("ca.pem"), cert, key],
                         bench.env(OPENSSL_CONF=conf(t, bench.sim, PROVIDERS), **more), t.dir)
        self.bench, self.asked = bench, 0
        t.running.append(self)

    def stop(self):
        self.end()

    def ask(self):
        self.asked += 1
        self.say(f"{self.asked}\n")

    def answer(self, wanted, seconds=40):
        since = time.monotonic()
        self.hear(f"\n{self.asked} " if self.asked > 1 else f"{self.asked} ", seconds)
        self.hear("\n", 5)
        while not self.text.endswith("\n"):
            self.hear("\n", 5)
        self.bench.t.says(self.text.splitlines()[-1], f"^{self.asked} {wanted}")
        return time.monotonic() - since

    def works(self):
        self.ask()
        return self.answer("SUCCESS CN=.*signing 0")


def signed(t, bench, number):
    key = t.write("pub.pem", t.run(["openssl", "x509", "-in", os.path.join(
        bench.sim.card, "signing-0.pem"), "-noout", "-pubkey"], preload=False).raw)
    t.run(["openssl", "dgst", "-sha256", "-verify", key, "-signature", t.path(f"sig-{number}"),
           t.path(f"text-{number}")], preload=False)


@test(seconds=180, long=True)
def the_commands_work_with_a_card_reader(t):
    bench = Bench(t)
    shown = json.loads(bench.simkey("info", "--json", SIMKEY_TRACE="at,file:" + t.path("at")).out)
    t.equal(shown["modem"], {"model": NAMES[0]}, "what stands for the modem")
    with open(os.path.join(bench.sim.card, "card"), encoding="ascii") as card:
        t.equal(shown["iccid"], re.search(r"^iccid = (\d+)", card.read(), re.M)[1], "the ICCID")
    trace = t.read("at").decode()
    t.says(trace, "0070000001 -> 019000")
    t.silent(trace, [" > ", " < ", r"\bAT\b"])

    cert, key = bench.exported()
    with open(os.path.join(bench.sim.card, "signing-0.pem"), "rb") as file:
        t.equal(t.read("sim.crt"), file.read(), "the certificate")
    t.says(t.read("sim.key").decode(), "BEGIN SIM KEY REFERENCE")
    t.says(bench.simkey("pin", "status").out, "3 tries left")
    t.says(bench.simkey("apdu", "00A40804022FE2").out, "9000")
    bench.sim.mark()
    handshake(t, bench.sim, env=bench.env())
    bench.sim.mark()
    handshake(t, bench.sim, cert, key, env=bench.env())
    t.equal([w for w in bench.sim.words() if w != "GET RESPONSE"],
            COLD[:1] + [w for w in ICCID if w != "GET RESPONSE"] + COLD[1:] + CLOSING,
            "the APDUs of a cold handshake")
    t.equal((bench.sim.tries(), bench.sim.tries("pin1")), (3, 3), "tries")


@test(seconds=180, long=True)
def the_doctor_examines_a_card_reader(t):
    bench = Bench(t)
    done = bench.simkey("doctor", "--trace", "at,file:" + t.path("at"))
    t.says(done.out, [NAMES[0], "(?m)^ok +iccid", "(?m)^ok +signature"])
    t.silent(done.out, "(?m)^failure")
    t.silent(t.read("at").decode(), [" > ", " < "])
    bench.reader.remove()
    done = bench.simkey("doctor", expect=UNREACHABLE)
    t.says(done.out, "no card in the reader")


@test(seconds=180, long=True)
def readers_are_found_by_name_part_and_number(t):
    bench = Bench(t)
    for name in (NAMES[0], "0", "00 00", "virtual pcd 00 00"):
        t.says(bench.simkey("pin", "status", device="pcsc:" + name).out, "3 tries left")
    for name in (NAMES[1], "1", "00 01"):
        bench.simkey("info", device="pcsc:" + name, expect=UNREACHABLE,
                     says=f'no card in the reader "{NAMES[1]}"')
    bench.simkey("info", device="pcsc:Virtual PCD", expect=USAGE,
                 says=["several card readers", *(f'"{name}"' for name in NAMES)])
    for name in ("2", "Omnikey"):
        bench.simkey("info", device="pcsc:" + name, expect=UNREACHABLE,
                     says=[f'no card reader "{name}"', *(f'"{name}"' for name in NAMES)])
    bench.reader.pcscd.stop()
    bench.simkey("info", expect=UNREACHABLE, says="pcscd is not running")


@test(seconds=180, long=True)
def a_card_with_T_1(t):
    bench = Bench(t, "rsa2048", atr=[T1])
    handshake(t, bench.sim, env=bench.env())
    t.says(bench.reader.bridge.said(), r"01a4040c0da0000000188000000006624151 |01a40804022fe200 ")


@test(seconds=180, long=True)
def a_card_with_T_0_gets_no_Le_behind_data(t):
    bench = Bench(t, "rsa2048", "--t0")
    handshake(t, bench.sim, env=bench.env())
    said = bench.reader.bridge.said()
    t.says(said, ["01a40804022fe2 -> 61", "0120008100 -> "])
    t.silent(said, ["01a40804022fe200", "01200081 -> "])


@test(seconds=180, long=True)
def type_A_keys_load_from_a_card_reader(t):
    bench = Bench(t, "rsa2048")
    handshake(t, bench.sim, "sim:available", "sim:available", env=bench.env(), signatures=0)
    bench.simkey("key", "available", "--out", t.path("available.key"))


@test(seconds=180, long=True)
def a_program_keeps_its_channel_and_the_reader_is_free_in_between(t):
    bench = Bench(t)
    client, other = bench.client(), bench.reader.program()
    for _ in range(3):
        client.works()
        other.does("exclusive")  # nobody else may be connected then
        other.does("disconnect")
    t.equal([bench.sim.count(words) for words in ("MANAGE CHANNEL OPEN", "VERIFY", "PSO CDS")],
            [1, 2, 3], "channels, VERIFYs, signatures")


@test(seconds=180, long=True)
def another_program_that_is_only_connected_is_in_nobodys_way(t):
    bench = Bench(t)
    other, client = bench.reader.program(), bench.client()
    other.does("connect")
    client.works()
    other.does("reset")
    client.works()
    t.equal(bench.sim.count("MANAGE CHANNEL OPEN"), 2, "channels: the reset closed the first")
    other.does("begin")
    other.does("end")
    client.works()
    t.equal((bench.sim.tries(), bench.sim.count("PSO CDS")), (3, 3), "tries, signatures")


@test(seconds=180, long=True)
def another_programs_transaction_is_waited_for_until_the_deadline(t):
    bench = Bench(t)
    other = bench.reader.program()
    other.does("connect")
    other.does("begin")
    for _ in range(2):
        since = time.monotonic()
        bench.simkey("info", SIMKEY_TIMEOUT="2", expect=UNREACHABLE,
                     says=f'the card at "{DEVICE}" is in use by another program')
        t.check(1.9 < time.monotonic() - since < 4, f"it took {time.monotonic() - since} s")
    late = t.start("simkey", [SIMKEY, "pin", "status"], bench.env())
    time.sleep(1)
    other.does("end")
    t.equal(late.wait(), 0, f"status: {late.said()}")
    other.does("disconnect")
    other.does("exclusive")
    bench.simkey("info", SIMKEY_TIMEOUT="2", expect=UNREACHABLE, says="in use by another program")
    other.does("disconnect")
    bench.simkey("pin", "status")


@test(seconds=180, long=True)
def a_program_outlives_another_ones_transaction(t):
    """In one process: what an operation left behind at its deadline is in nobody's way later."""
    bench = Bench(t)
    other, client = bench.reader.program(), bench.client(SIMKEY_TIMEOUT="4")
    client.works()
    other.does("connect")
    other.does("begin")
    for _ in range(2):
        client.ask()
        t.check(2.9 < client.answer("failed") < 6, "the deadline")
    other.does("end")
    client.works()
    t.equal(bench.sim.tries(), 3, "tries")


@test(seconds=180, long=True)
def a_hanging_pcscd_ends_the_operation_at_the_deadline(t):
    bench = Bench(t)
    client = bench.client(SIMKEY_TIMEOUT="4")
    client.works()
    bench.reader.pcscd.popen.send_signal(signal.SIGSTOP)
    bench.simkey("info", SIMKEY_TIMEOUT="2", expect=UNREACHABLE, says="in use by another program")
    client.ask()
    client.answer("failed", 8)
    bench.reader.pcscd.popen.send_signal(signal.SIGCONT)
    client.works()


@test(seconds=180, long=True)
def several_programs_sign_at_once(t):
    bench = Bench(t, "p256", "--sign-ms", "200")
    _, key = bench.exported()
    signers = [bench.signer(key, number) for number in range(4)]
    for number, process in enumerate(signers):
        t.equal(process.wait(60), 0, f"status of program {number}: {process.said()}")
        signed(t, bench, number)
    t.equal(bench.sim.tries(), 3, "tries")


@test(seconds=180, long=True)
def the_card_is_pulled_in_the_middle_of_a_signature_and_comes_back(t):
    bench = Bench(t, "p256", "--sign-ms", "1500")
    client = bench.client()
    client.works()
    client.ask()
    bench.reader.bridge.wait_for(
        lambda: bench.reader.bridge.said().count("012a9e9a") > 0, "signing")
    time.sleep(0.5)
    bench.reader.remove()
    client.answer("failed")
    bench.simkey("info", expect=UNREACHABLE, says=f'no card in the reader "{NAMES[0]}"')
    client.ask()
    client.answer("failed")
    bench.reader.insert()
    client.works()
    t.silent(bench.reader.bridge.said(), "00708001")  # the channel was lost, not left open
    t.equal(bench.sim.tries(), 3, "tries")


@test(seconds=180, long=True)
def another_card_in_the_reader_is_noticed(t):
    bench = Bench(t)
    client = bench.client()
    client.works()
    bench.reader.remove()
    bench.reader.sim = t.sim(t.new_card("--key", "p256"))
    bench.reader.insert()
    client.ask()
    client.answer("failed")
    t.equal(bench.reader.sim.count("PSO CDS"), 0, "signatures of the other card")


@test(seconds=180, long=True)
def a_reset_by_another_program_waits_for_the_signatures_end(t):
    bench = Bench(t, "p256", "--sign-ms", "1000")
    client, other = bench.client(), bench.reader.program()
    other.does("connect")
    client.ask()
    bench.reader.bridge.wait_for(
        lambda: bench.reader.bridge.said().count("012a9e9a") > 0, "signing")
    other.does("drop")
    client.answer("SUCCESS CN=.*signing 0")
    t.says(bench.reader.bridge.said(), r"012a9e9a00 -> \w+9000\n(04 .*\n)*power 02")
    client.works()
    t.equal((bench.sim.tries(), bench.sim.count("PSO CDS")), (3, 2), "tries, signatures")


@test(seconds=180, long=True)
def pcscd_powers_the_card_down_in_a_pause(t):
    bench = Bench(t)
    client = bench.client()
    client.works()
    time.sleep(8)
    client.works()
    t.says(bench.reader.bridge.said(), r"power 00\n(.*\n)*power 01")
    t.equal((bench.sim.tries(), bench.sim.count("PSO CDS")), (3, 2), "tries, signatures")


@test(seconds=180, long=True)
def safe2_gets_a_configuration(t):
    site = Site(t)
    site.put(CONFIG)
    Reader(t, site.sim)
    command = [SAFE2, "get", "--interval", "0.1"]
    t.run(command, site.sim, SIMKEY_DEVICE=DEVICE, expect=USAGE, says="--device-id")
    got = t.run([*command, "--device-id", "0102"], site.sim, SIMKEY_DEVICE=DEVICE)
    t.equal(got.raw, CONFIG, "the configuration")


@test(seconds=180, long=True)
def pcscd_ends_and_comes_back(t):
    bench = Bench(t)
    client = bench.client()
    client.works()
    bench.reader.pcscd.stop()
    client.ask()
    client.answer("failed")
    bench.reader.start()
    bench.reader.insert()
    client.works()


@test(seconds=180, long=True, left_out="the shell would load a sanitizer" if SANITIZED else None)
def the_commands_of_the_readme_work_with_a_card_reader(t):
    bench, machine = Bench(t), Machine(t)
    machine.outside(bench.sim.card)
    machine.furnish()
    os.makedirs(t.path("etc/simkey"))
    t.write("etc/simkey/pin", "0000\n")
    t.write("etc/simkey/simkey.conf", "")
    text = machine.local("".join(tagged("card-reader")))
    t.says(text, "pcsc:Omnikey")
    env = t.env(PATH=f"{t.path('bin')}:{PATH}", ROOT=ROOT, DIR=t.dir, SSL_CERT_FILE=pki("ca.pem"))
    done = t.run(["bash", "-euo", "pipefail",
                  t.write("block", text.replace("pcsc:Omnikey", f"'{DEVICE}'"))], env=env)
    t.says(done.out, [NAMES[0], r"Verify return code: 0 \(ok\)"])
    t.signatures(bench.sim, 1)
