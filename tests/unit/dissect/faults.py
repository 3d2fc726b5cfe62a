"""Every fault the doctor is to find, injected into sessions of our own; and healthy sessions.

Each entry makes a capture and what its owner knows from a seed, and says which symptom has to be
named first.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from lorafuota import crypto
from lorafuota.campaign.config import ClockCheck, RetryPolicy, WindowClass
from lorafuota.datablock import DataBlock
from lorafuota.dissect.capture import Frame
from lorafuota.dissect.case import Known
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.dissect.matrices import FOREIGN, line_of
from lorafuota.dissect.mckey import reversed_address
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup import v1 as mc
from lorafuota.session.fragmentation import FragLimits
from lorafuota.session.multicast import McLimits
from lorafuota.session.profile import Order
from lorafuota.session.stacks import DEVICE_PROFILES, DeviceProfile
from lorafuota.types import (
    DOWNLINK,
    AppKey,
    DevAddr,
    DevEUI,
    GenAppKey,
    LorawanVersion,
    McKEKey,
    McKey,
)
from lorafuota.wire import Command
from tests.unit.dissect.bench import Bench, McOut, number

Capture: TypeAlias = tuple[list[Frame], Known]
Make: TypeAlias = Callable[[int], Capture]

V1, V2 = DEVICE_PROFILES["documents v1"], DEVICE_PROFILES["documents v2"]
UNIX = 315_964_800 - 18


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault: what makes captures of it, and what the doctor has to say first."""

    name: str
    symptom: Symptom
    make: Make


FAULTS: list[Fault] = []


def fault(symptom: Symptom, name: str = "") -> Callable[[Make], Make]:
    def keep(make: Make) -> Make:
        FAULTS.append(Fault(name or symptom.value, symptom, make))
        return make

    return keep


def documents(seed: int) -> DeviceProfile:
    return V1 if seed % 2 else V2


def run(seed: int, **fields: Any) -> Capture:
    bench = Bench(seed, **fields)
    return bench.run(), bench.known


def knowing(capture: Capture, **fields: Any) -> Capture:
    return capture[0], dataclasses.replace(capture[1], **fields)


# What changes octets on their way out of the server


def commands(
    port: int, kind: type[Command], change: Callable[[Bench, Any], Command | None]
) -> dict[str, Any]:
    """Change every downlink that is one command of a kind; None keeps it from leaving."""

    def on_unicast(bench: Bench, fport: int, payload: bytes) -> bytes | None:
        if fport != port or payload[:1] != bytes((kind.CID,)):
            return payload
        try:
            command = kind.decode(payload)
        except ValueError:
            return payload
        changed = change(bench, command)
        return None if changed is None else changed.encode()

    return {"on_unicast": on_unicast}


def v2_setups(change: Callable[[Bench, v2.FragSessionSetupReq], Command | None]) -> dict[str, Any]:
    return commands(201, v2.FragSessionSetupReq, change)


def replaced(**fields: Any) -> Callable[[Bench, Any], Command]:
    return lambda bench, one: dataclasses.replace(one, **fields)


def fragments(change: Callable[[Bench, int, bytes], tuple[int, bytes] | None]) -> dict[str, Any]:
    """Change number and octets of every fragment, by multicast and unicast."""

    def changed(bench: Bench, payload: bytes) -> bytes | None:
        head = int.from_bytes(payload[1:3], "little")
        found = change(bench, head & 0x3FFF, payload[3:])
        if found is None:
            return None
        return b"\x08" + (head & 0xC000 | found[0]).to_bytes(2, "little") + found[1]

    def on_unicast(bench: Bench, fport: int, payload: bytes) -> bytes | None:
        return changed(bench, payload) if fport == 201 and number(payload) else payload

    def on_multicast(bench: Bench, out: McOut) -> Sequence[McOut]:
        if not number(out.payload):
            return [out]
        payload = changed(bench, out.payload)
        return [] if payload is None else [dataclasses.replace(out, payload=payload)]

    return {"on_unicast": on_unicast, "on_multicast": on_multicast}


def frames(change: Callable[[Bench, McOut], McOut | None]) -> dict[str, Any]:
    def on_multicast(bench: Bench, out: McOut) -> Sequence[McOut]:
        found = change(bench, out)
        return [] if found is None else [found]

    return {"on_multicast": on_multicast}


def no_reports(bench: Bench, fport: int, payload: bytes) -> bytes | None:
    """Lose FragDataBlockReceivedReq, so that the server has to ask."""
    return None if fport == 201 and payload[:1] == b"\x04" else payload


CLASS_A = {"retry": RetryPolicy(10, 60.0), "status_retry": RetryPolicy(10, 60.0)}
NAIVE: dict[str, Any] = {"naive": True, "config": {"clock_check": ClockCheck.OFF}}


def clockless(profile: DeviceProfile) -> DeviceProfile:
    """The same device without TS003: its clock is what it is."""
    return dataclasses.replace(profile, clock=None)


def no_unicast_fragments(bench: Bench, fport: int, payload: bytes) -> bytes | None:
    """A server that repairs nothing by unicast."""
    return None if fport == 201 and number(payload) else payload


# Versions

_FACES = {"1": 0x0001, "2": 0x0002, "0x30": 0x0030}


