# SPDX-License-Identifier: Apache-2.0
"""The server side of SAFE2 by itself: the shipped files of configs/safe2, asked by `openssl
s_client` in the SIM's place. What the simulated SIM makes of it is tested elsewhere."""

import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

from fixture import ROOT, SYSTEMD, test
from safe2_server import ENROL, Safe2Server, new_key

ICCID = "89430300000123456782"
OTHER = "8944501234567890124"  # 19 digits
DEVICE = "0123456789abcdef0123"
SUITES = ("TLS_AES_128_CCM_SHA256", "TLS_AES_128_GCM_SHA256")
CONFIG = b'{"configuration":{"version":"2020-10-13","config":[{"action":"iot:Alarm","effect":"On"}]}}'


def swapped(iccid):
    """EF.ICCID as hex."""
    digits = iccid.ljust(20, "F")
    return "".join(digits[i + 1] + digits[i] for i in range(0, 20, 2))


class Answer:
    def __init__(self, done, trace):
        self.status, self.body = None, b""
        self.said, self.trace = done.stderr.decode("latin1"), trace
        head, _, self.body = done.stdout.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d+)", head)
        if match:
            self.status = int(match[1])
            length = re.search(rb"^content-length: (\d+)", head, re.I | re.M)
            self.whole = length is None or int(length[1]) == len(self.body)


def sim_command(server, identity, key, suite=SUITES[0], trace=os.devnull):
    # With a group that stunnel does not have, and leave to do without, OpenSSL ends at psk_ke.
    return ["openssl", "s_client", "-quiet", "-trace", "-msgfile", trace, "-tls1_3", "-connect",
            f"{server.host}:{server.port}", "-groups", "ffdhe2048", "-allow_no_dhe_kex",
            "-ciphersuites", suite, "-psk", key, "-psk_identity", identity]


def as_sim(t, server, identity, key, request, suite=SUITES[0]):
    trace = t.path(f"trace-{t.number()}")
    done = subprocess.run(sim_command(server, identity, key, suite, trace), input=request,
                          env=t.env(), capture_output=True, timeout=30, check=False)
    text = ""
    if os.path.exists(trace):
        with open(trace, encoding="latin1") as file:
            text = file.read()
    return Answer(done, text)


def get_request(query, device=DEVICE):
    return f"GET /v1/config/{device}?iccid={query} HTTP/1.1\r\n\r\n".encode()


