from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota import DOWNLINK, PACKAGES, UPLINK, package
from lorafuota.catalogue import PackageMap
from lorafuota.dissect.explain import MULTIPACKAGE, Explanation, explain, refusal
from lorafuota.errors import ReservedBitsError
from lorafuota.fragmentation import v1, v2
from lorafuota.package import MalformedCommand, UnknownCommand

DUMP = bytes.fromhex("02 01 1400 32 00 05 00000000 0100 4d6d1790")


def odd(explanation: Explanation) -> list[tuple[str, int]]:
    return [(one.code, one.at) for one in explanation.anomalies]


def test_every_command_has_its_place_and_reading_ends_where_it_cannot_go_on() -> None:
    read = explain(package("fragmentation", 1), DOWNLINK, DUMP)
    assert [(type(p.command), p.start, p.stop) for p in read.pieces] == [
        (v1.FragSessionSetupReq, 0, 11),
        (v1.FragSessionStatusReq, 11, 13),
    ]
    assert read.leftover == UnknownCommand(0x4D, bytes.fromhex("6d1790"), 13, "fragmentation/1")
    assert (read.complete, read.names) == (False, "FragSessionSetupReq, FragSessionStatusReq")
    assert odd(read) == [("unknown-command", 13)]
    assert read.anomalies[0].sentence == (
        "fragmentation/1 has no command 0x4D in this direction; "
        "it and the 3 octets behind it cannot be read"
    )
    assert read.pieces[1].meaning.startswith("Ask how far a session has come")


def test_a_version_that_fits_reads_all_of_it() -> None:
    read = explain(package("fragmentation", 2), DOWNLINK, DUMP)
    assert [line.shown for line in read.pieces[0].lines][:4] == ["1, group 0", "0", "20", "50"]
    assert (read.complete, read.anomalies, read.commands) == (
        True,
        (),
        [v2.FragSessionSetupReq.decode(DUMP)],
    )


def test_reserved_bits_trailing_octets_and_company_are_anomalies() -> None:
    one, two = package("fragmentation", 1), package("fragmentation", 2)
    assert odd(explain(one, DOWNLINK, bytes.fromhex("03f1"))) == [("reserved-bits", 1)]
    assert odd(explain(two, UPLINK, bytes.fromhex("0104aabbcc"))) == [("trailing-octets", 2)]
    assert odd(explain(one, DOWNLINK, bytes.fromhex("0301080100aa"))) == [("not-alone", 2)]
    assert odd(explain(one, DOWNLINK, b"")) == [("no-command", 0)]


def test_a_fragment_that_counts_from_zero_is_named() -> None:
    read = explain(package("fragmentation", 2), DOWNLINK, bytes.fromhex("080000aa"))
    assert isinstance(read.leftover, MalformedCommand)
    assert odd(read) == [("n-is-zero", 0)]
    cut = explain(package("fragmentation", 2), DOWNLINK, bytes.fromhex("0200"))
    assert odd(cut) == [("malformed-command", 1)]


def test_peers_known_for_what_they_send_are_named() -> None:
    for octets in ("80010203", "080000aa"):
        read = explain(package("fragmentation", 1), DOWNLINK, bytes.fromhex(octets))
        assert "MultiTech" in read.anomalies[0].sentence
    other = explain(package("clocksync", 1), DOWNLINK, bytes.fromhex("80"))
    assert "MultiTech" not in other.anomalies[0].sentence


def test_a_command_set_has_packages_and_a_token() -> None:
    octets = bytes.fromhex("0181008283010002")
    read = explain(MULTIPACKAGE, DOWNLINK, octets)
    assert [(str(p.package), p.start, p.stop) for p in read.pieces] == [
        ("multipackage/1", 0, 1),
        ("clocksync/2", 2, 3),
        ("fragmentation/2", 5, 7),
    ]
    assert (read.token, read.complete) == (2, True)
    old = explain(MULTIPACKAGE, DOWNLINK, octets, speaks=PackageMap({"clocksync": 1}))
    assert str(old.pieces[1].package) == "clocksync/1"
    assert odd(explain(MULTIPACKAGE, DOWNLINK, bytes.fromhex("00fd"))) == [("reserved-bits", 1)]
    alone = explain(MULTIPACKAGE, DOWNLINK, bytes.fromhex("020005"))
    assert (alone.token, alone.names) == (None, "MultiPackBufferReq")


def test_the_time_of_capture_makes_times_odd() -> None:
    request = bytes.fromhex("04 00") + (1000).to_bytes(4, "little") + bytes.fromhex("07d2ad8403")
    one = package("multicastsetup", 1)
    assert odd(explain(one, DOWNLINK, request)) == []
    assert odd(explain(one, DOWNLINK, request, time=2000)) == [("session-over", 0)]


def test_json_reads_back_and_has_lines_and_anomalies() -> None:
    document = explain(package("fragmentation", 1), DOWNLINK, DUMP).to_json()
    commands = document["commands"]
    assert isinstance(commands, list)
    assert [lorafuota.from_json(one) for one in commands] == [
        v1.FragSessionSetupReq.decode(DUMP),
        v1.FragSessionStatusReq(participants=False, frag_index=0),
    ]
    first = commands[1]
    assert isinstance(first, dict)
    assert first["lines"] == [
        {
            "octets": "0",
            "bits": "0",
            "start": 12,
            "stop": 13,
            "name": "Participants",
            "field": "participants",
            "value": False,
            "shown": "0, no",
            "doc": "All receivers answer, not only those still missing fragments",
        },
        {
            "octets": "0",
            "bits": "2:1",
            "start": 12,
            "stop": 13,
            "name": "FragIndex",
            "field": "frag_index",
            "value": 0,
            "shown": "0",
            "doc": "Session",
        },
    ]
    assert (document["complete"], document["token"]) == (False, None)
    assert document["leftover"] is not None


def test_strict_reading_refuses_what_lenient_reading_passes_over() -> None:
    one = package("fragmentation", 1)
    assert refusal(one, PackageMap(), DOWNLINK, bytes.fromhex("0301")) is None
    assert refusal(one, PackageMap(), DOWNLINK, bytes.fromhex("03f1")) == ReservedBitsError(
        "FragSessionDeleteReq", 1, "a reserved bit is set"
    )
    assert refusal(MULTIPACKAGE, PackageMap(), DOWNLINK, bytes.fromhex("01")) is not None


@given(
    one=st.sampled_from(PACKAGES),
    direction=st.sampled_from([UPLINK, DOWNLINK]),
    payload=st.binary(max_size=60),
    time=st.none() | st.floats(0, 2**33),
)
def test_any_octets_are_explained(
    one: lorafuota.Package, direction: lorafuota.Direction, payload: bytes, time: float | None
) -> None:
    read = explain(one, direction, payload, time=time)
    places = [(p.start, p.stop) for p in read.pieces]
    assert places == sorted(places)
    assert all(0 <= one.at <= max(len(payload), 1) and one.sentence for one in read.anomalies)
    assert (read.leftover is None) is read.complete
    for piece in read.pieces:
        assert all(piece.start < x.start <= x.stop <= piece.stop for x in piece.lines if x.octets)
