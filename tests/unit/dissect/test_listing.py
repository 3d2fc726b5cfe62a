from __future__ import annotations

from lorafuota import DOWNLINK, UPLINK, package
from lorafuota.dissect.anomaly import Anomaly, Oddity
from lorafuota.dissect.explain import MULTIPACKAGE, explain
from lorafuota.dissect.listing import (
    Paint,
    choice_text,
    explanation_text,
    field_table,
    heading,
    listing,
    notes_text,
    odd_text,
    place,
)
from lorafuota.dissect.versions import readings
from lorafuota.errors import TruncatedError

STATUS = explain(package("fragmentation", 1), DOWNLINK, bytes.fromhex("0103ff"))


def test_the_heading_says_what_was_read_and_as_what() -> None:
    assert heading(STATUS) == (
        "fragmentation/1 (TS004-1.0.0, Fragmented Data Block Transport), downlink, 3 octets"
    )


def test_commands_are_tables_and_what_is_left_has_its_reason() -> None:
    text = "\n".join(explanation_text(STATUS)).splitlines()
    assert text[1] == "FragSessionStatusReq  octets 0 to 1: 01 03"
    assert text[4].split()[:6] == ["0", "0", "03", "Participants", "1,", "yes"]
    assert text[5].split()[:5] == ["0", "2:1", "03", "FragIndex", "1"]
    assert text[7:] == [
        "not readable: octet 2: ff",
        "  at octet 2, fragmentation/1: unknown command identifier 0xFF",
    ]


def test_long_octets_are_only_a_value_and_absent_fields_have_no_place() -> None:
    setup = explain(package("fragmentation", 1), DOWNLINK, bytes.fromhex("08 0100 1122334455"))
    lines = field_table(setup.pieces[0].lines, setup.payload).splitlines()
    assert lines[3].split() == ["2-6", "..", "Payload", "1122334455", "FragSize", "octets"]


def test_a_choice_names_the_readings_and_why() -> None:
    two = readings(package("fragmentation", 1), DOWNLINK, bytes.fromhex("0402"))
    assert list(choice_text(two)) == [
        "  fragmentation/2 reads all of 2 octets: FragDataBlockReceivedAns",
        "  fragmentation/1 cannot read 2 octets from octet 0: unknown command identifier 0x04",
    ]
    same = readings(package("fragmentation", 1), DOWNLINK, bytes.fromhex("0102"))
    assert list(choice_text(same)) == ["  fragmentation/1 reads the same"]
    assert list(choice_text(same[:1])) == []


def test_a_command_set_names_each_package_and_its_token() -> None:
    read = explain(MULTIPACKAGE, DOWNLINK, bytes.fromhex("0181008103"))
    text = listing(read).splitlines()
    assert [line for line in text if not line.startswith("  ")] == [
        "multipackage/1 (TS007-1.0.0, Multi-Package Access), downlink, 5 octets",
        "",
        "multipackage/1 DevPackageReq  octet 0: 01",
        "",
        "clocksync/2 PackageVersionReq  octet 2: 00",
        "",
        "Command Token: 3",
    ]
    empty = explain(MULTIPACKAGE, DOWNLINK, b"\x01")
    assert listing(empty).splitlines()[1:] == ["", "Command Token: 1", "no command"]


def test_readings_that_are_as_likely_are_both_named() -> None:
    two = readings(package("fragmentation", 1), UPLINK, bytes.fromhex("0100140000"))
    assert list(choice_text(two)) == [
        "  fragmentation/1 is as likely: reads all of 5 octets: FragSessionStatusAns"
    ]


def test_notes_are_what_is_odd_what_is_refused_and_hints() -> None:
    odd = Anomaly(code=Oddity.NO_EFFECT, at=1, sentence="it is strange")
    said = STATUS.anomalies  # the unknown command, which is shown as not readable
    assert [one.code for one in said] == ["unknown-command"]
    assert list(notes_text((*said, odd), TruncatedError("X", 4, "too short"), ["try up"])) == [
        "",
        "odd: octet 1: it is strange",
        "\nrefused by strict reading: at octet 4, X: too short",
        "",
        "hint: try up",
    ]
    assert list(notes_text(said, None, [])) == []
    assert list(odd_text((odd, odd))) == ["odd: octet 1: it is strange"] * 2


def test_names_and_complaints_are_painted_as_the_caller_says() -> None:
    paint = Paint(strong=lambda text: f"*{text}*", bad=lambda text: f"!{text}!")
    text = "\n".join(explanation_text(STATUS, paint))
    assert "*FragSessionStatusReq*  octets" in text
    assert "*  octets  bits  hex  field         value   meaning*" in text
    assert "!not readable!: octet 2: ff" in text


def test_a_place_has_the_octets_of_the_beginning() -> None:
    assert place(3, b"") == "at octet 3"
    assert place(3, b"\x01") == "octet 3: 01"
    assert place(0, bytes(25)) == "octets 0 to 24: " + "00 " * 24 + "..."