def _v2_to_v1(count: int, stack: str) -> Make:
    def make(seed: int) -> Capture:
        return run(
            seed,
            profile=DEVICE_PROFILES[stack],
            loss=0.1,
            member={"frag_version": 2, "session_cnt": count, "parity": ParityVariant.V2},
        )

    return make


for _face, _count in _FACES.items():
    for _stack in ("documents v1", "LoRa Basics Modem 4.8 v1", "LoRaMac-node"):
        fault(Symptom.V2_SETUP_TO_V1, f"v2 set-up, SessionCnt {_face}, {_stack}")(
            _v2_to_v1(_count, _stack)
        )


@fault(Symptom.V1_SETUP_TO_V2)
def _v1_to_v2(seed: int) -> Capture:
    return run(seed, loss=0.1, member={"frag_version": 1, "parity": ParityVariant.V1})


@fault(Symptom.STATUS_IN_V1_ORDER)
def _st(seed: int) -> Capture:
    return run(seed, profile=DEVICE_PROFILES["ST middleware v2"], loss=0.15, on_uplink=no_reports)


# Matrices


@fault(Symptom.WRONG_MATRIX, "matrix v2 for a version 1 device")
def _wrong_for_v1(seed: int) -> Capture:
    return run(seed, profile=V1, loss=0.2, member={"parity": ParityVariant.V2})


@fault(Symptom.WRONG_MATRIX, "matrix v1 for a version 2 device")
def _wrong_for_v2(seed: int) -> Capture:
    return run(seed, profile=V2, loss=0.2, member={"parity": ParityVariant.V1})


@fault(Symptom.WRONG_MATRIX, "the device's matrix is v1, seen in its block")
def _device_wrong(seed: int) -> Capture:
    frag = dataclasses.replace(V2.fragmentation, parity=ParityVariant.V1, mic_only_with_ack=True)
    profile = dataclasses.replace(V2, fragmentation=frag)
    setups = v2_setups(lambda bench, one: dataclasses.replace(one, ack_reception=False))
    return run(
        seed,
        profile=profile,
        lose=lambda n: n in (3, 5, 8 + seed % 3),
        member={"parity": ParityVariant.V2},
        **setups,
    )


@fault(Symptom.SEED_BASE)
def _annex(seed: int) -> Capture:
    return run(seed, profile=V2, loss=0.2, member={"parity": ParityVariant.V2_ANNEX})


@fault(Symptom.FOREIGN_MATRIX)
def _foreign(seed: int) -> Capture:
    matrix = FOREIGN[seed % len(FOREIGN)]

    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        nb_frag, size = bench.block.nb_frag, bench.block.frag_size
        if n <= nb_frag:
            return n, octets
        total = 0
        for at in line_of(n, nb_frag, matrix).search(1):
            total ^= int.from_bytes(bench.block.padded[at * size : (at + 1) * size])
        return n, total.to_bytes(size)

    return run(seed, profile=documents(seed), loss=0.2, **fragments(change))


@fault(Symptom.OTHER_IMAGE)
def _other_image(seed: int) -> Capture:
    capture = run(seed, profile=documents(seed))
    image = capture[1].image
    assert image is not None
    other = random.Random(seed).randbytes(len(image) + seed % 2)
    return knowing(capture, image=other, block=None)


