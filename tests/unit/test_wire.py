from __future__ import annotations

import enum

import pytest

from lorafuota.errors import DecodeError, FieldError, ReservedBitsError, TruncatedError
from lorafuota.types import DOWNLINK, UPLINK, DevAddr
from lorafuota.wire import (
    Command,
    Record,
    Row,
    command,
    flag,
    octets,
    only_if,
    record,
    repeat,
    rest,
    sint,
    uint,
)


class Colour(enum.IntFlag):
    RED = 1
    BLUE = 2


class Mood(enum.IntEnum):
    CALM = 0
    WILD = 1


@record
class Item(Record):
    """One of several."""

    key: int = uint(2, rfu=6)
    value: int = uint(8)


@command(0x31, DOWNLINK, size=12)
class Everything(Command):
    """One field of every kind."""

    low: int = uint(3, low=1, doc="Three bits")
    high: int = uint(4, rfu=1, high=9)
    ready: bool = flag(rfu=7)
    wide: int = uint(10, rfu=6, doc="Over two octets")
    signed: int = sint(16)
    freq_hz: int = uint(8, step=100, also=7)
    colour: Colour = uint(4, Colour, rfu=4)
    address: DevAddr = uint(32, DevAddr)
    more: int | None = only_if("low", range(2, 4), uint(16))
    tail: bytes = rest(low=0, high=3)


GOOD = Everything(
    low=2,
    high=9,
    ready=True,
    wide=0x2AB,
    signed=-2,
    freq_hz=1200,
    colour=Colour.RED | Colour.BLUE,
    address=DevAddr(0x01020304),
    more=0x0506,
    tail=b"xyz",
)
OCTETS = bytes.fromhex("314a01ab02feff0c03040302010605") + b"xyz"


