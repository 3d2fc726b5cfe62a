"""``lorafuota doctor``: text, JSON, exit status, bad input in one sentence, and no key in sight."""

from __future__ import annotations

import io
import json
import pathlib
import sys
from pathlib import Path
from typing import Any

import pytest

from lorafuota.dissect.capture import Frame
from tests.unit.cli.support import ROOT, assert_secret, call, without_keys
from tests.unit.dissect.bench import Bench
from tests.unit.dissect.faults import FAULTS

CAPTURES = pathlib.Path(__file__).parents[2] / "data" / "captures"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    without_keys(monkeypatch)


def line(frame: Frame) -> str:
    fields: dict[str, Any] = {
        "direction": frame.direction.value,
        "fport": frame.fport,
        "payload": None if frame.payload is None else frame.payload.hex(),
        "time": frame.time,
        "dev_eui": None if frame.dev_eui is None else str(frame.dev_eui),
        "mc_addr": None if frame.mc_addr is None else str(frame.mc_addr),
        "fcnt": frame.fcnt,
        "phy": None if frame.phy is None else frame.phy.hex(),
    }
    return json.dumps(fields)


def write(path: Path, frames: list[Frame]) -> str:
    path.write_text("\n".join(map(line, frames)) + "\n")
    return str(path)


@pytest.mark.parametrize("count", [1, 2, 48])
def test_each_face_of_the_dump_ends_with_status_1(count: int) -> None:
    outcome = call("doctor", str(CAPTURES / f"session-cnt-{count}.jsonl"))
    assert (outcome.status, outcome.err) == (1, "")
    assert outcome.out.startswith("1. v2-setup-to-v1-device  ")
    assert "   try: Ask the device with PackageVersionReq" in outcome.out


def test_a_healthy_session_ends_with_status_0_and_says_what_was_looked_at(tmp_path: Path) -> None:
    frames = Bench(3).run()
    outcome = call("doctor", write(tmp_path / "log.jsonl", frames))
    assert outcome.status == 0
    assert outcome.out.startswith("nothing wrong found\nlooked at\n")
    assert f"  {len(frames)} frames, {len(frames)} with a time" in outcome.out


def test_json_is_the_diagnosis(tmp_path: Path) -> None:
    outcome = call("doctor", str(CAPTURES / "session-cnt-2.jsonl"), "--json")
    document = json.loads(outcome.out)
    assert list(document) == ["found", "hypotheses", "looked_at", "judged"]
    assert document["judged"] == 4
    assert [one["symptom"] for one in document["hypotheses"]] == [
        "v2-setup-to-v1-device",
        "requests-not-answered",
    ]
    assert document["hypotheses"][1]["follows_from"] == ["v2-setup-to-v1-device"]


def test_keys_image_and_block_go_in_and_no_key_comes_out(tmp_path: Path) -> None:
    [fault] = [one for one in FAULTS if one.name.startswith("GenAppKey used like")]
    frames, known = fault.make(0)
    assert known.gen_app_key is not None
    assert known.image is not None
    key = known.gen_app_key.reveal().hex()
    keys, image = tmp_path / "keys.txt", tmp_path / "app.bin"
    keys.write_text(f"GenAppKey={key}\nMcKey={ROOT}\n")
    image.write_bytes(known.image)
    log = write(tmp_path / "log.jsonl", frames)
    options = ("--keys", str(keys), "--lorawan", "1.0", "--image", str(image))
    for extra in ((), ("--json",)):
        outcome = call("doctor", log, *options, *extra)
        assert outcome.status == 1
        assert "wrong-root-key" in outcome.out
        assert_secret(outcome, key, ROOT)
    assert "known beside it: GenAppKey, McKey, image" in call("doctor", log, *options).out


def test_keys_from_the_environment_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LORAFUOTA_GENAPPKEY", ROOT)
    outcome = call("doctor", write(tmp_path / "log.jsonl", Bench(3).run()[:1]))
    assert (outcome.status, "known beside it: GenAppKey" in outcome.out) == (0, True)
    assert_secret(outcome, ROOT)


