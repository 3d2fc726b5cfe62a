from __future__ import annotations

import json
import pathlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lorafuota.dissect.addresskeys import AddressKeys
from lorafuota.dissect.fragmentruns import FragmentRun
from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.logentry import Entry
from lorafuota.dissect.logreader import Unread, read_log
from lorafuota.dissect.story import Story, tell
from lorafuota.fragmentation import v1, v2
from lorafuota.fragmentation.v1 import DataFragment
from lorafuota.multicastsetup import v1 as multicast
from lorafuota.types import UPLINK, DevAddr, McKey
from tests.unit.dissect.test_keyring import DEVICE, GROUP, unicast
from tests.unit.dissect.test_keyring import multicast as sealed

CAPTURES = pathlib.Path(__file__).parents[2] / "data" / "captures"
KEYS = Keyring(
    [
        AddressKeys.from_mc_key(
            McKey.from_hex("5e4d3c2b1a09f8e7d6c5b4a392817061"), DevAddr(0x01FE2A3B)
        )
    ]
)
SETUP = bytes.fromhex("02 01 1400 32 00 05 00000000 0100 4d6d1790")


def story(*frames: dict[str, Any], **options: Any) -> Story:
    return tell(read_log(json.dumps(one) for one in frames), **options)


def down(payload: bytes, *, fport: int = 201, **more: Any) -> dict[str, Any]:
    return {
        "direction": "down",
        "fport": fport,
        "payload": payload.hex(),
        "dev_eui": "0000000000000007",
        **more,
    }


def up(payload: bytes, *, fport: int = 201, **more: Any) -> dict[str, Any]:
    return {**down(payload, fport=fport, **more), "direction": "up"}


def fragment(n: int, size: int = 50, index: int = 0) -> bytes:
    return DataFragment(n=n, frag_index=index, payload=bytes(size)).encode()


def runs(told: Story) -> list[FragmentRun]:
    return [item for item in told.items if isinstance(item, FragmentRun)]


def entries(told: Story) -> list[Entry]:
    return [item for item in told.items if isinstance(item, Entry)]


def test_a_mixed_log_of_a_session_is_told_from_set_up_to_status() -> None:
    lines = (CAPTURES / "session.mixed.jsonl").read_text().splitlines()
    told = tell(read_log(lines), keys=KEYS)
    assert [(one.owner, one.package, one.device, one.told) for one in told.versions] == [
        ("70B3D57ED0061A2B", "fragmentation", 2, True),
        ("70B3D57ED0061A2B", "multicastsetup", 2, False),
    ]
    assert [(one.name, one.what.split(",")[0], [*one.owners]) for one in told.sessions] == [
        ("G1", "group 0 with McAddr 01FE2A3B", ["70B3D57ED0061A2B"]),
        ("F1", "fragmentation session 0", ["70B3D57ED0061A2B"]),
        ("C1", "class C window of group 0", ["70B3D57ED0061A2B"]),
    ]
    [run] = runs(told)
    assert (run.owner, run.session, run.gaps, len(run.numbers), run.nb_frag) == (
        "group 01FE2A3B",
        "F1",
        [(5, 6), (13, 13)],
        21,
        20,
    )
    unread = [item for item in told.items if isinstance(item, Unread)]
    assert [one.expected for one in unread] == [True] * 4 + [False]
    assert not told.complete
    last = entries(told)[-1]
    assert (last.note, last.reading) == ("the application's own port", None)
    status = entries(told)[-2]
    assert (status.sessions, status.frame.time) == (("F1",), 1_400_000_260.0)


def test_without_the_keys_a_frame_stays_shut_and_the_reason_is_said() -> None:
    lines = (CAPTURES / "session.mixed.jsonl").read_text().splitlines()
    told = tell(read_log(lines))
    assert runs(told) == []
    shut = [one for one in entries(told) if one.note == "encrypted, and no key for it"]
    assert (len(shut), shut[0].owner) == (21, "address 01FE2A3B")
    assert told.to_json()["complete"] is False


