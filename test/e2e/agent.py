# SPDX-License-Identifier: Apache-2.0
"""simkey-agent for the tests, users beside root, and the agent's protocol by hand. Run as a program
(agent.py SOCKET WORD ARGUMENT...) it is a hostile client; the tests start it as another user."""

import array
import os
import random
import socket
import struct
import sys
import time

LIST, READ, SIGN, DECRYPT, ALGORITHMS, IDENTITY, TRIES, AVAILABLE, CERTIFICATE = range(1, 10)
EC, RSA = 1, 0
PKCS1, PSS, ECDSA = range(3)
SHA256 = 3
NONE = 0xFF
# two users that every Debian has, and that the agent knows nothing of
WWW, OTHER = 33, 34


def request(operation, patience=30000, kind=EC, scheme=ECDSA, digest=SHA256, option=0, bits=256,
            container=NONE, iccid=b"", key=b"", label=b"", data=b"", applet=0, version=1):
    head = b"SK" + bytes([version, operation]) + struct.pack(">I", patience)
    head += bytes([kind, scheme, digest, option]) + struct.pack(">H", bits)
    head += bytes([container, len(iccid), len(key), len(label)]) + struct.pack(">H", len(data)) + bytes([applet])
    return head + iccid + key + label + data


def sign_request(container=0, key=b"\x61", **more):
    return request(SIGN, container=container, key=key, data=bytes(32), **more)


def connect(path):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.settimeout(30)
    client.connect(path)
    return client


def answer(client):
    """(outcome, sentence, body), or None where the connection ended."""
    try:
        packet = client.recv(70000)
    except ConnectionResetError:
        return None
    if not packet:
        return None
    text = struct.unpack(">H", packet[8:10])[0]
    return packet[3], packet[16:16 + text].decode("latin1"), packet[16 + text:]


def ask(path, packet):
    with connect(path) as client:
        client.send(packet)
        return answer(client)


# What hostile clients do

def broken(rng):
    """A packet that is almost a request, or none at all."""
    whole = rng.choice([sign_request(), request(LIST), request(READ, container=0), request(TRIES),
                        request(DECRYPT, kind=RSA, scheme=PKCS1, data=bytes(256)), request(CERTIFICATE),
                        request(AVAILABLE, option=0x80), request(IDENTITY),
                        request(ALGORITHMS, container=0, key=b"\x61")])
    way = rng.randrange(5)
    if way == 0:
        return rng.randbytes(rng.choice([0, 1, 3, 4, 19, 20, 21, 22, 600, 1000, 60000]))
    if way == 1:
        return whole[:rng.randrange(len(whole))]
    if way == 2:
        return whole + rng.randbytes(rng.randrange(1, 600))
    at = rng.choice([*range(4), *range(8, 21)])
    # 0 to 3 and the lengths: whatever is there afterwards is none
    broken_one = bytearray(whole)
    broken_one[at] ^= 1 << rng.randrange(8)
    return bytes(broken_one) if at in (0, 1, 2, 15, 16, 17, 18, 19) else whole[:-1] or b"S"


def garbage(path, count, seed):
    """Broken packets, with descriptors attached now and then, and connections that are dropped at each step."""
    rng, said = random.Random(int(seed)), {}
    null = os.open("/dev/null", os.O_RDONLY)
    for _ in range(int(count)):
        try:
            client = connect(path)
            packet = broken(rng)
            if rng.randrange(8) == 0:
                client.close()
                continue
            attached = array.array("i", [null] * rng.randrange(1, 250)) if rng.randrange(4) == 0 else []
            client.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, attached)] if len(attached) else [])
            for _ in range(rng.randrange(3)):
                client.send(broken(rng)[:100])
            if rng.randrange(4) == 0:
                client.close()
                continue
            if rng.randrange(4) == 0:
                client.shutdown(rng.choice([socket.SHUT_RD, socket.SHUT_WR]))
            got = answer(client)
            said[got and got[0]] = said.get(got and got[0], 0) + 1
            client.close()
        except OSError as error:
            said[error.errno] = said.get(error.errno, 0) + 1
    print(said)
    return 1 if 0 in said else 0  # 0 would be success


def over(client):
    """The agent has answered, or sent it away."""
    try:
        client.recv(70000)
    except BlockingIOError:
        return False
    except OSError:
        pass
    client.close()
    return True


def flood(path, seconds):
    """As many connections as it can get, all the time: requests, and one in four silent."""
    end, held = time.monotonic() + float(seconds), []
    while time.monotonic() < end:
        try:
            client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            client.setblocking(False)
            client.connect(path)
            if random.randrange(4):
                client.send(sign_request())
            held.append(client)
        except OSError:
            time.sleep(0.001)
        held = [client for client in held if not over(client)]
    return 0


def hasty(path, patience):
    """Signatures for which there is no time, until it is killed."""
    while True:
        ask(path, sign_request(patience=int(patience)))


def lingering():
    """A socket whose closing lasts a minute, and what it needs to stay so."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listening.bind(("127.0.0.1", 0))
    listening.listen(1)
    client = socket.create_connection(listening.getsockname())
    peer, _ = listening.accept()
    client.setblocking(False)
    for _ in range(2):
        try:
            while True:
                client.send(bytes(65536))
        except BlockingIOError:
            time.sleep(0.3)  # what the peer takes all the same
    client.setblocking(True)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 60))
    return client.detach(), (listening, peer)


def linger(path, count):
    """Leaves it to the agent to close such sockets: they are attached to packets, and held by nobody else."""
    held = []
    for _ in range(int(count)):
        slow, kept = lingering()
        held.append(kept)
        client = connect(path)
        client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [slow]))])
        client.close()
        os.close(slow)
    print("sent", flush=True)
    time.sleep(60)


def crash(path):
    """Stays silent on a connection until that ends."""
    client = connect(path)
    print("connected", flush=True)
    print(answer(client))
    return 0


if __name__ == "__main__":
    sys.exit({"garbage": garbage, "flood": flood, "hasty": hasty, "linger": linger,
              "crash": crash}[sys.argv[2]](sys.argv[1], *sys.argv[3:]))
