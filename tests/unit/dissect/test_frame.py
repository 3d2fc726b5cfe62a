from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from lorafuota import crypto
from lorafuota.dissect.frame import FrameKind, MicCheck, PhyExplanation, explain_phy
from lorafuota.dissect.keyring import Keyring
from lorafuota.types import DOWNLINK, UPLINK, SNwkSIntKey
from tests.unit.dissect.test_joins import NEW, OLD, VECTORS, accept, request, root_of
from tests.unit.dissect.test_keyring import ADDRESS, DEVICE, GROUP, MC_KEY, multicast, unicast
from tests.unit.dissect.test_lorawan11 import DEVICE as NEWER
from tests.unit.dissect.test_lorawan11 import DOWN, UP, sealed

RING = Keyring([GROUP, DEVICE])
EVERY = Keyring([GROUP, DEVICE, NEWER], roots=[OLD, NEW])


def odd(read: PhyExplanation) -> list[str]:
    return [one.code for one in read.anomalies]


def shown(read: PhyExplanation) -> dict[str, str]:
    return {line.name: line.shown for line in read.lines}


def test_a_multicast_frame_is_checked_opened_and_laid_out() -> None:
    read = explain_phy(multicast(0x1_0002), RING)
    assert (read.kind, read.direction, read.multicast) == (FrameKind.DATA, DOWNLINK, True)
    assert (read.address, read.fcnt, read.fport, read.check) == (
        ADDRESS,
        0x1_0002,
        201,
        MicCheck.FITS,
    )
    assert (read.payload, read.anomalies) == (b"\x01\x00", ())
    assert [(line.octets, line.bits, line.name) for line in read.lines] == [
        ("0", "1:0", "Major"),
        ("0", "7:5", "FType"),
        ("1-4", "", "DevAddr"),
        ("5", "3:0", "FOptsLen"),
        ("5", "4", "FPending"),
        ("5", "5", "ACK"),
        ("5", "6", "ADRACKReq"),
        ("5", "7", "ADR"),
        ("6-7", "", "FCnt"),
        ("8", "", "FPort"),
        ("11-14", "", "MIC"),
    ]
    assert shown(read)["FType"] == "3, UNCONFIRMED_DATA_DOWN"


def test_a_frame_of_a_device_is_opened_with_its_session_keys() -> None:
    up = explain_phy(unicast(0x3_0005, UPLINK, b"\x02\xc0"), RING)
    assert (up.direction, up.fcnt, up.payload, up.multicast) == (
        UPLINK,
        0x3_0005,
        b"\x02\xc0",
        False,
    )
    near = explain_phy(unicast(0x3_0005, UPLINK, b""), RING, near_fcnt=0x3_0000, tries=1)
    assert (near.fcnt, near.payload) == (0x3_0005, b"")


def test_without_a_key_nothing_is_opened_and_with_a_wrong_one_it_is_said() -> None:
    read = explain_phy(multicast(7))
    assert (read.check, read.payload, read.fcnt, odd(read)) == (MicCheck.NOT_CHECKED, None, 7, [])
    damaged = multicast(7)[:-1] + b"\x00"
    read = explain_phy(damaged, RING, tries=2)
    assert (read.check, read.payload, odd(read)) == (MicCheck.DOES_NOT_FIT, None, ["mic"])


def test_mac_commands_are_read_from_options_and_from_port_0() -> None:
    head = bytes((0x40,)) + ADDRESS.to_bytes(4, "little") + bytes((0x02, 9, 0))
    read = explain_phy(head + bytes.fromhex("0d02") + bytes(4))
    assert [(one.at, one.name) for one in read.mac_commands] == [
        (8, "DeviceTimeReq"),
        (9, "LinkCheckReq"),
    ]
    assert (read.fport, read.payload) == (None, None)
    port_0 = explain_phy(unicast(4, UPLINK, b"\x03\x07", fport=0), RING)
    assert [(one.at, one.name) for one in port_0.mac_commands] == [(9, "LinkADRAns")]
    both = explain_phy(head + bytes.fromhex("0d02 00 55") + bytes(4))
    assert odd(both) == ["mac-twice"]
    strange = explain_phy(head + bytes.fromhex("80ff") + bytes(4))
    assert odd(strange) == ["mac-command"]


