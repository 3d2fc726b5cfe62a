from __future__ import annotations

import argparse
import base64
import pathlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.cli.arguments import Parser, UsageError
from lorafuota.cli.main import _parser
from lorafuota.cli.strayed import refusal, repeated, without_keys
from lorafuota.errors import Described, FieldError
from tests.unit.cli.support import call

OCTETS = bytes(range(0xA0, 0xB0))
SPELLINGS = [
    OCTETS.hex(),
    OCTETS.hex(" ").upper(),
    OCTETS.hex(":"),
    OCTETS.hex(","),
    base64.b64encode(OCTETS).decode(),
    base64.urlsafe_b64encode(OCTETS).decode().rstrip("="),
]


def test_a_name_is_repeated_in_quotes_and_a_longer_word_is_counted() -> None:
    assert repeated("ts009") == "'ts009'"
    assert repeated("x" * 21) == repr("x" * 21)
    assert repeated("x" * 22) == "a word of 22 characters"


@pytest.mark.parametrize("key", SPELLINGS)
def test_no_spelling_of_a_key_is_repeated(key: str) -> None:
    assert key not in repeated(key)
    told = f"a word of {len(key)} characters"
    assert without_keys(f"invalid int value: {key!r}") == f"invalid int value: {told}"
    assert without_keys(f"can't take {key!r} (choose from 'a')") == (
        f"can't take {told} (choose from 'a')"
    )


@pytest.mark.parametrize("key", [one for one in SPELLINGS if " " not in one])
def test_a_key_without_quotes_is_not_repeated_either(key: str) -> None:
    told = f"a word of {len(key)} characters"
    assert without_keys(f"no {key}, see ({key}).") == f"no {told}, see ({told})."
    assert without_keys(key) == told


@pytest.mark.parametrize(
    "sentence",
    [
        "argument --number: invalid int value: 'seven'",
        "argument --answers-per-second/--very-long-name: expected one argument",
        "argument COMMAND: invalid choice: 'bake' (choose from 'plan', 'simulate', 'campaign')",
        "it's not what 'this' isn't: \"it's\"",
        "",
    ],
)
def test_a_sentence_without_a_long_word_stays_as_it_is(sentence: str) -> None:
    assert without_keys(sentence) == sentence


def refused(text: str) -> None:
    raise ValueError


@given(octets=st.binary(min_size=16, max_size=32), number=st.integers(0, 3))
def test_whatever_the_key_an_option_does_not_repeat_it(octets: bytes, number: int) -> None:
    encoded = base64.b64encode(octets).decode()
    spellings = octets.hex(), encoded, encoded.rstrip("="), octets.hex(":")
    parser = Parser(prog="lorafuota")
    parser.add_argument("--number", type=refused)
    with pytest.raises(UsageError) as caught:
        parser.parse_args([f"--number={spellings[number]}"])
    assert spellings[number] not in str(caught.value)


def test_text_in_an_error_about_an_argument_is_held_to_the_same_rule() -> None:
    short, long = (FieldError("DevEUI", "text", "x" * size, "16 hex digits") for size in (9, 32))
    assert refusal(short) == str(short) == "DevEUI.text = 'xxxxxxxxx': expected 16 hex digits"
    assert refusal(long) == "DevEUI.text = a word of 32 characters: expected 16 hex digits"


@pytest.mark.parametrize("value", [7, None, bytes(40), Described("a description of some length")])
def test_what_is_no_text_stands_in_the_error_as_ever(value: object) -> None:
    error = FieldError("FragSessionSetupReq", "mc_group_bit_mask", value, "int in 0..15")
    assert refusal(error) == str(error)


# --- Every option ---

OPENED = ("PEM", "FILE", "DIRECTORY", "COMMAND", "MODULE:NAME", "PORT")
"""What an option names that is opened; an error about it has to say which."""


def leaves(
    parser: argparse.ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    if not below:
        yield path, parser
    for action in below:
        for name, inner in action.choices.items():
            yield from leaves(inner, (*path, name))


def options() -> Iterator[tuple[str, ...]]:
    """Every option that takes a value, behind its command and as many words as that wants."""
    for path, parser in leaves(_parser(())):
        words = ["image.bin" for one in parser._actions if not one.option_strings]
        for action in parser._actions:
            takes = action.option_strings and action.nargs != 0 and action.metavar not in OPENED
            if takes:
                yield (*path, *words, action.option_strings[-1])


EVERY = list(options())


def test_there_are_options_to_try() -> None:
    assert len(EVERY) > 100
    assert ("keys", "--mc-key-encrypted") in EVERY


@pytest.mark.parametrize("key", SPELLINGS[:2] + SPELLINGS[-1:], ids=["hex", "spaced", "base64"])
def test_a_key_that_strayed_into_any_option_is_not_repeated(
    key: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "image.bin").write_bytes(bytes(300))
    told = [argv for argv in EVERY if key in call(*argv, key).err]
    assert told == []
