"""Messages of no document, octet by octet as they were seen."""

from __future__ import annotations

import pytest

from lorafuota.errors import DecodeError
from lorafuota.fragmentation import v1
from lorafuota.session.dialects import (
    ZERO_BASED,
    CutShortAns,
    LongAbsentStatusAns,
    ZeroBasedDataFragment,
)
from lorafuota.types import DOWNLINK


def test_the_long_answer_without_a_session_is_the_one_executed_on_lora_basics_modem() -> None:
    answer = LongAbsentStatusAns(
        memory_error=False,
        mic_error=True,
        session_does_not_exist=True,
        nb_frag_received=0,
        frag_index=1,
        missing_frag=0,
    )
    assert answer.encode().hex() == "0106004000"


def test_the_answer_that_is_cut_short_is_its_identifier() -> None:
    assert CutShortAns().encode() == b"\x04"


def test_fragments_may_be_numbered_from_0_in_that_dialect_only() -> None:
    octets = bytes.fromhex("08004001")
    assert ZERO_BASED.parse(octets, DOWNLINK) == [
        ZeroBasedDataFragment(n=0, frag_index=1, payload=b"\x01")
    ]
    with pytest.raises(DecodeError):
        v1.DataFragment.decode(octets)
    [last] = ZERO_BASED.parse(bytes.fromhex("08ff7f01"), DOWNLINK)
    assert not isinstance(last, ZeroBasedDataFragment)  # its fragment would be number 16384
