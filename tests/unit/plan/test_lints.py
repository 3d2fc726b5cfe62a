"""Every lint, with the words users read, and silence where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from lorafuota.campaign.config import WindowClass
from lorafuota.completion import Losses
from lorafuota.fec.variant import ParityVariant
from lorafuota.plan import Lint, LintCode, PlanRequest, Severity, make_plan

QUIET: dict[str, Any] = {"image_octets": 100_000, "devices": 10}
"""419 fragments: floor(M / 2) is odd."""


def lints(**fields: Any) -> list[Lint]:
    return list(make_plan(PlanRequest(**{**QUIET, **fields})).lints)


def test_a_plan_with_which_all_is_well_has_none() -> None:
    assert lints() == []


CASES: list[tuple[Severity, LintCode, dict[str, Any], str]] = [
    (
        Severity.ERROR,
        LintCode.INDEX_OVERFLOW,
        {"image_octets": 1_000_000, "frag_size": 48, "max_mc_fcnt": 70_000},
        "1000000 octets are 20834 fragments of 48, and N has 14 bits: 16383 with the coded ones. "
        "Send a delta, split the image, or take fragments of 62 octets or more",
    ),
    (
        Severity.NOTE,
        LintCode.LARGE_IMAGE,
        {"image_octets": 1_000_001},
        "the image has 1,000,001 octets, more than the 1,000,000 that large network servers take: "
        "send a delta",
    ),
    (
        Severity.ERROR,
        LintCode.FRAGMENT_TOO_LARGE,
        {"dr": 0, "frag_size": 49, "image_octets": 10_000},
        "a fragment of 49 octets does not fit: EU868 DR0 carries 48, three more with identifier "
        "and N",
    ),
    (
        Severity.NOTE,
        LintCode.DWELL_TIME,
        {"region": "AS923", "dr": 4},
        "where the 400 ms dwell limit is on, DR4 carries fragments of at most 122 octets: ask for "
        "the limit if it may be",
    ),
    (
        Severity.WARNING,
        LintCode.ALIGNMENT,
        {"frag_size": 238, "flash_unit": 8},
        "fragments of 238 octets are no multiple of the flash unit of 8: a device has to read, "
        "merge and write again; 232 would be one",
    ),
    (
        Severity.WARNING,
        LintCode.ALIGNMENT,
        {"flash_unit": 256},
        "fragments of 239 octets are no multiple of the flash unit of 256: a device has to read, "
        "merge and write again; a fragment of 239 octets is the largest DR5 carries",
    ),
    (
        Severity.ERROR,
        LintCode.WINDOW_TOO_SHORT,
        {"time_out": 10},
        "492 frames, one every 3.945 s, need a window of 2048 s (TimeOut 11): TimeOut 10 closes "
        "after 1024 s",
    ),
    (
        Severity.WARNING,
        LintCode.WINDOW_TOO_SHORT,
        {"dr": 0, "image_octets": 56_976},
        "one window does not hold 1361 frames: TimeOut 15 is 32768 s, enough for 1173; it takes 2 "
        "windows, each announced to each device",
    ),
    (
        Severity.WARNING,
        LintCode.REDUNDANCY_TOO_SMALL,
        {"redundancy": 0.1},
        "10.0% redundancy at 10% loss: one device completes with probability 0.22, all 10 devices "
        "with 0.00. 0.99 takes 73 coded fragments, 17.4%",
    ),
    (
        Severity.WARNING,
        LintCode.REDUNDANCY_USELESS,
        {"max_lost": 20},
        "no number of coded fragments completes all 10 devices with probability 0.99: devices that "
        "can lose 20 fragments will lose more",
    ),
    (
        Severity.WARNING,
        LintCode.REDUNDANCY_USELESS,
        {"image_octets": 239 * 16_000, "devices": 1},
        "no number of coded fragments completes the device with probability 0.99: N ends at 16383",
    ),
    (
        Severity.WARNING,
        LintCode.REDUNDANCY_USELESS,
        {"image_octets": 239 * 4, "losses": Losses.independent(0.3)},
        "no number of coded fragments completes all 10 devices with probability 0.99: a device "
        "that loses all 4 plain ones is helped by none",
    ),
    (
        Severity.NOTE,
        LintCode.CODED_ALONE,
        {"image_octets": 239 * 40},
        "every coded fragment of v2 has 20 taps, an even number: a device that hears no plain "
        "fragment never completes, however many coded ones it hears",
    ),
    (
        Severity.NOTE,
        LintCode.ONE_FRAGMENT,
        {"image_octets": 100},
        "no coded fragment helps a block of one fragment: it is repeated instead",
    ),
    (
        Severity.WARNING,
        LintCode.CLOCK_DRIFT,
        {"uplink_seconds": 21_600.0},
        "a clock that was set 90.2 h before the window is off by up to 6.5 s, and the first frame "
        "comes 2 s after it opens: have clocks set (TS003) in the last 14 h",
    ),
    (
        Severity.ERROR,
        LintCode.NO_FREQUENCY,
        {"region": "CN470"},
        "CN470 has no default channel for class C windows: say on which frequency they are",
    ),
    (
        Severity.ERROR,
        LintCode.NO_FREQUENCY,
        {"dl_freq_hz": 0},
        "EU868 has no default channel for class C windows: say on which frequency they are",
    ),
    (
        Severity.ERROR,
        LintCode.NOT_IN_A_SUB_BAND,
        {"dl_freq_hz": 869_300_000},
        "869.3 MHz with its bandwidth lies in no sub-band of EU868: 863 to 865 MHz at 0.1%, 865 to "
        "868 MHz at 1.0%, 868 to 868.6 MHz at 1.0%, 868.7 to 869.2 MHz at 0.1%, 869.4 to 869.65 "
        "MHz at 10.0%, 869.7 to 870 MHz at 1.0%",
    ),
    (
        Severity.ERROR,
        LintCode.COUNTERS,
        {"max_mc_fcnt": 400},
        "492 frames need more counters than the group's 400",
    ),
]


@pytest.mark.parametrize(
    ("severity", "code", "fields", "text"), CASES, ids=[case[1].value for case in CASES]
)
def test_what_is_wrong_is_said_in_words(
    severity: Severity, code: LintCode, fields: dict[str, Any], text: str
) -> None:
    found = [one for one in lints(**fields) if one.code is code]
    assert found == [Lint(severity, code, text)]
    assert str(found[0]) == f"{severity.value}: {text}"


def test_every_code_is_met_by_a_case() -> None:
    assert {code for _, code, _, _ in CASES} == set(LintCode)


def test_errors_come_first() -> None:
    found = lints(region="CN470", redundancy=0.01, image_octets=239 * 40)
    ranks = [list(Severity).index(one.severity) for one in found]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == 3


def test_hopping_is_no_missing_frequency_in_class_b() -> None:
    found = lints(region="US915", window_class=WindowClass.B, periodicity=0)
    assert LintCode.NO_FREQUENCY not in {one.code for one in found}


def test_the_other_matrix_has_no_even_corner() -> None:
    found = lints(image_octets=239 * 40, variant=ParityVariant.V1, losses=Losses.independent(0.2))
    assert LintCode.CODED_ALONE not in {one.code for one in found}


def test_a_megabyte_is_not_too_large() -> None:
    assert LintCode.LARGE_IMAGE not in {one.code for one in lints(image_octets=1_000_000)}


def test_fragments_are_not_recommended_that_the_data_rate_does_not_carry() -> None:
    [first, *_] = lints(image_octets=1_000_000, dr=0)
    assert first.code is LintCode.INDEX_OVERFLOW
    assert first.text.endswith("of 62 octets or more, which DR0 does not carry")