def test_what_else_is_known_goes_in(tmp_path: Path) -> None:
    frames = Bench(3).run()
    log = write(tmp_path / "log.jsonl", frames)
    outcome = call("doctor", log, "--dev-eui", "000000F001C01600")
    assert outcome.out.startswith("1. dev-eui-reversed  likely (0.80)")
    outcome = call("doctor", log, "--dev-eui", "1" * 16, "--join-eui", "0016C001F0000000")
    assert outcome.out.startswith("1. join-eui-for-dev-eui")
    outcome = call("doctor", log, "--device-time", "1400000018@1400000000")
    assert outcome.out.startswith("1. clock-off-by-leap-seconds")
    assert "devices: 0016C001F0000000" in outcome.out


def test_worth_a_look_is_said_and_ends_with_status_0(tmp_path: Path) -> None:
    lines = [
        {"direction": "downlink", "fport": 201, "payload": "02010a0004000000000000"},
        {"direction": "uplink", "fport": 201, "payload": "0200"},
        *(
            {"direction": "downlink", "fport": 201, "payload": f"08{n:02x}0061626364"}
            for n in range(1, 11)
        ),
        {"direction": "downlink", "fport": 201, "payload": "0100"},
    ]
    path = tmp_path / "log.jsonl"
    path.write_text("\n\n".join(map(json.dumps, lines)))
    outcome = call("doctor", str(path))
    assert outcome.status == 0
    assert outcome.out.startswith("1. silent-because-complete  worth a look (0.20)")
    assert "nothing that is more than worth a look" in outcome.out


def test_a_capture_comes_from_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    octets = (CAPTURES / "session-cnt-1.jsonl").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(octets)))
    assert call("doctor", "-").status == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "line 1 of the capture: this is no JSON"),
        ("\n[]", "line 2 of the capture: "),
        ('{"direction": "sideways"}', "line 1 of the capture: "),
        ('{"direction": "uplink"}', "line 1 of the capture: "),
        ('{"direction": "uplink", "fport": 1, "payload": "zz"}', "line 1 of the capture: "),
        ('{"direction": "uplink", "fport": 1, "payload": "", "dev_eui": "12"}', "line 1 of the "),
        ("[" * 100_000, "line 1 of the capture: the JSON is nested too deep"),
    ],
)
def test_what_is_no_capture_is_told_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    outcome = call("doctor", str(path))
    assert (outcome.status, outcome.out) == (2, "")
    assert reason in outcome.err
    assert outcome.err.count("\n") == 1


