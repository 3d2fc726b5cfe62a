import argparse

import pytest

from lorafuota.cli.arguments import InputError, Parser
from lorafuota.cli.conformselect import add_selection, selected
from lorafuota.conformance.check import Catalogue, Severity

CATALOGUE: Catalogue[None] = Catalogue()


def script(peer: None) -> None:
    """Something."""


CATALOGUE.check("fragmentation", (1, 2), "one", clause="-")(script)
CATALOGUE.check("fragmentation", (2,), "two", clause="-", severity=Severity.QUIRK)(script)
CATALOGUE.check("clocksync", (1,), "one", clause="-", severity=Severity.RECOMMENDED)(script)


def parsed(*words: str) -> argparse.Namespace:
    parser = Parser()
    add_selection(parser)
    return parser.parse_args(words)


@pytest.mark.parametrize(
    ("words", "ids"),
    [
        ((), ["ts004-v1/one", "ts004-v2/one", "ts004-v2/two", "ts003-v1/one"]),
        (("--package", "TS003"), ["ts003-v1/one"]),
        (("--package", "fragmentation", "--version", "1"), ["ts004-v1/one"]),
        (("--package", "ts003", "--package", "ts004", "--id", "*-v1/*"), None),
        (("--id", "*/two", "--id", "ts003*"), ["ts004-v2/two", "ts003-v1/one"]),
        (("--severity", "quirk", "--severity", "recommended"), ["ts004-v2/two", "ts003-v1/one"]),
    ],
)
def test_checks_are_chosen(words: tuple[str, ...], ids: list[str] | None) -> None:
    found = [one.id for one in selected(CATALOGUE, parsed(*words))]
    assert found == (ids if ids is not None else ["ts004-v1/one", "ts003-v1/one"])


def test_nothing_left_is_no_choice() -> None:
    with pytest.raises(InputError, match="no check is left"):
        selected(CATALOGUE, parsed("--package", "ts005"))
    with pytest.raises(InputError, match="there is no package 'x': expected one of multipackage,"):
        selected(CATALOGUE, parsed("--package", "x"))
