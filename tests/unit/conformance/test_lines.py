import dataclasses
import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lorafuota import DevAddr, DevEUI
from lorafuota.conformance.lines import (
    DEVICE_EVENTS,
    DEVICE_REQUESTS,
    MAX_LINE,
    Done,
    Error,
    LineError,
    Lines,
    hello,
    hello_request,
    keys_in,
    kind_of,
    read_hello,
    read_object,
)
from lorafuota.conformance.subject import (
    About,
    Advance,
    BlockDelivered,
    BlockLost,
    ClassChanged,
    Downlink,
    MulticastFrame,
    PowerOn,
    Rebooted,
    Uplink,
)
from lorafuota.types import AppKey, GenAppKey, McKey

KEY = bytes(range(16))
POWER_ON = PowerOn(
    time=1.5,
    factory=True,
    clock_known=False,
    dev_eui=DevEUI(0x1122334455667788),
    dev_addr=DevAddr(0x0000ABCD),
    root_key=GenAppKey(KEY),
)
REQUESTS = [
    POWER_ON,
    dataclasses.replace(POWER_ON, root_key=AppKey(KEY)),
    Downlink(2.0, 201, b"\x00"),
    Downlink(2.0, 201, b"", mc_addr=DevAddr(7), fcnt=70_000),
    MulticastFrame(3.0, b"\x60abc"),
    Advance(4.25),
]
EVENTS = [
    Uplink(1.0, 201, bytes.fromhex("000301")),
    ClassChanged(1.0, "C", 2),
    ClassChanged(1.0, "A"),
    BlockDelivered(1.0, 3, b"abc"),
    BlockLost(1.0, 0),
    Rebooted(1.0),
    Done(),
    Done(12.5),
    Error("no"),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda one: type(one).__name__)
def test_every_request_comes_back_from_its_line(request_: object) -> None:
    line = DEVICE_REQUESTS.encode(request_)  # type: ignore[arg-type]
    assert "\n" not in line
    assert DEVICE_REQUESTS.decode(line) == request_
    assert DEVICE_REQUESTS.decode(line.encode()) == request_


@pytest.mark.parametrize("event", EVENTS, ids=lambda one: type(one).__name__)
def test_every_event_comes_back_from_its_line(event: object) -> None:
    assert DEVICE_EVENTS.decode(DEVICE_EVENTS.encode(event)) == event  # type: ignore[arg-type]


def test_the_lines_are_the_ones_of_the_reference() -> None:
    assert DEVICE_REQUESTS.encode(POWER_ON) == (
        '{"request": "power-on", "time": 1.5, "factory": true, "clock_known": false, '
        '"dev_eui": "1122334455667788", "dev_addr": "0000ABCD", '
        '"GenAppKey": "000102030405060708090a0b0c0d0e0f"}'
    )
    assert DEVICE_EVENTS.encode(Uplink(1.0, 201, b"\x00\x03")) == (
        '{"event": "uplink", "time": 1.0, "fport": 201, "payload": "0003"}'
    )
    assert DEVICE_EVENTS.encode(Done()) == '{"event": "done"}'
    assert hello_request() == '{"request": "hello", "lorafuota": 1}'
    assert DEVICE_REQUESTS.kinds == ("power-on", "downlink", "multicast-frame", "advance")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("", "a line that is no JSON"),
        ("[1]", "a line that is no JSON object"),
        (b"\xff", "a line that is no UTF-8"),
        ("[" * 100_000, "a line that is no JSON"),
        ("{" + " " * MAX_LINE + "}", "a line of more than 4194304 octets"),
        ('{"event": "uplink", "event": "done"}', "an object has a name twice"),
        ('{"event": "done", "next": NaN}', "NaN is no number"),
        ('{"event": "done", "next": 1e999}', "done: next: expected a finite number"),
        ('{"event": "done", "next": ' + "9" * 400 + "}", "done: next: expected a finite number"),
        ('{"event": "done", "next": ' + "9" * 5_000 + "}", "a line that is no JSON"),
        ('{"event": "done", "next": true}', "done: next: expected a number"),
        ('{"event": ["done"]}', "came something else"),
        ("{}", '"event": expected one of .*; came nothing'),
        ('{"event": "dones"}', "came 'dones'"),
        ('{"event": "rebooted"}', "rebooted: time is missing"),
        ('{"event": "uplink", "time": 1, "fport": 1.0, "payload": ""}', "fport: .* whole number"),
        ('{"event": "uplink", "time": 1, "fport": true, "payload": ""}', "fport: .* whole number"),
        ('{"event": "uplink", "time": 1, "fport": 256, "payload": ""}', "fport = 256: .* 0..255"),
        ('{"event": "uplink", "time": 1, "fport": 1, "payload": "a"}', "payload: .* hex digits"),
        ('{"event": "uplink", "time": 1, "fport": 1, "payload": "a "}', "payload: .* hex digits"),
        ('{"event": "uplink", "time": 1, "fport": 1, "payload": 7}', "payload: .* hex digits"),
        ('{"event": "class-changed", "time": 1, "device_class": "D"}', "'D': expected A, B or C"),
        ('{"event": "class-changed", "time": 1, "device_class": "B", "mc_group_id": 4}', "= 4"),
        ('{"event": "block-delivered", "time": 1, "frag_index": 4, "data": ""}', "= 4"),
        ('{"event": "block-lost", "time": 1, "frag_index": -1}', "= -1"),
        ('{"event": "error", "reason": 1}', "error: reason: expected text"),
    ],
)
def test_what_is_no_event_is_refused_in_a_sentence(line: str | bytes, sentence: str) -> None:
    with pytest.raises(LineError, match=sentence):
        DEVICE_EVENTS.decode(line)


