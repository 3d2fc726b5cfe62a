import pytest

from lorafuota.conformance.check import Failed, NotApplicable
from lorafuota.conformance.device.block import (
    delete,
    expect_no_block,
    expect_nothing_there,
    expect_received,
    expect_status,
    lossy,
    may_lose,
    new_block,
    refuse,
    send,
    set_up,
    status,
    transfer,
    try_set_up,
)
from lorafuota.fragmentation import v2
from tests.mutants.mutant import SMALL, V1, V2

from .support import peer


@pytest.mark.parametrize("name", [V1, V2, SMALL])
def test_a_block_is_set_up_sent_received_and_deleted(name: str) -> None:
    one = peer(name)
    block = new_block(one)
    set_up(one, block)
    expect_status(one, block, received=0, missing=10)
    one.events()
    send(one, block, lossy(one, block, {3, 4}))
    expect_received(one, block)
    expect_status(one, block, missing=0)
    delete(one, 0)
    expect_nothing_there(one, 0)


def test_a_block_is_completed_with_as_many_coded_fragments_as_its_rank_needs() -> None:
    block = new_block(peer())
    numbers = block.completed(range(3, 11))
    assert numbers[:8] == list(range(3, 11))
    assert block.decoder(numbers).complete
    assert not block.decoder(numbers[:-1]).complete
    with pytest.raises(NotApplicable, match="no coded fragments complete such a block"):
        new_block(peer(), nb_frag=1).completed([])


def test_what_a_device_does_not_take_is_not_asked_of_it() -> None:
    one = peer(SMALL)
    with pytest.raises(NotApplicable, match="the device has no session for FragIndex 3"):
        new_block(one, frag_index=3)
    with pytest.raises(NotApplicable, match="takes no block of 9000 fragments of 12"):
        new_block(one, nb_frag=9_000)
    with pytest.raises(NotApplicable, match="no more than 6 lost fragments good"):
        may_lose(one, 7)


def test_a_failure_says_what_was_expected() -> None:
    one = peer()
    block = new_block(one, session_cnt=4)
    transfer(one, block)
    with pytest.raises(
        Failed, match="expected the set-up to be accepted; came StatusBitMask 0b10000"
    ):
        set_up(one, block)
    with pytest.raises(Failed, match="expected NOT_ENOUGH_MEMORY; came StatusBitMask 0b10000"):
        refuse(one, block.setup, v2.SetupError.NOT_ENOUGH_MEMORY)
    with pytest.raises(Failed, match="the device accepts the set-up"):
        refuse(one, new_block(one, session_cnt=5).setup, None)
    assert try_set_up(one, block.setup.encode()[:11]) is None
    with pytest.raises(Failed, match="expected NbFragReceived 3, MissingFrag 1; came FragSession"):
        expect_status(one, new_block(one), received=3, missing=1)
    send(one, new_block(one), [1])
    assert status(one, 1) is not None
    other = new_block(one, nb_frag=1, session_cnt=6)
    set_up(one, other)
    one.events()
    send(one, other, [1])
    with pytest.raises(Failed, match="expected no block; came 7 octets on 0"):
        expect_no_block(one)
