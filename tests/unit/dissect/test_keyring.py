from __future__ import annotations

import dataclasses

import pytest

from lorafuota import crypto
from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.joins import HeardRequest
from lorafuota.dissect.keyring import Joined, Keyring, Opened
from lorafuota.dissect.lorawan11 import SessionKeys
from lorafuota.link import build_mc_downlink
from lorafuota.types import (
    DOWNLINK,
    UPLINK,
    AppSKey,
    DevAddr,
    DevEUI,
    Direction,
    McKey,
    NwkSKey,
    SNwkSIntKey,
)
from tests.unit.dissect.test_joins import JOIN_EUI, NEW, OLD, accept, request
from tests.unit.dissect.test_lorawan11 import (
    CONFIRMED_DOWN,
    CONFIRMED_UP,
    DOWN,
    UP,
    sealed,
)
from tests.unit.dissect.test_lorawan11 import DEVICE as NEWER

ADDRESS = DevAddr(0x26011BDA)
MC_KEY = McKey(bytes.fromhex("c0ffee00baddcafe5eedfacedeadbeef"))
GROUP = AddressKeys.from_mc_key(MC_KEY, ADDRESS)
DEVICE = AddressKeys(
    address=ADDRESS,
    mic_key=NwkSKey(bytes(range(16))),
    payload_key=AppSKey(bytes(range(16, 32))),
    dev_eui=DevEUI(7),
)


def multicast(fcnt: int, payload: bytes = b"\x01\x00") -> bytes:
    return build_mc_downlink(
        payload,
        mc_addr=ADDRESS,
        mc_app_s_key=crypto.derive_mc_app_s_key(MC_KEY, ADDRESS),
        mc_nwk_s_key=crypto.derive_mc_nwk_s_key(MC_KEY, ADDRESS),
        fcnt=fcnt,
        fport=201,
    )


