from __future__ import annotations

import io
import json
import pathlib
import sys

import pytest

from lorafuota.dissect.logreader import MAX_LINE
from lorafuota.types import UPLINK
from tests.unit.cli.support import assert_secret, call
from tests.unit.cli.test_framekeys import NEW
from tests.unit.dissect.test_keyring import MC_KEY, multicast, unicast
from tests.unit.dissect.test_lorawan11 import UP, sealed

CAPTURES = pathlib.Path(__file__).parents[2] / "data" / "captures"
SESSION = str(CAPTURES / "session.mixed.jsonl")
KEYS = str(CAPTURES / "group.keys")


@pytest.fixture
def newer(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "newer.keys"
    path.write_text(f"DevAddr=26011BDB\n{NEW}")
    return str(path)


@pytest.fixture
def group(tmp_path: pathlib.Path) -> str:
    path = tmp_path / "group.keys"
    path.write_text(f"McAddr=26011BDA\nMcKey={MC_KEY.reveal().hex()}\n")
    return str(path)


# --- One frame ------------------------------------------------------------------------------------


def test_a_frame_is_opened_and_its_payload_explained(group: str) -> None:
    outcome = call("dissect", "phy", multicast(5).hex(), "--keys", group)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("data, downlink, 15 octets\n")
    assert "MIC fits with counter 5, group 26011BDA\n" in outcome.out
    assert "FRMPayload in the clear: 01 00\n" in outcome.out
    assert "FragSessionStatusReq  octets 0 to 1: 01 00\n" in outcome.out
    assert "  fragmentation/1 reads the same\n" in outcome.out
    assert_secret(outcome, MC_KEY.reveal().hex())


def test_the_order_of_words_and_options_does_not_matter(group: str) -> None:
    hexed = multicast(5).hex()
    wanted = call("dissect", "phy", hexed, "--keys", group)
    assert call("dissect", "--keys", group, "phy", hexed) == wanted
    assert call("dissect", "phy", "--keys", group, hexed[:8], hexed[8:]) == wanted


def test_a_frame_without_a_key_is_laid_out_and_stays_shut() -> None:
    outcome = call("dissect", "phy", multicast(5).hex())
    assert outcome.status == 0
    assert "MIC not checked: no key for 26011BDA\n" in outcome.out
    assert "FRMPayload, encrypted: " in outcome.out


def test_a_mic_that_does_not_fit_is_a_no(group: str) -> None:
    outcome = call("dissect", "phy", multicast(5)[:-1].hex() + "00", "--keys", group)
    assert outcome.status == 1
    assert "MIC does not fit\n" in outcome.out
    assert "odd: octet 0: no counter makes the MIC fit" in outcome.out


def test_a_frame_of_lorawan_1_1_is_opened_and_what_was_tried_is_said(newer: str) -> None:
    outcome = call("dissect", "phy", sealed(UP, 5, options=b"\x0d").hex(), "--keys", newer)
    assert (outcome.status, outcome.err) == (0, "")
    assert "MAC command at octet 8: DeviceTimeReq" in outcome.out
    assert "MIC fits with counter 5, device 26011BDB\n" in outcome.out
    assert "\n  both halves of the MIC fit with TxDr 5, TxCh 2: they are " in outcome.out
    assert "FragSessionSetupAns  octets 0 to 1: 02 c0\n" in outcome.out
    half = call("dissect", "phy", sealed(UP, 5, ack=9).hex(), "--keys", newer)
    assert half.status == 0
    assert "MIC half fits with counter 5, device 26011BDB\n" in half.out
    assert "\n  only the half of the MIC under FNwkSIntKey was checked: " in half.out
    for line in NEW.splitlines():
        assert_secret(outcome, line.partition(" = ")[2])
        assert_secret(half, line.partition(" = ")[2])


def test_half_a_mic_is_said_in_a_log_too(newer: str, tmp_path: pathlib.Path) -> None:
    log = tmp_path / "log"
    frames = [sealed(UP, 5), sealed(UP, 6, ack=3)]
    log.write_text("".join(json.dumps({"phy": one.hex()}) + "\n" for one in frames))
    outcome = call("dissect", "log", str(log), "--keys", newer)
    assert outcome.status == 0
    assert outcome.out.count("FragSessionSetupAns (fragmentation/") == 2
    assert outcome.out.count("only the half of the MIC under FNwkSIntKey was checked: ") == 1


def test_a_counter_may_be_given(group: str) -> None:
    argv = ["dissect", "phy", multicast(0x9_0001).hex(), "--keys", group, "--json"]
    found = [json.loads(call(*argv, *more).out)["fcnt"] for more in ([], ["--fcnt", "589824"])]
    assert found == [0x9_0001, 0x9_0001]
    bad = call(*argv, "--fcnt", "-1")
    assert (bad.status, bad.err) == (
        2,
        "lorafuota dissect: --fcnt takes a counter of 32 bits\n",
    )


def test_a_version_that_is_known_is_the_only_one(group: str) -> None:
    argv = ["dissect", "phy", multicast(5).hex(), "--keys", group]
    outcome = call(*argv, "--speaks", "fragmentation/1")
    assert "fragmentation/1 (TS004-1.0.0" in outcome.out
    assert "reads the same" not in outcome.out


def test_a_payload_that_cannot_be_read_is_a_no_with_a_hint(tmp_path: pathlib.Path) -> None:
    keys = tmp_path / "device.keys"
    keys.write_text(
        "DevAddr=26011BDA\nNwkSKey=000102030405060708090a0b0c0d0e0f\n"
        "AppSKey=101112131415161718191a1b1c1d1e1f\n"
    )
    phy = unicast(3, UPLINK, bytes.fromhex("0301ff")).hex()
    outcome = call("dissect", "phy", phy, "--keys", str(keys))
    assert outcome.status == 1
    assert "MIC fits with counter 3, device 26011BDA" in outcome.out
    assert "not readable: octet 2: ff" in outcome.out


def test_join_and_strange_frames_are_named() -> None:
    join = "000807060504030201181716151413121134 12aabbccdd"
    assert call("dissect", "phy", join).out.startswith("join-request, uplink, 23 octets\n")
    accept = call("dissect", "phy", "20" + "00" * 16)
    assert "encrypted under the root key; the session keys open nothing: 00" in accept.out
    rejoin = call("dissect", "phy", "c0" + "00" * 18)
    assert "a device of LoRaWAN 1.1 asks to join anew" in rejoin.out
    own = call("dissect", "phy", "e001")
    assert "nobody but its maker knows what it says: 01" in own.out
    short = call("dissect", "phy", "4000")
    assert (short.status, "a data frame has 12 octets at least, not 2" in short.out) == (1, True)
    options = call("dissect", "phy", "40da1b012602 0100 0d02 00000000".replace(" ", ""))
    assert "MAC command at octet 8: DeviceTimeReq  (GPS time of the end of the uplink)\n" in (
        options.out
    )
    assert "no port, so no payload\n" in options.out


def test_joins_are_opened_with_a_root_key() -> None:
    log = (CAPTURES / "joined.jsonl").read_text().splitlines()
    keys = ["--keys", str(CAPTURES / "joined.keys")]
    request, accept = (json.loads(line)["phy"] for line in log[:2])
    join = call("dissect", "phy", request, *keys)
    assert join.status == 0
    assert join.out.endswith("\nMIC fits, device 00AFEE7CF5ED6F1E\n")
    assert call("dissect", "phy", request).out.endswith(
        "\nMIC not checked: no root key for 00AFEE7CF5ED6F1E\n"
    )
    bad = call("dissect", "phy", request[:-2] + "00", *keys)
    assert bad.status == 1
    assert "\nMIC does not fit, device 00AFEE7CF5ED6F1E\n" in bad.out
    answer = call("dissect", "phy", accept, *keys)
    assert answer.status == 0
    assert "\n  7-10          43 2e 01 26  DevAddr      26012E43  " in answer.out
    assert answer.out.endswith(
        "\nMIC fits, device 00AFEE7CF5ED6F1E\n"
        "  its join-request was not seen, so no session keys come from it\n"
    )
    other = call("dissect", "phy", accept[:-2] + "00", *keys)
    assert other.status == 1
    assert "\nodd: octet 0: the MIC fits no root key: " in other.out
    for outcome in (join, bad, answer, other):
        assert_secret(outcome, "B6B53F4A168A7A88BDF7EA135CE9CFCA")


def test_a_log_from_the_join_on_is_read_with_the_root_key() -> None:
    argv = ["dissect", "log", str(CAPTURES / "joined.jsonl")]
    outcome = call(*argv, "--keys", str(CAPTURES / "joined.keys"))
    assert (outcome.status, outcome.err) == (0, "")
    assert "  a join-accept; MIC fits; the session keys of 26012E43 come from it\n" in outcome.out
    assert outcome.out.count("  00AFEE7CF5ED6F1E  port 201  FCnt ") == 4
    for secret in ("B6B53F4A168A7A88BDF7EA135CE9CFCA", "2C96F7028184BB0BE8AA49275290D4FC"):
        assert_secret(outcome, secret)
    shut = call(*argv)
    assert shut.out.count("  encrypted, and no key for it\n") == 5


def test_json_of_a_frame_has_the_reading(group: str) -> None:
    document = json.loads(call("dissect", "phy", multicast(5).hex(), "--keys", group, "--json").out)
    assert (document["mic"], document["payload"]) == ("fits", "0100")
    assert document["reading"]["commands"][0]["command"] == "FragSessionStatusReq"
    assert [one["name"] for one in document["readings"]] == ["fragmentation/2", "fragmentation/1"]


def test_a_package_on_another_port_is_found(group: str, tmp_path: pathlib.Path) -> None:
    argv = ["dissect", "phy", multicast(5).hex(), "--keys", group, "--port", "ts004=77"]
    assert json.loads(call(*argv, "--json").out)["reading"] is None
    assert call("dissect", "77", "down", "0100", "--port", "ts004=77").out.startswith("fragmentat")
    log = tmp_path / "log"
    log.write_text('{"direction": "up", "fport": 77, "payload": "02c0"}\n')
    assert "FragSessionSetupAns" in call("dissect", "log", str(log), "--port", "ts004=77").out
    assert "FragSessionSetupAns" not in call("dissect", "log", str(log)).out


# --- A log ----------------------------------------------------------------------------------------


def test_a_log_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = call("dissect", "log", SESSION, "--keys", KEYS)
    assert (outcome.status, outcome.err) == (1, "")
    for line in (
        "31 frames, 1 line not readable",
        "70B3D57ED0061A2B speaks fragmentation/2, as it says itself",
        "line 13  2024-05-17T16:56:24Z  GPS 1400000202 to 2024-05-17T16:57:10Z  down  "
        "group 01FE2A3B",
        "  F1: 21 fragments, N 1 to 24, 17 plain and 4 coded, missing 5 to 6, 13, 50 octets",
        "line 2: a ChirpStack txack event carries no payload",
        "line 36: this is no JSON: Unterminated string starting at, character 78",
    ):
        assert f"{line}\n" in outcome.out
    octets = pathlib.Path(SESSION).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
    assert call("dissect", "log", "-", "--keys", KEYS) == outcome
    assert outcome.out.isascii()


def test_a_log_of_two_versions_says_so() -> None:
    outcome = call("dissect", "log", str(CAPTURES / "two-versions.tts.jsonl"))
    assert outcome.status == 0
    assert "0004A30B001C0530 speaks fragmentation/1, but its server speaks 2\n" in outcome.out
    assert outcome.out.count("the device speaks fragmentation/1 and reads ") == 3


def test_json_of_a_log_is_one_document() -> None:
    document = json.loads(call("dissect", "log", SESSION, "--keys", KEYS, "--json").out)
    assert list(document) == ["complete", "versions", "sessions", "items"]
    assert (document["complete"], len(document["items"])) == (False, 16)


def test_a_line_that_is_too_long_is_passed_over(tmp_path: pathlib.Path) -> None:
    good = b'{"direction": "up", "fport": 201, "payload": "02c0"}\n'
    path = tmp_path / "log"
    path.write_bytes(b"x" * (2 * MAX_LINE + 7) + b"\n" + good + b"x" * (MAX_LINE + 1))
    outcome = call("dissect", "log", str(path))
    assert outcome.status == 1
    assert "1 frame, 2 lines not readable\n" in outcome.out
    assert "line 1: the line is longer than 262,144 characters\n" in outcome.out
    assert "line 2  up  unnamed device  port 201\n" in outcome.out
    assert "line 3: the line is longer than 262,144 characters\n" in outcome.out


def test_what_cannot_be_read_or_is_odd_in_a_log_is_shown(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "log"
    path.write_text(
        '{"direction": "down", "fport": 201, "payload": "03f1ff", "dev_eui": "0000000000000001", '
        '"time": 1400000000.25}\n'
        '{"direction": "down", "fport": 201, "payload": "080100aa", "mc_addr": "00000007"}\n'
        '{"direction": "down", "fport": 201, "payload": "080200aabb", "mc_addr": "00000007"}\n'
    )
    outcome = call("dissect", "log", str(path))
    assert outcome.status == 1
    assert "line 1  2024-05-17T16:53:02.25Z  GPS 1400000000.25  down  00000000" in outcome.out
    assert "  not readable: octet 2: ff: unknown command identifier 0xFF\n" in outcome.out
    assert "  odd: octet 1: FragSessionDeleteReq has the reserved bits 7:2 set" in outcome.out
    assert "  FragIndex 0: 2 fragments, N 1 to 2, no gap, 1 octet or 2 octets\n" in outcome.out
    assert "  odd: fragments of different sizes: 1, 2 octets\n" in outcome.out


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["log"], "the following arguments are required: FILE"),
        (["phy"], "the following arguments are required: HEX"),
        (["log", "a", "b"], "dissect log takes one file"),
        (["phy", "0g"], "the octets hold 'g', which is no hex digit"),
        (["log", "/nowhere/at/all"], "/nowhere/at/all: No such file or directory"),
        (["77", "up", "00", "--port", "x=77"], "there is no package 'x'"),
        (["77", "up", "00", "--port", "ts004"], "--port takes a package and its port, as in frag"),
        (["77", "up", "00", "--port", "ts004=200"], "--port 200: expected a port of its own"),
        (["77", "up", "00", "--port", "ts004=0"], "--port 0: expected int in 1..224"),
        (["78", "up", "00", "--port", "ts004=77"], "no package lives on port 78: expected one of"),
        (["phy", "00", "--keys", "/nowhere"], "the file of keys cannot be read"),
    ],
)
def test_bad_input_is_one_sentence(argv: list[str], sentence: str) -> None:
    outcome = call("dissect", *argv)
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith(f"lorafuota dissect: {sentence}")


def test_no_standard_input_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    outcome = call("dissect", "log", "-")
    assert outcome.err == "lorafuota dissect: there is no standard input\n"


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_log_is_bad_input(tmp_path: pathlib.Path, text: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    outcome = call("dissect", "log", str(path))
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err == "lorafuota dissect: the log is empty: there is no line to read\n"
