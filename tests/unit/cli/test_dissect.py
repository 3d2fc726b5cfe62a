from __future__ import annotations

import base64
import io
import itertools
import json
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota.cli import output
from lorafuota.package import UnknownCommand
from lorafuota.wire import Command
from tests.unit.cli.support import Outcome, call

SETUP = "02 01 1400 32 00 05 00000000"
"""The set-up of users.md section 7, before SessionCnt and MIC."""


def feed(monkeypatch: pytest.MonkeyPatch, octets: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))


def lines(outcome: Outcome) -> list[list[str]]:
    return [line.split() for line in outcome.out.splitlines()]


def test_a_command_is_shown_with_its_fields_in_the_documents_words() -> None:
    outcome = call("dissect", "fragmentation/1", "uplink", "02c3")
    assert (outcome.status, outcome.err) == (0, "")
    assert "FragSessionSetupAns  octets 0 to 1: 02 c3" in outcome.out
    errors = ["3,", "FRAG_ALGO_UNSUPPORTED", "|", "NOT_ENOUGH_MEMORY", "Zero", "when", "accepted"]
    assert ["0", "3:0", "c3", "StatusBitMask", *errors] in lines(outcome)
    assert ["0", "7:6", "c3", "FragIndex", "3"] in [words[:5] for words in lines(outcome)]


@pytest.mark.parametrize(
    "words",
    [
        ["02c0"],
        ["02", "c0"],
        ["0x02c0"],
        ["0x02", "0XC0"],
        ["02:c0"],
        ["0x02,", "0xC0"],
        [" 02 C0\n"],
        ["--base64", "AsA="],
    ],
)
def test_octets_go_in_as_people_have_them(words: list[str]) -> None:
    outcome = call("dissect", "fragmentation/1", "up", *words)
    assert outcome == call("dissect", "fragmentation/1", "uplink", "02c0")
    assert outcome.status == 0


@pytest.mark.parametrize("octets", [b"02c0\n", b" 02\r\n c0 "])
def test_a_dash_reads_standard_input(monkeypatch: pytest.MonkeyPatch, octets: bytes) -> None:
    feed(monkeypatch, octets)
    outcome = call("dissect", "fragmentation/1", "uplink", "-")
    assert outcome == call("dissect", "fragmentation/1", "uplink", "02c0")


@pytest.mark.parametrize(
    "name", ["fragmentation/2", "fragmentation", "TS004/2", "ts004", "201/2", "201"]
)
def test_a_package_is_named_by_name_document_or_port(name: str) -> None:
    outcome = call("dissect", name, "downlink", "0100")
    assert outcome.status == 0
    assert outcome.out.startswith("fragmentation/2 (TS004-2.0.0, ")


def test_what_the_device_speaks_decides_about_a_port() -> None:
    outcome = call("dissect", "201", "downlink", "0100", "--speaks", "fragmentation/1")
    assert outcome.out.startswith("fragmentation/1 ")


# --- What cannot be read --------------------------------------------------------------------------

FACES = {
    "SessionCnt 1: a status request, then an unknown command": (
        "0100 4d6d1790",
        ["FragSessionSetupReq", "FragSessionStatusReq"],
        "at octet 13, fragmentation/1: unknown command identifier 0x4D",
    ),
    "SessionCnt 2: another set-up, cut short": (
        "0200 4d6d1790",
        ["FragSessionSetupReq"],
        "at octet 12, FragSessionSetupReq: needs ",
    ),
    "SessionCnt 0x30: an unknown command": (
        "3000 4d6d1790",
        ["FragSessionSetupReq"],
        "at octet 11, fragmentation/1: unknown command identifier 0x30",
    ),
}