@given(st.binary(max_size=200) | st.text(max_size=200))
def test_whatever_arrives_is_an_event_or_a_line_error(line: str | bytes) -> None:
    with pytest.raises(LineError):
        DEVICE_EVENTS.decode(line)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
NAMES = ("time", "fport", "payload", "mc_group_id", "device_class", "frag_index", "data", "next")


@given(
    st.sampled_from(DEVICE_EVENTS.kinds),
    st.dictionaries(st.sampled_from([*NAMES, "reason"]), JSON),
)
def test_any_fields_at_all_give_an_event_or_a_line_error(
    kind: str, fields: dict[str, object]
) -> None:
    try:
        event = DEVICE_EVENTS.decode(json.dumps({"event": kind, **fields}))
    except LineError:
        return
    assert DEVICE_EVENTS.decode(DEVICE_EVENTS.encode(event)) == event


def test_no_sentence_about_a_request_repeats_a_key() -> None:
    given = read_object(DEVICE_REQUESTS.encode(POWER_ON))
    for damaged in (
        {**given, "GenAppKey": KEY.hex() + "00"},
        {**given, "GenAppKey": [KEY.hex()]},
        {**given, "AppKey": KEY.hex()},
        {**given, "dev_addr": "nonsense"},
    ):
        with pytest.raises(LineError) as error:
            DEVICE_REQUESTS.read(damaged)
        assert KEY.hex()[:8] not in str(error.value)
    del given["GenAppKey"]
    with pytest.raises(LineError, match="power-on: GenAppKey or AppKey is missing"):
        DEVICE_REQUESTS.read(given)


def test_what_the_reader_does_not_know_it_steps_over() -> None:
    line = '{"event": "rebooted", "time": 3, "why": {"told": [1]}}'
    assert DEVICE_EVENTS.decode(line) == Rebooted(3.0)


def test_a_clock_of_the_kit_is_put_over_the_time_of_an_event() -> None:
    assert DEVICE_EVENTS.decode('{"event": "rebooted"}', time=8.0) == Rebooted(8.0)
    assert DEVICE_EVENTS.decode('{"event": "rebooted", "time": "x"}', time=8.0) == Rebooted(8.0)


ABOUT = About(name="mine", versions={"fragmentation": 1}, can=frozenset({"class-c", "blocks"}))


