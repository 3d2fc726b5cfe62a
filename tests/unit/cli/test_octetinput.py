from __future__ import annotations

import io
import sys

import pytest

from lorafuota.cli.arguments import InputError
from lorafuota.cli.octetinput import from_base64, from_hex, octets_of
from tests.unit.cli.support import call


def test_hex_may_have_any_punctuation_and_base64_any_white_space() -> None:
    assert from_hex("0x02c0, 0XAA;bb:cc\n dd") == bytes.fromhex("02c0aabbccdd")
    assert from_base64("As\nA=") == b"\x02\xc0"
    assert octets_of(["02", "c0"], as_base64=False) == b"\x02\xc0"


def test_a_lone_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"AsA=\n")))
    assert octets_of(["-"], as_base64=True) == b"\x02\xc0"


def test_what_is_no_octets_is_refused_in_a_sentence() -> None:
    for words, as_base64, sentence in (
        (["0g"], False, "the octets hold 'g', which is no hex digit"),
        (["123"], False, "'123' has an odd number of hex digits: an octet has two"),
        (["A"], True, "the octets are not base64"),
        ([""], False, "there are no octets to dissect"),
    ):
        with pytest.raises(InputError, match=sentence):
            octets_of(words, as_base64=as_base64)


@pytest.mark.parametrize("key", ["00112233445566778899aabbccddeeff", "ABEiM0RVZneImaq7zN3u/w"])
@pytest.mark.parametrize(
    "argv", [["{}", "up", "00"], ["ts004/{}", "up", "00"], ["ts004", "{}", "00"]], ids=str
)
def test_a_key_that_strayed_is_not_repeated(argv: list[str], key: str) -> None:
    outcome = call("dissect", *(word.format(key) for word in argv))
    assert outcome.status == 2
    assert key not in outcome.err
