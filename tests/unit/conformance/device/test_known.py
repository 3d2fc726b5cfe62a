"""The table itself is held against our imitations of the stacks in tests/mutants."""

from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.device.known import KNOWN_QUIRKS, with_quirks
from lorafuota.session.stacks import DEVICE_PROFILES


def test_every_stack_has_quirks_and_they_stand_at_the_checks() -> None:
    assert set(KNOWN_QUIRKS) == {one for one in DEVICE_PROFILES if "documents" not in one}
    assert DEVICE_CHECKS["ts004-v2/cnt-32768"].quirk_of == {"Renesas"}
    assert DEVICE_CHECKS["ts004-v2/cnt-zero"].quirk_of == frozenset()
    assert [one.id for one in with_quirks(DEVICE_CHECKS)] == [one.id for one in DEVICE_CHECKS]


def test_every_quirk_is_of_a_check_that_there_is() -> None:
    ids = {one.id for one in DEVICE_CHECKS}
    assert set().union(*KNOWN_QUIRKS.values()) <= ids


def test_every_check_has_a_sentence_and_a_place_it_comes_from() -> None:
    for one in DEVICE_CHECKS:
        assert one.title.endswith((".", ".)")), one.id
        assert one.clause, one.id
