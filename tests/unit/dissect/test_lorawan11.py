from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest

from lorafuota import crypto
from lorafuota.dissect.frame import MicCheck, explain_phy
from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.lorawan11 import Fit, SessionKeys
from lorafuota.errors import FieldError
from lorafuota.types import (
    DOWNLINK,
    UPLINK,
    AppSKey,
    DevAddr,
    DevEUI,
    Direction,
    FNwkSIntKey,
    Key,
    NwkSEncKey,
    NwkSKey,
    SNwkSIntKey,
)

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "vectors" / "lorawan11.json").read_text())
ADDRESS = DevAddr(0x26011BDB)
DEVICE = SessionKeys(
    address=ADDRESS,
    f_nwk_s_int_key=FNwkSIntKey(bytes(range(0x20, 0x30))),
    s_nwk_s_int_key=SNwkSIntKey(bytes(range(0x30, 0x40))),
    nwk_s_enc_key=NwkSEncKey(bytes(range(0x40, 0x50))),
    app_s_key=AppSKey(bytes(range(0x50, 0x60))),
    dev_eui=DevEUI(8),
)
UP, DOWN, CONFIRMED_UP, CONFIRMED_DOWN = 0x40, 0x60, 0x80, 0xA0


def sealed(
    mhdr: int,
    fcnt: int,
    payload: bytes = b"\x02\xc0",
    *,
    fport: int | None = 201,
    options: bytes = b"",
    ack: int | None = None,
    tx: tuple[int, int] = (5, 2),
    keys: SessionKeys = DEVICE,
) -> bytes:
    """A frame of a LoRaWAN 1.1 device, put together here from the rules of TS001-1.1.

    ``ack`` is the counter of the frame that is acknowledged.
    """
    way = UPLINK if mhdr in (UP, CONFIRMED_UP) else DOWNLINK
    sender = 0 if way is UPLINK else 1
    who = (
        bytes((sender,)) + keys.address.to_bytes(4, "little") + fcnt.to_bytes(4, "little") + b"\x00"
    )
    flag = 2 if way is DOWNLINK and fport else 1
    head = bytes((mhdr,)) + keys.address.to_bytes(4, "little")
    head += bytes((len(options) | (0 if ack is None else 0x20),))
    head += (fcnt & 0xFFFF).to_bytes(2, "little")
    pad = crypto.aes128_encrypt(
        keys.nwk_s_enc_key, b"\x01\x00\x00\x00" + bytes((flag,)) + who + b"\x01"
    )
    head += bytes(a ^ b for a, b in zip(options, pad, strict=False))
    if fport is not None:
        head += bytes((fport,))
        key: Key = keys.app_s_key if fport else keys.nwk_s_enc_key
        for i in range(0, len(payload), 16):
            block = b"\x01\x00\x00\x00\x00" + who + bytes((i // 16 + 1,))
            stream = crypto.aes128_encrypt(key, block)
            head += bytes(a ^ b for a, b in zip(payload[i : i + 16], stream, strict=False))
    conf = ((ack or 0) & 0xFFFF).to_bytes(2, "little")
    size = bytes((len(head),))
    plain = crypto.aes128_cmac(keys.f_nwk_s_int_key, b"\x49" + bytes(4) + who + size, head)
    if way is DOWNLINK:
        b0 = b"\x49" + conf + bytes(2) + who + size
        return head + crypto.aes128_cmac(keys.s_nwk_s_int_key, b0, head)[:4]
    b1 = b"\x49" + conf + bytes(tx) + who + size
    return head + crypto.aes128_cmac(keys.s_nwk_s_int_key, b1, head)[:2] + plain[:2]


def keys_of(vector: dict[str, Any]) -> SessionKeys:
    """The keys of a vector; one that the source does not tell is of zeros."""
    keys = {name: vector[name] or "00" * 16 for name in vector if name.endswith("Key")}
    return SessionKeys(
        address=DevAddr(int.from_bytes(bytes.fromhex(vector["phy"])[1:5], "little")),
        f_nwk_s_int_key=FNwkSIntKey.from_hex(keys["FNwkSIntKey"]),
        s_nwk_s_int_key=SNwkSIntKey.from_hex(keys["SNwkSIntKey"]),
        nwk_s_enc_key=NwkSEncKey.from_hex(keys["NwkSEncKey"]),
        app_s_key=AppSKey.from_hex(keys["AppSKey"]),
    )


@pytest.mark.parametrize("vector", VECTORS["frames"], ids=lambda vector: vector["id"])
def test_frames_of_other_implementations_are_checked_and_opened(vector: dict[str, Any]) -> None:
    keys, phy = keys_of(vector), bytes.fromhex(vector["phy"])
    way = UPLINK if phy[0] in (UP, CONFIRMED_UP) else DOWNLINK
    fit = keys.fit(phy, direction=way, confirmed=(vector["conf_fcnt"],))
    assert fit is not None
    assert (fit.fcnt, fit.half) == (vector["fcnt"], False)
    if way is UPLINK:
        assert f"TxDr {vector['tx_dr']}, TxCh {vector['tx_ch']}" in fit.note
    read = explain_phy(phy, Keyring([keys]))
    if vector["payload"] is not None:
        assert (read.payload or b"").hex() == vector["payload"]
    if not phy[5] & 0x20:
        assert read.check is MicCheck.FITS
    from_options = [one for one in read.mac_commands if one.at == 8]
    assert "".join(f"{one.cid:02x}{one.octets.hex()}" for one in from_options) == vector["f_opts"]


@pytest.mark.parametrize("mhdr", [UP, DOWN, CONFIRMED_UP, CONFIRMED_DOWN])
@pytest.mark.parametrize("fport", [0, 201, None])
def test_a_devices_frames_are_checked_and_opened(mhdr: int, fport: int | None) -> None:
    payload = b"" if fport is None else bytes(range(40))
    way: Direction = UPLINK if mhdr in (UP, CONFIRMED_UP) else DOWNLINK
    options = b"" if fport == 0 else bytes.fromhex("0d" if way is UPLINK else "06")
    phy = sealed(mhdr, 0x2_0007, payload, fport=fport, options=options)
    fit = DEVICE.fit(phy, direction=way)
    assert fit is not None
    assert (fit.fcnt, fit.half) == (0x2_0007, False)
    other = DOWNLINK if way is UPLINK else UPLINK
    assert DEVICE.fit(phy, direction=other, tries=4) is None
    sent = phy[9 + len(options) : -4]
    assert DEVICE.crypt(sent, port=fport or 0, direction=way, fcnt=0x2_0007) == payload
    hidden = phy[8 : 8 + len(options)]
    assert DEVICE.crypt_options(hidden, fport=fport, direction=way, fcnt=0x2_0007) == options


def test_what_was_tried_is_said() -> None:
    assert DEVICE.fit(sealed(UP, 5), direction=UPLINK) == Fit(
        fcnt=5,
        note="both halves of the MIC fit with TxDr 5, TxCh 2: they are not in the frame and were "
        "tried; chance does that once in 1,048,576",
    )
    later = DEVICE.fit(sealed(UP, 0x3_0005), direction=UPLINK)
    assert later is not None
    assert later.note.endswith("once in 262,144")
    acked = DEVICE.fit(sealed(UP, 5, ack=0x1_0009), direction=UPLINK, confirmed=(9, 8, 7))
    assert acked is not None
    assert "with TxDr 5, TxCh 2, ConfFCnt 9: " in acked.note
    assert acked.note.endswith("once in 524,288")
    assert DEVICE.fit(sealed(DOWN, 5), direction=DOWNLINK) == Fit(fcnt=5)


def test_half_of_a_mic_is_no_whole_one() -> None:
    phy = sealed(UP, 5, ack=9)
    none_seen = DEVICE.fit(phy, direction=UPLINK)
    assert none_seen is not None
    assert (none_seen.half, none_seen.note) == (
        True,
        "only the half of the MIC under FNwkSIntKey was checked: the other half needs the counter "
        "of the confirmed downlink it acknowledges, and none was seen",
    )
    other = DEVICE.fit(phy, direction=UPLINK, confirmed=(3,))
    assert other is not None
    assert other.note.endswith("and none that was seen fits")
    damaged = bytearray(sealed(UP, 5))
    damaged[-4] ^= 1
    changed = [bytes(damaged[:-4]) + bytes((octet,)) + bytes(damaged[-3:]) for octet in range(64)]
    fits = [DEVICE.fit(one, direction=UPLINK, tries=1) for one in changed]
    halves = [one for one in fits if one is not None and one.half]
    assert {one.note for one in halves} == {"only the half of the MIC under FNwkSIntKey fits"}
    assert len(halves) > 50  # of the others chance makes fit one in sixteen
    far = sealed(UP, 0x20_0005, ack=9)
    assert DEVICE.fit(far, direction=UPLINK) is None
    assert DEVICE.fit(far, direction=UPLINK, near=0x1F_0000) is not None


def test_a_downlink_that_acknowledges_is_searched_for_the_counter() -> None:
    phy = sealed(DOWN, 0x1_0003, ack=0xABCD)
    assert DEVICE.fit(phy, direction=DOWNLINK, tries=16, search=False) is None
    assert DEVICE.fit(
        phy, direction=DOWNLINK, tries=16, search=False, confirmed=(1, 0xABCD)
    ) == Fit(fcnt=0x1_0003, note="it acknowledges the uplink with ConfFCnt 43981")
    found = DEVICE.fit(phy, direction=DOWNLINK, tries=16, confirmed=(1,))
    assert found is not None
    assert (found.fcnt, found.note) == (
        0x1_0003,
        "it acknowledges the uplink with ConfFCnt 43981, which is not in the frame: all were tried",
    )
    assert DEVICE.fit(sealed(DOWN, 0x9_0003, ack=7), direction=DOWNLINK, tries=16) is None


def test_upper_halves_are_tried_from_a_counter_not_far_below() -> None:
    down, up = sealed(DOWN, 0x1234_0001), sealed(UP, 0x1234_0001)
    found = DEVICE.fit(down, direction=DOWNLINK)
    assert found is not None
    assert found.fcnt == 0x1234_0001
    assert DEVICE.fit(down, direction=DOWNLINK, near=0x1233_FFFF, tries=2) == found
    assert DEVICE.fit(up, direction=UPLINK) is None
    near = DEVICE.fit(up, direction=UPLINK, near=0x1234_0000)
    assert near is not None
    assert near.fcnt == 0x1234_0001


def test_downlinks_have_two_counters() -> None:
    names = [DEVICE.counter(way, fport) for way in (UPLINK, DOWNLINK) for fport in (None, 0, 1)]
    assert names == ["FCntUp"] * 3 + ["NFCntDown", "NFCntDown", "AFCntDown"]
    assert not DEVICE.multicast


def test_keys_show_nothing_and_have_their_classes() -> None:
    shown = repr(DEVICE)
    assert shown.count("<secret>") == 4
    assert "202122" not in shown
    keys = {name: getattr(DEVICE, name) for name in DEVICE.__slots__}
    with pytest.raises(FieldError, match="f_nwk_s_int_key = NwkSKey: expected a FNwkSIntKey"):
        SessionKeys(**{**keys, "f_nwk_s_int_key": NwkSKey(bytes(16))})
    with pytest.raises(FieldError, match=r"SessionKeys\.address"):
        SessionKeys(**{**keys, "address": 1 << 32})
