"""Blocks that cannot be complete."""

from __future__ import annotations

import random

from lorafuota.dissect.hypothesis import Symptom
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant
from tests.unit.dissect.support import FRAG, Log, fragment, setup1, setup2, status1

BLOCK = random.Random(9).randbytes(400)


def sent(numbers: list[int], *, nb_frag: int = 10, version: int = 1) -> Log:
    variant = ParityVariant.V1 if version == 1 else ParityVariant.V2
    encoder = FragEncoder(BLOCK[: nb_frag * 4], frag_size=4, variant=variant)
    setup = setup1(nb_frag=nb_frag) if version == 1 else setup2(nb_frag=nb_frag)
    log = Log().up(FRAG, f"00030{version}").down(FRAG, setup).up(FRAG, "0200")
    for n in numbers:
        log.down(FRAG, fragment(n, encoder.fragment(n)))
    return log


def asked(log: Log, answer: str) -> Log:
    return log.down(FRAG, "0101").up(FRAG, answer)


PLAIN = [*range(1, 11)]


def test_not_all_plain_fragments() -> None:
    log = sent(PLAIN[:7])
    assert log.find(Symptom.SHORT_TRANSFER).score == 0.2  # perhaps only the capture ended
    assert log.down(FRAG, "0101").find(Symptom.SHORT_TRANSFER).score == 0.5
    assert asked(log, status1(7, 3)).find(Symptom.SHORT_TRANSFER).score == 0.75
    assert asked(log, status1(7, 3)).names()[0] == "not-all-fragments-sent"


def test_a_device_that_misses_more_than_was_sent_after() -> None:
    found = asked(sent([*PLAIN, 11]), status1(8, 3)).find(Symptom.NOT_ENOUGH_PARITY)
    assert found.score == 0.5  # perhaps only the capture ended
    log = asked(sent([*PLAIN, 11]), status1(8, 3)).down(FRAG, "0300")
    assert log.find(Symptom.NOT_ENOUGH_PARITY).score == 0.8
    assert found.evidence[0].text == (
        "the device misses 3, and 0 coded fragments followed; about 10 have to arrive"
    )
    encoder = FragEncoder(BLOCK[:40], frag_size=4, variant=ParityVariant.V1)
    log = asked(sent([*PLAIN, 11]), status1(8, 3))
    for n in range(12, 16):
        log.down(FRAG, fragment(n, encoder.fragment(n)))
    assert log.find(Symptom.NOT_ENOUGH_PARITY).score == 0.2  # it may have them by now
    for n in range(16, 22):
        log.down(FRAG, fragment(n, encoder.fragment(n)))
    assert log.names() == []
    assert asked(sent(PLAIN), status1(10, 0)).names() == []


def test_what_was_heard_beside_the_device_is_ranked() -> None:
    assert sent([*PLAIN[3:], 11, 12]).find(Symptom.NOT_ENOUGH_PARITY).evidence[0].text == (
        "9 different fragments are in the capture, 7 of them plain: rank 9 of 10"
    )
    assert sent([*PLAIN[3:], *range(11, 20)]).names() == []


def test_a_block_of_one_fragment() -> None:
    log = asked(sent([1, 2, 3, 4], nb_frag=1), status1(3, 1))
    assert log.names() == ["no-parity-for-one-fragment"]
    assert sent([2, 3, 4], nb_frag=1).names() == ["no-parity-for-one-fragment"]


def test_even_parity_without_a_plain_fragment() -> None:
    numbers = [*range(13, 60)]
    assert sent(numbers, nb_frag=12, version=2).names() == ["even-parity-without-plain-fragment"]
    assert sent([1, *numbers], nb_frag=12, version=2).names() == []
    assert sent([*range(15, 60)], nb_frag=14, version=2).names() == []
    assert sent(numbers, nb_frag=12, version=1).names() == []


def test_plain_fragments_after_higher_numbers() -> None:
    log = asked(sent([*PLAIN, 11]), status1(7, 3))
    for n in (2, 3, 4):
        log.down(FRAG, fragment(n, BLOCK[4 * n - 4 : 4 * n]))
    found = asked(log, status1(7, 3)).find(Symptom.ORDER)
    assert found.score == 0.9
    assert log.names()[0] == "fragments-out-of-order"
    assert "fragments-out-of-order" not in asked(log, status1(10, 0)).names()
    assert "fragments-out-of-order" not in asked(sent([*PLAIN, 11]), status1(7, 3)).names()


def test_without_a_status_after_them_nothing_is_said_of_the_order() -> None:
    log = asked(sent([*PLAIN, 11]), status1(7, 3))
    assert "fragments-out-of-order" not in log.down(FRAG, fragment(2, BLOCK[4:8])).names()
