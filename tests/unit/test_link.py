"""Multicast frames from both ends, every way to drop one, and class B slots."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota import crypto, link
from lorafuota.errors import FieldError, StateError
from lorafuota.link import Drop, McFrame, McReceiver, McSender
from lorafuota.region import region
from lorafuota.types import DevAddr, McAppSKey, McKey, McNwkSKey

VECTORS = Path(__file__).parents[1] / "vectors"
LINK = json.loads((VECTORS / "link-layer.json").read_text())
KEYS = {v["id"]: v for v in json.loads((VECTORS / "ts005.json").read_text())["keys"]}
FRAMES = {v["id"]: v for v in LINK["multicast_frames"]}

ADDRESS = DevAddr(0x26011BDA)
MC_KEY = McKey(bytes(range(16)))


def addr(text: str) -> DevAddr:
    return DevAddr(int(text, 16))


def phy_of(vector: dict[str, Any]) -> bytes:
    return bytes.fromhex(vector["PHYPayload"])


def receiver(**changes: Any) -> McReceiver:
    arguments: dict[str, Any] = {"min_mc_fcnt": 0, "max_mc_fcnt": 1000, "max_inclusive": False}
    return McReceiver.from_mc_key(MC_KEY, ADDRESS, **{**arguments, **changes})


def sender(**changes: Any) -> McSender:
    return McSender.from_mc_key(
        MC_KEY, ADDRESS, **{"next_fcnt": 0, "max_mc_fcnt": link.MAX_FCNT, **changes}
    )


def receiver_of(keys: str, **changes: Any) -> McReceiver:
    vector = KEYS[keys]
    return McReceiver.from_mc_key(
        McKey.from_hex(vector["McKey"]), addr(vector["McAddr"]), **changes
    )


def frame_of(vector: dict[str, Any]) -> McFrame:
    return McFrame(
        mc_addr=addr(vector["McAddr"]),
        fcnt=vector["FCnt"],
        fport=vector["FPort"],
        payload=bytes.fromhex(vector["plaintext"]),
        fpending=vector["FPending"],
    )


# --- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", FRAMES.values(), ids=FRAMES)
def test_the_frame_built_is_the_one_of_the_vector(vector: dict[str, Any]) -> None:
    phy = link.build_mc_downlink(
        bytes.fromhex(vector["plaintext"]),
        mc_addr=addr(vector["McAddr"]),
        mc_app_s_key=McAppSKey.from_hex(vector["McAppSKey"]),
        mc_nwk_s_key=McNwkSKey.from_hex(vector["McNwkSKey"]),
        fcnt=vector["FCnt"],
        fport=vector["FPort"],
        fpending=vector["FPending"],
    )
    assert phy == phy_of(vector)
    assert len(phy) == vector["PHYPayload_len"]
    assert int.from_bytes(phy[6:8], "little") == vector["FCnt_wire"]


@pytest.mark.parametrize("vector", FRAMES.values(), ids=FRAMES)
def test_the_frame_of_the_vector_opens_to_its_fields(vector: dict[str, Any]) -> None:
    group = receiver_of(
        vector["keys"],
        min_mc_fcnt=vector["FCnt"],
        max_mc_fcnt=link.MAX_FCNT,
        max_inclusive=False,
    )
    assert group.open(phy_of(vector)) == frame_of(vector)
    assert group.last_fcnt == vector["FCnt"]


@given(
    payload=st.binary(max_size=242),
    fcnt=st.integers(0, link.MAX_FCNT),
    fport=st.integers(1, 223),
    fpending=st.booleans(),
)
def test_opening_undoes_building(payload: bytes, fcnt: int, fport: int, fpending: bool) -> None:
    group = receiver(min_mc_fcnt=fcnt, max_mc_fcnt=fcnt, max_inclusive=True)
    phy = link.build_mc_downlink(
        bytearray(payload),
        mc_addr=ADDRESS,
        mc_app_s_key=group.mc_app_s_key,
        mc_nwk_s_key=group.mc_nwk_s_key,
        fcnt=fcnt,
        fport=fport,
        fpending=fpending,
    )
    assert group.open(memoryview(phy)) == McFrame(
        mc_addr=ADDRESS, fcnt=fcnt, fport=fport, payload=payload, fpending=fpending
    )


# --- drops ----------------------------------------------------------------------------------------

# Which check of link-layer-and-regions.md, section 4, meets each frame first.
REASONS = {
    "bad-mic": Drop.MIC,
    "other-addr": Drop.ADDRESS,
    "confirmed": Drop.MHDR,
    "uplink-type": Drop.MHDR,
    "ack": Drop.ACK,
    "adrackreq": Drop.ADR_ACK_REQ,
    "fopts": Drop.FOPTS,
    "fport0": Drop.FPORT,
    "no-fport": Drop.LENGTH,
    "major": Drop.MHDR,
    "short": Drop.LENGTH,
}


@pytest.mark.parametrize("vector", LINK["frames_to_drop"], ids=lambda v: v["id"])
def test_a_frame_to_drop_is_dropped_for_its_reason_and_changes_nothing(
    vector: dict[str, Any],
) -> None:
    context = vector["context"]
    for max_inclusive in (False, True):
        group = receiver_of(
            context["keys"],
            min_mc_fcnt=context["minMcFCnt"],
            max_mc_fcnt=context["maxMcFCnt"],
            max_inclusive=max_inclusive,
        )
        before = copy.deepcopy(group)
        assert group.open(phy_of(vector)) is REASONS[vector["id"]]
        assert group == before
        assert link.open_any([group], phy_of(vector)) is REASONS[vector["id"]]
        assert group == before


def test_every_reason_to_drop_is_met_in_the_order_of_the_checks() -> None:
    """A frame wrong in every way loses its faults one by one, from the first check on."""
    group = receiver(last_fcnt=5)
    good = sender(next_fcnt=6).seal(b"data", fport=201)
    phy = bytearray(good)
    phy[0], phy[1], phy[5], phy[6], phy[8], phy[-1] = 0, phy[1] ^ 1, 0x61, 5, 0, phy[-1] ^ 1
    met = [group.open(phy[:12])]
    for position, value in (
        (0, 0x60),
        (1, good[1]),
        (5, 0x21),
        (5, 0x01),
        (5, 0x00),
        (8, good[8]),
        (6, good[6]),
    ):
        met.append(group.open(phy))
        phy[position] = value
    met.append(group.open(phy))
    assert met == list(Drop)
    assert group.last_fcnt == 5
    phy[-1] = good[-1]
    assert group.open(phy) == McFrame(
        mc_addr=ADDRESS, fcnt=6, fport=201, payload=b"data", fpending=False
    )


def test_256_octets_are_too_long_for_a_frame() -> None:
    group = receiver()
    assert group.open(sender().seal(bytes(242), fport=1) + b"x") is Drop.LENGTH


def test_adr_and_fpending_bits_do_not_stop_a_frame() -> None:
    """ADR is to be ignored on reception (the MIC covers it, so build the frame around it)."""
    group, message = receiver(), bytearray(sender().seal(b"x", fport=1)[:-4])
    message[5] = 0x90
    mic = crypto.mc_frame_mic(group.mc_nwk_s_key, message, mc_addr=ADDRESS, fcnt=0)
    assert group.open(bytes(message) + mic) == McFrame(
        mc_addr=ADDRESS, fcnt=0, fport=1, payload=b"x", fpending=True
    )


@given(phy=st.binary(max_size=300))
def test_any_octets_are_dropped_without_an_exception_or_a_change(phy: bytes) -> None:
    group = receiver()
    before = copy.deepcopy(group)
    assert isinstance(group.open(phy), Drop)
    assert group == before


@given(data=st.data(), payload=st.binary(max_size=60))
def test_a_frame_with_one_changed_bit_is_dropped_without_a_change(
    data: st.DataObject, payload: bytes
) -> None:
    group, phy = receiver(), bytearray(sender().seal(payload, fport=201))
    before = copy.deepcopy(group)
    bit = data.draw(st.integers(0, 8 * len(phy) - 1))
    phy[bit // 8] ^= 1 << bit % 8
    assert isinstance(group.open(phy), Drop)
    assert group == before


# --- counters -------------------------------------------------------------------------------------


@pytest.mark.parametrize("vector", LINK["fcnt_reconstruction"], ids=str)
def test_the_counter_candidate_and_the_decision_are_those_of_the_vector(
    vector: dict[str, Any],
) -> None:
    state = {"last": vector["last"], "min_mc_fcnt": vector["min"]}
    assert link.candidate_fcnt(vector["wire"], **state) == vector["candidate"]
    for max_inclusive, decision in (
        (False, vector["decision_1.0.0"]),
        (True, vector["decision_2.0.0"]),
    ):
        fcnts = link.fcnts_to_try(
            vector["wire"],
            **state,
            max_mc_fcnt=vector["max"],
            max_inclusive=max_inclusive,
            retries=0,
        )
        assert list(fcnts) == ([vector["candidate"]] if decision == "check MIC" else [])


@pytest.mark.parametrize("max_inclusive", [False, True])
def test_the_receiver_sequence_of_the_vector_accepts_and_drops_as_listed(
    max_inclusive: bool,
) -> None:
    sequence = LINK["receiver_sequence"]
    group = receiver_of(
        sequence["keys"],
        min_mc_fcnt=sequence["minMcFCnt"],
        max_mc_fcnt=sequence["maxMcFCnt"],
        max_inclusive=max_inclusive,
    )
    for step in sequence["steps"]:
        before = copy.deepcopy(group)
        opened = group.open(phy_of(FRAMES[step["frame"]]))
        if step["result"] == "accept":
            assert opened == frame_of(FRAMES[step["frame"]])
            assert group.last_fcnt == step["FCnt"]
        else:
            assert opened in (Drop.FCNT, Drop.MIC)
            assert group == before


@pytest.mark.parametrize(
    ("max_inclusive", "expected"), [(False, [True, False, False]), (True, [True, True, False])]
)
def test_the_upper_bound_follows_the_version(max_inclusive: bool, expected: list[bool]) -> None:
    taken = []
    for fcnt in (19, 20, 21):
        group = receiver(min_mc_fcnt=10, max_mc_fcnt=20, max_inclusive=max_inclusive)
        taken.append(isinstance(group.open(sender(next_fcnt=fcnt).seal(b"", fport=1)), McFrame))
    assert taken == expected


@pytest.mark.parametrize(("retries", "reached"), [(0, 0), (1, 1), (2, 2), (5, 5)])
def test_upper_halves_are_tried_as_often_as_allowed(retries: int, reached: int) -> None:
    for halves in range(8):
        fcnt = 7 + halves * 0x10000
        group = receiver(max_mc_fcnt=link.MAX_FCNT, retries=retries)
        opened = group.open(sender(next_fcnt=fcnt).seal(b"late", fport=1))
        if halves <= reached:
            assert opened == McFrame(
                mc_addr=ADDRESS, fcnt=fcnt, fport=1, payload=b"late", fpending=False
            )
            assert group.last_fcnt == fcnt
        else:
            assert opened is Drop.MIC
            assert group.last_fcnt is None


def test_after_the_last_counter_of_all_nothing_is_accepted() -> None:
    group = receiver(max_mc_fcnt=link.MAX_FCNT, max_inclusive=True, last_fcnt=link.MAX_FCNT)
    for wire in (0, 0xFFFF):
        assert link.candidate_fcnt(wire, last=link.MAX_FCNT, min_mc_fcnt=0) > link.MAX_FCNT
    assert group.open(sender(next_fcnt=0).seal(b"", fport=1)) is Drop.FCNT


@given(
    last=st.none() | st.integers(0, link.MAX_FCNT),
    low=st.integers(0, link.MAX_FCNT),
    wire=st.integers(0, 0xFFFF),
)
def test_a_candidate_is_the_lowest_new_counter_with_these_low_bits(
    last: int | None, low: int, wire: int
) -> None:
    candidate = link.candidate_fcnt(wire, last=last, min_mc_fcnt=low)
    lowest = max(low, -1 if last is None else last + 1)
    assert candidate % 0x10000 == wire
    assert lowest <= candidate < lowest + 0x10000


def test_no_frame_is_accepted_twice() -> None:
    """Promise S9, the receiving side: replay everything after every frame."""
    group, server = receiver(max_mc_fcnt=link.MAX_FCNT), sender(next_fcnt=65530)
    sent = []
    for n in range(12):
        sent.append(server.seal(bytes((n,)), fport=201))
        assert isinstance(group.open(sent[-1]), McFrame)
        assert [group.open(phy) for phy in sent] == [Drop.MIC] * (n + 1)


# --- several groups -------------------------------------------------------------------------------


def test_groups_with_one_address_are_told_apart_by_the_mic() -> None:
    twin_key = McKey(bytes(16))
    twin = McReceiver.from_mc_key(
        twin_key, ADDRESS, min_mc_fcnt=0, max_mc_fcnt=9, max_inclusive=False
    )
    other = receiver_of("k10-seq", min_mc_fcnt=0, max_mc_fcnt=9, max_inclusive=False)
    groups = [other, receiver(), twin]
    phy = McSender.from_mc_key(twin_key, ADDRESS, next_fcnt=0, max_mc_fcnt=9).seal(b"a", fport=1)
    frame = McFrame(mc_addr=ADDRESS, fcnt=0, fport=1, payload=b"a", fpending=False)
    assert link.open_any(groups, phy) == (twin, frame)
    assert [group.last_fcnt for group in groups] == [None, None, 0]


def test_when_all_groups_drop_a_frame_the_furthest_reason_is_given() -> None:
    finished, fresh = receiver(last_fcnt=999), receiver()
    phy = McSender.from_mc_key(McKey(bytes(16)), ADDRESS, next_fcnt=0, max_mc_fcnt=9).seal(
        b"", fport=1
    )
    assert link.open_any([finished], phy) is Drop.FCNT
    assert link.open_any([fresh, finished], phy) is Drop.MIC
    assert link.open_any([finished, fresh], phy) is Drop.MIC


def test_without_groups_every_frame_is_for_somebody_else() -> None:
    assert link.open_any([], sender().seal(b"", fport=1)) is Drop.ADDRESS
    assert link.open_any([], b"") is Drop.LENGTH


# --- the sending end ------------------------------------------------------------------------------


def test_a_sender_uses_each_counter_once_and_stops_before_the_maximum() -> None:
    server, group = sender(next_fcnt=7, max_mc_fcnt=10), receiver(min_mc_fcnt=7, max_mc_fcnt=10)
    assert server.frames_left == 3
    frames = [group.open(server.seal(b"", fport=201)) for _ in range(3)]
    assert [frame.fcnt for frame in frames if isinstance(frame, McFrame)] == [7, 8, 9]
    with pytest.raises(StateError, match="counter 10 reaches maxMcFCount"):
        server.seal(b"", fport=201)
    assert (server.next_fcnt, server.frames_left) == (10, 0)


@given(crashes=st.lists(st.booleans(), max_size=60))
def test_no_counter_goes_on_air_twice_across_crashes(crashes: list[bool]) -> None:
    """Promise S9, the sending side: sealed, stored, and only then sent."""
    server, group, on_air = sender(), receiver(), []
    for crash in crashes:
        before = server.to_plain()
        phy = server.seal(b"x", fport=201)
        stored = server.to_plain()
        if not crash:
            on_air.append(phy)
        elif len(on_air) % 2:  # crashed before it was stored: nothing was sent
            stored = before
        server = McSender.from_plain(
            stored, mc_app_s_key=group.mc_app_s_key, mc_nwk_s_key=group.mc_nwk_s_key
        )
    assert len(set(on_air)) == len(on_air)
    assert all(isinstance(group.open(phy), McFrame) for phy in on_air)


def test_a_refused_payload_uses_no_counter() -> None:
    server = sender()
    with pytest.raises(FieldError, match=r"len\(payload\) = 243"):
        server.seal(bytes(243), fport=201)
    assert server.next_fcnt == 0


# --- storing and secrecy --------------------------------------------------------------------------


def test_state_goes_through_json_without_keys_and_comes_back() -> None:
    for last in (None, 41):
        group = receiver(last_fcnt=last)
        stored = json.loads(json.dumps(group.to_plain()))
        assert stored == {
            "mc_addr": 0x26011BDA,
            "min_mc_fcnt": 0,
            "max_mc_fcnt": 1000,
            "max_inclusive": False,
            "last_fcnt": last,
            "retries": 2,
        }
        restored = McReceiver.from_plain(
            stored, mc_app_s_key=group.mc_app_s_key, mc_nwk_s_key=group.mc_nwk_s_key
        )
        assert restored == group
    server = sender(next_fcnt=12)
    stored = json.loads(json.dumps(server.to_plain()))
    assert stored == {"mc_addr": 0x26011BDA, "next_fcnt": 12, "max_mc_fcnt": link.MAX_FCNT}
    assert (
        McSender.from_plain(
            stored, mc_app_s_key=server.mc_app_s_key, mc_nwk_s_key=server.mc_nwk_s_key
        )
        == server
    )


# None is legal for last_fcnt, and any number is a truth value.
UNFIT = [
    (field, value)
    for field in receiver().to_plain()
    for value in (None, "7", -1, 2**32)
    if (field, value) != ("last_fcnt", None)
    and not (field == "max_inclusive" and isinstance(value, int))
]


@pytest.mark.parametrize(("field", "value"), UNFIT)
def test_stored_state_that_does_not_fit_is_refused(field: str, value: object) -> None:
    group = receiver()
    with pytest.raises(FieldError):
        McReceiver.from_plain(
            {**group.to_plain(), field: value},
            mc_app_s_key=group.mc_app_s_key,
            mc_nwk_s_key=group.mc_nwk_s_key,
        )


def test_stored_state_without_an_entry_is_refused() -> None:
    group = receiver()
    for field in group.to_plain():
        plain = {name: value for name, value in group.to_plain().items() if name != field}
        with pytest.raises(FieldError, match=f"{field} = None"):
            McReceiver.from_plain(
                plain, mc_app_s_key=group.mc_app_s_key, mc_nwk_s_key=group.mc_nwk_s_key
            )


def test_neither_end_shows_its_keys() -> None:
    for end in (receiver(), sender()):
        shown = repr(end)
        assert shown.count("<secret>") == 2
        for key in (end.mc_app_s_key, end.mc_nwk_s_key):
            assert key.reveal().hex() not in shown
            assert repr(key.reveal())[2:-1] not in shown


def build(**changes: Any) -> bytes:
    arguments: dict[str, Any] = {
        "payload": b"",
        "mc_addr": ADDRESS,
        "mc_app_s_key": McAppSKey(bytes(16)),
        "mc_nwk_s_key": McNwkSKey(bytes(16)),
        "fcnt": 0,
        "fport": 1,
    }
    return link.build_mc_downlink(**{**arguments, **changes})


@pytest.mark.parametrize(
    ("field", "call"),
    [
        ("fport", lambda: build(fport=0)),
        ("fport", lambda: build(fport=224)),
        ("fcnt", lambda: build(fcnt=-1)),
        ("fcnt", lambda: build(fcnt=2**32)),
        ("fcnt", lambda: build(fcnt=1.0)),
        ("mc_addr", lambda: build(mc_addr=2**32)),
        ("len(payload)", lambda: build(payload=bytes(243))),
        ("key", lambda: build(mc_app_s_key=McNwkSKey(bytes(16)))),
        ("key", lambda: build(mc_nwk_s_key=McAppSKey(bytes(16)))),
        ("min_mc_fcnt", lambda: receiver(min_mc_fcnt=1001)),
        ("min_mc_fcnt", lambda: receiver(min_mc_fcnt=-1)),
        ("max_mc_fcnt", lambda: receiver(max_mc_fcnt=2**32)),
        ("retries", lambda: receiver(retries=-1)),
        ("next_fcnt", lambda: sender(next_fcnt=2, max_mc_fcnt=1)),
        ("max_mc_fcnt", lambda: sender(max_mc_fcnt=2**32)),
        ("periodicity", lambda: link.ping_offset(0, ADDRESS, 8)),
        ("periodicity", lambda: link.ping_nb(-1)),
        ("beacon_time", lambda: link.ping_offset(64, ADDRESS, 0)),
        ("address", lambda: link.ping_offset(0, -1, 0)),  # type: ignore[arg-type]
        ("address", lambda: link.hopping_channel(0, 2**32, 8)),  # type: ignore[arg-type]
        ("nb_channels", lambda: link.hopping_channel(0, ADDRESS, 0)),
        ("gps", lambda: link.beacon_start(float("nan"))),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, call: Callable[[], object]) -> None:
    with pytest.raises(FieldError) as caught:
        call()
    assert caught.value.field == field


# --- class B --------------------------------------------------------------------------------------


def test_the_class_b_constants_are_those_of_the_vectors() -> None:
    assert LINK["constants"] == {
        "beacon_period_s": link.BEACON_PERIOD_SECONDS,
        "beacon_reserved_ms": link.BEACON_RESERVED_MS,
        "beacon_guard_ms": link.BEACON_GUARD_MS,
        "beacon_window_ms": link.BEACON_WINDOW_MS,
        "slot_ms": link.PING_SLOT_MS,
        "slots": link.BEACON_WINDOW_MS // link.PING_SLOT_MS,
        # For radios and schedulers; nothing here computes with them.
        "beacon_tx_delay_us": 1500,
        "beaconless_s": 7200,
    }


@pytest.mark.parametrize("vector", LINK["ping_slots"], ids=str)
def test_ping_slots_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    start, address, periodicity = (
        vector["beacon_time"],
        addr(vector["address"]),
        vector["Periodicity"],
    )
    slots = link.ping_slots_ms(start, address, periodicity)
    inside = [slot - start * 1000 for slot in slots]
    assert [
        link.ping_nb(periodicity),
        link.ping_period(periodicity),
        link.ping_offset(start, address, periodicity),
        len(slots),
        inside[: len(vector["first_slots_ms"])],
        inside[-1],
    ] == [
        vector["ping_nb"],
        vector["ping_period"],
        vector["ping_offset"],
        vector["ping_nb"],
        vector["first_slots_ms"],
        vector["last_slot_ms"],
    ]


@pytest.mark.parametrize("vector", LINK["next_ping_slot"], ids=str)
def test_the_next_ping_slot_is_that_of_the_vector(vector: dict[str, Any]) -> None:
    slot = link.next_ping_slot_ms(
        vector["after_ms"], addr(vector["address"]), vector["Periodicity"]
    )
    assert slot == vector["next_slot_ms"]


@given(
    after=st.integers(0, 5_000_000_000_000),
    address=st.integers(0, link.MAX_FCNT).map(DevAddr),
    periodicity=st.integers(0, 7),
)
def test_the_next_ping_slot_is_later_and_inside_a_beacon_window(
    after: int, address: DevAddr, periodicity: int
) -> None:
    slot = link.next_ping_slot_ms(after, address, periodicity)
    into = slot - link.beacon_start(slot // 1000) * 1000
    assert after < slot <= after + 2 * 128_000
    assert link.BEACON_RESERVED_MS <= into <= 128_000 - link.BEACON_GUARD_MS - link.PING_SLOT_MS


def test_ping_slots_go_on_across_the_wrap_of_gps_time() -> None:
    assert link.ping_offset(2**32, ADDRESS, 3) == link.ping_offset(0, ADDRESS, 3)
    assert link.ping_slots_ms(2**32, ADDRESS, 3)[0] > 2**32 * 1000


@pytest.mark.parametrize("vector", LINK["class_b_hopping"], ids=str)
def test_the_hopping_channel_and_its_frequency_are_those_of_the_vector(
    vector: dict[str, Any],
) -> None:
    slot = region(vector["region"]).ping_slot
    channel = link.hopping_channel(
        vector["beacon_time"], addr(vector["address"]), vector["nb_channels"]
    )
    assert [slot.channels, channel, slot.frequency_hz(channel)] == [
        vector["nb_channels"],
        vector["channel"],
        vector["frequency_hz"],
    ]


@pytest.mark.parametrize("vector", LINK["gps_time"], ids=lambda v: v["utc"])
def test_beacons_are_those_of_the_vector(vector: dict[str, Any]) -> None:
    gps = vector["gps_s"] + 0.75
    assert [link.beacon_start(gps), link.next_beacon(gps)] == [
        vector["beacon_start"],
        vector["next_beacon"],
    ]