def unicast(
    fcnt: int, way: Direction, payload: bytes, *, fport: int = 201, keys: AddressKeys = DEVICE
) -> bytes:
    """A frame of a LoRaWAN 1.0.x device, put together here from the rules of TS001."""
    head = bytes((0x40 if way is UPLINK else 0x60,)) + keys.address.to_bytes(4, "little") + b"\x00"
    head += (fcnt & 0xFFFF).to_bytes(2, "little") + bytes((fport,))
    sender = 0 if way is UPLINK else 1
    identity = bytes((sender,)) + keys.address.to_bytes(4, "little") + fcnt.to_bytes(4, "little")
    key = keys.mic_key if fport == 0 else keys.payload_key
    sealed = bytearray()
    for i in range(0, len(payload), 16):
        block = b"\x01\x00\x00\x00\x00" + identity + bytes((0, i // 16 + 1))
        stream = crypto.aes128_encrypt(key, block)
        sealed += bytes(a ^ b for a, b in zip(payload[i : i + 16], stream, strict=False))
    message = head + bytes(sealed)
    b0 = b"\x49\x00\x00\x00\x00" + identity + bytes((0, len(message)))
    return message + crypto.aes128_cmac(keys.mic_key, b0, message)[:4]


def test_a_ring_tries_every_key_of_an_address_and_remembers_the_counter() -> None:
    wrong = AddressKeys.from_mc_key(McKey(bytes(16)), ADDRESS)
    ring = Keyring([wrong, GROUP, DEVICE])
    first = ring.open(multicast(0x9_0001), direction=DOWNLINK, tries=10)
    assert first == Opened(keys=GROUP, fcnt=0x9_0001)
    second = ring.open(multicast(0x9_0002), direction=DOWNLINK, tries=1)
    assert second == Opened(keys=GROUP, fcnt=0x9_0002)
    low_half = ring.open(multicast(0x9_0003), direction=DOWNLINK, near=3, tries=1)
    assert low_half == Opened(keys=GROUP, fcnt=0x9_0003)
    up = unicast(5, UPLINK, b"\x00")
    assert ring.open(up, direction=UPLINK, tries=1) == Opened(keys=DEVICE, fcnt=5)
    assert ring.open(up[:-1] + b"\x00", direction=UPLINK, tries=1) is None
    assert (ring.knows(ADDRESS), ring.knows(1)) == (True, False)
    assert (ring.dev_eui(ADDRESS), ring.dev_eui(1)) == (7, None)
    assert repr(ring) == "Keyring([DevAddr(0x26011BDA)])"


def counter(ring: Keyring, phy: bytes, fport: int | None, *, tries: int = 16) -> int | None:
    way = UPLINK if phy[0] in (UP, CONFIRMED_UP) else DOWNLINK
    opened = ring.open(phy, direction=way, fport=fport, tries=tries)
    return None if opened is None else opened.fcnt


def test_the_two_counters_of_downlinks_are_kept_apart() -> None:
    ring = Keyring([NEWER])
    assert counter(ring, sealed(DOWN, 0x7_0001), 201) == 0x7_0001
    assert counter(ring, sealed(DOWN, 0x7_0002), 201, tries=1) == 0x7_0002
    assert counter(ring, sealed(DOWN, 3, fport=0), 0, tries=1) == 3
    assert counter(ring, sealed(DOWN, 4, fport=None), None, tries=1) == 4
    assert counter(ring, sealed(DOWN, 0x7_0003), 201, tries=1) == 0x7_0003
    assert counter(ring, sealed(UP, 9), 201, tries=1) == 9


def test_confirmed_frames_are_remembered_for_what_acknowledges_them() -> None:
    ring = Keyring([NEWER])
    ack = sealed(UP, 6, ack=0x1_0022)
    before = ring.open(ack, direction=UPLINK, fport=201)
    assert before is not None
    assert before.half
    for fcnt in (0x1_0021, 0x1_0022, 0x1_0022):
        assert counter(ring, sealed(CONFIRMED_DOWN, fcnt), 201) == fcnt
    after = ring.open(ack, direction=UPLINK, fport=201)
    assert after is not None
    assert (after.half, "ConfFCnt 34:" in after.note) == (False, True)
    for fcnt in range(20, 30):
        counter(ring, sealed(CONFIRMED_UP, fcnt), 201)
    seen = ring.open(sealed(DOWN, 0x1_0023, ack=22), direction=DOWNLINK, fport=201, tries=16)
    assert seen is not None
    assert seen.note == "it acknowledges the uplink with ConfFCnt 22"
    forgotten = ring.open(sealed(DOWN, 0x1_0023, ack=21), direction=DOWNLINK, fport=201, tries=16)
    assert forgotten is not None
    assert forgotten.note.endswith("which is not in the frame: all were tried")


def test_a_counter_that_only_half_a_mic_speaks_for_is_not_remembered() -> None:
    ring = Keyring([NEWER])
    assert counter(ring, sealed(UP, 0xF_0001, ack=4), 201) == 0xF_0001
    assert counter(ring, sealed(UP, 1), 201) == 1


def test_a_key_that_fits_wholly_goes_before_one_that_fits_by_half() -> None:
    weak = dataclasses.replace(NEWER, s_nwk_s_int_key=SNwkSIntKey(bytes(16)))
    phy = sealed(UP, 2)
    alone = Keyring([weak]).open(phy, direction=UPLINK)
    assert alone is not None
    assert alone.half
    both = Keyring([weak, NEWER]).open(phy, direction=UPLINK)
    assert both is not None
    assert (both.keys, both.half) == (NEWER, False)


def test_searches_for_an_acknowledged_counter_end_when_they_find_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lorafuota.dissect.keyring._PATIENCE", 2)
    ring = Keyring([NEWER])
    bad = sealed(DOWN, 1, ack=5)[:-1] + b"\x00"
    good = sealed(DOWN, 2, ack=5)
    assert counter(ring, bad, 201) is None
    assert counter(ring, good, 201) == 2
    assert counter(ring, bad, 201) is None
    assert counter(ring, good, 201) is None
    counter(ring, sealed(CONFIRMED_UP, 5), 201)
    assert counter(ring, good, 201) == 2


# --- Joins ----------------------------------------------------------------------------------------


def sessions(ring: Keyring, address: int) -> list[object]:
    return list(ring._by_address.get(address, ()))


def test_a_join_of_1_0_gives_the_session_keys_of_what_follows() -> None:
    ring = Keyring(roots=[NEW, OLD])
    assert ring.has_roots
    assert not Keyring().has_roots
    assert ring.join_request(request(OLD)) is True
    joined = ring.join_accept(accept(OLD))
    assert joined == Joined(
        root=OLD,
        clear=OLD.decrypt(accept(OLD)),
        address=DevAddr(0x01020304),
        checked=True,
        note="the session keys of 01020304 come from it",
    )
    keys = OLD.session(joined.clear, HeardRequest.of(request(OLD)))
    assert isinstance(keys, AddressKeys)
    assert ring.open(unicast(0, UPLINK, b"x", keys=keys), direction=UPLINK) == Opened(
        keys=keys, fcnt=0
    )
    assert ring.dev_eui(0x01020304) == OLD.dev_eui


def test_a_join_of_1_1_gives_the_session_keys_of_what_follows() -> None:
    ring = Keyring(roots=[OLD, NEW])
    for dev_nonce in (256, 257, 258, 259):
        assert ring.join_request(request(NEW, dev_nonce)) is True
    joined = ring.join_accept(accept(NEW, opt_neg=True))
    assert joined is not None
    assert (joined.root, joined.checked) == (NEW, True)
    keys = NEW.session(joined.clear, HeardRequest.of(request(NEW)))
    assert isinstance(keys, SessionKeys)
    assert sessions(ring, 0x01020304) == [keys]
    opened = ring.open(sealed(CONFIRMED_UP, 0, keys=keys), direction=UPLINK)
    assert opened is not None
    assert (opened.keys, opened.half) == (keys, False)


def test_every_request_that_a_join_of_1_0_may_answer_is_tried_the_last_one_first() -> None:
    ring = Keyring(roots=[OLD])
    nonces = range(100, 110)
    for dev_nonce in (*nonces, 104):
        assert ring.join_request(request(OLD, dev_nonce)) is True
    for _ in range(2):  # gateways hear a frame more than once
        joined = ring.join_accept(accept(OLD))
        assert joined is not None
        wanted = [104, 109, 108, 107, 106, 105, 103, 102]
        assert sessions(ring, 0x01020304) == [
            OLD.session(joined.clear, HeardRequest.of(request(OLD, nonce))) for nonce in wanted
        ]


def test_a_new_session_of_an_address_goes_before_the_old_one() -> None:
    ring = Keyring([DEVICE], roots=[OLD])
    ring.join_request(request(OLD))
    ring.join_accept(accept(OLD, address=ADDRESS))
    ring.join_accept(accept(OLD, address=ADDRESS, join_nonce=65537))
    found = sessions(ring, ADDRESS)
    assert (len(found), found[-1]) == (3, DEVICE)
    up = ring.open(unicast(3, UPLINK, b""), direction=UPLINK, tries=1)
    assert up == Opened(keys=DEVICE, fcnt=3)


def test_a_join_request_is_checked_with_the_root_key_of_its_device() -> None:
    ring = Keyring(roots=[OLD])
    assert ring.join_request(request(NEW)) is None
    assert ring.join_request(request(OLD)[:-1] + b"\x00") is False
    joined = ring.join_accept(accept(OLD))
    assert joined is not None
    assert (joined.checked, joined.note) == (
        True,
        "its join-request was not seen, so no session keys come from it",
    )
    assert not ring.knows(0x01020304)
    assert ring.join_accept(accept(NEW)) is None


def test_a_join_of_1_1_without_its_request_is_opened_and_not_checked() -> None:
    phy = accept(NEW, opt_neg=True)
    alone = Keyring(roots=[OLD, NEW]).join_accept(phy)
    assert alone is not None
    assert (alone.root, alone.checked) == (NEW, False)
    assert alone.note.endswith("which was not seen")
    other = Keyring(roots=[NEW])
    other.join_request(request(NEW, 9))
    assert other.join_accept(phy) is None
    twice = dataclasses.replace(NEW, dev_eui=OLD.dev_eui)
    assert Keyring(roots=[NEW, twice]).join_accept(phy) is None
    known = Keyring(roots=[dataclasses.replace(NEW, join_eui=JOIN_EUI)])
    found = known.join_accept(phy)
    assert found is not None
    assert (found.checked, found.note) == (True, "the session keys of 01020304 come from it")
    assert known.knows(0x01020304)
