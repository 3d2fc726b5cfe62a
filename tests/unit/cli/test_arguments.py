from __future__ import annotations

import argparse

import pytest

from lorafuota.cli.arguments import EXIT_STATUS, Parser, Status, UsageError, subcommand


def test_a_parser_raises_instead_of_leaving() -> None:
    parser = Parser(prog="lorafuota try")
    parser.add_argument("--number", type=int)
    with pytest.raises(UsageError) as caught:
        parser.parse_args(["--number", "seven"])
    assert caught.value.prog == "lorafuota try"
    assert str(caught.value) == "argument --number: invalid int value: 'seven'"


def test_options_are_not_abbreviated() -> None:
    parser = Parser(prog="lorafuota")
    parser.add_argument("--number")
    with pytest.raises(UsageError):
        parser.parse_args(["--num", "1"])


@pytest.mark.parametrize(
    "key", ["000102030405060708090A0b0c0d0e0f", "AAECAwQFBgcICQoLDA0ODw"], ids=["hex", "base64"]
)
def test_a_key_in_the_wrong_place_is_not_repeated(key: str) -> None:
    parser = Parser(prog="lorafuota")
    parser.add_argument("command", choices=["keys"])
    with pytest.raises(UsageError) as caught:
        parser.parse_args([key])
    assert key not in str(caught.value)
    assert f"invalid choice: a word of {len(key)} characters" in str(caught.value)


def test_a_subcommand_shows_its_example_and_every_exit_status() -> None:
    def run(args: argparse.Namespace) -> int:
        return Status.NO

    parser = Parser(prog="lorafuota")
    made = subcommand(
        parser.add_subparsers(),
        "try",
        run,
        summary="s",
        description="first line\nsecond line",
        example="lorafuota try this",
    )
    text = made.format_help()
    assert "first line\nsecond line" in text
    assert "example:\n  lorafuota try this" in text
    assert EXIT_STATUS in text
    assert all(f"\n  {status.value} " in EXIT_STATUS for status in Status)
    assert parser.parse_args(["try"]).run is run