def test_fields_travel_in_order_least_significant_bit_first() -> None:
    assert GOOD.encode() == OCTETS
    assert Everything.decode(OCTETS, strict=True) == GOOD


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("low", 0, "int in 1..7"),
        ("low", 8, "int in 1..7"),
        ("low", "2", "int in 1..7"),
        ("low", True, "int in 1..7"),
        ("high", 10, "int in 0..9"),
        ("ready", 1, "bool"),
        ("signed", -32769, "int in -32768..32767"),
        ("signed", 32768, "int in -32768..32767"),
        ("freq_hz", 150, "int in 0..25500 in steps of 100 or 7"),
        ("freq_hz", 25600, "int in 0..25500 in steps of 100 or 7"),
        ("colour", 1, "Colour in 0..15"),
        ("address", 1, "DevAddr in 0..4294967295"),
        ("more", None, "int in 0..65535"),
        ("tail", b"wxyz", "0 to 3 octets"),
        ("tail", bytearray(1), "0 to 3 octets"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_by_name(
    field: str, value: object, expected: str
) -> None:
    fields = {name: getattr(GOOD, name) for name in Everything.KINDS}
    with pytest.raises(FieldError) as caught:
        Everything(**{**fields, field: value})
    error = caught.value
    assert (error.message, error.field, error.value) == ("Everything", field, value)
    assert error.expected == expected


def test_a_field_that_must_be_absent_is_refused() -> None:
    fields = {name: getattr(GOOD, name) for name in Everything.KINDS}
    with pytest.raises(FieldError, match=r"expected None unless low is 2\.\.3"):
        Everything(**{**fields, "low": 1})
    short = Everything(**{**fields, "low": 1, "more": None})
    assert Everything.decode(short.encode(), strict=True) == short


def test_reserved_bits_are_located_when_strict() -> None:
    for at, bit in ((1, 0x80), (2, 0x02), (4, 0x04), (8, 0x10)):
        dirty = bytearray(OCTETS)
        dirty[at] |= bit
        assert Everything.decode(dirty) == GOOD
        with pytest.raises(ReservedBitsError) as caught:
            Everything.decode(dirty, strict=True)
        assert (caught.value.command, caught.value.offset) == ("Everything", at)


def test_truncation_is_located() -> None:
    with pytest.raises(TruncatedError) as caught:
        Everything.decode(OCTETS[:5])
    assert str(caught.value) == "Everything: needs 12 octets here, has 4 (octet 1)"
    with pytest.raises(TruncatedError, match="no command identifier"):
        Everything.decode(b"")


def test_a_value_the_document_excludes_is_a_decode_error_with_the_field() -> None:
    wrong = bytearray(OCTETS)
    wrong[1] = 0x02 | 10 << 3
    with pytest.raises(DecodeError, match=r"Everything\.high = 10: expected int in 0\.\.9"):
        Everything.decode(wrong)


def test_another_identifier_is_refused() -> None:
    with pytest.raises(DecodeError, match="0x32 is not 0x31"):
        Everything.decode(b"\x32" + OCTETS[1:])


def test_json_shows_names_and_hex_and_comes_back() -> None:
    shown = GOOD.to_json()
    assert shown == {
        "low": 2,
        "high": 9,
        "ready": True,
        "wide": 0x2AB,
        "signed": -2,
        "freq_hz": 1200,
        "colour": ["RED", "BLUE"],
        "address": "01020304",
        "more": 0x0506,
        "tail": "78797a",
    }
    assert Everything.from_json(shown) == GOOD


def test_flag_bits_without_a_name_survive_json() -> None:
    @command(0x32, UPLINK, size=1)
    class Flags(Command):
        """All eight bits."""

        colour: Colour = uint(8, Colour)

    message = Flags(colour=Colour(0x81))
    assert message.to_json() == {"colour": ["RED", 0x80]}
    assert Flags.from_json(message.to_json()) == message


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("low", "2"),
        ("low", None),
        ("low", True),
        ("low", 2.0),
        ("ready", 1),
        ("colour", ["GREEN"]),
        ("colour", [-1]),
        ("colour", [1.5]),
        ("colour", "RED"),
        ("address", "0102030"),
        ("address", None),
        ("tail", "7"),
        ("tail", 7),
        ("tail", None),
    ],
)
def test_json_of_the_wrong_shape_is_refused(field: str, value: object) -> None:
    shown: dict[str, object] = dict(GOOD.to_json())
    shown[field] = value
    with pytest.raises(FieldError):
        Everything.from_json(shown)


def test_json_with_missing_or_extra_fields_is_refused() -> None:
    shown = GOOD.to_json()
    with pytest.raises(FieldError, match="exactly"):
        Everything.from_json({**shown, "new": 1})
    del shown["low"]
    with pytest.raises(FieldError, match="exactly"):
        Everything.from_json(shown)
    with pytest.raises(FieldError, match="an object"):
        Everything.from_json([])


@command(0x33, UPLINK, size=1)
class Several(Command):
    """Records for the one-bits of a mask."""

    mask: int = uint(4, rfu=4)
    items: tuple[Item, ...] = repeat(Item, by="mask", key="key", doc="One each")


@command(0x34, UPLINK, size=1)
class Counted(Command):
    """Records, counted."""

    count: int = uint(8)
    items: tuple[Item, ...] = repeat(Item, by="count")


def test_records_repeat_for_each_bit_or_as_often_as_counted() -> None:
    items = (Item(key=1, value=5), Item(key=3, value=6))
    assert Several(mask=0b1010, items=items).encode().hex() == "330a01050306"
    assert Several.decode(bytes.fromhex("330a01050306")) == Several(mask=0b1010, items=items)
    assert Counted(count=2, items=items).encode().hex() == "340201050306"
    with pytest.raises(FieldError, match=r"key \[1, 3\], as mask announces"):
        Several(mask=0b1010, items=items[::-1])
    with pytest.raises(FieldError, match="a tuple of 1 Item"):
        Counted(count=1, items=items)
    with pytest.raises(FieldError, match="a tuple of 2 Item"):
        Counted(count=2, items=[*items])  # type: ignore[arg-type]
    with pytest.raises(FieldError, match="a list of Item"):
        Counted.from_json({"count": 2, "items": {}})
    assert Counted.from_json(Counted(count=2, items=items).to_json()).items == items


