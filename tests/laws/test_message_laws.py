"""Laws that every command of every package obeys, whoever declared it (promises R1, R3)."""

from __future__ import annotations

import enum
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lorafuota
from lorafuota import errors
from lorafuota.package import Package
from lorafuota.testing.hostile import hostile
from lorafuota.testing.strategies import payloads, records
from lorafuota.types import Direction
from lorafuota.wire import Command

EVERY = list(dict.fromkeys(cls for package in lorafuota.PACKAGES for cls in package.commands))
OF = {cls: package for package in reversed(lorafuota.PACKAGES) for cls in package.commands}
every_command = pytest.mark.parametrize("cls", EVERY, ids=lambda c: f"{c.__module__}.{c.__name__}")
every_package = pytest.mark.parametrize("package", lorafuota.PACKAGES, ids=str)
every_direction = pytest.mark.parametrize("direction", list(Direction), ids=lambda d: d.value)
tails = st.binary(max_size=48)


def test_the_catalogue_holds_every_command_of_the_documents() -> None:
    counts = {str(package): len(package.commands) for package in lorafuota.PACKAGES}
    assert counts == {
        "multipackage/1": 6,
        "clocksync/1": 7,
        "clocksync/2": 7,
        "multicastsetup/1": 12,
        "multicastsetup/2": 12,
        "fragmentation/1": 9,
        "fragmentation/2": 11,
        "firmwaremanagement/1": 12,
    }


@every_command
@given(data=st.data())
def test_decoding_undoes_encoding(cls: type[Command], data: st.DataObject) -> None:
    message = data.draw(records(cls))
    assert cls.decode(message.encode(), strict=True) == message
    assert cls.decode(memoryview(message.encode())) == message


@every_command
@given(tail=tails)
def test_any_octets_give_a_message_or_a_decode_error(cls: type[Command], tail: bytes) -> None:
    data = bytes((cls.CID,)) + tail
    try:
        message = cls.decode(data)
    except errors.DecodeError as error:
        assert error.command == cls.__name__
        assert 0 <= error.offset <= len(data)
        assert error.reason
        return
    assert cls.decode(message.encode()) == message


@every_command
@given(tail=tails)
def test_strict_decoding_is_one_to_one(cls: type[Command], tail: bytes) -> None:
    data = bytes((cls.CID,)) + tail
    try:
        message = cls.decode(data, strict=True)
    except errors.DecodeError:
        return
    assert message.encode() == data


@every_command
@given(data=st.data(), junk=st.binary(min_size=1, max_size=8))
def test_octets_behind_a_command_are_left_alone_unless_strict(
    cls: type[Command], data: st.DataObject, junk: bytes
) -> None:
    message = data.draw(records(cls))
    octets = message.encode()
    longer = octets + junk
    if any(type(kind).__name__ == "Rest" for kind in cls.KINDS.values()):
        return  # a greedy command owns them
    if cls.__name__ == "MultiPackBufferFrag":
        return
    assert cls.decode(longer) == message
    with pytest.raises(errors.DecodeError) as caught:
        cls.decode(longer, strict=True)
    assert isinstance(caught.value, errors.TrailingOctetsError)
    assert caught.value.offset == len(octets)


@every_command
@given(data=st.data())
def test_every_proper_prefix_of_a_fixed_length_command_is_truncated(
    cls: type[Command], data: st.DataObject
) -> None:
    octets = data.draw(records(cls)).encode()
    if not all(kind.size()[1] is not None for kind in cls.KINDS.values()):
        return
    for size in range(len(octets)):
        with pytest.raises(errors.TruncatedError):
            cls.decode(octets[:size])


@every_command
@given(data=st.data())
def test_json_is_lossless_and_stable(cls: type[Command], data: st.DataObject) -> None:
    message = data.draw(records(cls))
    text = json.dumps(OF[cls].to_json(message))
    assert lorafuota.from_json(json.loads(text)) == message
    assert json.dumps(OF[cls].to_json(message)) == text
    assert cls.from_json(message.to_json()) == message


@every_command
@given(data=st.data())
def test_the_repr_is_python_that_builds_the_message(
    cls: type[Command], data: st.DataObject
) -> None:
    message = data.draw(records(cls))
    source = re.sub(r"<(\w+)[^>]*: (\d+)>", r"\1(\2)", repr(message))
    names: dict[str, object] = {"DevAddr": lorafuota.DevAddr, cls.__name__: cls}
    for kind in cls.KINDS.values():
        made = getattr(kind, "type", None)
        if isinstance(made, type) and issubclass(made, enum.IntEnum | enum.IntFlag):
            names[made.__name__] = made
        item = getattr(kind, "item", None)
        if item is not None:
            names[item.__name__] = item
    assert eval(source, names) == message


@every_command
def test_messages_are_frozen_and_hashable(cls: type[Command]) -> None:
    message = _smallest(cls)
    assert hash(message) == hash(_smallest(cls))
    for field in cls.KINDS:
        with pytest.raises(AttributeError):
            setattr(message, field, getattr(message, field))


def _smallest(cls: type[Command]) -> Command:
    for size in range(64):
        for filler in (0, 1):
            try:
                return cls.decode(bytes((cls.CID,)) + bytes((filler,)) * size)
            except errors.DecodeError:
                continue
    raise AssertionError(cls)


@every_package
@every_direction
@given(data=st.data())
def test_parsing_what_was_joined_gives_the_commands_back(
    package: Package, direction: Direction, data: st.DataObject
) -> None:
    commands = data.draw(payloads(package, direction))
    payload = package.join(commands)
    assert package.parse(payload, direction, strict=True) == commands
    assert package.parse(payload, direction) == commands


@every_package
@every_direction
@given(data=st.data())
def test_parsing_any_octets_never_raises_and_loses_none(
    package: Package, direction: Direction, data: st.DataObject
) -> None:
    near_something = hostile(package, direction).map(lambda one: one.payload)
    payload = data.draw(st.binary(max_size=300) | near_something)
    parsed = package.parse(payload, direction)
    for one in parsed[:-1]:
        assert isinstance(one, Command)
    if parsed and not isinstance(parsed[-1], Command):
        last = parsed[-1]
        assert payload[last.offset :] == bytes((last.cid,)) + last.payload
        if last.offset == 0 or isinstance(last, lorafuota.UnknownCommand):
            with pytest.raises(errors.DecodeError):
                package.parse(payload, direction, strict=True)
    for one in parsed:
        text = json.dumps(package.to_json(one))
        assert package.from_json(json.loads(text)) == one


@every_package
@every_direction
@given(payload=st.binary(max_size=64))
def test_strict_parsing_is_one_to_one(
    package: Package, direction: Direction, payload: bytes
) -> None:
    try:
        parsed = package.parse(payload, direction, strict=True)
    except errors.DecodeError:
        return
    assert b"".join(one.encode() for one in parsed if isinstance(one, Command)) == payload
    lenient = package.parse(payload, direction)
    if lenient and getattr(lenient[-1], "session_does_not_exist", False):
        return  # three octets behind it are taken for stale
    assert lenient == parsed


@given(payload=st.binary(max_size=300), data=st.data())
def test_every_port_takes_any_octets(payload: bytes, data: st.DataObject) -> None:
    ports = lorafuota.PackageMap(versions={"fragmentation": data.draw(st.sampled_from([1, 2]))})
    fport = data.draw(st.sampled_from([200, 201, 202, 203, 225]))
    ports.parse(fport, data.draw(st.sampled_from(Direction)), payload)