@pytest.mark.parametrize("face", FACES)
def test_a_set_up_of_version_2_read_as_version_1_is_explained(face: str) -> None:
    tail, commands, reason = FACES[face]
    octets = f"{SETUP} {tail}".split()
    outcome = call("dissect", "fragmentation/1", "downlink", *octets)
    assert outcome.status == 1
    titles = [words[0] for words in lines(outcome) if words[1:2] == ["octets"]]
    assert titles == commands
    assert reason in outcome.out
    assert "hint: reads completely as fragmentation/2: FragSessionSetupReq\n" in outcome.out
    right = call("dissect", "fragmentation/2", "downlink", *octets)
    assert right.status == 0
    assert "hint" not in right.out
    row = r"^  \d\S* +(?:\d(?::\d)? +)?(?:[0-9a-f]{2} +)+([A-Z]\w+) +(\w+)"
    named = dict(re.findall(row, right.out, re.M))
    expected = {"McGroupBitMask": "1", "FragIndex": "0", "NbFrag": "20", "FragSize": "50"}
    expected |= {"Padding": "5", "Descriptor": "00000000", "MIC": "4d6d1790"}
    assert named.items() >= expected.items()
    assert named["SessionCnt"] == str(int.from_bytes(bytes.fromhex(tail[:4]), "little"))


def test_the_other_direction_is_a_hint_too() -> None:
    outcome = call("dissect", "clocksync/2", "downlink", "0200 78563412")
    assert outcome.status == 1
    assert (
        "hint: reads completely as clocksync/2, uplink: DeviceAppTimePeriodicityAns" in outcome.out
    )


def test_octets_that_nothing_explains_get_no_hint() -> None:
    outcome = call("dissect", "fragmentation/1", "downlink", "ff00")
    assert outcome.status == 1
    assert "not readable: octets 0 to 1: ff 00" in outcome.out
    assert "hint" not in outcome.out


def test_reserved_bits_are_ignored_in_sight_and_refused_when_strict() -> None:
    lenient = call("dissect", "fragmentation/1", "downlink", "03 05")
    assert lenient.status == 0
    assert "RFU" in lenient.out
    assert "Reserved: set, and ignored" in lenient.out
    strict = call("dissect", "fragmentation/1", "downlink", "03 05", "--strict")
    assert strict.status == 1
    reason = "at octet 1, FragSessionDeleteReq: a reserved bit is set"
    assert f"refused by strict reading: {reason}" in strict.out
    assert call("dissect", "fragmentation/1", "downlink", "03 01", "--strict").status == 0


def test_strict_reading_does_not_say_the_same_twice() -> None:
    outcome = call("dissect", "fragmentation/1", "downlink", "ff", "--strict")
    assert outcome.status == 1
    assert "refused" not in outcome.out


# --- Any version ----------------------------------------------------------------------------------


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["201", "201/auto", "fragmentation", "ts004/auto"])
def test_without_a_version_all_read_it_and_the_reasons_are_given(face: str, name: str) -> None:
    tail, commands, reason = FACES[face]
    outcome = call("dissect", name, "down", f"{SETUP} {tail}")
    assert outcome.status == 0
    head = outcome.out.splitlines()[:3]
    assert head[0].startswith("fragmentation/2 (TS004-2.0.0, ")
    assert head[1] == "  fragmentation/2 reads all of 17 octets: FragSessionSetupReq"
    assert head[2].startswith(f"  fragmentation/1 reads {', '.join(commands)}, then cannot read ")
    assert reason.partition(": ")[2].strip() in head[2]


def test_versions_that_read_the_same_are_named() -> None:
    outcome = call("dissect", "201", "down", "0100")
    assert outcome.out.splitlines()[1] == "  fragmentation/1 reads the same"
    named = call("dissect", "201/2", "down", "0100")
    assert "reads the same" not in named.out


def test_two_readings_that_are_as_likely_are_both_named() -> None:
    outcome = call("dissect", "201", "up", "0100140000")
    assert "  fragmentation/1 is as likely: reads all of 5 octets" in outcome.out


def test_json_of_any_version_has_the_readings_with_reasons() -> None:
    document = json.loads(call("dissect", "201", "down", f"{SETUP} 0100 4d6d1790", "--json").out)
    assert document["version"] == 2
    assert [(one["name"], one["complete"]) for one in document["readings"]] == [
        ("fragmentation/2", True),
        ("fragmentation/1", False),
    ]
    assert "readings" not in json.loads(call("dissect", "201/1", "down", "0100", "--json").out)


