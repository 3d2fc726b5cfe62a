"""Set-ups of fragmentation sessions by a server that means no good (promises S1, S5, S6)."""

from __future__ import annotations

import dataclasses
import gc
import random
import tracemalloc
from collections import Counter
from unittest import mock

from lorafuota.datablock import DataBlock
from lorafuota.fec import matrix
from lorafuota.fec.decoder import FragDecoder, memory_bound
from lorafuota.fragmentation import v1, v2
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq
from lorafuota.package import Package
from lorafuota.session.actions import Action, BlockReceived, Send, StoreSessionCnt
from lorafuota.session.device import FuotaDevice
from lorafuota.session.fragmentation import FragLimits, FragServer, FragState
from lorafuota.session.profile import frag_profile
from lorafuota.session.saved import SavedState, keep
from lorafuota.session.stacks import device_profile
from lorafuota.types import UPLINK, GenAppKey
from lorafuota.wire import Command
from tests.support import rebuilt

NOW = 1_300_000_000.0
ROOT = GenAppKey(bytes(range(16)))
REPLAY = v2.SetupError.SESSION_CNT_REPLAY


def device(version: int, limits: FragLimits | None = None) -> FuotaDevice:
    profile = device_profile(f"documents v{version}")
    return FuotaDevice.from_profile(
        profile, root_key=ROOT, rng=random.Random(1), clock_known=True, frag_limits=limits
    )


def tell(one: FuotaDevice, command: Command) -> list[Action]:
    return rebuilt(one, one.receive(201, command.encode(), now=NOW), NOW)


def errors(package: Package, actions: list[Action]) -> v2.SetupError:
    """The bits in the answer to a set-up."""
    sends = [action for action in actions if isinstance(action, Send)]
    [payload] = [action.payload for action in sends if action.fport == package.fport]
    [answer] = package.parse(payload, UPLINK, strict=True)
    assert isinstance(answer, v1.FragSessionSetupAns | v2.FragSessionSetupAns)
    return v2.SetupError(answer.errors)


# S1: memory

SLACK = 1 << 16
"""Octets for what does not depend on any set-up: actions, parsed commands, the device itself."""


@dataclasses.dataclass
class Memory:
    """What hostile set-ups made a device need."""

    accepted: int = 0
    refused: int = 0
    worst: float = 0.0
    """Largest share of the documented bound that was needed."""


def hostile_session(seed: int, found: Memory) -> None:
    """Send one device set-ups and fragments without sense, under a memory tracer.

    The peak is within 1.2 times the sum of the formula over its sessions, and what is refused
    leaves neither state nor memory.
    """
    rng = random.Random(f"memory {seed}")
    limit = rng.choice((0, 200_000, 1_000_000, 4_000_000))
    limits = FragLimits(max_memory=limit, nb_indices=rng.choice((1, 4, 4)))
    one = device(1, limits)
    held: dict[int, int] = {}
    sizes: dict[int, tuple[int, int]] = {}
    with mock.patch.object(matrix, "_CACHE", matrix.LineCache(0)):
        gc.collect()
        tracemalloc.start()
        try:
            for _ in range(rng.randint(1, 12)):
                small = rng.random() < 0.8
                req = v1.FragSessionSetupReq(
                    mc_group_bit_mask=rng.randrange(16),
                    frag_index=rng.randrange(4),
                    nb_frag=rng.randint(1, 500) if small else rng.choice((0, 1000, 16_383, 65_535)),
                    frag_size=rng.choice((0, 1, 10, 20, 50, 200, 239, 255)),
                    block_ack_delay=rng.randrange(8),
                    frag_algo=rng.choice((0, 0, 0, 0, 0, 0, 0, 1, 7)),
                    padding=rng.choice((0, 0, 0, 0, 0, 0, 0, 255)),
                    descriptor=rng.randbytes(4),
                )
                before, base = one.export(progress=True), tracemalloc.get_traced_memory()[0]
                if errors(v1.PACKAGE, tell(one, req)):
                    found.refused += 1
                    assert one.export(progress=True) == before, f"seed {seed}: {req}"
                    left = tracemalloc.get_traced_memory()[0] - base
                    assert left < 4096, f"seed {seed}: {left} octets left by a refused {req}"
                else:
                    found.accepted += 1
                    bound = memory_bound(nb_frag=req.nb_frag, frag_size=req.frag_size)
                    assert bound <= limit, f"seed {seed}: {req}"
                    held[req.frag_index] = max(held.get(req.frag_index, 0), bound)
                    sizes[req.frag_index] = req.nb_frag, req.frag_size
                del before
                for index, (nb_frag, frag_size) in sizes.items():
                    coded = rng.random() < 0.7  # nothing but coded fragments: all is lost
                    first = rng.randint(nb_frag, nb_frag + 500)
                    for number in range(rng.choice((5, 50, 2 * nb_frag))):
                        n = first + number if coded else rng.randint(0, 2 * nb_frag)
                        n = min(n, 16_383)
                        octets = rng.randbytes(frag_size if coded else rng.choice((frag_size, 239)))
                        air = b"\x08" + (n | index << 14).to_bytes(2, "little") + octets
                        group = rng.choice((None, 0))
                        rebuilt(one, one.receive(201, air[:242], now=NOW, mc_group_id=group), NOW)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    bound = sum(held.values())
    assert peak <= 1.2 * bound + SLACK, f"seed {seed}: {peak} octets for a bound of {bound}"
    if bound > 10 * SLACK:
        found.worst = max(found.worst, peak / bound)