def test_options_of_lorawan_1_1_are_decrypted() -> None:
    ring = Keyring([NEWER])
    up = explain_phy(sealed(UP, 5, options=bytes.fromhex("0d02")), ring)
    assert [(one.at, one.name) for one in up.mac_commands] == [
        (8, "DeviceTimeReq"),
        (9, "LinkCheckReq"),
    ]
    assert (up.check, up.payload, odd(up)) == (MicCheck.FITS, b"\x02\xc0", [])
    [note] = up.notes
    assert note.startswith("both halves of the MIC fit with TxDr 5, TxCh 2: ")
    for fport in (None, 201):
        down = explain_phy(sealed(DOWN, 5, b"", fport=fport, options=b"\x02\x07\x01"), ring)
        assert [(one.name, one.octets.hex()) for one in down.mac_commands] == [
            ("LinkCheckAns", "0701")
        ]
        assert down.notes == ()
    port_0 = explain_phy(sealed(DOWN, 6, b"\x06", fport=0), ring)
    assert [(one.at, one.name) for one in port_0.mac_commands] == [(9, "DevStatusReq")]
    shut = explain_phy(sealed(UP, 5, options=bytes.fromhex("0d02")))
    assert [one.name for one in shut.mac_commands] != ["DeviceTimeReq", "LinkCheckReq"]


def test_options_that_a_stack_of_1_1_leaves_in_the_clear_are_read_and_it_is_said() -> None:
    sent = sealed(DOWN, 5, b"", fport=None, options=b"\x06")
    hidden = sent[8] ^ 0x06
    clear = sealed(DOWN, 5, b"", fport=None, options=bytes((hidden ^ 0x06,)))
    assert clear[8] == 0x06
    read = explain_phy(clear, Keyring([NEWER]))
    assert [one.name for one in read.mac_commands] == ["DevStatusReq"]
    assert read.notes == ("FOpts is in the clear, though LoRaWAN 1.1 encrypts it",)
    neither = explain_phy(sealed(DOWN, 5, b"", fport=None, options=b"\xff"), Keyring([NEWER]))
    assert odd(neither) == ["mac-command"]
    assert (neither.mac_commands[0].cid, neither.notes) == (0xFF, ())


def test_half_a_mic_is_told_from_a_whole_one() -> None:
    acked = explain_phy(sealed(UP, 5, ack=7), Keyring([NEWER]))
    assert (acked.check, acked.payload, odd(acked)) == (MicCheck.HALF_FITS, b"\x02\xc0", [])
    assert "none was seen" in acked.notes[0]
    other = dataclasses.replace(NEWER, s_nwk_s_int_key=SNwkSIntKey(bytes(16)))
    read = explain_phy(sealed(UP, 5), Keyring([other]))
    assert (read.check, read.fcnt, odd(read)) == (MicCheck.HALF_FITS, 5, ["mic"])
    assert read.to_json()["mic"] == "half fits"


def test_what_a_group_must_not_send_is_odd() -> None:
    frame = bytearray(multicast(1))
    frame[5] |= 0x60
    read = explain_phy(bytes(frame), RING, tries=1)
    assert odd(read) == ["mic"]  # the flags are under the MIC
    key = crypto.derive_mc_nwk_s_key(MC_KEY, ADDRESS)
    body = bytes(frame[:-4])
    sealed = body + crypto.mc_frame_mic(key, body, mc_addr=ADDRESS, fcnt=1)
    assert odd(explain_phy(sealed, RING)) == ["not-multicast", "not-multicast"]


def test_join_frames_are_named_and_cut() -> None:
    join = bytes.fromhex("00 0807060504030201 1817161514131211 3412 aabbccdd")
    read = explain_phy(join)
    assert (read.kind, read.direction) == (FrameKind.JOIN_REQUEST, UPLINK)
    assert shown(read) == {
        "Major": "0",
        "FType": "0, JOIN_REQUEST",
        "JoinEUI": "0102030405060708",
        "DevEUI": "1112131415161718",
        "DevNonce": "4660",
        "MIC": "aabbccdd",
    }
    accept = explain_phy(b"\x20" + bytes(16))
    assert (accept.kind, accept.direction, odd(accept)) == (FrameKind.JOIN_ACCEPT, DOWNLINK, [])
    assert odd(explain_phy(b"\x20" + bytes(15))) == ["length"]
    assert explain_phy(b"\xc0" + bytes(18)).kind is FrameKind.REJOIN_REQUEST
    assert explain_phy(b"\xe0\x01").kind is FrameKind.PROPRIETARY


def test_join_requests_are_checked_with_a_root_key() -> None:
    ring = Keyring(roots=[OLD])
    good = explain_phy(request(OLD), ring)
    assert (good.check, good.dev_eui, odd(good)) == (MicCheck.FITS, OLD.dev_eui, [])
    bad = explain_phy(request(OLD)[:-1] + b"\x00", ring)
    assert (bad.check, odd(bad)) == (MicCheck.DOES_NOT_FIT, ["mic"])
    other = explain_phy(request(NEW), ring)
    assert (other.check, other.dev_eui, odd(other)) == (MicCheck.NOT_CHECKED, NEW.dev_eui, [])


