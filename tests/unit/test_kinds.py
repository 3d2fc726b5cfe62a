from __future__ import annotations

from lorafuota import _kinds as kinds


def test_a_field_is_spelt_as_in_the_document() -> None:
    assert kinds.spec_name("nb_frag") == "NbFrag"
    assert kinds.spec_name("n") == "N"
    assert kinds.spec_name("block_ack_delay") == "BlockAckDelay"


def test_every_kind_says_what_it_accepts() -> None:
    number = kinds.Int(4, low=2, high=9)
    assert number.values() == "int in 2..9"
    assert kinds.Octets(3).values() == "3 octets"
    assert kinds.Rest(1, 5, 0).values() == "1 to 5 octets"
    condition = kinds.OnlyIf(number, "before", range(3, 4))
    assert condition.values() == "int in 2..9, or None"
    assert condition.condition() == "3"
    assert kinds.OnlyIf(kinds.Int(4, spec="Word"), "before", range(3, 4)).spec == "Word"
    assert kinds.OnlyIf(number, "before", range(3, 6)).condition() == "3..5"


def test_lengths_are_known_where_they_do_not_vary() -> None:
    assert kinds.Octets(3).size() == (3, 3)
    assert kinds.Rest(1, 5, 0).size() == (1, None)
    assert kinds.OnlyIf(kinds.Octets(3), "before", range(1)).size() == (0, None)