def hostile_sessions(count: int, seed: int = 0) -> Memory:
    found = Memory()
    for number in range(seed, seed + count):
        hostile_session(number, found)
    return found


# S5: the same set-up, or another


@dataclasses.dataclass
class Model:
    """What a session ought to be: its set-up, and which of its fragments came since."""

    server: FragServer
    block: DataBlock
    decoder: FragDecoder
    started: bool = False
    done: bool = False


def mixture(version: int, seed: int) -> Counter[str]:
    """Set up, feed, delete and reset at random; the device is what a plain model is, always.

    Blocks have fragments of different sizes, so that a fragment of one can never pass for one of
    another: whatever the device delivers is the block of the set-up that stands, whole.
    """
    rng = random.Random(f"mixture {version} {seed}")
    profile, seen = frag_profile(version), Counter[str]()
    blocks = [DataBlock(rng.randbytes(size * rng.randint(1, 12)), size) for size in (3, 5, 8)]
    one, state = device(version), SavedState()
    models: dict[int, Model] = {}
    used = {0: -1, 1: -1}
    servers = [
        (block, FragServer(profile, block, frag_index=at, session_cnt=cnt, root_key=ROOT))
        for block in blocks
        for at in (0, 1)
        for cnt in (range(4) if version == 2 else (0,))
    ]

    def fresh(block: DataBlock) -> FragDecoder:
        return FragDecoder(nb_frag=block.nb_frag, frag_size=block.frag_size, variant=profile.parity)

    def do(actions: list[Action]) -> list[Action]:
        for action in actions:
            keep(state, action)
        return actions

    for _ in range(60):
        index = rng.randrange(2)
        model = models.get(index)
        match rng.randrange(10):
            case 0 | 1:
                block, server = rng.choice(servers)
                if model is not None and rng.random() < 0.5:
                    block, server = model.block, model.server
                req = server.setup_req
                index, model = req.frag_index, models.get(req.frag_index)
                got = errors(profile.package, do(tell(one, req)))
                replayed = (
                    isinstance(req, v2.FragSessionSetupReq) and req.session_cnt <= used[index]
                )
                assert got == (REPLAY if replayed else 0), f"seed {seed}: {req}"
                same = model is not None and model.server.setup_req == req
                seen["refused" if replayed else "same" if same else "another"] += 1
                if not replayed and not (same and model is not None and not model.started):
                    models[index] = Model(server, block, fresh(block))
            case 2 if rng.random() < 0.3:
                do(tell(one, FragSessionDeleteReq(frag_index=index)))
                models.pop(index, None)
            case 3 if rng.random() < 0.4:
                progress = rng.random() < 0.5
                saved = one.export(progress=True) if progress else dict(state)
                one = device(version)
                do(one.restore(saved, now=NOW))
                seen["reset"] += 1
                for each in models.values():
                    if not each.done and not progress:
                        each.decoder, each.started = fresh(each.block), False
            case _:
                block = model.block if model and rng.random() < 0.8 else rng.choice(blocks)
                n = rng.randint(1, block.nb_frag + 6)
                payload = block.encoder(profile.parity).fragment(n)
                fragment = DataFragment(n=n, frag_index=index, payload=payload)
                actions = do(tell(one, fragment))
                got_blocks = [one for one in actions if isinstance(one, BlockReceived)]
                if model is None or model.done or block is not model.block:
                    assert got_blocks == [], f"seed {seed}"
                    continue
                if not model.started and isinstance(model.server.setup_req, v2.FragSessionSetupReq):
                    used[index] = model.server.setup_req.session_cnt
                model.started = True
                model.decoder.feed(n, payload)
                model.done = model.decoder.complete
                assert [one.data for one in got_blocks] == [block.image] * model.done
                seen["fragments"] += 1
                seen["blocks"] += model.done
        for at in (0, 1):
            there = models.get(at)
            if there is None:
                assert one.fragmentation.state(at) is None, f"seed {seed}"
            elif there.done:
                assert one.fragmentation.state(at) is FragState.DONE, f"seed {seed}"
            else:
                missing = one.fragmentation.decoder(at).missing
                assert missing == there.decoder.missing, f"seed {seed}"
    return seen


