"""McKey: each mix-up found by the MIC of the group's frames, and no key in what is said."""

from __future__ import annotations

import dataclasses
import random

import pytest

from lorafuota import crypto
from lorafuota.dissect.capture import Frame
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.dissect.mckey import reversed_address
from lorafuota.link import build_mc_downlink
from lorafuota.types import (
    DOWNLINK,
    AppKey,
    DevAddr,
    GenAppKey,
    LorawanVersion,
    McKEKey,
    McKey,
    McRootKey,
)
from tests.unit.dissect.support import FRAG, GROUP, MC, OTHER, Log, group_setup

RNG = random.Random(3)
ROOT, JOIN, MC_KEY = RNG.randbytes(16), RNG.randbytes(16), McKey(RNG.randbytes(16))


def kek(root: GenAppKey | AppKey) -> McKEKey:
    return crypto.derive_mc_ke_key(crypto.derive_mc_root_key(root))


RIGHT = crypto.wrap_mc_key(kek(GenAppKey(ROOT)), MC_KEY)
KNOWN = {"gen_app_key": GenAppKey(ROOT), "lorawan": LorawanVersion.V1_0}


def capture(encrypted: bytes, *, address: DevAddr = GROUP, fcnt: int = 5) -> Log:
    """A set-up and two frames, the way a radio heard them."""
    log = (
        Log().down(MC, group_setup(mc_key_encrypted=encrypted, max_mc_fcnt=1 << 20)).up(MC, "0200")
    )
    for at in (fcnt, fcnt + 1):
        phy = build_mc_downlink(
            b"\x01\x00",
            mc_addr=GROUP,
            mc_app_s_key=crypto.derive_mc_app_s_key(MC_KEY, address),
            mc_nwk_s_key=crypto.derive_mc_nwk_s_key(MC_KEY, address),
            fcnt=at,
            fport=FRAG,
        )
        log.frames.append(Frame(direction=DOWNLINK, time=log.now, phy=phy))
    return log


@pytest.mark.parametrize(
    ("encrypted", "symptom"),
    [
        (RIGHT, None),
        (crypto.wrap_mc_key(kek(AppKey(ROOT)), MC_KEY), Symptom.ROOT_KEY_ROLE),
        (
            crypto.wrap_mc_key(crypto.derive_mc_ke_key(McRootKey(ROOT)), MC_KEY),
            Symptom.ROOT_KEY_AS_KEK,
        ),
        (crypto.wrap_mc_key(McKEKey(ROOT), MC_KEY), Symptom.ROOT_KEY_AS_KEK),
        (
            crypto.wrap_mc_key(
                McKEKey(crypto.derive_mc_root_key(GenAppKey(ROOT)).reveal()), MC_KEY
            ),
            Symptom.ROOT_KEY_AS_KEK,
        ),
        (MC_KEY.reveal(), Symptom.MC_KEY_IN_CLEAR),
        (crypto.wrap_mc_key(McKEKey(bytes(16)), MC_KEY), Symptom.MC_KE_KEY_ZERO),
        (
            crypto.aes128_encrypt(kek(GenAppKey(ROOT)), MC_KEY.reveal()),
            Symptom.MC_KEY_DIRECTION,
        ),
        (bytes(16), Symptom.MC_KEYS_UNKNOWN),
    ],
)
def test_each_mix_up_of_mc_key_has_its_name(encrypted: bytes, symptom: Symptom | None) -> None:
    log = capture(encrypted)
    diagnosis = log.diagnose(**KNOWN)
    assert [one.symptom for one in diagnosis.hypotheses] == ([symptom] if symptom else [])
    text = str(diagnosis) + str(diagnosis.to_json())
    for key in (ROOT, MC_KEY.reveal()):
        assert key.hex() not in text
        assert repr(key)[2:-1] not in text


def test_the_key_of_the_join_is_found_when_it_is_given() -> None:
    log = capture(crypto.wrap_mc_key(kek(GenAppKey(JOIN)), MC_KEY))
    assert log.names(**KNOWN) == ["mc-keys-unknown"]
    found = log.find(Symptom.ROOT_KEY_ROLE, **KNOWN, app_key=AppKey(JOIN))
    assert "the key it joins with" in found.says


def test_without_keys_only_what_needs_none_is_tried() -> None:
    assert capture(MC_KEY.reveal()).names() == ["mc-key-in-clear"]
    assert capture(bytes(16)).names() == []


def test_session_keys_from_the_reversed_address() -> None:
    log = capture(RIGHT, address=reversed_address(GROUP))
    assert log.names(**KNOWN) == ["mc-addr-reversed"]


def test_counters_above_16_bits_are_tried() -> None:
    assert capture(RIGHT, fcnt=0x20005).names(**KNOWN) == []


def test_mc_key_told_does_where_no_frame_was_heard_whole() -> None:
    log = Log().down(MC, group_setup(mc_key_encrypted=RIGHT)).up(MC, "0200").group("0100")
    assert log.names(**KNOWN, mc_key=MC_KEY) == []
    assert log.names(**KNOWN, mc_key=McKey(bytes(16))) == ["mc-keys-unknown"]
    clear = dataclasses.replace(group_setup(), mc_key_encrypted=MC_KEY.reveal())
    log = Log().down(MC, clear).up(MC, "0200").group("0100")
    assert log.names(mc_key=MC_KEY) == ["mc-key-in-clear"]


def test_two_devices_never_get_the_same_wrapped_key() -> None:
    log = Log().down(MC, group_setup()).up(MC, "0200")
    log.down(MC, group_setup(), dev=OTHER).up(MC, "0200", dev=OTHER)
    assert log.names() == ["mc-key-in-clear"]


def test_keys_of_one_device_are_not_held_against_another() -> None:
    log = capture(bytes(16)).down(FRAG, "00", dev=OTHER)
    assert log.names(**KNOWN) == []
    assert log.names(**KNOWN, dev_eui=OTHER) == []
