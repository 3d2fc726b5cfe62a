import pytest

from lorafuota.conformance.check import Catalogue, Severity
from lorafuota.errors import FieldError


def test_a_script_is_declared_once_and_stands_for_every_version_it_holds_for() -> None:
    catalogue: Catalogue[None] = Catalogue()

    @catalogue.check("fragmentation", (1, 2), "index", clause="3.2", quirk_of=["zephyr"])
    def script(peer: None) -> None:
        """An index is an index.

        Or is it?
        """

    assert [check.id for check in catalogue] == ["ts004-v1/index", "ts004-v2/index"]
    one = catalogue["ts004-v2/index"]
    assert (one.title, one.text) == ("An index is an index.", "An index is an index.\n\nOr is it?")
    assert one.severity is Severity.REQUIRED
    assert one.quirk_of == {"zephyr"}
    assert one.script is script


def test_a_name_is_taken_once_and_a_script_says_what_it_is_for() -> None:
    catalogue: Catalogue[None] = Catalogue()

    def script(peer: None) -> None:
        """Something."""

    catalogue.check("clocksync", (1,), "same", clause="3")(script)
    with pytest.raises(FieldError, match="a name of its own"):
        catalogue.check("clocksync", (1,), "same", clause="3")(script)
    with pytest.raises(FieldError, match="a function with a docstring"):
        catalogue.check("clocksync", (1,), "other", clause="3")(lambda peer: None)
    with pytest.raises(FieldError, match="the id of a check"):
        catalogue["ts003-v1/other"]


def test_a_catalogue_is_put_together_from_others() -> None:
    first: Catalogue[None] = Catalogue()
    second: Catalogue[None] = Catalogue()

    def script(peer: None) -> None:
        """Something."""

    second.check("clocksync", (2,), "second", clause="3")(script)
    first.check("clocksync", (1,), "first", clause="3")(script)
    assert [one.id for one in Catalogue(first, second)] == ["ts003-v1/first", "ts003-v2/second"]
    with pytest.raises(FieldError, match="a name of its own"):
        Catalogue(first, first)