def test_an_enumeration_outside_its_members_is_refused() -> None:
    @command(0x35, UPLINK, size=1)
    class Moody(Command):
        """A closed enumeration."""

        mood: Mood = uint(1, Mood, rfu=7)

    assert Moody.decode(b"\x35\x01") == Moody(mood=Mood.WILD)
    with pytest.raises(FieldError, match="mood = 2"):
        Moody.from_json({"mood": 2})


def test_the_table_names_places_fields_and_reserved_bits() -> None:
    rfu = "Reserved: sent as zero, ignored on receipt"
    assert Everything.table()[:5] == [
        Row("0", "2:0", "Low", "low", "int in 1..7", "Three bits"),
        Row("0", "6:3", "High", "high", "int in 0..9", ""),
        Row("0", "7", "RFU", "", "0", rfu),
        Row("1", "0", "Ready", "ready", "bool", ""),
        Row("1", "7:1", "RFU", "", "0", rfu),
    ]
    assert [row.octets for row in Everything.table()][-2:] == ["12-13", ".."]
    assert Several.table()[-1] == Row(
        "1..", "", "Items", "items", "tuple of Item, one for each one-bit of mask", "One each"
    )
    assert Counted.table()[-1].values == "tuple of Item, count of them"


@command(0x36, UPLINK, size=4)
class Opaque(Command):
    """Octets between numbers."""

    first: int = uint(8)
    middle: bytes = octets(2)
    last: int = uint(8)


@command(0x37, UPLINK, size=1)
class Tailed(Command):
    """A number and reserved bits behind octets of any number."""

    data: bytes = rest(keep=1)
    tail: int = uint(3, rfu=5)


def test_a_number_behind_octets_of_any_number_has_no_place_of_its_own() -> None:
    assert Tailed.decode(b"\x37ab\x05") == Tailed(data=b"ab", tail=5)
    rows = [(row.octets, row.bits, row.field) for row in Tailed.table()]
    assert rows == [("0..", "", "data"), ("..", "2:0", "tail"), ("..", "7:3", "")]


def test_fields_are_given_by_name_only() -> None:
    with pytest.raises(TypeError, match="positional"):
        Tailed(b"ab", 5)  # type: ignore[call-arg]


def test_octets_stand_between_numbers() -> None:
    message = Opaque(first=1, middle=b"ab", last=2)
    assert message.encode() == b"\x36\x01ab\x02"
    assert [row.octets for row in Opaque.table()] == ["0", "1-2", "3"]
    assert [row.bits for row in Opaque.table()] == ["", "", ""]
    with pytest.raises(TruncatedError) as caught:
        Opaque.decode(b"")
    assert caught.value == TruncatedError("Opaque", 0, "there is no command identifier")
    with pytest.raises(FieldError, match="expected 2 octets"):
        Opaque(first=1, middle=b"abc", last=2)


def test_a_declaration_that_does_not_add_up_is_a_type_error_at_import() -> None:
    with pytest.raises(TypeError, match="declares 1 octets, not 2"):

        @command(0x40, UPLINK, size=2)
        class Short(Command):
            """Says two, has one."""

            only: int = uint(8)

    with pytest.raises(TypeError, match="the bits before the end do not fill whole octets"):

        @command(0x41, UPLINK, size=1)
        class Crooked(Command):
            """Forgot the reserved bits."""

            only: int = uint(7)

    with pytest.raises(TypeError, match="needs a specifier"):

        @command(0x42, UPLINK, size=1)
        class Plain(Command):
            """A default instead of a specifier."""

            only: int = 8
