from __future__ import annotations

from lorafuota.dissect.logsessions import SessionNames
from lorafuota.fragmentation import v1, v2
from lorafuota.multicastsetup import v1 as multicast
from lorafuota.types import DevAddr


def setup(index: int = 0, mask: int = 1, nb_frag: int = 20) -> v1.FragSessionSetupReq:
    return v1.FragSessionSetupReq(
        mc_group_bit_mask=mask,
        frag_index=index,
        nb_frag=nb_frag,
        frag_size=50,
        block_ack_delay=0,
        frag_algo=0,
        padding=5,
        descriptor=bytes(4),
    )


def group(counter: int = 0) -> multicast.McGroupSetupReq:
    return multicast.McGroupSetupReq(
        mc_group_id=1,
        mc_addr=DevAddr(7),
        mc_key_encrypted=counter.to_bytes(16, "big"),
        min_mc_fcnt=0,
        max_mc_fcnt=9,
    )


def test_names_count_for_each_kind_and_the_same_set_up_has_one() -> None:
    names = SessionNames()
    given = [
        names.name(setup(), "a", 1, None),
        names.name(setup(), "b", 2, None),
        names.name(setup(), "a", 3, None),
        names.name(setup(nb_frag=21), "a", 4, None),
        names.name(group(), "a", 5, None),
        names.name(group(1), "b", 6, None),  # another device, so McKey is wrapped otherwise
    ]
    assert given == ["F1", "F1", "F1", "F2", "G1", "G1"]
    assert [(one.name, one.line, [*one.owners]) for one in names.sessions] == [
        ("F1", 1, ["a", "b"]),
        ("F2", 4, ["a"]),
        ("G1", 5, ["a", "b"]),
    ]


def test_counter_and_mic_are_each_devices_own_but_tell_sessions_of_one_apart() -> None:
    names = SessionNames()

    def v2_setup(session_cnt: int, mic: bytes) -> v2.FragSessionSetupReq:
        fields = {**setup().to_json(), "ack_reception": False, "session_cnt": session_cnt}
        return v2.FragSessionSetupReq.from_json({**fields, "mic": mic.hex()})

    given = [
        names.name(v2_setup(counter, mic), owner, 1, None)
        for owner, counter, mic in (
            ("a", 1, b"aaaa"),
            ("b", 7, b"bbbb"),
            ("a", 1, b"aaaa"),
            ("a", 2, b"cccc"),
            ("b", 8, b"dddd"),
            ("b", 7, b"bbbb"),
        )
    ]
    assert given == ["F1", "F1", "F1", "F2", "F2", "F1"]


def test_later_commands_belong_to_what_was_opened_last_for_their_owner() -> None:
    names = SessionNames()
    names.name(setup(), "a", 1, None)
    names.name(setup(nb_frag=21), "a", 2, None)
    names.name(setup(index=2, mask=0), "b", 3, None)
    status = v1.FragSessionStatusReq(participants=False, frag_index=0)
    other = v1.FragSessionStatusReq(participants=False, frag_index=2)
    assert names.name(status, "a", 4, None) == "F2"
    assert names.name(status, "b", 4, None) == ""
    assert names.name(status, "group 00000007", 4, None) == "F2"
    assert names.name(other, "b", 4, None) == "F3"
    assert names.name(other, "group 00000007", 4, None) == ""
    found = names.setup_of("b", 2)
    assert found is not None
    assert found[0] == "F3"


def test_a_window_is_named_by_its_class_and_its_start_by_the_time_of_capture() -> None:
    names = SessionNames()
    window = multicast.McClassCSessionReq(
        mc_group_id=0, session_time=5, time_out=8, dl_freq_hz=869_525_000, dr=3
    )
    assert names.name(window, "a", 1, float(1 << 32)) == "C1"
    assert names.sessions[0].what == (
        "class C window of group 0, from 2116-02-12T06:28:03Z (GPS 4294967301) "
        "for 256 s (4.3 min) at most, 869.525 MHz, DR 3"
    )
    assert names.name(multicast.McGroupDeleteReq(mc_group_id=0), "a", 2, None) == ""
