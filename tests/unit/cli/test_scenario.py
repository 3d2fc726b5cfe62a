from __future__ import annotations

import pathlib

import pytest

from lorafuota.campaign.config import WindowClass
from lorafuota.cli import main
from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.scenario import add_scenario, given, read_image, scenario_of
from lorafuota.simulate import Scenario
from lorafuota.types import LorawanVersion


def scenario(*arguments: str) -> Scenario:
    parser = Parser(prog="test")
    add_scenario(parser)
    return scenario_of(parser.parse_args(arguments), b"image")


def test_options_that_are_not_given_leave_the_defaults_of_the_scenario() -> None:
    parser = Parser(prog="test")
    add_scenario(parser)
    assert given(parser.parse_args([])) == {}
    assert scenario() == Scenario(image=b"image")


def test_every_option_reaches_the_scenario() -> None:
    words = """
        --devices 9 --loss 0.2 --uplink-loss 0.1 --repeat 0.05 --delay 3 --redundancy 0.5
        --rounds 2 --frag-size 40 --dr 3 --duty-cycle 0.5 --periodicity 4 --unicast 0.1
        --uplink-every 900 --clock-error 60 --late 0.1 --vanish 0.2 --reboot 0.3 --seed 5
        --version mixed --lorawan mixed --region US915 --class B --confirm 0x10
        --status unicast --ack-delay 3 --answers-per-second 0.5 --frame-lead 7
    """
    one = scenario(*words.split())
    assert one == Scenario(
        image=b"image",
        devices=9,
        status_by_multicast=False,
        block_ack_delay=3,
        answers_per_second=0.5,
        frame_lead_seconds=7.0,
        loss=0.2,
        uplink_loss=0.1,
        repeat=0.05,
        delay_seconds=3.0,
        redundancy=0.5,
        rounds=2,
        frag_size=40,
        dr=3,
        duty_cycle=0.5,
        periodicity=4,
        unicast=0.1,
        uplink_seconds=900.0,
        clock_error=60.0,
        late=0.1,
        vanish=0.2,
        reboot=0.3,
        seed=5,
        version=None,
        lorawan=None,
        region="US915",
        window_class=WindowClass.B,
        firmware_version=16,
    )
    assert scenario("--shared-radio", "--lorawan", "1.1") == Scenario(
        image=b"image", shared_radio=True, lorawan=LorawanVersion.V1_1
    )


def test_profiles_are_repeatable_and_have_shares() -> None:
    one = scenario("--profile", "renesas", "--profile", "v1=2.5")
    assert one.profiles == {"renesas": 1.0, "v1": 2.5}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["missing.bin"], "missing.bin: No such file or directory"),
        (["."], "Is a directory"),
        (["empty.bin"], "empty.bin is empty"),
        (["huge.bin"], "no block holds more than 4177665"),
        (["big.bin", "--dr", "0"], "expected 1..786384 octets (16383 fragments of 48)"),
        (["fine.bin", "--dr", "0", "--frag-size", "49"], "expected 1..48 octets at EU868 DR0"),
        (["fine.bin", "--dr", "12"], "a rate for multicast in EU868"),
        (["fine.bin", "--loss", "1.5"], "loss = 1.5"),
        (["fine.bin", "--loss", "much"], "invalid float value"),
        (["fine.bin", "--devices", "0"], "devices = 0"),
        (["fine.bin", "--version", "3"], "invalid choice"),
        (["fine.bin", "--region", "MARS"], "invalid choice"),
        (["fine.bin", "--class", "A"], "invalid choice"),
        (["fine.bin", "--redundancy", "1e9"], "redundancy = 1000000000.0"),
        (["fine.bin", "--rounds", "-1"], "rounds = -1"),
        (["fine.bin", "--profile", "nobody"], "profile = 'nobody': expected v1, v2, "),
        (["fine.bin", "--profile", "v1=lots"], "'v1=lots' is not NAME or NAME=SHARE"),
        (["fine.bin", "--profile", "v1=-1"], "a share above 0"),
        (["fine.bin", "--profile", "v1", "--version", "1"], "leave --version out"),
        (["fine.bin", "--confirm", "newest"], "'newest' is no number"),
        (["fine.bin", "--confirm", "0"], "'0' is not in 1..0xFFFFFFFF"),
        (["fine.bin", "--vanish", "2"], "vanish = 2.0: expected 0 to 1"),
        (["fine.bin", "--shared-radio", "--reboot", "0.1"], "counters matter"),
    ],
)
def test_bad_input_is_one_sentence_and_status_2(
    arguments: list[str],
    sentence: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, size in (("empty", 0), ("fine", 1000), ("big", 800_000), ("huge", 5_000_001)):
        (tmp_path / f"{name}.bin").write_bytes(bytes(size))
    assert main(["simulate", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1
    assert shown.err.startswith("lorafuota simulate: ")
    assert sentence in shown.err


@pytest.mark.parametrize("name", ["a\0b", "\ud800"])
def test_what_cannot_be_the_name_of_a_file_is_refused(name: str) -> None:
    """Such a name comes from the store of a campaign that was damaged or forged."""
    with pytest.raises(InputError, match="cannot be the name of a file"):
        read_image(pathlib.Path(name))