def test_the_hello_comes_back_from_its_line() -> None:
    line = hello("device", ABOUT)
    assert json.loads(line)["can"] == ["blocks", "class-c"]
    assert read_hello(read_object(line), "device", About) == ABOUT
    short = {"event": "hello", "lorafuota": 1, "role": "device", "name": "x", "versions": {}}
    assert read_hello(short, "device", About) == About(name="x", versions={})
    nulls = {**short, "mc_groups": None, "can": None, "fports": None}
    assert read_hello(nulls, "device", About) == About(name="x", versions={})


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"lorafuota": 2}, 'hello: "lorafuota": expected 1'),
        ({"lorafuota": None}, 'hello: "lorafuota": expected 1'),
        ({"role": "server"}, 'hello: "role": expected "device"'),
        ({"name": None}, "hello: name is missing"),
        ({"name": 1}, "hello: name: expected text"),
        ({"versions": []}, "hello: versions: expected an object"),
        ({"versions": {"fragmentation": "1"}}, "hello: versions: expected a whole number"),
        ({"versions": {"fragmentation": 9}}, "hello: package.version = 9: expected 1 or 2"),
        ({"versions": {"fragments": 1}}, "hello: package.name = 'fragments'"),
        ({"fports": {"fragmentation": 0}}, r"hello: PackageMap.fports\[fragmentation\] = 0"),
        ({"can": "blocks"}, "hello: can: expected a list"),
        ({"can": ["fly"]}, r"hello: About.can = \['fly'\]: expected of power-cycle, "),
        ({"mc_groups": 5}, "hello: About.mc_groups = 5: expected int in 1..4"),
    ],
)
def test_a_hello_that_makes_no_sense_is_refused(changed: dict[str, object], sentence: str) -> None:
    with pytest.raises(LineError, match=sentence):
        read_hello({**read_object(hello("device", ABOUT)), **changed}, "device", About)


@dataclasses.dataclass(frozen=True)
class Part:
    address: DevAddr
    key: McKey | None
    numbers: Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True)
class Whole:
    time: float
    parts: tuple[Part, ...]
    note: str | None


def test_the_codec_takes_dataclasses_inside_others() -> None:
    lines: Lines[Whole] = Lines("request", [Whole])
    for key, note in ((None, None), (McKey(KEY), "x")):
        message = Whole(1.0, (Part(DevAddr(1), key, {"a": (1, 2)}),), note)
        assert lines.decode(lines.encode(message)) == message
    assert kind_of(Whole) == "whole"
    with pytest.raises(LineError, match="whole: parts: address is missing"):
        lines.decode('{"request": "whole", "time": 1, "parts": [{"numbers": {}}]}')


def test_every_key_in_a_message_is_found() -> None:
    assert list(keys_in(POWER_ON)) == [GenAppKey(KEY)]
    nested = Whole(1.0, (Part(DevAddr(1), McKey(KEY), {}), Part(DevAddr(1), None, {})), None)
    assert list(keys_in(nested)) == [McKey(KEY)]
    assert list(keys_in(Advance(1.0))) == []


def test_a_type_that_has_no_form_is_refused_when_it_is_declared() -> None:
    @dataclasses.dataclass
    class Odd:
        when: complex

    with pytest.raises(TypeError, match=r"complex.* has no form on a line"):
        Lines("event", [Odd])


def test_a_message_of_this_process_is_checked_like_its_line() -> None:
    good = DEVICE_EVENTS.checked(Uplink(1, 2, memoryview(b"x")))  # type: ignore[arg-type]
    assert good == Uplink(1.0, 2, b"x")
    for wrong, sentence in (
        (7, "int is no event"),
        (Advance(1.0), "Advance is no event"),
        (Uplink(True, 2, b""), "uplink: time: expected a number"),
        (Uplink(1.0, 2, 5), "uplink: a value that cannot be: 'int' object has no attribute 'hex'"),  # type: ignore[arg-type]
    ):
        with pytest.raises(LineError, match=sentence):
            DEVICE_EVENTS.checked(wrong)


def test_a_class_of_the_same_name_is_another_one() -> None:
    from lorafuota.conformance.serversubject import Uplink as ServerUplink

    with pytest.raises(LineError, match="Uplink is no event"):
        DEVICE_EVENTS.checked(ServerUplink(1.0, DevEUI(1), 2, b""))
