from __future__ import annotations

import argparse
import json
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.catalogue import PackageMap
from lorafuota.cli.conformoctets import octets_listed, reader_of
from lorafuota.conformance.explain import octets_read
from lorafuota.types import DOWNLINK, UPLINK, Direction
from tests.unit.cli.support import call

V2 = PackageMap({"fragmentation": 2})
STALE = ("conform", "device", "--own", "LoRa Basics Modem 4.8", "--id", "ts004-v2/status-none")


def test_every_field_has_a_line_and_what_reading_steps_over_is_odd() -> None:
    listed = octets_listed(V2, 201, UPLINK, bytes.fromhex("0106000000"))
    assert listed[0] == "FragSessionStatusAns  octets 0 to 4: 01 06 00 00 00"
    assert listed[2] == "  octets  bits  hex  field                value      meaning"
    assert "  0          2  06   SessionDoesNotExist  1, yes     No such session; " in listed[5]
    assert listed[-1] == (
        "odd: octet 2: 3 octets too many behind FragSessionStatusAns, as a known device sends"
    )
    assert "odd" not in " ".join(octets_read(V2, 201, UPLINK, bytes.fromhex("0106000000")))


def test_what_cannot_be_read_has_its_place_and_the_reason() -> None:
    assert octets_listed(V2, 201, DOWNLINK, bytes.fromhex("007f7f")) == (
        "PackageVersionReq  octet 0: 00",
        "  Ask which package and version stands behind this port.",
        "not readable: octets 1 to 2: 7f 7f",
        "  at octet 1, fragmentation/2: unknown command identifier 0x7F",
    )


def test_payloads_of_the_application_are_not_read() -> None:
    assert octets_listed(V2, 7, UPLINK, b"\x00") == ()


@given(
    fport=st.sampled_from((1, 200, 201, 202, 203, 225)),
    direction=st.sampled_from((UPLINK, DOWNLINK)),
    payload=st.binary(max_size=60),
)
def test_any_payload_is_lines_of_text(fport: int, direction: Direction, payload: bytes) -> None:
    for line in octets_listed(V2, fport, direction, payload):
        assert line
        assert line.splitlines() == [line]


def test_without_the_option_a_command_is_one_line() -> None:
    assert reader_of(argparse.Namespace(octets=False)) is octets_read
    assert reader_of(argparse.Namespace(octets=True)) is octets_listed


def test_the_report_lists_the_octets_below_each_payload() -> None:
    plain, listed = call(*STALE), call(*STALE, "--octets")
    assert (plain.status, listed.status, listed.err) == (1, 1, "")
    for line in ("up, FPort 201: 01 06 00 00 00", "expected 01 04 about FragIndex 0; came 01 06"):
        assert line in plain.out
        assert line in listed.out
    odd = f"{'':16}odd: octet 2: 3 octets too many behind FragSessionStatusAns"
    assert odd in listed.out
    assert odd not in plain.out
    assert "FragSessionStatusAns(memory_error=False" in plain.out
    assert "FragSessionStatusAns(memory_error=False" not in listed.out


def test_the_documents_have_the_same_lines(tmp_path: pathlib.Path) -> None:
    junit = tmp_path / "report.xml"
    outcome = call(*STALE, "--octets", "--json", "--junit", str(junit))
    [check] = json.loads(outcome.out)["checks"]
    assert [step["read"][:1] for step in check["transcript"]] == [
        [],
        ["FragSessionStatusReq  octets 0 to 1: 01 01"],
        ["FragSessionStatusAns  octets 0 to 4: 01 06 00 00 00"],
        [],
    ]
    assert "3 octets too many behind" in junit.read_text()


@pytest.mark.parametrize("role", ["device", "server"])
def test_both_roles_have_it(role: str) -> None:
    assert "--octets" in call("conform", role, "--help").out