def test_what_cannot_be_read_between_frames_is_passed_over_and_told(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    lines = (CAPTURES / "session-cnt-1.jsonl").read_text().splitlines()
    path.write_text("\n".join([lines[0], "{", *lines[1:], "[]"]))
    outcome = call("doctor", str(path))
    whole = call("doctor", str(CAPTURES / "session-cnt-1.jsonl"))
    assert (outcome.status, outcome.out) == (1, whole.out)
    assert outcome.err.startswith(
        "lorafuota doctor: passed over, line 2 of the capture: this is no"
    )
    assert outcome.err.endswith("; 2 lines in all\n")


UPLINK_1 = '{"direction": "up", "fport": 1, "payload": "00"}'
UPLINK_201 = '{"direction": "up", "fport": 201, "payload": "000301"}'
SHUT = '{"phy": "40da1b012600010001d2a20f6a3bbb0f"}'
JOIN = '{"deviceInfo": {"devEui": "70b3d57ed0061a2b"}, "devAddr": "00000001"}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the capture is empty"),
        ("\n \n", "the capture is empty"),
        (JOIN, "no line of the capture has a frame; line 1: a ChirpStack join event carries no"),
        (
            f"{UPLINK_1}\n{SHUT}",
            "of 2 frames none is of a FUOTA package, on one of the ports 200, 201, 202, 203, 225; "
            "1 without a payload in the clear",
        ),
    ],
)
def test_where_there_is_nothing_to_judge_that_is_said(
    tmp_path: Path, text: str, reason: str
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text(text)
    for extra in ((), ("--json",)):
        outcome = call("doctor", str(path), *extra)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.err.startswith(f"lorafuota doctor: there is nothing to judge: {reason}")
        assert outcome.err.count("\n") == 1


def test_two_files_that_differ_are_told_without_a_frame(tmp_path: Path) -> None:
    log, image, block = tmp_path / "log.jsonl", tmp_path / "image.bin", tmp_path / "block.bin"
    log.write_text("")
    image.write_bytes(b"image")
    block.write_bytes(b"imago")
    outcome = call("doctor", str(log), "--image", str(image), "--block", str(block))
    assert (outcome.status, outcome.out[:32]) == (1, "1. delivered-block-few-fragments")


def test_evidence_names_the_line_of_the_file_that_dissect_log_names(tmp_path: Path) -> None:
    lines = (CAPTURES / "session-cnt-2.jsonl").read_text().splitlines()
    path = tmp_path / "log.jsonl"
    path.write_text("\n\n".join(["{", JOIN, *lines]))  # lines 1, 3, and 5, 7, 9, 11
    document = json.loads(call("doctor", str(path), "--json").out)
    found = [one["lines"] for one in document["hypotheses"][1]["evidence"]]
    assert found == [[9, 11]]
    assert "(sent 2 times) [lines 9, 11]" in call("doctor", str(path)).out
    story = json.loads(call("dissect", "log", str(path), "--json").out)["items"]
    assert [one["line"] for one in story] == [1, 3, 5, 7, 9, 11]
    assert [one["frame"]["payload"][:2] for one in story[4:]] == ["02", "02"]


def test_events_of_a_network_server_are_a_capture_too() -> None:
    outcome = call("doctor", str(CAPTURES / "two-versions.tts.jsonl"))
    assert (outcome.status, outcome.err) == (1, "")


@pytest.mark.parametrize(
    ("option", "text", "reason"),
    [
        ("--device-time", "12", "--device-time '12': expected SHOWN@GPS, two numbers"),
        ("--device-time", "a@b", "--device-time 'a@b': expected SHOWN@GPS, two numbers"),
        ("--device-time", "nan@5", "--device-time 'nan@5': expected SHOWN@GPS"),
        ("--device-time", "5@inf", "--device-time '5@inf': expected SHOWN@GPS"),
        ("--device-time", "5@-1", "--device-time '5@-1': expected SHOWN@GPS"),
        ("--dev-eui", "xyz", "--dev-eui 'xyz': expected 16 hex digits"),
        ("--join-eui", "1", "--join-eui '1': expected 16 hex digits"),
        ("--mc-addr", "0123456g", "--mc-addr '0123456g': expected 8 hex digits"),
        ("--dev-addr", "", "--dev-addr '': expected 8 hex digits"),
        ("--dev-eui", "a" * 32, "--dev-eui a word of 32 characters: expected 16 hex digits"),
        ("--lorawan", "2.0", "--lorawan"),
        ("--image", "/nonexistent/app.bin", "/nonexistent/app.bin: No such file"),
        ("--keys", "/nonexistent/keys.txt", "the file of keys cannot be read"),
    ],
)
def test_bad_options_are_told_in_one_sentence(option: str, text: str, reason: str) -> None:
    outcome = call("doctor", str(CAPTURES / "session-cnt-1.jsonl"), option, text)
    assert (outcome.status, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert reason in outcome.err


def test_a_device_that_is_not_in_the_capture_is_said(tmp_path: Path) -> None:
    log = str(CAPTURES / "session-cnt-1.jsonl")
    outcome = call("doctor", log, "--dev-eui", "1" * 16)
    assert outcome.err == (
        f"lorafuota doctor: device {'1' * 16} is not in the capture, so the keys are held against "
        "nothing; it names 0016C001F0000000\n"
    )
    assert f"of device {'1' * 16}, which is not in the capture" in outcome.out
    assert call("doctor", log, "--dev-eui", "0016C001F0000000").err == ""
    path = tmp_path / "log.jsonl"
    path.write_text(UPLINK_201)
    assert call("doctor", str(path), "--dev-eui", "1" * 16).err == ""  # it names nobody
