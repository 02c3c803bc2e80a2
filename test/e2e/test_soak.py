# SPDX-License-Identifier: Apache-2.0
"""`make soak` in short: eight processes that are killed, stopped, forked and disturbed. SEED=n repeats
a run, SIGNATURES=n makes it longer."""

import os
import random

from fixture import test
from soak import soak

SIGNATURES = int(os.environ.get("SIGNATURES") or "600")


def short(t, signatures=SIGNATURES, **chosen):
    seed = os.environ.get("SEED") or str(random.SystemRandom().randrange(10 ** 6))
    wrong = soak(t, seed, signatures, lambda *words: print("--", *words, flush=True), **chosen)
    t.check(not wrong, f"with SEED={seed}:\n" + "\n".join(wrong))


test(name="eight processes, shared sessions, csim", seconds=240, long=True, key="p256", carriers=["csim"],
     manners=["shared"], sign_ms=5, t0=False, reset=True, families=["mias"])(short)
test(name="eight processes, all manners, ccho, RSA with T=0", seconds=240, long=True, key="rsa2048",
     carriers=["ccho"], manners=["shared", "shared", "keep", "private"], sign_ms=2, t0=True,
     reset=False, families=["mias"])(short)
test(name="eight processes, mIAS and IoT SAFE of one SIM at once", seconds=240, long=True,
     signatures=SIGNATURES // 4, key="p256", carriers=["csim"], manners=["shared", "shared", "keep", "shared"],
     sign_ms=2, t0=False, reset=True, families=["mias", "iotsafe"], one_session=True)(short)