def test_odd_values_are_pointed_out_and_are_no_failure() -> None:
    outcome = call("dissect", "ts004/1", "down", "02 01 1400 32 00 32 00000000")
    assert outcome.status == 0
    sentence = "Padding is 50 with a FragSize of 50: the last fragment would be filler only"
    assert f"\nodd: octet 0: {sentence}\n" in outcome.out
    document = json.loads(call("dissect", "ts004/1", "down", "080000aa", "--json").out)
    assert [one["code"] for one in document["anomalies"]] == ["n-is-zero"]


# --- Values ---------------------------------------------------------------------------------------


def test_every_kind_of_value_is_readable() -> None:
    status = call("dissect", "multicastsetup/2", "uplink", "01 12 01 04030201").out
    assert "1 record" in status
    assert "Groups[0].McAddr" in status
    assert "01020304" in status
    absent = call("dissect", "fragmentation/2", "uplink", "01 04").out
    assert "1, yes" in absent
    assert "not there" in absent
    enum = call("dissect", "firmwaremanagement/1", "uplink", "04 03 00000100").out
    assert "UpImageStatus" in enum
    assert "3, " in enum
    reserved = call("dissect", "multicastsetup/2", "uplink", "04 c4").out
    assert "reserved 0x30" in reserved
    empty = call("dissect", "fragmentation/1", "downlink", "08 0100").out
    assert "no octets" in empty


def test_long_octets_are_broken_into_lines() -> None:
    outcome = call("dissect", "fragmentation/1", "downlink", "08 0100" + "a5" * 200)
    assert outcome.status == 0
    assert max(map(len, outcome.out.splitlines())) <= 120
    assert outcome.out.count("a5" * 16) == 12


def test_more_than_a_frame_carries_is_no_payload() -> None:
    outcome = call("dissect", "fragmentation/1", "downlink", "08 0100" + "a5" * 250)
    assert outcome.status == 1
    assert "253 octets; no frame carries more than 242" in outcome.out


# --- Port 225 -------------------------------------------------------------------------------------


def test_a_command_set_is_shown_with_packages_places_and_token() -> None:
    outcome = call("dissect", "225", "downlink", "01 81 00 82 83 0100 02")
    assert outcome.status == 0
    assert "multipackage/1 DevPackageReq  octet 0: 01" in outcome.out
    assert "clocksync/2 PackageVersionReq  octet 2: 00" in outcome.out
    assert "fragmentation/2 FragSessionStatusReq  octets 5 to 6: 01 00" in outcome.out
    assert "Command Token: 2" in outcome.out


def test_the_other_versions_are_tried_in_a_command_set() -> None:
    octets = ["83", *f"{SETUP} 0100 4d6d1790".split(), "01"]
    outcome = call("dissect", "225", "down", *octets, "--speaks", "ts004/1", "--speaks", "ts003/1")
    assert outcome.status == 1
    hint = "multipackage/1 --speaks fragmentation/2: FragSessionSetupReq"
    assert [line for line in outcome.out.splitlines() if "hint" in line] == [
        f"hint: reads completely as {hint}"
    ]
    assert call("dissect", "multipackage/1", "down", *octets).status == 0


@pytest.mark.parametrize(
    ("direction", "octets", "name"),
    [("downlink", "020005", "MultiPackBufferReq"), ("uplink", "02000102", "MultiPackBufferFrag")],
)
def test_what_stands_alone_on_port_225_has_no_set_around_it(
    direction: str, octets: str, name: str
) -> None:
    outcome = call("dissect", "225", direction, octets)
    assert outcome.status == 0
    assert name in outcome.out
    assert "Command Token:" not in outcome.out


def test_a_package_nobody_has_ends_the_set() -> None:
    outcome = call("dissect", "225", "downlink", "89 00 01")
    assert outcome.status == 1
    assert "at octet 1, package 9: unknown command identifier 0x00" in outcome.out


