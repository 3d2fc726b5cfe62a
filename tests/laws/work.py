"""How long one fragment can keep a device busy, at worst (promise S2)."""

from __future__ import annotations

import dataclasses
import random
import time

from lorafuota.fec import kernels
from lorafuota.fragmentation.v1 import DataFragment, FragSessionSetupReq
from lorafuota.session.device import FuotaDevice
from tests.laws.set_ups import NOW, device

MOST_SECONDS = {"c": 0.010, "python": 0.250}
"""Of processor time, by the kernels that run, at the limits a device has by default."""


@dataclasses.dataclass
class Worst:
    """The fragment that took longest."""

    seconds: float = 0.0
    fragments: int = 0
    nb_frag: int = 0
    lost: int = 0

    def __str__(self) -> str:
        return (
            f"{self.fragments:,} fragments, at most {1000 * self.seconds:.2f} ms "
            f"(M = {self.nb_frag}, {self.lost} lost, kernels {kernels.NAME})"
        )


def session(seed: int, found: Worst) -> None:
    """Feed one session, most of its plain fragments withheld, and time each fragment."""
    rng = random.Random(f"work {seed}")
    nb_frag = rng.choice((10, 100, 500, 1000, 2000, 5000))
    frag_size = rng.choice((10, 50, 200) if nb_frag < 5000 else (50,))
    lost = rng.choice((1, nb_frag // 10, nb_frag // 3, nb_frag)) or 1
    one: FuotaDevice = device(1)
    req = FragSessionSetupReq(
        mc_group_bit_mask=0,
        frag_index=0,
        nb_frag=nb_frag,
        frag_size=frag_size,
        block_ack_delay=0,
        frag_algo=0,
        padding=0,
        descriptor=bytes(4),
    )
    one.receive(201, req.encode(), now=NOW)
    plain = sorted(rng.sample(range(1, nb_frag + 1), nb_frag - lost))
    for n in (*plain, *range(nb_frag + 1, nb_frag + lost + 30)):
        air = DataFragment(n=n, frag_index=0, payload=rng.randbytes(frag_size)).encode()
        began = time.thread_time()
        one.receive(201, air, now=NOW)
        seconds = time.thread_time() - began
        found.fragments += 1
        if seconds > found.seconds:
            found.seconds, found.nb_frag, found.lost = seconds, nb_frag, lost


def worst(sessions: int, seed: int = 0) -> Worst:
    """Feed so many sessions; return the fragment that took longest.

    Raises:
        AssertionError: It took longer than the kernels are allowed.
    """
    found = Worst()
    for number in range(seed, seed + sessions):
        session(number, found)
    assert found.seconds <= MOST_SECONDS[kernels.NAME], str(found)
    return found