def mixtures(count: int, seed: int = 0) -> Counter[str]:
    seen: Counter[str] = Counter()
    for number in range(seed, seed + count):
        seen += mixture(1 + number % 2, number)
    return seen


# S6: used counters


def replay(seed: int) -> Counter[str]:
    """Record every set-up and play them again at any time, across resets that keep what is stored.

    A counter is stored before anything its first fragment causes; no set-up is accepted after a
    fragment used its counter, or a higher one, up; after 65535 nothing is accepted.
    """
    rng = random.Random(f"replay {seed}")
    profile, seen = frag_profile(2), Counter[str]()
    block = DataBlock(rng.randbytes(30), 5)
    encoder = block.encoder(profile.parity)
    one, state = device(2), SavedState()
    used = dict.fromkeys(range(4), -1)
    current: dict[int, int] = {}
    recorded: list[v2.FragSessionSetupReq] = []
    for _ in range(60):
        index = rng.randrange(4)
        match rng.randrange(4):
            case 0:
                low = max(used[index], 0)
                cnt = rng.choice(
                    (rng.randint(0, 65_535), min(low + rng.randint(0, 3), 65_535), 65_535, 0)
                )
                server = FragServer(
                    profile, block, frag_index=index, session_cnt=cnt, root_key=ROOT
                )
                req = server.setup_req
                assert isinstance(req, v2.FragSessionSetupReq)
                recorded.append(req)
                _offer(one, req, used, current, state, seen)
            case 1 if recorded:
                _offer(one, rng.choice(recorded), used, current, state, seen)
            case 2 if rng.random() < 0.4:
                one = device(2)
                one.restore(dict(state), now=NOW)
                seen["resets"] += 1
            case _ if index in current:
                n = rng.randint(1, block.nb_frag + 3)
                fragment = DataFragment(n=n, frag_index=index, payload=encoder.fragment(n))
                actions = tell(one, fragment)
                if used[index] < current[index]:
                    first = StoreSessionCnt(index, current[index])
                    assert actions[:1] == [first], f"seed {seed}: {actions}"
                    used[index] = current[index]
                    seen["counters used"] += 1
                    if rng.random() < 0.3:  # the power fails right behind the first write
                        keep(state, actions[0])
                        one = device(2)
                        one.restore(dict(state), now=NOW)
                        seen["resets"] += 1
                        continue
                for action in actions:
                    keep(state, action)
            case _:
                pass
    for req in recorded:
        _offer(one, req, used, current, state, seen)
    return seen


def _offer(
    one: FuotaDevice,
    req: v2.FragSessionSetupReq,
    used: dict[int, int],
    current: dict[int, int],
    state: SavedState,
    seen: Counter[str],
) -> None:
    index = req.frag_index
    actions = tell(one, req)
    refused = req.session_cnt <= used[index]
    assert errors(v2.PACKAGE, actions) == (REPLAY if refused else 0), (used, req)
    for action in actions:
        keep(state, action)
    if refused:
        assert all(isinstance(action, Send) for action in actions)
    else:
        current[index] = req.session_cnt
    seen["refused" if refused else "accepted"] += 1


def replays(count: int, seed: int = 0) -> Counter[str]:
    seen: Counter[str] = Counter()
    for number in range(seed, seed + count):
        seen += replay(number)
    return seen
