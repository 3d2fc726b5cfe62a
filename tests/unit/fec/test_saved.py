import base64
from collections.abc import Iterable
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec.decoder import FragDecoder, State
from lorafuota.fec.encoder import FragEncoder
from lorafuota.fec.variant import ParityVariant
from tests.support import nested


def pair(nb_frag: int, max_lost: int | None = None) -> tuple[FragEncoder, FragDecoder]:
    encoder = FragEncoder(bytes(range(4 * nb_frag)), frag_size=4, variant=ParityVariant.V2)
    return encoder, FragDecoder(
        nb_frag=nb_frag, frag_size=4, variant=ParityVariant.V2, max_lost=max_lost
    )


def feed(decoder: FragDecoder, encoder: FragEncoder, numbers: Iterable[int]) -> None:
    for n in numbers:
        decoder.feed(n, encoder.fragment(n))


def states() -> dict[str, State]:
    encoder, decoder = pair(10)
    feed(decoder, encoder, [1, 2, 12, 13])
    partial = decoder.save()
    feed(decoder, encoder, [*range(3, 10)])
    decoder.check()
    solved = decoder.save()
    encoder, decoder = pair(10, max_lost=3)
    feed(decoder, encoder, [1, 11])
    return {"partial": partial, "solved": solved, "given_up": decoder.save()}


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


BAD = [
    ("partial", "format", 2, "int in 1..1"),
    ("partial", "nb_frag", 10.0, "int in 1..16383"),
    ("partial", "nb_frag", 8, "base64 of 1..1 octets"),
    ("partial", "nb_frag", 2**40, "int in 1..16383"),
    ("partial", "frag_size", 5, "base64 of 10..10 octets"),
    ("partial", "frag_size", True, "int in 1..255"),
    ("partial", "variant", "v3", "the value of a ParityVariant"),
    ("partial", "variant", ["v1"], "the value of a ParityVariant"),
    ("partial", "variant", nested(), "the value of a ParityVariant"),
    ("partial", "max_lost", "2", "int in 0..16383"),
    ("partial", "max_lost", 2, "list of at most 0 numbers"),
    ("partial", "max_checks", None, "int in 0..16383"),
    ("partial", "given_up", True, "false when no more than max_lost are lost"),
    ("partial", "given_up", 1, "true or false"),
    ("partial", "solved", None, "true or false"),
    ("partial", "solved", True, "base64 of 40..40 octets"),
    ("partial", "received", b64(bytes([3, 4])), "a map of 10 bits"),
    ("partial", "received", b64(bytes([3])), "base64 of 2..2 octets"),
    ("partial", "received", "A==A", "base64 of 2..2 octets"),
    ("partial", "received", "\u20ac", "base64 of 2..2 octets"),
    ("partial", "received", None, "base64 of 2..2 octets"),
    ("partial", "fragments", b64(bytes(9)), "base64 of 8..8 octets"),
    ("partial", "coded", [10, 13], "int in 11..16383"),
    ("partial", "coded", [12, 16384], "int in 11..16383"),
    ("partial", "coded", [12, "13"], "int in 11..16383"),
    ("partial", "coded", [12, 12], "numbers that differ"),
    ("partial", "coded", "ab", "list of at most 74 numbers"),
    ("partial", "coded", list(range(11, 90)), "list of at most 74 numbers"),
    ("partial", "payloads", b64(bytes(7)), "base64 of 8..8 octets"),
    ("partial", "nb_frag_received", 3, "int in 4..16383"),
    ("partial", "repeats", -1, "int in 0..9223372036854775807"),
    ("partial", "conflicting", b64(b"\6"), "int in 2..9223372036854775807"),
    ("partial", "conflicting", b64(b"\1"), "a set of fragment numbers without 0"),
    ("partial", "conflicting", b64(bytes(2049)), "base64 of 0..2048 octets"),
    ("partial", "seen", b64(b"\2"), "no numbers before the block is rebuilt"),
    ("partial", "disagreeing", b64(b"\2"), "numbers in seen, no more than were spare"),
    ("solved", "max_lost", 0, "false when more than max_lost are lost"),
    ("solved", "coded", [12], "list of at most 0 numbers"),
    ("solved", "fragments", b64(bytes(36)), "base64 of 40..40 octets"),
    ("solved", "seen", b64(b"\xfe\x01"), "all fragments received, and enough for the block"),
    ("solved", "seen", b64(b"\xf0\xff\xff"), "all fragments received, and enough for the block"),
    ("solved", "disagreeing", b64(b"\x06"), "numbers in seen, no more than were spare"),
    ("solved", "disagreeing", b64(b"\0\0\0\1"), "numbers in seen, no more than were spare"),
    ("given_up", "coded", [11], "list of at most 0 numbers"),
    ("given_up", "max_lost", 9, "false when no more than max_lost are lost"),
]


@pytest.mark.parametrize(("name", "field", "value", "expected"), BAD)
def test_a_state_that_was_never_saved_is_refused(
    name: str, field: str, value: object, expected: str
) -> None:
    state: dict[str, object] = {**states()[name]}
    FragDecoder.restore(state)
    state[field] = value
    with pytest.raises(FieldError, match=f"expected ({expected})$"):
        FragDecoder.restore(state)


@pytest.mark.parametrize("name", ["partial", "solved", "given_up"])
def test_a_state_without_one_of_its_fields_is_refused(name: str) -> None:
    complete = states()[name]
    for field in complete:
        if field != "max_lost" or name == "given_up":
            with pytest.raises(FieldError):
                FragDecoder.restore({key: complete[key] for key in complete if key != field})


@pytest.mark.parametrize("state", [None, 1, "state", [], {}])
def test_what_is_no_state_at_all_is_refused(state: Any) -> None:
    with pytest.raises(FieldError):
        FragDecoder.restore(state)
