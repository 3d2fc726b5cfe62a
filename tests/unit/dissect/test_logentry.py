from __future__ import annotations

from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.capture import Frame
from lorafuota.dissect.frame import MicCheck
from lorafuota.dissect.joins import HeardRequest
from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.logentry import Entry, open_entry
from lorafuota.dissect.logreader import Captured
from lorafuota.types import DOWNLINK, UPLINK, DevAddr, DevEUI
from tests.unit.dissect.test_joins import NEW, OLD, accept, request
from tests.unit.dissect.test_keyring import ADDRESS, DEVICE, GROUP, multicast, unicast
from tests.unit.dissect.test_lorawan11 import DEVICE as NEWER
from tests.unit.dissect.test_lorawan11 import UP, sealed

RING = Keyring([DEVICE, GROUP, NEWER])


def opened(frame: Frame) -> Entry:
    return open_entry(Captured(3, "lorafuota", frame), RING)


def test_a_payload_in_the_clear_is_left_as_it_is() -> None:
    frame = Frame(direction=UPLINK, fport=201, payload=b"\x02\x00", dev_eui=DevEUI(9))
    assert opened(frame) == Entry(line=3, source="lorafuota", frame=frame, owner="0000000000000009")


def test_a_frame_is_opened_and_goes_to_the_device_or_group_of_its_address() -> None:
    group = opened(Frame(direction=DOWNLINK, phy=multicast(5)))
    assert (group.owner, group.frame.payload, group.frame.fport, group.frame.fcnt) == (
        "group 26011BDA",
        b"\x01\x00",
        201,
        5,
    )
    device = opened(Frame(direction=DOWNLINK, phy=unicast(5, UPLINK, b"\x02\x00")))
    assert (device.owner, device.frame.direction) == ("0000000000000007", UPLINK)
    assert device.frame.mc_addr is None


def test_a_payload_beside_a_frame_is_believed_and_the_mic_still_checked() -> None:
    frame = Frame(direction=DOWNLINK, fport=201, payload=b"\x01\x02", phy=multicast(5))
    entry = opened(frame)
    assert entry.frame == frame
    assert entry.phy is not None
    assert entry.phy.check is MicCheck.FITS


def test_half_a_mic_leaves_a_doubt() -> None:
    whole = opened(Frame(direction=UPLINK, phy=sealed(UP, 5)))
    assert (whole.owner, whole.frame.payload, whole.doubt) == (
        "0000000000000008",
        b"\x02\xc0",
        "",
    )
    half = opened(Frame(direction=UPLINK, phy=sealed(UP, 6, ack=3)))
    assert (half.frame.payload, half.note) == (b"\x02\xc0", "")
    assert half.doubt.startswith("only the half of the MIC under FNwkSIntKey was checked: ")
    assert opened(Frame(direction=UPLINK, fport=1, payload=b"")).doubt == ""


def test_a_join_opens_what_comes_behind_it() -> None:
    ring = Keyring(roots=[OLD, NEW])
    for root, opt_neg in ((OLD, False), (NEW, True)):
        joins = [request(root), accept(root, opt_neg=opt_neg)]
        notes = [
            "a join-request; MIC fits",
            "a join-accept; MIC fits; the session keys of 01020304 come from it",
        ]
        for phy, note in zip(joins, notes, strict=True):
            entry = open_entry(Captured(1, "x", Frame(direction=UPLINK, phy=phy)), ring)
            assert (entry.owner, entry.note) == (str(root.dev_eui), note)
        keys = root.session(root.decrypt(joins[1]), HeardRequest.of(joins[0]))
        if isinstance(keys, AddressKeys):
            phy = unicast(0, UPLINK, b"\x02\x00", keys=keys)
        else:
            phy = sealed(UP, 0, b"\x02\x00", keys=keys)
        entry = open_entry(Captured(1, "x", Frame(direction=UPLINK, phy=phy)), ring)
        assert (entry.owner, entry.frame.payload) == (str(root.dev_eui), b"\x02\x00")


def test_a_join_that_does_not_open_says_why() -> None:
    ring = Keyring(roots=[OLD])
    bad = open_entry(
        Captured(1, "x", Frame(direction=UPLINK, phy=request(OLD)[:-1] + b"\x00")), ring
    )
    assert (bad.owner, bad.note) == (
        str(OLD.dev_eui),
        "a join-request; MIC does not fit the root key",
    )
    foreign = open_entry(Captured(1, "x", Frame(direction=DOWNLINK, phy=accept(NEW))), ring)
    assert (foreign.owner, foreign.note) == (
        "unnamed device",
        "a join-accept; MIC does not fit the root key",
    )
    alone = Frame(direction=DOWNLINK, phy=accept(NEW, opt_neg=True))
    entry = open_entry(Captured(1, "x", alone), Keyring(roots=[NEW]))
    assert (entry.owner, entry.note[:13]) == ("address 01020304", "a join-accept")
    assert opened(Frame(direction=UPLINK, phy=b"\xc0" + bytes(18))).note == "a rejoin-request"


def test_an_owner_without_an_eui_is_an_address_or_has_no_name() -> None:
    other = bytearray(multicast(5))
    other[1:5] = DevAddr(1).to_bytes(4, "little")
    shut = opened(Frame(direction=DOWNLINK, phy=bytes(other)))
    assert (shut.owner, shut.note) == ("address 00000001", "encrypted, and no key for it")
    nobody = opened(Frame(direction=UPLINK, fport=1, payload=b""))
    assert nobody.owner == "unnamed device"
    assert opened(Frame(direction=DOWNLINK, fport=1, payload=b"", mc_addr=ADDRESS)).owner == (
        "group 26011BDA"
    )


def test_json_has_both_times() -> None:
    frame = Frame(direction=UPLINK, fport=1, payload=b"", time=1_400_000_000.0)
    assert opened(frame).to_json() == {
        "line": 3,
        "source": "lorafuota",
        "owner": "unnamed device",
        "frame": {
            "direction": "uplink",
            "fport": 1,
            "payload": "",
            "time": 1_400_000_000.0,
        },
        "utc": "2024-05-17T16:53:02Z",
        "phy": None,
        "reading": None,
        "sessions": [],
        "note": "",
    }