def test_a_join_accept_is_opened_with_a_root_key_and_laid_out() -> None:
    ring = Keyring(roots=[OLD])
    explain_phy(request(OLD), ring)
    phy = accept(OLD)
    read = explain_phy(phy, ring)
    assert (read.check, read.address, read.dev_eui, odd(read)) == (
        MicCheck.FITS,
        0x01020304,
        OLD.dev_eui,
        [],
    )
    assert read.notes == ("the session keys of 01020304 come from it",)
    assert (read.frm_payload, read.payload) == (phy[1:], OLD.decrypt(phy)[1:])
    assert [(line.octets, line.bits, line.name, line.shown) for line in read.lines[2:]] == [
        ("1-3", "", "JoinNonce", "65536"),
        ("4-6", "", "NetID", "010203"),
        ("7-10", "", "DevAddr", "01020304"),
        ("11", "3:0", "RX2DataRate", "5"),
        ("11", "6:4", "RX1DRoffset", "1"),
        ("11", "7", "OptNeg", "0, no"),
        ("12", "3:0", "RxDelay", "1, 1 s"),
        ("13-16", "", "MIC", OLD.decrypt(phy)[-4:].hex()),
    ]
    read.to_json()


def test_a_cf_list_has_frequencies_or_masks() -> None:
    vector = next(one for one in VECTORS["join_accepts"] if one["cf_list"])
    read = explain_phy(bytes.fromhex(vector["phy"]), Keyring(roots=[root_of(vector)]))
    values = [line.value for line in read.lines if line.name.startswith("Freq")]
    assert values == vector["cf_list"]
    assert shown(read)["Freq1"] == "867100000, 867.1 MHz"
    assert (shown(read)["CFListType"], read.lines[-1].octets) == ("0", "29-32")
    masks = accept(OLD, cf_list=bytes.fromhex("ff000000000000000000000000000001"))
    assert shown(explain_phy(masks, Keyring(roots=[OLD])))["ChMask"] == "ff" + "00" * 14


def test_a_join_accept_that_no_root_key_opens_stays_shut() -> None:
    shut = explain_phy(accept(OLD), Keyring(roots=[NEW]))
    assert (shut.check, shut.payload, odd(shut)) == (MicCheck.DOES_NOT_FIT, None, ["mic"])
    assert [line.name for line in shut.lines] == ["Major", "FType"]
    unchecked = explain_phy(accept(NEW, opt_neg=True), Keyring(roots=[NEW]))
    assert (unchecked.check, unchecked.dev_eui) == (MicCheck.NOT_CHECKED, NEW.dev_eui)
    assert shown(unchecked)["OptNeg"] == "1, yes"


def test_what_is_no_frame_is_said_with_the_reason() -> None:
    sentences = {
        b"": "the frame is empty",
        b"\x00" * 22: "a join-request has 23 octets, not 22",
        b"\x40\x00": "a data frame has 12 octets at least, not 2",
        b"\x40" + bytes(4) + b"\x0f" + bytes(6): "FOptsLen is 15, but only 0 octets are there",
        b"\x60" * 256: "256 octets; no frame is longer than 255",
    }
    for phy, sentence in sentences.items():
        read = explain_phy(phy)
        assert (read.kind, read.anomalies[0].sentence) == (FrameKind.UNREADABLE, sentence)
    assert odd(explain_phy(b"\x5d" + bytes(11))) == ["major-version", "reserved-bits"]


def test_json_has_everything_but_keys() -> None:
    document = explain_phy(multicast(2), RING).to_json()
    lines, commands = document.pop("lines"), document.pop("mac_commands")
    assert isinstance(lines, list)
    assert (len(lines), commands) == (11, [])
    assert document == {
        "phy": multicast(2).hex(),
        "kind": "data",
        "direction": "downlink",
        "address": "26011BDA",
        "dev_eui": None,
        "multicast": True,
        "fcnt": 2,
        "fport": 201,
        "frm_payload": multicast(2)[9:-4].hex(),
        "payload": "0100",
        "mic": "fits",
        "notes": [],
        "anomalies": [],
    }


@given(st.binary(max_size=300))
def test_any_octets_are_explained(phy: bytes) -> None:
    read = explain_phy(phy, EVERY, tries=1)
    assert (read.kind is FrameKind.UNREADABLE) <= bool(read.anomalies)
    for line in read.lines:
        assert 0 <= line.start <= line.stop <= len(phy)
    read.to_json()


HEADS = [
    b"\x20",
    b"\x00",
    b"\xc0",
    *(bytes((mhdr,)) + NEWER.address.to_bytes(4, "little") for mhdr in (0x40, 0x60, 0x80, 0xA0)),
]


@given(st.sampled_from(HEADS), st.binary(max_size=40) | st.binary(min_size=16, max_size=16))
def test_any_octets_behind_a_known_head_are_explained(head: bytes, rest: bytes) -> None:
    """Frames that the keys are tried on: of the device of 1.1, and joins."""
    ring = Keyring([GROUP, DEVICE, NEWER], roots=[OLD, NEW])
    read = explain_phy(head + rest, ring, tries=1)
    for line in read.lines:
        assert 0 <= line.start <= line.stop <= len(read.phy)
    read.to_json()
