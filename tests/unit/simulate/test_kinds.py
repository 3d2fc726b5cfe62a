from __future__ import annotations

import pytest

from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.errors import FieldError
from lorafuota.simulate.kinds import deal, kind, kind_names


def test_every_name_is_a_kind_and_spelling_is_forgiving() -> None:
    for name in kind_names():
        assert kind(name).name == name
        assert kind(name.upper().replace("-", " ")).profile is kind(name).profile
    assert "multitech-conduit" not in kind_names()  # its fragments count from 0


def test_habits_of_stacks_are_told_to_the_campaign() -> None:
    assert kind("v2").quirks is StatusQuirk.NONE
    assert StatusQuirk.MISSING_NEVER_FALLS in kind("LoRaMac-node").quirks
    assert StatusQuirk.MISSING_ONE_WHEN_COMPLETE in kind("LoRa Basics Modem 4.8").quirks
    assert StatusQuirk.VERSION_1_LAYOUT in kind("ST middleware v2").quirks
    assert StatusQuirk.NEXT_VERSION_ZERO in kind("ST middleware v2").quirks


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(FieldError, match="expected v1, v2, loramac-node"):
        kind("nobody")


def test_kinds_are_dealt_by_their_shares_from_the_first_devices_on() -> None:
    one, two = kind("v1"), kind("v2")
    assert deal({one: 1.0}, 3) == (one, one, one)
    dealt = deal({one: 1.0, two: 3.0}, 8)
    assert [dealt.count(one), dealt.count(two)] == [2, 6]
    assert one in dealt[:4]