def post_request(query, body, device=DEVICE):
    return (f"POST /v1/data/{device}?iccid={query} HTTP/1.1\r\nHost: safe2.example:4433\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def get(t, server, key, iccid=ICCID, query=None, device=DEVICE, suite=SUITES[0]):
    return as_sim(t, server, iccid, key, get_request(query or iccid, device), suite)


def got(t, answer, body):
    t.equal(answer.status, 200, f"status ({answer.said})")
    t.equal(answer.body, body, "body")


def every_byte(size, first):
    return bytes((first + i) % 256 for i in range(size))


@test
def a_sim_gets_its_configuration_by_psk_without_diffie_hellman(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    for suite in SUITES:
        answer = get(t, server, key, suite=suite)
        got(t, answer, CONFIG)
        hello = answer.trace.split("ServerHello", 1)[1].split("EncryptedExtensions", 1)[0]
        t.says(answer.trace, "psk_ke")
        t.says(hello, [suite, "extension_type=psk"])
        t.silent(hello, "extension_type=key_share")
        t.silent(answer.trace, "NewSessionTicket")
    t.equal(server.identities(2), [ICCID.encode()] * 2, "identities")


@test
def bodies_of_any_bytes_and_sizes_arrive_as_they_were_put(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    for size in (1, 100, 250, 254):
        for first in {1: (0, 10, 13, 255), 100: (0, 90, 180)}.get(size, (0, 128)):
            body = every_byte(size, first)
            server.put(body, ICCID, says="warning: .* 254 bytes" if size > 250 else None)
            got(t, get(t, server, key), body)
    for device in ("a0", DEVICE, "0f" * 16):
        got(t, get(t, server, key, device=device), every_byte(254, 128))


@test
def both_identities_and_both_forms_of_the_query_are_served(t):
    server = Safe2Server(t)
    for iccid, raw in ((ICCID.replace("00000", "11111"), True), (OTHER, True), (ICCID, False),
                       ("894430123456789013", False)):
        key = server.add(iccid, raw=raw)
        server.put(iccid.encode(), iccid)
        identity = bytes.fromhex(swapped(iccid)) if raw else iccid
        for query in (iccid, swapped(iccid), swapped(iccid).lower()):
            got(t, as_sim(t, server, identity, key, get_request(query)), iccid.encode())
    t.equal(server.identities(4)[3], b"\x98D.!Ce\x87.!\xf4", "identity of the second SIM")
    t.says(server.enrol("list").out, [f"{OTHER}  identity: raw", f"{ICCID}  identity: digits"])


@test
def a_raw_identity_with_a_zero_byte_is_refused_in_words(t):
    server = Safe2Server(t)
    server.add(ICCID, raw=True, expect=4, says="zero byte, on which stunnel does not start")
    key = server.add("89" + "01" * 9, raw=True)
    server.put(CONFIG, "89" + "01" * 9)
    got(t, as_sim(t, server, b"\x98" + b"\x10" * 9, key, get_request("89" + "01" * 9)), CONFIG)


@test
def bytes_that_mean_something_elsewhere_are_fine_in_a_raw_identity(t):
    # Tab, space, quote, apostrophe, hash, percent; tab and space also at the end.
    server = Safe2Server(t)
    for tail in ("902232527293", "329002227090", "223252729302"):
        iccid = "89911111" + tail
        key = server.add(iccid, raw=True)
        server.put(CONFIG, iccid)
        got(t, as_sim(t, server, bytes.fromhex(swapped(iccid)), key, get_request(iccid)), CONFIG)


@test
def the_device_and_sim_goes_before_the_device_and_that_before_the_sim(t):
    server = Safe2Server(t)
    key, other = server.add(ICCID), server.add(OTHER)
    server.put(b"general", ICCID)
    got(t, get(t, server, key), b"general")
    server.put(b"device", device=DEVICE.upper())
    got(t, get(t, server, key), b"device")
    got(t, get(t, server, other, OTHER), b"device")
    server.put(b"both", ICCID, DEVICE)
    got(t, get(t, server, key, device=DEVICE.upper()), b"both")
    got(t, get(t, server, other, OTHER), b"device")
    got(t, get(t, server, key, device="aa"), b"general")
    server.unset(ICCID, DEVICE)
    got(t, get(t, server, key), b"device")
    server.unset(device=DEVICE)
    got(t, get(t, server, key), b"general")
    server.unset(ICCID)
    t.equal(get(t, server, key).status, 404, "status without a configuration")
    server.unset(ICCID, expect=3, says="no configuration for")


@test
def the_unknown_the_malformed_and_the_foreign_get_nothing(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(b"secret", ICCID)
    server.put(b"secret", device="aa")
    t.write("safe2-outside", b"secret")
    for path in (f"/v1/config/{DEVICE}?iccid={OTHER}", f"/v1/config/{DEVICE}",
                 f"/v1/config/{DEVICE}?iccid=", f"/v1/config/aa?iccid={OTHER}",
                 f"/v1/config/{DEVICE}?iccid=../sims/{ICCID}", f"/v1/config/?iccid={ICCID}",
                 f"/v1/config/1?iccid={ICCID}", f"/v1/config/{'a' * 34}?iccid={ICCID}",
                 f"/v1/config/../../psk?iccid={ICCID}", f"/v1/config/%2e%2e%2fpsk?iccid={ICCID}",
                 f"/v1/config/{DEVICE}?iccid=%2e%2e", f"/sims/{ICCID}/config", "/psk", "/",
                 f"/sims/{ICCID}/config?iccid={ICCID}", f"/psk?iccid={ICCID}",
                 f"/v1/sims/{ICCID}/config?iccid={ICCID}", f"/v1/config/zz?iccid={ICCID}"):
        answer = as_sim(t, server, ICCID, key, f"GET {path} HTTP/1.1\r\n\r\n".encode())
        t.check(answer.status in (400, 404), f"{path}: status {answer.status}")
        t.check(answer.status != 404 or answer.body == b"", f"{path}: {answer.body}")
        t.check(b"secret" not in answer.body, path)
    for method, path in (("PUT", "data"), ("DELETE", "config"), ("PUT", "config"), ("POST", "config"),
                         ("GET", "data"), ("MKCOL", "config")):
        answer = as_sim(t, server, ICCID, key, f"{method} /v1/{path}/aa?iccid={ICCID} HTTP/1.1\r\n"
                        "Content-Length: 0\r\n\r\n".encode())
        t.check(answer.status in (404, 405), f"{method} {path}: status {answer.status}")
    t.equal(as_sim(t, server, ICCID, key, post_request(OTHER, b"x")).status, 404, "foreign POST")
    t.equal(server.telemetry(ICCID), [], "telemetry")
    got(t, get(t, server, key, device="aa"), b"secret")


@test
def a_wrong_key_and_an_unknown_identity_are_refused_in_the_handshake(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    for identity, wrong in ((ICCID, new_key()), (OTHER, key), (ICCID[:-1], key)):
        answer = get(t, server, wrong, identity, ICCID)
        t.equal((answer.status, answer.body), (None, b""), "answer")
        t.says(answer.said, "alert|error")
    t.equal(server.requests(), [], "requests that came through")
    got(t, get(t, server, key), CONFIG)


@test
def telemetry_is_kept_byte_by_byte_with_sim_and_device(t):
    server = Safe2Server(t)
    key, other = server.add(ICCID), server.add(OTHER)
    sent = [("aa", bytes(range(256))), (DEVICE, b"\0\r\n\r\n"), ("aa", b'{"t":21.5}'),
            ("0f" * 16, b"x")]
    for number, (device, body) in enumerate(sent):
        query = (ICCID, swapped(ICCID))[number % 2]
        answer = as_sim(t, server, ICCID, key, post_request(query, body, device.upper()))
        t.equal((answer.status, answer.body), (200, b""), f"answer ({answer.said})")
    as_sim(t, server, OTHER, other, post_request(OTHER, b"other"))
    t.equal(server.telemetry(ICCID), sent, "telemetry")
    t.equal(server.telemetry(OTHER), [(DEVICE, b"other")], "telemetry of the other")
    t.equal(as_sim(t, server, ICCID, key, post_request(ICCID, b"x" * 5000)).status, 413, "too long")
    server.enrol("remove", ICCID)
    t.equal(server.telemetry(ICCID), sent, "telemetry after remove")


@test
def each_request_can_be_traced_to_the_identity_of_its_connection(t):
    server = Safe2Server(t)
    key, other = server.add(ICCID), server.add(OTHER)
    server.put(CONFIG, ICCID)
    get(t, server, key)
    get(t, server, other, OTHER, ICCID)  # one SIM asks in the name of another
    peers = re.findall(r"^\S+ (127\.0\.0\.1:\d+) GET", server.log("access"), re.M)
    t.equal(len(peers), 2, "requests with the SIM's address")
    server.identities(2)
    seen = [re.search(rf"accepted connection from {peer}\n(?:.*\n)*?.*identity \"(\d+)\"",
                      server.log("stunnel"))[1] for peer in peers]
    t.equal(seen, [ICCID, OTHER], "identities behind the requests")


@test
def a_key_is_rotated_and_nobody_else_notices(t):
    server = Safe2Server(t)
    old, other = server.add(ICCID), server.add(OTHER)
    server.put(CONFIG, ICCID)
    server.put(b"other", OTHER)
    request = get_request(ICCID)
    begun = subprocess.Popen(sim_command(server, ICCID, old), stdin=subprocess.PIPE, env=t.env(),
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    begun.stdin.write(request[:20])
    begun.stdin.flush()
    server.proxy.wait_for(lambda: server.identities() == [ICCID.encode()], "handshake")
    pid = server.proxy.popen.pid
    new = server.rotate(ICCID)
    begun.stdin.write(request[20:])
    begun.stdin.flush()
    answer = begun.stdout.read()
    begun.communicate(timeout=20)
    t.check(answer.endswith(CONFIG), f"the connection in progress ended with {answer}")
    t.equal(get(t, server, old).status, None, "status with the old key")
    got(t, get(t, server, new), CONFIG)
    got(t, get(t, server, other, OTHER), b"other")
    t.equal(server.proxy.popen.poll(), None, "stunnel's end")
    t.equal(server.proxy.popen.pid, pid, "stunnel's process")
    text = t.read(os.path.join(server.root, "psk"))
    t.check(old.encode() not in text and new.encode() in text, "the key file")


@test(seconds=300, long=True)
def other_sims_come_in_all_the_time_while_keys_rotate(t):
    # The socket is not stunnel's own (safe2-proxy.socket): by itself it closes it for a moment.
    server = Safe2Server(t)
    server.add(ICCID)
    other = server.add(OTHER)
    server.put(b"other", OTHER)
    ended, failed, done = threading.Event(), [], []

    def ask():
        while not ended.is_set():
            answer = get(t, server, other, OTHER)
            (done if answer.body == b"other" else failed).append(answer.said)

    def connect():
        while not ended.is_set():
            try:
                socket.create_connection((server.host, server.port)).close()
            except OSError as error:
                failed.append(str(error))
            time.sleep(0.001)

    asking = [threading.Thread(target=what) for what in (ask, ask, connect)]
    for thread in asking:
        thread.start()
    for _ in range(20):
        server.rotate(ICCID)
        time.sleep(0.05)
    ended.set()
    for thread in asking:
        thread.join()
    t.check(len(done) > 30, f"only {len(done)} requests")
    t.equal(failed, [], f"failed ones beside {len(done)}")


@test
def configurations_are_put_from_afar_by_token_only(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    token = server.token("fleet")
    path = f"/v1/sims/{ICCID}/config"
    body = every_byte(250, 3)
    t.equal(server.https("PUT", path, token, body), 201, "first PUT")
    got(t, get(t, server, key), body)
    t.equal(server.put_by_token(CONFIG, token, ICCID), 204, "second PUT")
    got(t, get(t, server, key), CONFIG)
    t.equal(server.enrol("show", "--iccid", ICCID).raw, CONFIG, "what safe2-enrol shows")
    t.equal(server.https("GET", path, token), 200, "GET")
    t.equal(t.read("https.answer"), CONFIG, "what GET shows")
    t.equal(server.put_by_token(b"both", token, ICCID, DEVICE), 201, "PUT for SIM and device")
    got(t, get(t, server, key), b"both")
    t.equal(server.put_by_token(b"device", token, device="aa"), 201, "PUT for a device")
    got(t, get(t, server, key, device="aa"), b"device")
    t.equal(server.https("DELETE", path + "/../device/" + DEVICE, token), 204, "DELETE")
    got(t, get(t, server, key), CONFIG)

    wrong = ("0" if token[0] != "0" else "1") + token[1:]
    for bad in (wrong, token[:-1], token + "0", "", "fleet", ".*", None):
        for method in ("PUT", "GET", "DELETE"):
            t.equal(server.https(method, path, bad, b"evil" if method == "PUT" else None), 401,
                    f"{method} with the token {bad}")
    for size, status in ((0, 411), (254, 204), (255, 413), (300, 413), (100000, 413)):
        t.equal(server.https("PUT", path, token, b"x" * size), status, f"PUT of {size} bytes")
    t.equal(server.https("PUT", path, token, b"x", ["-H", "Transfer-Encoding: chunked"]), 411,
            "PUT without a length")
    for path in (f"/v1/sims/{OTHER}/config", f"/v1/sims/{swapped(ICCID)}x/config", "/psk", "/tokens",
                 f"/v1/sims/{ICCID}/telemetry/aa/x", f"/v1/sims/{ICCID}/device/A0", "/v1/devices/1",
                 "/v1/devices/..%2ftokens", "/v1/devices/%2e%2e/psk", f"/v1/sims/{ICCID}"):
        for method in ("PUT", "GET", "DELETE"):
            status = server.https(method, path, token, b"evil" if method == "PUT" else None,
                                  ["--path-as-is"])
            t.check(status in (400, 404), f"{method} {path}: {status}")
    t.equal(server.https("POST", f"/v1/sims/{ICCID}/config", token, b"x"), 405, "POST")
    got(t, get(t, server, key), b"x" * 254)
    t.silent(server.log("writers") + server.log("nginx"), token)
    t.says(server.log("writers"), f"fleet PUT /sims/{ICCID}/config 201")
    server.enrol("token-remove", "fleet")
    for _ in range(5):
        t.equal(server.https("GET", f"/v1/sims/{ICCID}/config", token), 401, "the removed token")


@test
def the_proxy_killed_and_started_again_serves_again(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    for number in (signal.SIGTERM, signal.SIGKILL):
        server.stop_proxy(number)
        t.says(get(t, server, key).said, "refused")
        new = server.rotate(ICCID, says="stunnel does not run")
        server.start_proxy()
        t.equal(get(t, server, key).status, None, "status with the old key")
        key = new
        got(t, get(t, server, key), CONFIG)


@test
def answers_can_be_broken_for_tests_and_mended(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    for how, status, body in (("half", 200, b"x" * 40), ("close", None, b"")):
        server.break_answers(how)
        answer = get(t, server, key)
        t.equal((answer.status, answer.body), (status, body), how)
        t.check(status is None or not answer.whole, how)
    server.mend_answers()
    got(t, get(t, server, key), CONFIG)
    for body in (b"", b"x" * 300):
        server.put_unchecked(body, ICCID)
        got(t, get(t, server, key), body)


@test
def enrolment_refuses_bad_input_in_words_and_changes_nothing(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    before = t.read(os.path.join(server.root, "psk"))
    for iccid in ("", "89", "8" * 17, "8" * 21, "8943030000012345678x", "../../etc/passwd12"):
        server.add(iccid, expect=1, says="not an ICCID|needs an ICCID")
    for bad in ("", "00" * 15, "00" * 17, "0g" * 16, key + " 00"):
        result = server.enrol("add", OTHER, "-", stdin=bad, expect=4, says="16 bytes as 32 hex")
        t.check(not bad or bad not in result.err, "the key is repeated")
    server.add(ICCID, expect=4, says="enrolled already")
    server.rotate(OTHER, expect=3, says="not enrolled")
    server.enrol("remove", OTHER, expect=3, says="not enrolled")
    server.enrol("add", OTHER, t.path("none"), expect=1, says="cannot read the key file")
    server.put(b"", ICCID, expect=4, says="empty")
    for size in (255, 256, 100000):
        server.put(b"x" * size, ICCID, expect=4, says="255 bytes or more")
    server.put(b"x", OTHER, expect=3, says="not enrolled")
    server.enrol("put", "--iccid", ICCID, t.path("none"), expect=2, says="cannot read")
    for device in ("1", "0g", "", "00" * 17, "../../psk"):
        server.enrol("put", "--iccid", ICCID, "--device-id", device, "-", stdin=b"x", expect=1,
                     says="not a device id")
    for words in (["frobnicate"], [], ["add", "--raw"], ["put", "-"], ["list", "x"], ["rotate", ICCID],
                  ["put", "--iccid"], ["token-add"], ["token-add", "a b"], ["init", "--psk-port", "x"]):
        server.enrol(*words, expect=1, says="help|needs|whose|not a")
    t.equal(t.read(os.path.join(server.root, "psk")), before, "the key file")
    got(t, get(t, server, key), CONFIG)
    left = [os.path.join(at, name) for at, _, names in os.walk(server.root) for name in names
            if name.startswith(".new")]
    t.equal(left, [], "temporary files")
    server.add(OTHER[:-1] + "1", says="warning: the check digit")
    t.equal(server.enrol("add", OTHER, "-", stdin=new_key()).err, "", "words about a good ICCID")


@test
def what_is_secret_is_nobody_elses(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    token = server.token()
    for name in ("psk", "tokens", "https.key"):
        mode = stat.S_IMODE(os.stat(os.path.join(server.root, name)).st_mode)
        t.equal(oct(mode), "0o600", f"mode of {name}")
    get(t, server, key)
    get(t, server, new_key())
    for at, _, names in os.walk(os.path.join(server.root, "log")):
        for name in names:
            text = t.read(os.path.join(at, name)).lower()
            t.check(key.encode() not in text and token.encode() not in text, f"secret in {name}")
    for process in t.running:
        t.silent(process.said(), [key, token])


@test
def a_removed_sim_is_out_and_the_last_one_leaves_a_proxy_that_starts(t):
    server = Safe2Server(t)
    key = server.add(ICCID)
    server.put(CONFIG, ICCID)
    server.enrol("remove", ICCID)
    t.equal(get(t, server, key).status, None, "status")
    t.equal(server.enrol("list").out, "", "list")
    server.stop_proxy()
    server.start_proxy()
    key = server.add(ICCID)
    t.equal(get(t, server, key).status, 404, "status: the old configuration went")


@test
def two_enrolments_at_once_both_count(t):
    server = Safe2Server(t)
    sims = [f"8944500000000000{n:03d}" for n in range(8)]
    started = [subprocess.Popen([ENROL, "--root", server.root, "add", iccid, "-"], env=t.env(),
                                stdin=subprocess.PIPE, stderr=subprocess.PIPE) for iccid in sims]
    for process in started:
        process.communicate(new_key().encode(), timeout=60)
        t.equal(process.returncode, 0, "exit status")
    listed = re.findall(r"^(\d+) ", server.enrol("list").out, re.M)
    t.equal(listed, sims, "SIMs")


@test(left_out=SYSTEMD)
def the_units_are_accepted_by_systemd(t):
    folder = os.path.join(ROOT, "configs", "safe2")
    units = [t.path(name) for name in os.listdir(folder)
             if name.endswith((".service", ".timer", ".socket"))]
    t.equal(len(units), 4, "units")
    for unit in units:
        name = os.path.basename(unit)
        with open(os.path.join(folder, name), encoding="ascii") as file:
            t.write(name, file.read().replace("/usr/local/bin/safe2", "/bin/true"), 0o644)
    result = t.run(["systemd-analyze", "verify", "--man=no", *units], env=t.env())
    t.equal((result.out, result.err), ("", ""), "what systemd-analyze said")
