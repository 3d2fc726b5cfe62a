from __future__ import annotations

import copy
import pickle

import pytest

from lorafuota import types
from lorafuota.errors import FieldError

KEYS = [
    getattr(types, name)
    for name in types.__all__
    if isinstance(getattr(types, name), type)
    and issubclass(getattr(types, name), types.Key)
    and name != "Key"
]
SECRET = bytes(range(0xA0, 0xB0))


def test_addresses_show_the_way_people_write_them() -> None:
    address = types.DevAddr(0x26011BDA)
    assert (repr(address), str(address)) == ("DevAddr(0x26011BDA)", "26011BDA")
    assert types.DevAddr.from_hex("26011bda") == address
    assert types.DevAddr.from_hex("0x26011BDA") == address
    assert repr(types.DevEUI(1)) == "DevEUI(0x0000000000000001)"


@pytest.mark.parametrize("value", [-1, 1 << 32])
def test_an_address_out_of_range_is_refused(value: int) -> None:
    with pytest.raises(FieldError, match=r"DevAddr\.value"):
        types.DevAddr(value)


@pytest.mark.parametrize("text", ["", "123", "2601 BDA", "+6011BDA", "26011BDG", "1_011BDA"])
def test_text_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(FieldError, match="8 hex digits"):
        types.DevAddr.from_hex(text)


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_shows_its_octets_only_when_asked(kind: type[types.Key]) -> None:
    key = kind(SECRET)
    shown = f"{key} {key!r} {[key]} {vars(kind)}"
    assert SECRET.hex() not in shown.lower()
    assert str(SECRET) not in shown
    assert key.reveal() == SECRET
    assert repr(key) == f"{kind.__name__}(<secret>)"


@pytest.mark.parametrize("kind", KEYS)
def test_keys_compare_by_class_and_octets_and_cannot_change(kind: type[types.Key]) -> None:
    key = kind(SECRET)
    assert key == kind(bytearray(SECRET))
    assert key != kind(bytes(16))
    assert key != SECRET
    assert all(key != other(SECRET) for other in KEYS if other is not kind)
    assert len({key, kind(SECRET)}) == 1
    with pytest.raises(AttributeError):
        key._octets = bytes(16)
    assert copy.copy(key) is key
    assert copy.deepcopy(key) is key


def test_keys_do_not_pickle() -> None:
    with pytest.raises(TypeError, match="reveal"):
        pickle.dumps(types.McKey(SECRET))


def test_a_key_of_wrong_length_is_refused_without_showing_it() -> None:
    with pytest.raises(FieldError, match="length = 15: expected 16 octets") as first:
        types.McKey(SECRET[:15])
    with pytest.raises(FieldError, match="expected 32 hex digits") as second:
        types.McKey.from_hex(SECRET.hex()[:-1] + "g")
    for caught in (first, second):
        assert SECRET.hex()[:8] not in str(caught.value)
        assert caught.value.__cause__ is None
    assert second.value.__suppress_context__


def test_generated_keys_differ() -> None:
    assert types.McKey.generate() != types.McKey.generate()
    assert types.McKey.from_hex(SECRET.hex()) == types.McKey(SECRET)