@fault(Symptom.DAMAGED_FRAGMENTS)
def _damaged(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        damaged = n == bench.block.nb_frag + 2
        return n, bytes((octets[0] ^ 1, *octets[1:])) if damaged else octets

    return run(seed, profile=documents(seed), loss=0.2, image_octets=700, **fragments(change))


# Keys and addresses


@fault(Symptom.ROOT_KEY_ROLE, "GenAppKey used like AppKey, or the other way round")
def _role(seed: int) -> Capture:
    lorawan = (LorawanVersion.V1_0, LorawanVersion.V1_1)[seed % 2]
    server = AppKey if lorawan is LorawanVersion.V1_0 else GenAppKey
    return run(seed, profile=documents(seed // 2), lorawan=lorawan, root_of_server=server)


@fault(Symptom.ROOT_KEY_ROLE, "the AppKey of the join used for GenAppKey")
def _join_key(seed: int) -> Capture:
    join = random.Random(f"join {seed}").randbytes(16)
    capture = run(seed, profile=documents(seed), root_of_server=lambda root: GenAppKey(join))
    return knowing(capture, app_key=AppKey(join))


@fault(Symptom.ROOT_KEY_ROLE, "the MIC of the block only: unicast")
def _role_unicast(seed: int) -> Capture:
    join = random.Random(f"join {seed}").randbytes(16)
    capture = run(seed, multicast=False, root_of_server=lambda root: GenAppKey(join))
    return knowing(capture, app_key=AppKey(join))


def _wrapped(wrap: Callable[[Bench], bytes]) -> dict[str, Any]:
    return commands(
        200,
        mc.McGroupSetupReq,
        lambda bench, one: dataclasses.replace(one, mc_key_encrypted=wrap(bench)),
    )


def _kek(bench: Bench) -> McKEKey:
    return crypto.derive_mc_ke_key(crypto.derive_mc_root_key(bench.root(0)))


@fault(Symptom.ROOT_KEY_AS_KEK)
def _skipped(seed: int) -> Capture:
    def wrap(bench: Bench) -> bytes:
        root = bench.root(0)
        step = root if seed % 3 == 0 else crypto.derive_mc_root_key(root)
        return crypto.wrap_mc_key(McKEKey(step.reveal()), bench.mc_key)

    return run(seed, profile=documents(seed), **_wrapped(wrap))


@fault(Symptom.MC_KEY_IN_CLEAR)
def _clear(seed: int) -> Capture:
    return run(seed, profile=documents(seed), **_wrapped(lambda bench: bench.mc_key.reveal()))


@fault(Symptom.MC_KEY_IN_CLEAR, "McKey in the clear, seen without keys in two devices")
def _clear_without_keys(seed: int) -> Capture:
    wrapped = _wrapped(lambda bench: bench.mc_key.reveal())
    capture = run(seed, profile=documents(seed), devices=2, with_phy=False, **wrapped)
    return capture[0], Known()


@fault(Symptom.MC_KE_KEY_ZERO)
def _zero(seed: int) -> Capture:
    zero = McKEKey(bytes(16))
    wrapped = _wrapped(lambda bench: crypto.wrap_mc_key(zero, bench.mc_key))
    return run(seed, profile=documents(seed), **wrapped)


@fault(Symptom.MC_KEY_DIRECTION)
def _direction(seed: int) -> Capture:
    wrapped = _wrapped(lambda bench: crypto.aes128_encrypt(_kek(bench), bench.mc_key.reveal()))
    return run(seed, profile=documents(seed), with_phy=True, **wrapped)


@fault(Symptom.MC_KEY_DIRECTION, "encrypted for decrypted, from the McKey told")
def _direction_told(seed: int) -> Capture:
    wrapped = _wrapped(lambda bench: crypto.aes128_encrypt(_kek(bench), bench.mc_key.reveal()))
    bench = Bench(seed, profile=documents(seed), with_phy=False, **wrapped)
    return bench.run(), dataclasses.replace(bench.known, mc_key=bench.mc_key)


@fault(Symptom.MC_KEYS_UNKNOWN)
def _unknown_key(seed: int) -> Capture:
    def change(bench: Bench, out: McOut) -> McOut:
        other = McKey(random.Random(seed).randbytes(16))
        return dataclasses.replace(
            out,
            app_s_key=crypto.derive_mc_app_s_key(other, out.mc_addr),
            nwk_s_key=crypto.derive_mc_nwk_s_key(other, out.mc_addr),
        )

    return run(seed, profile=documents(seed), **frames(change))


@fault(Symptom.MC_ADDR_REVERSED, "McAddr reversed in the set-up")
def _reversed_setup(seed: int) -> Capture:
    return run(
        seed,
        profile=documents(seed),
        **commands(
            200,
            mc.McGroupSetupReq,
            lambda bench, one: dataclasses.replace(one, mc_addr=reversed_address(one.mc_addr)),
        ),
    )


@fault(Symptom.MC_ADDR_REVERSED, "McAddr reversed in the frames, nothing known")
def _reversed_frames(seed: int) -> Capture:
    def change(bench: Bench, out: McOut) -> McOut:
        return dataclasses.replace(out, mc_addr=reversed_address(out.mc_addr))

    capture = run(seed, profile=documents(seed), **frames(change))
    return capture[0], Known()


@fault(Symptom.MC_ADDR_REVERSED, "session keys from McAddr reversed")
def _reversed_keys(seed: int) -> Capture:
    def change(bench: Bench, out: McOut) -> McOut:
        other = reversed_address(out.mc_addr)
        return dataclasses.replace(
            out,
            app_s_key=crypto.derive_mc_app_s_key(bench.mc_key, other),
            nwk_s_key=crypto.derive_mc_nwk_s_key(bench.mc_key, other),
        )

    return run(seed, profile=documents(seed), **frames(change))


@fault(Symptom.MC_ADDR_OTHER)
def _other_group(seed: int) -> Capture:
    def change(bench: Bench, out: McOut) -> McOut:
        return dataclasses.replace(out, mc_addr=DevAddr(out.mc_addr ^ 0x100))

    return run(seed, profile=documents(seed), **frames(change))


def _renamed(capture: Capture, dev_eui: DevEUI, **fields: Any) -> Capture:
    log = [
        one if one.dev_eui is None else dataclasses.replace(one, dev_eui=dev_eui)
        for one in capture[0]
    ]
    return knowing((log, capture[1]), **fields)


@fault(Symptom.DEV_EUI_REVERSED)
def _eui_reversed(seed: int) -> Capture:
    capture = run(seed, profile=documents(seed))
    dev_eui = capture[1].dev_eui
    assert dev_eui is not None
    return _renamed(capture, DevEUI(int.from_bytes(dev_eui.to_bytes(8, "little"))))


@fault(Symptom.JOIN_EUI_FOR_DEV_EUI)
def _join_eui(seed: int) -> Capture:
    join = DevEUI(0x70B3D57ED0000000 + seed)
    return _renamed(run(seed, profile=documents(seed)), join, join_eui=join)


# The MIC


def _mic(compute: Callable[[Bench, v2.FragSessionSetupReq, Any], bytes], **fields: Any) -> Make:
    def make(seed: int) -> Capture:
        def change(bench: Bench, one: v2.FragSessionSetupReq) -> Command:
            key = crypto.derive_data_block_int_key(bench.root(0))
            return dataclasses.replace(one, mic=compute(bench, one, key))

        descriptor = random.Random(f"descriptor {seed}").randbytes(4)
        multicast = seed % 2 == 0
        return run(seed, descriptor=descriptor, multicast=multicast, **v2_setups(change), **fields)

    return make


def _right(bench: Bench, one: v2.FragSessionSetupReq, key: Any, **changes: Any) -> bytes:
    fields = {
        "session_cnt": one.session_cnt,
        "frag_index": one.frag_index,
        "descriptor": one.descriptor,
    }
    return crypto.data_block_mic(key, bench.image, **{**fields, **changes})


def _b0(bench: Bench, one: v2.FragSessionSetupReq, address: bytes, length: int) -> bytes:
    head = b"\x49" + one.session_cnt.to_bytes(2, "little") + bytes((one.frag_index,))
    return head + one.descriptor + address + length.to_bytes(4, "little")


def _over_padding(bench: Bench, one: v2.FragSessionSetupReq, key: Any) -> bytes:
    padded = DataBlock(bench.image, one.frag_size).padded
    return crypto.aes128_cmac(key, _b0(bench, one, bytes(4), len(padded)), padded)[:4]


def _with_address(bench: Bench, one: v2.FragSessionSetupReq, key: Any) -> bytes:
    address = bench.mc_addr.to_bytes(4, "little")
    return crypto.aes128_cmac(key, _b0(bench, one, address, len(bench.image)), bench.image)[:4]


def _zero_and_reversed(bench: Bench, one: v2.FragSessionSetupReq, key: Any) -> bytes:
    return _right(bench, one, key, descriptor=bytes(4))[::-1]


fault(Symptom.MIC_ZERO_DESCRIPTOR)(
    _mic(lambda bench, one, key: _right(bench, one, key, descriptor=bytes(4)))
)
fault(Symptom.MIC_ZERO_DESCRIPTOR, "zero descriptor and octets reversed")(_mic(_zero_and_reversed))
fault(Symptom.MIC_DESCRIPTOR_REVERSED)(
    _mic(lambda bench, one, key: _right(bench, one, key, descriptor=one.descriptor[::-1]))
)
fault(Symptom.MIC_WITH_PADDING)(_mic(_over_padding, image_octets=715))
fault(Symptom.MIC_OCTET_ORDER)(_mic(lambda bench, one, key: _right(bench, one, key)[::-1]))
fault(Symptom.MIC_OTHER_COUNTER)(
    _mic(lambda bench, one, key: _right(bench, one, key, session_cnt=one.session_cnt + 1))
)
fault(Symptom.MIC_OTHER_INDEX)(
    _mic(lambda bench, one, key: _right(bench, one, key, frag_index=one.frag_index ^ 1))
)
fault(Symptom.MIC_ADDRESS)(_mic(_with_address))
fault(Symptom.MIC_UNKNOWN)(_mic(lambda bench, one, key: bench.image[:4]))


# Fragments


@fault(Symptom.ZERO_BASED)
def _zero_based(seed: int) -> Capture:
    change = fragments(lambda bench, n, octets: (n - 1, octets))
    return run(seed, profile=documents(seed), loss=0.1, **change)


@fault(Symptom.FRAGMENT_LENGTH, "fragments one octet short")
def _length(seed: int) -> Capture:
    change = fragments(lambda bench, n, octets: (n, octets[:-1]))
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.FRAGMENT_LENGTH, "the last fragment is not padded")
def _unpadded(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        last = n == bench.block.nb_frag
        return n, octets[: len(octets) - bench.block.padding] if last else octets

    return run(seed, profile=documents(seed), image_octets=715, **fragments(change))


@fault(Symptom.FRAG_INDEX)
def _frag_index(seed: int) -> Capture:
    def change(bench: Bench, out: McOut) -> McOut:
        if not number(out.payload):
            return out
        head = int.from_bytes(out.payload[1:3], "little") | 0x4000
        payload = b"\x08" + head.to_bytes(2, "little") + out.payload[3:]
        return dataclasses.replace(out, payload=payload)

    return run(seed, profile=documents(seed), **frames(change))


@fault(Symptom.GROUP_NOT_IN_MASK)
def _mask(seed: int) -> Capture:
    kind = v1.FragSessionSetupReq if seed % 2 else v2.FragSessionSetupReq
    change = replaced(mc_group_bit_mask=0b0010)
    return run(seed, profile=documents(seed), **commands(201, kind, change))


# What the device delivered


def _delivering(
    change: Callable[[Bench, random.Random], bytes], *, image: bool = True, **fields: Any
) -> Make:
    """A transfer in which nothing went wrong, and a block that is not what came out of it."""

    def make(seed: int) -> Capture:
        bench = Bench(seed, profile=documents(seed), multicast=seed % 3 > 0, **fields)
        log = bench.run()
        assert bench.delivered[0] == bench.image
        known = dataclasses.replace(bench.known, block=change(bench, random.Random(seed)))
        return log, known if image else dataclasses.replace(known, image=None)

    return make


def _with_bit_flipped(bench: Bench, rng: random.Random) -> bytes:
    octets = bytearray(bench.image)
    octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
    return bytes(octets)


def _with_two_swapped(bench: Bench, rng: random.Random) -> bytes:
    block, size = bench.block, bench.block.frag_size
    pieces = [block.padded[at : at + size] for at in range(0, len(block.padded), size)]
    first, second = rng.sample(range(block.nb_frag), 2)
    pieces[first], pieces[second] = pieces[second], pieces[first]
    return b"".join(pieces)[: len(bench.image)]


def _with_fragments_missing(bench: Bench, rng: random.Random) -> bytes:
    octets, size = bytearray(bench.image), bench.block.frag_size
    for n in rng.sample(range(bench.block.nb_frag - 1), 2):
        octets[n * size : (n + 1) * size] = b"\xff" * size
    return bytes(octets)


def _noise(bench: Bench, rng: random.Random) -> bytes:
    return rng.randbytes(len(bench.image))


def _cut(bench: Bench, rng: random.Random) -> bytes:
    return bench.image[: rng.randrange(1, len(bench.image))]


def _with_flash_behind(bench: Bench, rng: random.Random) -> bytes:
    return bench.image + b"\xff" * rng.randrange(100, 4000)


_BLOCKS: tuple[tuple[Symptom, str, Make], ...] = (
    (
        Symptom.BLOCK_WITH_PADDING,
        "the delivered block has its padding still",
        _delivering(lambda bench, rng: bench.block.padded, image_octets=715),
    ),
    (
        Symptom.BLOCK_WITH_PADDING,
        "the same, no image known",
        _delivering(lambda bench, rng: bench.block.padded, image_octets=715, image=False),
    ),
    (Symptom.BLOCK_LENGTH, "the delivered block is cut off", _delivering(_cut)),
    (
        Symptom.BLOCK_LENGTH,
        "the delivered block is empty",
        _delivering(lambda bench, rng: b""),
    ),
    (
        Symptom.BLOCK_LENGTH,
        "the delivered block has erased flash behind it",
        _delivering(_with_flash_behind),
    ),
    (
        Symptom.BLOCK_BLANK,
        "the delivered block is all zero",
        _delivering(lambda bench, rng: bytes(len(bench.image))),
    ),
    (
        Symptom.BLOCK_BLANK,
        "the delivered block is erased flash",
        _delivering(lambda bench, rng: b"\xff" * (len(bench.image) + rng.randrange(2) * 100)),
    ),
    (
        Symptom.BLOCK_SWAPPED,
        "two fragments of the delivered block swapped",
        _delivering(_with_two_swapped),
    ),
    (
        Symptom.BLOCK_SWAPPED,
        "two fragments swapped, no image known",
        _delivering(_with_two_swapped, image=False),
    ),
    (
        Symptom.BLOCK_FEW,
        "one bit of the delivered block flipped",
        _delivering(_with_bit_flipped),
    ),
    (
        Symptom.BLOCK_FEW,
        "two fragments were never written",
        _delivering(_with_fragments_missing),
    ),
    (Symptom.BLOCK_OTHER, "the delivered block is noise", _delivering(_noise)),
    (
        Symptom.BLOCK_OTHER,
        "the delivered block is noise, no image known",
        _delivering(_noise, image=False),
    ),
)
for _symptom, _name, _make in _BLOCKS:
    fault(_symptom, _name)(_make)


@fault(Symptom.OTHER_IMAGE, "the block is what was sent, one bit of the image is another")
def _image_with_a_bit_flipped(seed: int) -> Capture:
    bench = Bench(seed, profile=documents(seed))
    log = bench.run()
    image = _with_bit_flipped(bench, random.Random(seed))
    return log, dataclasses.replace(bench.known, image=image)


@fault(Symptom.OTHER_IMAGE, "the image has another size, no fragment in the capture")
def _other_size(seed: int) -> Capture:
    log, known = run(seed, profile=documents(seed), descriptor=bytes((seed % 256, 1, 2, 3)))
    assert known.image is not None
    size = random.Random(seed).choice((100, len(known.image) - 1, len(known.image) + 1))
    image = (known.image + b"x")[:size]
    setups = [one for one in log if not number(one.payload)]
    return setups, dataclasses.replace(known, image=image, block=None)


# Clocks and windows


@fault(Symptom.CLOCK_LEAP_SECONDS, "device without TS003, its clock off by leap seconds")
def _leap(seed: int) -> Capture:
    skew = (18.0, -18.0, 37.0, -37.0, -19.0)[seed % 5]
    return run(seed, profile=clockless(documents(seed)), skew=skew, **NAIVE)


@fault(Symptom.CLOCK_LEAP_SECONDS, "server in UTC")
def _leap_server(seed: int) -> Capture:
    return run(seed, profile=documents(seed), server_skew=-18.0, skew=float(seed % 9))


@fault(Symptom.CLOCK_LEAP_SECONDS, "from the device's log")
def _leap_log(seed: int) -> Capture:
    capture = run(seed, profile=documents(seed), multicast=False)
    time = capture[0][-1].time
    assert time is not None
    return knowing(capture, device_times=((time - 18.2, time),))


@fault(Symptom.CLOCK_EPOCH, "device in Unix time")
def _epoch(seed: int) -> Capture:
    def on_unicast(bench: Bench, fport: int, payload: bytes) -> bytes | None:
        return None if fport == 202 and payload[:1] == b"\x01" else payload  # no AppTimeAns

    skew = float(UNIX if seed % 3 else -UNIX)
    return run(seed, profile=documents(seed), skew=skew, on_unicast=on_unicast, naive=True)


@fault(Symptom.CLOCK_EPOCH, "SessionTime in Unix time")
def _epoch_server(seed: int) -> Capture:
    change = commands(
        200,
        mc.McClassCSessionReq,
        lambda bench, one: dataclasses.replace(one, session_time=one.session_time + UNIX),
    )
    return run(seed, profile=documents(seed), naive=seed % 2 == 0, **change)


@fault(Symptom.CLOCK_OFF)
def _off(seed: int) -> Capture:
    skew = random.Random(seed).choice((-1, 1)) * random.Random(seed).uniform(60, 400)
    return run(seed, profile=clockless(documents(seed)), skew=skew, **NAIVE)


@fault(Symptom.SERVER_CLOCK)
def _server_off(seed: int) -> Capture:
    return run(seed, profile=documents(seed), server_skew=200.0 + seed, skew=12.0)


def _sessions(**changes: Callable[[Any], Any]) -> dict[str, Any]:
    def change(bench: Bench, one: Any) -> Command:
        fields = {name: to(getattr(one, name)) for name, to in changes.items()}
        changed = dataclasses.replace(one, **fields)
        assert isinstance(changed, Command)
        return changed

    return commands(200, mc.McClassCSessionReq, change)


@fault(Symptom.WINDOW_MISSED)
def _missed(seed: int) -> Capture:
    change = _sessions(session_time=lambda time: time - 40_000)
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.WINDOW_MISSED, "fragments after the window")
def _all_after(seed: int) -> Capture:
    change = _sessions(session_time=lambda time: time - 300, time_out=lambda out: 4)
    return run(seed, profile=documents(seed), naive=True, **change)


@fault(Symptom.SENT_BEFORE_START)
def _before(seed: int) -> Capture:
    change = _sessions(session_time=lambda time: time + 3600)
    return run(seed, profile=documents(seed), naive=True, **change)


@fault(Symptom.WINDOW_TOO_SHORT)
def _short_window(seed: int) -> Capture:
    change = _sessions(time_out=lambda out: 4)
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.WINDOW_TOO_SHORT, "the server stops at the end of the window")
def _stops(seed: int) -> Capture:
    def on_multicast(bench: Bench, out: McOut) -> Sequence[McOut]:
        start = bench.state.setdefault("start", out.time)
        return [out] if out.time < start + 15 else []

    change = _sessions(time_out=lambda out: 4) | {"on_multicast": on_multicast}
    asks = change["on_unicast"]

    def on_unicast(bench: Bench, fport: int, payload: bytes) -> bytes | None:
        octets: bytes | None = asks(bench, fport, payload)
        return None if octets is None or number(octets) else octets

    change["on_unicast"] = on_unicast
    return run(seed, profile=documents(seed), **change)


# Counters


@fault(Symptom.FCNT_REUSED)
def _reused(seed: int) -> Capture:
    change = frames(lambda bench, out: dataclasses.replace(out, fcnt=out.fcnt // 2))
    return run(seed, profile=documents(seed), loss=0.1, **change)


@fault(Symptom.FCNT_RESTARTED)
def _restarted(seed: int) -> Capture:
    change = frames(lambda bench, out: dataclasses.replace(out, fcnt=out.fcnt % 8))
    return run(seed, profile=documents(seed), loss=0.1, **change)


@fault(Symptom.FCNT_OUTSIDE, "maxMcFCount too low")
def _above_max(seed: int) -> Capture:
    change = commands(200, mc.McGroupSetupReq, replaced(min_mc_fcnt=0, max_mc_fcnt=5))
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.FCNT_OUTSIDE, "minMcFCount too high")
def _below_min(seed: int) -> Capture:
    change = commands(200, mc.McGroupSetupReq, replaced(min_mc_fcnt=1000))
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.FCNT_ABOVE_16_BITS)
def _above_16_bits(seed: int) -> Capture:
    group = {"first_fcnt": 70_000 + seed, "max_mc_fcnt": 200_000}
    stack = ("LoRaMac-node", "LoRa Basics Modem 4.8 v1")[seed % 2]
    return run(
        seed,
        profile=DEVICE_PROFILES[stack],
        group=group,
        on_uplink=no_reports,
        on_unicast=no_unicast_fragments,
    )


# Refusals


@fault(Symptom.SESSION_CNT_REPLAY)
def _replay(seed: int) -> Capture:
    def prepare(bench: Bench) -> None:
        bench.sessions[0].fragmentation.session_cnt_prev[0] = 9

    return run(seed, prepare=prepare, **_setup_change(0, session_cnt=seed % 10))


def _setup_change(seed: int, **fields: Any) -> dict[str, Any]:
    """Change the set-up as a server would that means it: with the MIC it needs."""

    def change(bench: Bench, one: Any) -> Command:
        changed = dataclasses.replace(one, **fields)
        if isinstance(changed, v2.FragSessionSetupReq):
            key = crypto.derive_data_block_int_key(bench.root(0))
            changed = dataclasses.replace(changed, mic=_right(bench, changed, key))
        assert isinstance(changed, Command)
        return changed

    kind = v1.FragSessionSetupReq if seed % 2 else v2.FragSessionSetupReq
    return commands(201, kind, change)


@fault(Symptom.FRAG_ALGO)
def _algo(seed: int) -> Capture:
    return run(seed, profile=documents(seed), **_setup_change(seed, frag_algo=1 + seed % 7))


@fault(Symptom.NOT_ENOUGH_MEMORY)
def _memory(seed: int) -> Capture:
    return run(seed, profile=documents(seed), frag_limits=FragLimits(max_memory=1000))


@fault(Symptom.FRAG_INDEX_REFUSED)
def _index(seed: int) -> Capture:
    limits = FragLimits(nb_indices=1)
    change = _setup_change(seed, frag_index=3)
    return run(seed, profile=documents(seed), frag_limits=limits, **change)


@fault(Symptom.WRONG_DESCRIPTOR)
def _descriptor(seed: int) -> Capture:
    limits = FragLimits(descriptors=frozenset({b"abcd"}))
    return run(seed, profile=documents(seed), frag_limits=limits, descriptor=b"dcba")


@fault(Symptom.MC_GROUP_ID)
def _group_id(seed: int) -> Capture:
    change = commands(200, mc.McGroupSetupReq, replaced(mc_group_id=3))
    return run(seed, profile=documents(seed), mc_limits=McLimits(max_groups=2), **change)


@fault(Symptom.MC_GROUP_UNDEFINED)
def _undefined(seed: int) -> Capture:
    change = commands(200, mc.McClassCSessionReq, replaced(mc_group_id=3))
    return run(seed, profile=documents(seed), **change)


@fault(Symptom.FREQUENCY)
def _frequency(seed: int) -> Capture:
    limits = McLimits(frequencies_hz=range(902_000_000, 928_000_001))
    return run(seed, profile=documents(seed), mc_limits=limits)


@fault(Symptom.DATA_RATE)
def _data_rate(seed: int) -> Capture:
    return run(seed, profile=documents(seed), mc_limits=McLimits(drs=range(8, 14)))


@fault(Symptom.MEMORY_ERROR)
def _matrix_memory(seed: int) -> Capture:
    limits = FragLimits(max_lost=2)
    return run(seed, profile=documents(seed), frag_limits=limits, lose=lambda n: 2 <= n <= 7)


@fault(Symptom.SESSION_ABSENT)
def _absent(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        if n == 4:  # somebody else deletes the session
            bench.sessions[0].receive(201, b"\x03\x00", now=0.0)
        return n, octets

    return run(seed, loss=0.05, **fragments(change))


# Answers


SEVEN: dict[str, Any] = {"image_octets": 300, "frag_size": 48}


def _all_need_repair(n: int) -> bool:
    """Of seven plain fragments and three coded ones, so many are lost that everybody answers."""
    return n == 2 or 7 < n <= 10


@fault(Symptom.ANSWER_STORM)
def _storm(seed: int) -> Capture:
    config = {
        "block_ack_delay": 0,
        "status_participants": True,
        "answers_per_second": 40.0,
        "redundancy": 0.3,
    }
    return run(
        seed,
        profile=documents(seed),
        devices=70 + seed % 20,
        lose=_all_need_repair,
        config=config,
        **SEVEN,
    )


@fault(Symptom.DELAY_IN_MILLISECONDS)
def _milliseconds(seed: int) -> Capture:
    return run(
        seed,
        profile=DEVICE_PROFILES["Zephyr 2025"],
        devices=4 + seed % 4,
        lose=_all_need_repair,
        config={"status_participants": True, "redundancy": 0.3},
        **SEVEN,
    )


@fault(Symptom.REPORT_UNANSWERED)
def _unanswered(seed: int) -> Capture:
    def on_unicast(bench: Bench, fport: int, payload: bytes) -> bytes | None:
        if fport == 201 and payload[:1] == b"\x04":
            return None
        return None if payload[:1] == b"\x03" else payload

    return run(seed, on_unicast=on_unicast, loss=0.02)


@fault(Symptom.ORDER)
def _order(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        nb_frag, size = bench.block.nb_frag, bench.block.frag_size
        if n <= nb_frag:
            return n, octets
        again = (n - 1) % nb_frag
        return again + 1, bench.block.padded[again * size : (again + 1) * size]

    stack = ("Renesas", "LoRaMac-node", "LoRa Basics Modem 4.8")[seed % 3]
    lost = {3, 5, 8 + seed % 3}
    return run(
        seed,
        profile=DEVICE_PROFILES[stack],
        frag_limits=FragLimits(),
        lose=lambda n: n in lost,
        on_uplink=no_reports,
        config={"max_rounds": 2, "max_windows": 1},
        **fragments(change),
    )


@fault(Symptom.MISSING_ONE)
def _missing_one(seed: int) -> Capture:
    stack = ("LoRa Basics Modem 4.8", "LoRa Basics Modem 4.8 v1")[seed % 2]
    return run(seed, profile=DEVICE_PROFILES[stack], on_uplink=no_reports)


@fault(Symptom.MISSING_NEVER_FALLS)
def _never_falls(seed: int) -> Capture:
    return run(
        seed,
        profile=DEVICE_PROFILES["LoRaMac-node"],
        frag_limits=FragLimits(),
        lose=lambda n: n in (2, 3 + seed % 4),
        config={"redundancy": 1.0},
    )


@fault(Symptom.PARTICIPANTS)
def _participants(seed: int) -> Capture:
    def without(bench: Bench, one: Any) -> Command:
        changed = dataclasses.replace(one, participants=False)
        assert isinstance(changed, Command)
        return changed

    change = commands(201, v1.FragSessionStatusReq, without)

    def on_multicast(bench: Bench, out: McOut) -> Sequence[McOut]:
        if out.payload[:1] == b"\x01":
            out.payload = bytes((1, out.payload[1] & ~1))
        return [out]

    return run(
        seed,
        profile=V1,
        image_octets=500,
        on_multicast=on_multicast,
        stop_after=830.0,  # later the campaign gives up, and begins anew
        **change,
    )


# Repair


@fault(Symptom.ONE_FRAGMENT)
def _one_fragment(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes]:
        sent = bench.state["sent"] = bench.state.get("sent", 0) + 1
        return (n, octets) if sent == 1 else (sent, bytes(len(octets)))

    return run(
        seed,
        profile=documents(seed),
        image_octets=20,
        frag_size=32,
        lose=lambda n: n == 1,
        on_uplink=no_reports,
        **fragments(change),
    )


@fault(Symptom.EVEN_PARITY)
def _even(seed: int) -> Capture:
    nb_frag = 4 * random.Random(seed).randrange(3, 9) + seed % 2
    bench = Bench(
        seed,
        image_octets=nb_frag * 24,
        frag_size=24,
        lose=lambda n: 0 < n <= nb_frag,
        heard_by_device_only=True,
        config={"redundancy": 3.0, "max_rounds": 0},
        on_unicast=lambda bench, fport, payload: None if number(payload) else payload,
    )
    return bench.run(), bench.known


@fault(Symptom.SHORT_TRANSFER)
def _short(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes] | None:
        return (n, octets) if n < bench.block.nb_frag - 1 - seed % 4 else None

    return run(seed, profile=documents(seed), on_uplink=no_reports, **fragments(change))


@fault(Symptom.NOT_ENOUGH_PARITY)
def _parity(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes] | None:
        return (n, octets) if n <= bench.block.nb_frag + 1 else None

    return run(
        seed,
        profile=documents(seed),
        lose=lambda n: n in (2, 4, 5, 7),
        **fragments(change),
    )


@fault(Symptom.NOT_ENOUGH_PARITY, "too little, seen beside the device")
def _parity_beside(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes] | None:
        return (n, octets) if n <= bench.block.nb_frag + 2 else None

    return run(
        seed,
        profile=documents(seed),
        lose=lambda n: n in (2, 4, 5, 7),
        heard_by_device_only=True,
        on_uplink=lambda bench, fport, payload: None if payload[:1] == b"\x01" else payload,
        **fragments(change),
    )


# What is left when nothing else is known


@fault(Symptom.NOT_IN_CLEAR)
def _encrypted(seed: int) -> Capture:
    frames, _ = run(seed, profile=documents(seed))
    rng = random.Random(seed)
    log = [
        dataclasses.replace(one, payload=rng.randbytes(len(one.payload or b"")))
        for one in frames
        if one.dev_eui is not None
    ]
    return log, Known()


@fault(Symptom.NO_ANSWER)
def _nobody(seed: int) -> Capture:
    return run(seed, profile=documents(seed), deaf=True)


@fault(Symptom.NOTHING_HEARD)
def _nothing_heard(seed: int) -> Capture:
    def change(bench: Bench, n: int, octets: bytes) -> tuple[int, bytes] | None:
        bench.state["last"] = n
        return n, octets

    return run(seed, profile=V1, lose=lambda n: n > 0, **fragments(change))


@fault(Symptom.MIC_ERROR)
def _mic_error(seed: int) -> Capture:
    change = v2_setups(lambda bench, one: dataclasses.replace(one, mic=b"\0\1\2\3"))
    capture = run(seed, **change)
    return capture[0], Known()


# And nothing at all


def healthy(seed: int) -> Capture | None:
    """A session in which every device got its image; None if luck was against one."""
    draw = random.Random(f"healthy {seed}")
    bench = Bench(
        seed,
        profile=draw.choice((V1, V2)),
        devices=draw.choice((1, 1, 2, 5)),
        loss=draw.choice((0.0, 0.0, 0.05, 0.1, 0.2, 0.3)),
        window_class=draw.choice(tuple(WindowClass)),
        lorawan=draw.choice(tuple(LorawanVersion)),
        multicast=draw.random() < 0.75,
        skew=draw.choice((0.0, 0.0, 3.0, 18.0, -37.0, draw.uniform(-1e5, 1e5))),
        clock_set=draw.random() < 0.8,
        descriptor=draw.randbytes(4),
        heard_by_device_only=False,
        config=CLASS_A,
    )
    log = bench.run()
    if any(bench.delivered.get(at) != bench.image for at in range(bench.devices)):
        return None
    return log, bench.known if draw.random() < 0.8 else Known()


__all__ = ["DOWNLINK", "FAULTS", "Capture", "Fault", "Order", "healthy"]