def test_a_set_without_a_command_says_so() -> None:
    outcome = call("dissect", "225", "downlink", "01")
    assert outcome.status == 0
    assert "no command\n" in outcome.out


# --- JSON -----------------------------------------------------------------------------------------


def test_json_holds_envelopes_that_read_back() -> None:
    outcome = call("dissect", "201/1", "downlink", f"{SETUP} 0100 4d6d1790", "--json")
    assert outcome.status == 1
    document: dict[str, Any] = json.loads(outcome.out)
    assert document["complete"] is False
    setup, request = (lorafuota.from_json(one) for one in document["commands"])
    assert isinstance(setup, Command)
    assert isinstance(request, Command)
    assert setup.encode() + request.encode() == bytes.fromhex(f"{SETUP} 0100")
    assert [(one["start"], one["stop"]) for one in document["commands"]] == [(0, 11), (11, 13)]
    left = lorafuota.from_json(document["leftover"])
    assert left == UnknownCommand(0x4D, bytes.fromhex("6d1790"), 13, "fragmentation/1")
    assert document["hints"] == ["reads completely as fragmentation/2: FragSessionSetupReq"]
    assert "refusal" not in document


def test_json_of_a_command_set_names_each_package_and_the_token() -> None:
    outcome = call("dissect", "225", "downlink", "8101000000000083010003", "--json", "--strict")
    document = json.loads(outcome.out)
    names = [(one["package"], one["command"]) for one in document["commands"]]
    assert names == [("clocksync", "AppTimeAns"), ("fragmentation", "FragSessionStatusReq")]
    assert call("dissect", "225", "up", "01", "--strict").status == 1
    assert (document["token"], document["complete"], document["refusal"]) == (3, True, None)


def test_json_has_the_reason_of_a_strict_refusal() -> None:
    document = json.loads(call("dissect", "ts004/1", "down", "03f5", "--json", "--strict").out)
    assert document["refusal"] == {
        "command": "FragSessionDeleteReq",
        "offset": 1,
        "reason": "a reserved bit is set",
    }


NAMES = st.sampled_from([str(one) for one in lorafuota.PACKAGES])


@given(
    name=NAMES,
    direction=st.sampled_from(["uplink", "downlink"]),
    payload=st.binary(min_size=1, max_size=40),
    options=st.sets(st.sampled_from(["--json", "--strict"])),
)
def test_any_octets_are_explained_or_refused(
    name: str, direction: str, payload: bytes, options: set[str]
) -> None:
    outcome = call("dissect", name, direction, payload.hex(), *options)
    assert outcome.status in (0, 1)
    assert outcome.err == ""
    if "--json" in options:
        document = json.loads(outcome.out)
        assert document["complete"] is (outcome.status == 0)
        places = [(one["start"], one["stop"]) for one in document["commands"]]
        assert all(a < b for a, b in places)
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(places))
        for one in document["commands"]:
            again = lorafuota.from_json(one)
            assert isinstance(again, Command)
            assert payload[one["start"]] == again.CID