def test_two_ends_of_different_versions_are_told_apart() -> None:
    lines = (CAPTURES / "two-versions.tts.jsonl").read_text().splitlines()
    told = tell(read_log(lines))
    [choice] = told.versions
    assert (choice.device, choice.server) == (1, 2)
    downs = [one for one in entries(told) if one.frame.direction.value == "downlink"]
    assert [one.reading and one.reading.names for one in downs] == ["FragSessionSetupReq"] * 3
    assert [one.note for one in downs] == [
        "the device speaks fragmentation/1 and reads FragSessionSetupReq, FragSessionStatusReq, "
        "then at octet 13 unknown command identifier 0x4D",
        "the device speaks fragmentation/1 and reads FragSessionSetupReq, "
        "then at octet 12 needs 10 octets here, has 5",
        "the device speaks fragmentation/1 and reads FragSessionSetupReq, "
        "then at octet 11 unknown command identifier 0x30",
    ]
    assert told.complete


def test_a_downlink_that_the_device_reads_alike_needs_no_note() -> None:
    lines = (CAPTURES / "two-versions.tts.jsonl").read_text().splitlines()
    ask = json.dumps(down(b"\x01\x00", dev_eui="0004A30B001C0530"))
    told = tell(read_log([*lines, ask]))
    assert entries(told)[-1].note == ""


def test_the_version_of_a_device_holds_for_all_its_frames() -> None:
    status = v1.FragSessionStatusAns(
        nb_frag_received=0, frag_index=0, missing_frag=20, not_enough_matrix_memory=False
    )
    told = story(up(status.encode()), up(bytes.fromhex("000301")))
    reading = entries(told)[0].reading
    assert reading is not None
    assert reading.commands == [status]
    forced = story(up(status.encode()), speaks={"fragmentation": 2})
    reading = entries(forced)[0].reading
    assert reading is not None
    assert str(reading.package) == "fragmentation/2"
    assert forced.versions == ()


def test_an_answer_to_a_group_request_is_no_evidence() -> None:
    status = v2.FragSessionStatusAns.decode(bytes.fromhex("0100140000"))
    ask = {"direction": "down", "mc_addr": "01FE2A3B", "fport": 201, "payload": "0100"}
    told = story(ask, up(status.encode()))
    assert [(one.owner, one.reasons) for one in told.versions] == [
        ("0000000000000007", ("all versions read these frames alike; the newest is shown",))
    ]


def test_a_device_that_declares_its_packages_is_believed_versions_and_ports() -> None:
    ans = bytes.fromhex("01 02 0001e1 03014d 02")
    told = story(down(SETUP[:11], fport=77), up(ans, fport=225), down(b"\x01\x00"))
    [choice] = told.versions
    assert (choice.package, choice.device, choice.told) == ("fragmentation", 1, True)
    assert "line 2 on port 225 the device says so" in "".join(choice.reasons)
    moved, _, other = entries(told)
    assert moved.reading is not None
    assert (str(moved.reading.package), other.note) == (
        "fragmentation/1",
        "the application's own port",
    )


def test_ports_may_be_given() -> None:
    told = story(down(SETUP, fport=77), down(SETUP), fports={"fragmentation": 77})
    assert [one.reading is not None for one in entries(told)] == [True, False]


def test_fragments_make_runs_that_other_frames_of_the_receiver_end() -> None:
    other: dict[str, Any] = {"dev_eui": "0000000000000009"}
    told = story(
        down(SETUP),
        down(fragment(1)),
        down(fragment(1), **other),
        down(fragment(2)),
        down(b"\x01\x00"),
        down(fragment(21)),
        down(fragment(1, index=1)),
    )
    assert [(one.line, one.owner[-1], one.session, one.numbers) for one in runs(told)] == [
        (2, "7", "F1", [1, 2]),
        (3, "9", "", [1]),
        (6, "7", "F1", [21]),
        (7, "7", "", [1]),
    ]


def test_a_fragment_that_is_odd_is_shown_by_itself() -> None:
    told = story(down(bytes.fromhex("080000aa")), down(bytes.fromhex("080100")))
    assert runs(told) == []
    assert [one.reading and one.reading.anomalies[0].code for one in entries(told)] == [
        "n-is-zero",
        "empty-fragment",
    ]
    assert not told.complete


