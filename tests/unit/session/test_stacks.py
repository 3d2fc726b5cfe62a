"""Devices like the stacks in the field, octets in and out."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest

from lorafuota.crypto import wrap_mc_key
from lorafuota.datablock import DataBlock
from lorafuota.errors import FieldError
from lorafuota.fragmentation import v1 as fragmentation_v1
from lorafuota.fragmentation import v2 as fragmentation_v2
from lorafuota.fragmentation.v1 import DataFragment, FragSessionDeleteReq, FragSessionStatusReq
from lorafuota.multicastsetup import v1 as multicastsetup_v1
from lorafuota.multicastsetup.v1 import McGroupStatusReq
from lorafuota.package import PackageVersionReq
from lorafuota.session.actions import (
    Action,
    BlockFailed,
    BlockReceived,
    Dropped,
    DropReason,
    ListenClassC,
    Rejected,
    Send,
    StopListening,
    Store,
    StoreSessionCnt,
)
from lorafuota.session.device import FuotaDevice
from lorafuota.session.dialects import ZeroBasedDataFragment
from lorafuota.session.fragmentation import FragLimits, FragServer, FragState
from lorafuota.session.multicast import McGroupServer, McLimits
from lorafuota.session.profile import frag_profile
from lorafuota.session.stacks import DEVICE_PROFILES, device_profile
from lorafuota.types import DevAddr, GenAppKey, McKEKey, McKey
from lorafuota.wire import Command
from tests.support import rebuilt

NOW = 1_400_000_000.0
ROOT = GenAppKey(bytes(range(16)))
MC_KEY = McKey(bytes(range(16, 32)))
BLOCK = DataBlock(random.Random(3).randbytes(100), 10)
EU868 = McLimits(frequencies_hz=range(863_000_000, 870_000_001), drs=range(8))
LORAMAC, BASICS, BASICS_1 = "LoRaMac-node", "LoRa Basics Modem 4.8", "LoRa Basics Modem 4.8 v1"
ZEPHYR, ST, RENESAS = "Zephyr 2025", "ST middleware v2", "Renesas"
every_stack = pytest.mark.parametrize("name", DEVICE_PROFILES)


def device(name: str, **options: Any) -> FuotaDevice:
    return FuotaDevice.from_profile(
        device_profile(name),
        root_key=ROOT,
        rng=random.Random(5),
        mc_limits=EU868,
        period_seconds=None,
        **{"clock_known": True, **options},
    )


def server(name: str, block: DataBlock = BLOCK, **options: Any) -> FragServer:
    version = device_profile(name).fragmentation.package.version
    return FragServer(
        frag_profile(version),
        block,
        root_key=ROOT,
        **{"frag_index": 1, **options},
    )


def tell(one: FuotaDevice, fport: int, *commands: Command, **options: Any) -> list[Action]:
    payload = b"".join(command.encode() for command in commands)
    actions = one.receive(fport, payload, **{"now": NOW, **options})
    actions = rebuilt(one, actions, options.get("now", NOW))
    return [action for action in actions if not isinstance(action, Store)]


def sends(actions: list[Action]) -> list[str]:
    return [action.payload.hex() for action in actions if isinstance(action, Send)]


def fragment(sender: FragServer, n: int) -> Command:
    payload = sender.block.encoder(sender.profile.parity).fragment(n)
    return DataFragment(n=n, frag_index=sender.setup_req.frag_index, payload=payload)


def feed(one: FuotaDevice, sender: FragServer, *numbers: int, **options: Any) -> list[Action]:
    return [action for n in numbers for action in tell(one, 201, fragment(sender, n), **options)]


def started(name: str, **options: Any) -> tuple[FuotaDevice, FragServer]:
    limits = options.pop("frag_limits", None)
    one, sender = device(name, frag_limits=limits), server(name, **options)
    [answer] = sends(tell(one, 201, sender.setup_req))
    assert answer == "0240"
    return one, sender


def status(one: FuotaDevice, *, frag_index: int = 1, participants: bool = True) -> list[str]:
    req = FragSessionStatusReq(participants=participants, frag_index=frag_index)
    return sends(tell(one, 201, req))


def group(one: FuotaDevice, *, index: int = 0, next_fcnt: int = 0) -> McGroupServer:
    made = McGroupServer(
        mc_addr=DevAddr(9 + index), mc_key=MC_KEY, max_mc_fcnt=1 << 20, next_fcnt=next_fcnt
    )
    tell(one, 200, made.setup_req(ROOT, mc_group_id=index))
    return made


def class_c(start: float = NOW + 60, **changes: Any) -> Command:
    fields = {"mc_group_id": 0, "seconds": 256, "dl_freq_hz": 869_525_000, "dr": 3, **changes}
    return McGroupServer.class_c_session_req(start=start, **fields)


# All of them


@every_stack
def test_a_profile_is_found_by_its_name(name: str) -> None:
    assert device_profile(name).name == name


def test_there_is_no_other() -> None:
    with pytest.raises(FieldError) as caught:
        device_profile("LoRaMac")
    assert "LoRaMac-node" in str(caught.value)


@pytest.mark.parametrize("name", [name for name in DEVICE_PROFILES if name != "MultiTech Conduit"])
@pytest.mark.parametrize("lost", [0, 3])
def test_every_stack_can_be_updated_by_plain_fragments_in_order_and_coded_ones(
    name: str, lost: int
) -> None:
    one, sender = started(name)
    numbers = [n for n in range(1, 40) if n not in range(2, 2 + lost)]
    [block] = [one for one in feed(one, sender, *numbers) if isinstance(one, BlockReceived)]
    assert block.data == BLOCK.image
    assert one.fragmentation.state(1) is FragState.DONE


@every_stack
def test_every_stack_joins_a_group_and_opens_its_window(name: str) -> None:
    if name == "MultiTech Conduit":
        return
    one = device(name)
    group(one)
    [answer] = sends(tell(one, 200, class_c()))
    assert answer == "04003c0000"
    actions = one.tick(now=NOW + 60)
    assert [type(action) for action in actions if not isinstance(action, Store)] == [ListenClassC]


def test_a_device_of_the_conduit_counts_from_0_and_has_no_key_for_keys() -> None:
    one = device("MultiTech Conduit")
    plain, sender = server("documents v1"), server("MultiTech Conduit")
    assert sends(tell(one, 201, sender.setup_req)) == ["0240"]
    results: list[Action] = []
    for n in range(10):
        payload = plain.block.encoder(plain.profile.parity).fragment(n + 1)
        command = ZeroBasedDataFragment(n=n, frag_index=1, payload=payload)
        results += tell(one, 201, command)
    [block] = results
    assert isinstance(block, BlockReceived)
    assert block.data == BLOCK.image
    made = McGroupServer(mc_addr=DevAddr(9), mc_key=MC_KEY, max_mc_fcnt=99)
    setup = dataclasses.replace(
        made.setup_req(ROOT, mc_group_id=0),
        mc_key_encrypted=wrap_mc_key(McKEKey(bytes(16)), MC_KEY),
    )
    tell(one, 200, setup)
    version = one.receive_frame(made.sender.seal(b"\x01\x03", fport=201), now=NOW)
    assert any(isinstance(action, Send) for action in version)


def test_an_uplink_of_its_own_for_every_answer() -> None:
    profile = dataclasses.replace(device_profile("documents v2"), one_command_per_uplink=True)
    one = FuotaDevice.from_profile(profile, root_key=ROOT, rng=random.Random(1), clock_known=True)
    version = PackageVersionReq()
    assert sends(tell(one, 201, version, version)) == ["000302", "000302"]


# Status


def test_loramac_node_counts_the_last_fragment_and_the_lost_ones_for_ever() -> None:
    one, sender = started(LORAMAC)
    feed(one, sender, 1, 2, 5)
    assert status(one) == ["0105400200"]
    feed(one, sender, *range(6, 40))
    assert one.fragmentation.state(1) is FragState.DONE
    [answer] = status(one, participants=False)
    assert answer.endswith("0200")  # complete, and two are missing


def test_loramac_node_keeps_the_memory_bit_of_an_earlier_session() -> None:
    one, sender = started(LORAMAC)
    [failed] = feed(one, sender, 1, 12)
    assert isinstance(failed, BlockFailed)
    assert status(one)[0].endswith("01")
    tell(one, 201, server(LORAMAC).setup_req)
    assert status(one)[0].endswith("01")
    fine, sender = started("documents v1", frag_limits=FragLimits(max_lost=5))
    feed(fine, sender, 1, 12)
    tell(fine, 201, server("documents v1").setup_req)
    assert status(fine)[0].endswith("00")


@pytest.mark.parametrize("name", [LORAMAC, BASICS_1, ZEPHYR])
def test_version_1_stacks_tell_what_the_last_session_left(name: str) -> None:
    one, sender = started(name)
    feed(one, sender, 1, 2)
    tell(one, 201, FragSessionDeleteReq(frag_index=1))
    assert status(one, frag_index=2) == ["0102800800" if name != LORAMAC else "0102800000"]
    assert status(device("documents v1")) == []


def test_basics_modem_answers_as_executed() -> None:
    one, sender = device(BASICS), server(BASICS)
    assert status(one) == ["0106004000"]
    tell(one, 201, sender.setup_req)
    assert status(one) == ["0100000000"]  # looks complete before the first fragment
    feed(one, sender, *range(1, 11))
    assert status(one) == ["01000a4001"]  # one is missing after a transfer without loss
    assert status(one, participants=False) == ["01000a4001"]


def test_st_answers_in_the_order_of_version_1_and_three_seconds_later() -> None:
    one, sender = started(ST, block_ack_delay=0)
    feed(one, sender, 1, 2)
    req = FragSessionStatusReq(participants=True, frag_index=1)
    [send] = tell(one, 201, req)
    assert isinstance(send, Send)
    assert send.payload.hex() == "0102400000"
    assert NOW + 3 <= send.not_before <= NOW + 19


def test_zephyr_takes_what_it_did_not_get_for_missing_and_milliseconds_for_seconds() -> None:
    one, sender = started(ZEPHYR, block_ack_delay=7)
    feed(one, sender, 1, 1, 2)
    [send] = tell(one, 201, FragSessionStatusReq(participants=True, frag_index=1))
    assert isinstance(send, Send)
    assert send.payload.hex() == "0103400700"
    assert NOW <= send.not_before <= NOW + 2.048


def test_renesas_counts_without_repeats() -> None:
    one, sender = started(RENESAS)
    feed(one, sender, 1, 2, 2, 2, 4)
    assert status(one) == ["0100034007"]


# Sessions


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("documents v2", 5),
        (LORAMAC, 3),
        (BASICS, 3),
        (ST, 3),
        (RENESAS, 3),
        (ZEPHYR, 5),
    ],
)
def test_late_plain_fragments_are_lost_on_most_stacks(name: str, taken: int) -> None:
    one, sender = started(name)
    actions = feed(one, sender, 1, 4, 2, 3, 5)
    late = [Dropped(DropReason.ORDER, f"fragment {n}") for n in (2, 3)]
    assert [action for action in actions if isinstance(action, Dropped)] == late[: 5 - taken]
    assert one.fragmentation.decoder(1).missing == 10 - taken


def test_renesas_takes_no_coded_fragment_below_the_last() -> None:
    one, sender = started(RENESAS)
    actions = feed(one, sender, 1, 13, 12, 14)
    dropped = [action for action in actions if isinstance(action, Dropped)]
    assert dropped == [Dropped(DropReason.ORDER, "fragment 12")]


@pytest.mark.parametrize("name", [LORAMAC, BASICS, ST])
def test_a_second_session_destroys_the_first_on_stacks_with_one_decoder(name: str) -> None:
    one, sender = started(name)
    feed(one, sender, 1, 2, 3)
    second = server(name, DataBlock(bytes(range(50)), 10), frag_index=2)
    assert sends(tell(one, 201, second.setup_req)) == ["0280"]
    assert feed(one, sender, 4) == [Dropped(DropReason.ABORTED, "fragment 4")]
    results = feed(one, second, *range(1, 7))
    assert len([action for action in results if isinstance(action, BlockReceived)]) == 1


def test_zephyr_has_one_session_forgets_a_complete_one_and_loses_it_to_a_refused_set_up() -> None:
    one, sender = started(ZEPHYR)
    assert sends(tell(one, 201, server(ZEPHYR, frag_index=2).setup_req)) == ["0284"]
    assert one.fragmentation.state(1) is FragState.READY
    feed(one, sender, *range(1, 11))
    assert sends(tell(one, 201, FragSessionDeleteReq(frag_index=1))) == ["0305"]
    one, sender = started(ZEPHYR)
    bad = dataclasses.replace(sender.setup_req, frag_algo=1)
    assert sends(tell(one, 201, bad)) == ["0241"]
    assert one.fragmentation.state(1) is None


def test_st_needs_a_coded_fragment_and_checks_no_mic_unasked() -> None:
    one, sender = started(ST)
    assert not [one for one in feed(one, sender, *range(1, 11)) if isinstance(one, BlockReceived)]
    [block] = feed(one, sender, 11)
    assert isinstance(block, BlockReceived)
    assert not block.verified
    asked, sender = device(ST), server(ST, ack_reception=True)
    assert isinstance(sender.setup_req, fragmentation_v2.FragSessionSetupReq)
    wrong = dataclasses.replace(sender.setup_req, mic=b"evil")
    tell(asked, 201, wrong)
    assert isinstance(feed(asked, sender, *range(1, 12))[-1], BlockFailed)


def test_st_reports_every_second_and_a_half_until_somebody_answers() -> None:
    one, sender = started(ST, ack_reception=True)
    feed(one, sender, *range(1, 12))
    times = []
    for _ in range(20):
        deadline = one.next_deadline
        assert deadline is not None
        assert sends(one.tick(now=deadline)) == ["0401"]
        times.append(deadline)
    assert {round(later - times[0], 3) for later in times} == {1.5 * n for n in range(20)}
    one.receive(201, b"\x04\x01", now=times[-1])
    assert one.next_deadline is None


def test_renesas_reports_again_with_every_further_fragment() -> None:
    one, sender = started(RENESAS, ack_reception=True)
    feed(one, sender, *range(1, 11))
    deadline = one.next_deadline
    assert deadline is not None
    assert sends(one.tick(now=deadline)) == ["0401"]
    assert one.next_deadline is None
    assert [sends(feed(one, sender, n)) for n in (11, 12, 13)] == [["0401"], ["0401"], []]


@pytest.mark.parametrize(
    ("count", "refused"), [(0, False), (0x7FFE, False), (0x7FFF, True), (0xFFFF, True)]
)
def test_renesas_compares_counters_with_a_sign(count: int, refused: bool) -> None:
    one = device(RENESAS)
    answer = "0250" if refused else "0240"
    assert sends(tell(one, 201, server(RENESAS, session_cnt=count).setup_req)) == [answer]


@pytest.mark.parametrize(("name", "stored"), [(BASICS, 0), (ST, 0), (RENESAS, 1)])
def test_some_stacks_forget_the_session_counter(name: str, stored: int) -> None:
    one, sender = started(name)
    actions = feed(one, sender, 1)
    assert sum(isinstance(action, StoreSessionCnt) for action in actions) == stored
    fresh = device(name)
    fresh.restore(one.export(), now=NOW)
    tell(fresh, 201, FragSessionDeleteReq(frag_index=1))
    assert sends(tell(fresh, 201, sender.setup_req)) == ["0250" if stored else "0240"]


@pytest.mark.parametrize(("name", "enforced"), [(LORAMAC, False), (ZEPHYR, False), (RENESAS, True)])
def test_the_mask_is_not_enforced_everywhere(name: str, enforced: bool) -> None:
    one, sender = started(name)
    actions = feed(one, sender, 1, mc_group_id=2)
    dropped = Dropped(DropReason.NOT_IN_MASK, "fragment 1")
    assert (dropped in actions) is enforced


def test_zephyr_executes_by_multicast_what_is_for_unicast_only() -> None:
    one, sender = device(ZEPHYR), server(ZEPHYR)
    assert sends(tell(one, 201, sender.setup_req, mc_group_id=0)) == ["0240"]
    careful = device(LORAMAC)
    assert sends(tell(careful, 201, sender.setup_req, mc_group_id=0)) == []


# Reading


def test_stacks_differ_about_a_command_they_do_not_know() -> None:
    payload = bytes.fromhex("00" + "7f" + "00")
    heard = {
        name: sends(device(name).receive(201, payload, now=NOW))
        for name in ("documents v2", LORAMAC, BASICS, ST)
    }
    assert heard == {
        "documents v2": ["000302"],
        LORAMAC: ["000301000301"],
        BASICS: [],
        ST: ["000302000302"],
    }
    errors = device(ST).receive(201, b"\x7f\x7e", now=NOW)
    assert [type(action) for action in errors] == [Rejected, Rejected]


def test_a_set_up_of_version_2_confuses_version_1_as_it_did_in_the_field() -> None:
    """SWL2001 issue 116: the session is there, no answer is."""
    payload = bytes.fromhex("0201140032000500000000" + "0100" + "4d6d1790")
    one = device(BASICS_1)
    assert sends(one.receive(201, payload, now=NOW)) == []
    assert one.fragmentation.state(0) is FragState.READY
    text = device("documents v1").receive(201, payload, now=NOW)
    [answer] = sends(text)
    assert answer.startswith("0200")


@pytest.mark.parametrize(("name", "answers"), [(LORAMAC, ["000201"]), (ZEPHYR, [])])
def test_a_status_request_for_groups_ends_the_payload(name: str, answers: list[str]) -> None:
    version, req = PackageVersionReq(), McGroupStatusReq(req_group_mask=15)
    actions = tell(device(name), 200, version, req, version)
    assert sends(actions) == answers
    assert Dropped(DropReason.UNSUPPORTED, "McGroupStatusReq") in actions


# Groups and windows


def test_basics_modem_has_room_for_two_records() -> None:
    one = device(BASICS)
    for index in range(4):
        group(one, index=index)
    [answer] = sends(tell(one, 200, McGroupStatusReq(req_group_mask=15)))
    assert answer == "0143" + "0009000000" + "010a000000"


@pytest.mark.parametrize(
    ("name", "answer"),
    [("documents v1", "0410"), (LORAMAC, "041c"), ("documents v2", "0410"), (ZEPHYR, "0410")],
)
def test_loramac_node_sets_three_bits_for_an_undefined_group(name: str, answer: str) -> None:
    assert sends(tell(device(name), 200, class_c())) == [answer]


def test_zephyr_forgets_the_status_octet_and_answers_late() -> None:
    one = device(ZEPHYR)
    group(one)
    [answer] = tell(one, 200, class_c(dr=9))
    assert answer == Send(200, b"\x04", NOW + 2)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("documents v1", "0400000000"),
        (LORAMAC, "0410"),
        (BASICS_1, "0420"),
        (ZEPHYR, "0420"),
        ("documents v2", "0420"),
    ],
)
def test_a_start_that_is_missed_is_answered_in_many_ways(name: str, answer: str) -> None:
    one = device(name)
    group(one)
    assert sends(tell(one, 200, class_c(NOW - 5))) == [answer]


@pytest.mark.parametrize(
    ("name", "answer"), [("documents v1", "0400ffffff"), (LORAMAC, "0400010000")]
)
def test_a_start_beyond_24_bits_is_clamped_or_cut(name: str, answer: str) -> None:
    one = device(name)
    group(one)
    assert sends(tell(one, 200, class_c(NOW + (1 << 24) + 1))) == [answer]


def test_class_b_is_unknown_or_run_as_class_c() -> None:
    beacon = NOW // 128 * 128 + 1280
    req = McGroupServer.class_b_session_req(
        mc_group_id=0, start=beacon, seconds=1024, periodicity=4, dl_freq_hz=869_525_000, dr=3
    )
    zephyr, loramac = device(ZEPHYR), device(LORAMAC)
    for one in (zephyr, loramac):
        group(one)
    assert sends(tell(zephyr, 200, req)) == []
    assert len(sends(tell(loramac, 200, req))) == 1
    listen = ListenClassC(0, beacon, beacon + 8, 869_525_000, 3)
    assert listen in loramac.tick(now=beacon)


def test_loramac_node_has_one_timer_for_all_groups() -> None:
    one = device(LORAMAC)
    for index in (0, 1):
        group(one, index=index)
        tell(one, 200, class_c(mc_group_id=index))
    assert (one.multicast.window(0), one.multicast.window(1) is not None) == (None, True)


def test_a_refused_request_spoils_the_window_of_basics_modem() -> None:
    for name, kept in ((BASICS, False), ("documents v2", True)):
        one = device(name)
        group(one)
        tell(one, 200, class_c())
        assert sends(tell(one, 200, class_c(dl_freq_hz=868_100_000, dr=9))) == ["0404"]
        assert (one.multicast.window(0) is not None) is kept


def test_basics_modem_looks_at_four_bits_of_dr_and_keeps_old_keys_while_it_listens() -> None:
    one = device(BASICS)
    old = group(one)
    [answer] = sends(tell(one, 200, class_c(dr=0x13)))
    assert answer == "04003c0000"
    one.tick(now=NOW + 60)
    other = McGroupServer(mc_addr=DevAddr(9), mc_key=McKey(bytes(16)), max_mc_fcnt=99)
    assert sends(tell(one, 200, other.setup_req(ROOT, mc_group_id=0), now=NOW + 61)) == ["0200"]
    heard = one.receive_frame(old.sender.seal(b"\x01\x03", fport=201), now=NOW + 62)
    assert not any(isinstance(action, Dropped) for action in heard)


@pytest.mark.parametrize(
    ("name", "hears"), [("documents v2", True), (LORAMAC, False), (BASICS, False)]
)
def test_a_group_past_65535_is_not_heard_by_stacks_that_count_16_bits(
    name: str, hears: bool
) -> None:
    one = device(name)
    made = group(one, next_fcnt=70_000)
    [action, *_] = one.receive_frame(made.sender.seal(b"\x01\x03", fport=201), now=NOW)
    assert (action != Dropped(DropReason.FRAME, "FCNT")) is hears


@pytest.mark.parametrize(("name", "again"), [(BASICS, True), ("documents v2", False)])
def test_basics_modem_forgets_the_counter_when_a_window_opens(name: str, again: bool) -> None:
    one = device(name)
    made = group(one)
    phy = made.sender.seal(b"\x01\x03", fport=201)
    one.receive_frame(phy, now=NOW)
    tell(one, 200, class_c())
    one.tick(now=NOW + 60)
    [action, *_] = one.receive_frame(phy, now=NOW + 61)
    assert (not isinstance(action, Dropped)) is again
    assert StopListening(0) in one.tick(now=NOW + 100_000)
    assert one.receive_frame(phy, now=NOW + 100_001) == [Dropped(DropReason.FRAME, "MIC")]


def test_groups_are_set_up_by_multicast_where_nobody_looks() -> None:
    req = multicastsetup_v1.McGroupSetupReq(
        mc_group_id=0,
        mc_addr=DevAddr(1),
        mc_key_encrypted=bytes(16),
        min_mc_fcnt=0,
        max_mc_fcnt=9,
    )
    assert sends(tell(device(LORAMAC), 200, req, mc_group_id=1)) == ["0200"]
    assert sends(tell(device(BASICS), 200, req, mc_group_id=1)) == []


# Command sets


def test_basics_modem_differs_on_port_225_as_executed() -> None:
    one = device(BASICS)
    assert sends(one.receive(225, bytes.fromhex("8402000000000303"), now=NOW)) == []
    [whole] = sends(one.receive(225, bytes.fromhex("82008300840101"), now=NOW))
    assert whole.startswith("820002028300030284")
    one.max_payload = 19  # 16 octets of answers, a token, and no room for a piece's three
    pieces = sends(one.receive(225, bytes.fromhex("82008300840101"), now=NOW))
    pieces += sends(one.tick(now=NOW + 10))
    assert len(pieces) == 1 + (len(whole) // 2 - 1 > 16)
    assert sends(one.receive(225, b"\x02\x02\x05", now=NOW))[0][:4] == "0202"
    [three] = sends(one.receive(225, b"\x02\x02\x05", now=NOW))
    assert len(three) // 2 == 3 + 3
    assert sends(one.receive(225, b"\x02\x7f\x7f", now=NOW)) == ["02ff01"]
    assert (
        sends(
            one.receive(225, bytes.fromhex("8200 81010500000000 8300 02".replace(" ", "")), now=NOW)
        )
        == []
    )


def test_a_stack_without_sets_has_no_port_225() -> None:
    assert device(ZEPHYR).receive(225, b"\x00\x01", now=NOW) == [
        Dropped(DropReason.FPORT, "FPort 225")
    ]


def test_the_version_1_library_of_lora_basics_modem_has_version_1_messages() -> None:
    one = device(BASICS_1)
    assert sends(tell(one, 201, PackageVersionReq())) == ["000301"]
    assert isinstance(server(BASICS_1).setup_req, fragmentation_v1.FragSessionSetupReq)