# --- Bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["x/1", "up", "00"], "there is no package 'x': expected one of multipackage, clocksync,"),
        (["x", "up", "00"], "there is no package 'x'"),
        (["201/3", "up", "00"], "there is no fragmentation/3: expected version 1 or 2"),
        (["ts004/x", "up", "00"], "a package version is a number, as in fragmentation/1: 'x'"),
        (["ts004/", "up", "00"], "a package version is a number"),
        (["ts004/" + "9" * 5000, "up", "00"], "a package version is a number"),
        (
            ["17", "up", "00"],
            "no package lives on port 17: expected one of 200, 201, 202, 203, 225",
        ),
        (["201", "sideways", "00"], "the direction is 'sideways': expected uplink or downlink"),
        (["201", "up", "0g"], "the octets hold 'g', which is no hex digit"),
        (["201", "up", "٣٣"], "the octets hold '٣', which is no hex digit"),
        (["201", "up", "02c"], "'02c' has an odd number of hex digits: an octet has two"),
        (["201", "up", "02", "c"], "'c' has an odd number of hex digits"),
        (["201", "up", "0" * 25], "a word of 25 characters has an odd number of hex digits"),
        (["201", "up", ""], "there are no octets to dissect"),
        (["201", "up", "--base64", "A"], "the octets are not base64"),
        (["201", "up", "--base64", "ü"], "the octets are not base64"),
        (["201"], "the following arguments are required: DIRECTION, HEX"),
        (["201", "up"], "the following arguments are required: HEX"),
        (["201", "up", "00", "--speaks", "ts004"], "--speaks takes a package and its version"),
        (["201", "up", "00", "--speaks", "ts009/1"], "there is no package 'ts009'"),
    ],
)
def test_bad_input_is_one_sentence(argv: list[str], sentence: str) -> None:
    outcome = call("dissect", *argv)
    assert outcome.status == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"lorafuota dissect: {sentence}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize(
    ("octets", "sentence"),
    [
        (b"", "there are no octets to dissect"),
        (b"\xff\xfe", "the octets hold '\\\\', which is no hex digit"),
        (b"00" * 40_000, "standard input holds more than 65536 characters"),
    ],
)
def test_bad_standard_input_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, octets: bytes, sentence: str
) -> None:
    feed(monkeypatch, octets)
    outcome = call("dissect", "201", "up", "-")
    assert (outcome.status, outcome.err) == (2, f"lorafuota dissect: {sentence}\n")


def test_no_standard_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = call("dissect", "201", "up", "-")
    assert (outcome.status, outcome.err) == (2, "lorafuota dissect: there is no standard input\n")


def test_base64_of_a_network_server_is_the_same_as_hex() -> None:
    octets = bytes.fromhex(SETUP)
    text = base64.b64encode(octets).decode()
    assert call("dissect", "ts004/1", "down", "--base64", text) == call(
        "dissect", "ts004/1", "down", octets.hex()
    )


def test_names_and_what_is_odd_have_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    argv = ("dissect", "ts004/1", "down", "02 01 1400 32 00 32 00000000")
    plain = call(*argv).out
    monkeypatch.setattr(output, "is_terminal", lambda stream: True)
    painted = call(*argv).out
    assert "\x1b[1mFragSessionSetupReq\x1b[0m  octets" in painted
    assert "\x1b[31modd\x1b[0m: octet 0: Padding is 50" in painted
    assert re.sub(r"\x1b\[\d+m", "", painted) == plain


def test_output_is_plain_ascii() -> None:
    for name in ("ts003/2", "ts004/2", "ts005/2", "ts006/1"):
        for direction in ("uplink", "downlink"):
            assert call("dissect", name, direction, "00" * 20).out.isascii()


@pytest.mark.parametrize("version", ["1", "2", "auto"])
@pytest.mark.parametrize("name", ["fragmentation", "ts004", "201"])
def test_version_as_an_option_is_the_same_as_behind_the_name(name: str, version: str) -> None:
    wanted = call("dissect", f"{name}/{version}", "uplink", "02c0")
    assert wanted.status == 0
    assert call("dissect", name, "uplink", "02c0", "--version", version) == wanted
    assert call("dissect", f"{name}/{version}", "up", "02c0", "--version", version) == wanted


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("fragmentation/1", "up", "02c0", "--version", "2"), "two versions are given"),
        (("fragmentation", "up", "02c0", "--version", "x"), "a package version is a number"),
        (("fragmentation", "up", "02c0", "--version", "3"), "there is no fragmentation/3"),
        (("phy", "02c0", "--version", "1"), "say --speaks PACKAGE/VERSION for a frame or a log"),
        (("log", "x", "--version", "auto"), "say --speaks PACKAGE/VERSION for a frame or a log"),
    ],
)
def test_a_version_that_means_nothing_is_one_sentence(words: tuple[str, ...], reason: str) -> None:
    outcome = call("dissect", *words)
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert reason in outcome.err