def test_the_same_set_up_for_many_devices_is_one_session() -> None:
    other = bytearray(SETUP)
    other[2] = 21
    told = story(*(down(SETUP, dev_eui=f"{i:016X}") for i in range(3)), down(bytes(other)))
    assert [(one.name, len(one.owners), one.line) for one in told.sessions] == [
        ("F1", 3, 1),
        ("F2", 1, 4),
    ]
    single = bytearray(SETUP)
    single[1] = 0x10
    told = story(down(bytes(single)))
    assert told.sessions[0].what == (
        "fragmentation session 1, unicast, 20 fragments of 50 octets, a block of 995 octets"
    )
    assert told.sessions[0].to_json()["name"] == "F1"


def test_windows_have_their_start_in_both_times() -> None:
    class_b = multicast.McClassBSessionReq(
        mc_group_id=2, session_time=1_400_000_000, time_out=0, periodicity=0, dl_freq_hz=0, dr=3
    )
    told = story(down(class_b.encode(), fport=200))
    assert [(one.name, one.what) for one in told.sessions] == [
        (
            "B1",
            "class B window of group 2, from 2024-05-17T16:53:02Z (GPS 1400000000) "
            "for 128 s (2.1 min) at most, 0 MHz, DR 3",
        )
    ]


def test_answers_belong_to_the_session_they_are_about() -> None:
    done = v2.FragDataBlockReceivedReq(frag_index=0, mic_error=False)
    told = story(down(SETUP), up(done.encode()), up(b"\x03\x01"))
    assert [one.sessions for one in entries(told)] == [("F1",), ("F1",), ()]


def test_frames_of_an_address_go_to_the_device_that_has_it() -> None:
    ring = Keyring([DEVICE, GROUP])
    told = story({"phy": unicast(9, UPLINK, b"\x02\x00").hex()}, keys=ring)
    [entry] = entries(told)
    assert (entry.owner, entry.frame.fcnt, entry.frame.payload) == (
        "0000000000000007",
        9,
        b"\x02\x00",
    )
    assert entry.reading is not None
    [group] = entries(story({"phy": sealed(3).hex()}, keys=ring))
    assert group.owner == "group 26011BDA"
    [join] = entries(story({"phy": (b"\x20" + bytes(16)).hex()}, keys=ring))
    assert (join.note, join.owner) == ("a join-accept", "unnamed device")
    [bad] = entries(story({"phy": sealed(3)[:-1].hex() + "00"}, keys=ring))
    assert bad.note == "encrypted, and the MIC does not fit the keys"
    [short] = entries(story({"phy": "4000"}, keys=ring))
    assert short.note == "a data frame has 12 octets at least, not 2"
    [mac] = entries(story({"phy": unicast(9, UPLINK, b"\x02", fport=0).hex()}, keys=ring))
    assert mac.note == "MAC commands"


def test_command_sets_are_read_with_the_versions_of_the_device() -> None:
    whole = bytes((0x83,)) + SETUP + b"\x01"
    told = story(down(whole, fport=225), up(b"\x00\x03\x01"), down(whole, fport=225))
    first, _, second = (one.reading for one in entries(told))
    assert first is not None
    assert second is not None
    assert (first.complete, str(first.pieces[0].package)) == (False, "fragmentation/1")
    alone = entries(story(down(whole, fport=225)))[0].reading
    assert alone is not None
    assert (alone.complete, str(alone.pieces[0].package)) == (True, "fragmentation/2")


def test_json_has_every_item() -> None:
    told = story(down(SETUP, time=5), down(fragment(1)), {"x": 1})
    document = told.to_json()
    items: Any = document["items"]
    assert [sorted(one)[0] for one in items] == ["frame", "anomalies", "expected"]
    assert (items[0]["utc"], items[0]["sessions"]) == ("1980-01-06T00:00:05Z", ["F1"])
    json.dumps(document)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["up", "down"]),
            st.sampled_from([200, 201, 202, 203, 225, 0, 7]),
            st.binary(max_size=25),
            st.floats(0, (1 << 37) - 1),
        ),
        max_size=8,
    )
)
def test_any_frames_are_told(frames: list[tuple[str, int, bytes, float]]) -> None:
    told = story(
        *({"direction": w, "fport": p, "payload": b.hex(), "time": t} for w, p, b, t in frames)
    )
    assert sum(len(one.numbers) for one in runs(told)) + len(entries(told)) == len(frames)
    json.dumps(told.to_json())
