import pathlib
import sys

import pytest

from lorafuota.conformance.lines import DEVICE_EVENTS, Done
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.replies import DeviceRules
from lorafuota.conformance.subject import (
    About,
    Advance,
    DeviceEvent,
    DeviceRequest,
    Reply,
    SubjectError,
    Uplink,
)
from lorafuota.conformance.transports.inprocess import PythonSubject, load

HERE = __name__


def python_device(
    thing: object,
) -> PythonSubject[DeviceRequest, DeviceEvent, Reply, About]:
    return PythonSubject(thing, about=About, reply=Reply, events=DEVICE_EVENTS, rules=DeviceRules())


def make() -> OwnDevice:
    return OwnDevice("documents v1")


class Odd:
    """A device that does not keep to its word."""

    about = About(name="odd", versions={})
    inner = "a text"

    def exchange(self, request: DeviceRequest) -> object:
        if request.time == 1:
            return None
        if request.time == 2:
            raise SubjectError("enough")
        raise KeyError


def test_a_name_leads_to_an_object() -> None:
    assert load(f"{HERE}:make") is make
    assert load(f"{HERE}:Odd.inner") == "a text"


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("module", "'module': expected module:attribute"),
        (":x", "expected module:attribute"),
        ("no_such_module:x", "no_such_module cannot be imported: ModuleNotFoundError: No module"),
        (f"{HERE}:x.y", f"{HERE} has no x.y"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(name: str, sentence: str) -> None:
    with pytest.raises(SubjectError, match=sentence):
        load(name)


def test_a_device_a_class_and_a_function_that_makes_one_are_all_taken() -> None:
    for thing in (make(), make, Odd):
        assert isinstance(python_device(thing).about, About)
    device = python_device(make)
    with pytest.raises(SubjectError, match=r"Advance raises StateError: OwnDevice.exchange: "):
        device.exchange(Advance(0.0))


def fail() -> None:
    raise OSError("no board")


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        ("text", "str is nothing to test, and makes nothing"),
        (fail, "the subject cannot be made: OSError: no board"),
        (
            lambda: 1,
            "int is nothing to test: it needs about, of class About, and a method exchange",
        ),
    ],
)
def test_what_is_no_device_is_told(thing: object, sentence: str) -> None:
    with pytest.raises(SubjectError, match=sentence):
        python_device(thing)


def test_whatever_a_device_raises_ends_the_check_and_nothing_else() -> None:
    device = python_device(Odd())
    for time, sentence in (
        (1.0, "Advance gives NoneType, no Reply"),
        (2.0, "^enough$"),
        (3.0, "Advance raises KeyError$"),
    ):
        with pytest.raises(SubjectError, match=sentence):
            device.exchange(Advance(time))
    assert python_device(make).exchange(_power_on()) == Reply()


class Replies:
    """A device that replies what a test wants it to reply."""

    about = About(name="replies", versions={})

    def __init__(self, reply: object) -> None:
        self.reply = reply

    def exchange(self, request: DeviceRequest) -> object:
        print("noise")
        if isinstance(self.reply, BaseException):
            raise self.reply
        return self.reply


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        (Reply((1,)), "Advance gives a reply that cannot be: int is no event"),  # type: ignore[arg-type]
        (Reply((Advance(5.0),)), "Advance is no event"),  # type: ignore[arg-type]
        (Reply((Done(),)), "Done is for lines, and no event"),  # type: ignore[arg-type]
        (Reply(next="soon"), "done: next: expected a number"),  # type: ignore[arg-type]
        (Reply(next=float("nan")), "done: next: expected a finite number"),
        (Reply(None), "events: expected a tuple; came NoneType"),  # type: ignore[arg-type]
        (Reply((Uplink(105.0, 1, b""),)), "Uplink is of 105.0, which is yet to come at 5.0"),
        (Reply((Uplink(5.0, 1, "00"),)), "uplink: a value that cannot be"),  # type: ignore[arg-type]
        (Reply((Uplink("5", 1, b""),)), "uplink: time: expected a number"),  # type: ignore[arg-type]
        (Reply((Uplink(5.0, 1, b""),) * 10_001), "more than 10000 events came for one request"),
        (SystemExit(0), "Advance raises SystemExit: 0"),
        (GeneratorExit(), "Advance raises GeneratorExit"),
        (RuntimeError("a\x1b]0;b\nc"), r"RuntimeError: a\\x1b\]0;b\\nc"),
    ],
)
def test_a_reply_that_cannot_be_ends_the_check(reply: object, sentence: str) -> None:
    with pytest.raises(SubjectError, match=sentence):
        python_device(Replies(reply)).exchange(Advance(5.0))


def test_a_reply_counts_as_it_would_behind_lines() -> None:
    said = Reply((Uplink(5, 1, bytearray(b"ab")),), 7)  # type: ignore[arg-type]
    came = python_device(Replies(said)).exchange(Advance(5.0))
    assert came == Reply((Uplink(5.0, 1, b"ab"),), 7.0)
    [event] = came.events
    assert isinstance(event, Uplink)
    assert (type(event.time), type(event.payload), type(came.next)) == (float, bytes, float)


def test_what_a_subject_prints_does_not_go_where_the_kit_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def make_noise() -> Replies:
        print("made")
        return Replies(Reply())

    python_device(make_noise).exchange(Advance(5.0))
    out, err = capsys.readouterr()
    assert (out, err) == ("", "made\nnoise\n")


def test_a_module_and_a_maker_that_want_to_end_the_process_do_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "module_that_leaves.py").write_text("import sys\nsys.exit(0)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SubjectError, match="module_that_leaves cannot be imported: SystemExit: 0"):
        load("module_that_leaves:x")
    with pytest.raises(SubjectError, match="the subject cannot be made: SystemExit"):
        python_device(sys.exit)


class Hides:
    """What it says of itself cannot be had."""

    @property
    def about(self) -> About:
        raise RuntimeError("no")

    def exchange(self, request: DeviceRequest) -> object:
        return Reply()


def test_a_subject_that_cannot_say_what_it_is_is_told() -> None:
    with pytest.raises(SubjectError, match="the subject raises RuntimeError: no"):
        python_device(Hides())


def test_an_error_without_words_has_its_name() -> None:
    class Silent(Exception):
        def __str__(self) -> str:
            raise ValueError

    with pytest.raises(SubjectError, match=r"Advance raises Silent$"):
        python_device(Replies(Silent())).exchange(Advance(5.0))


def test_ctrl_c_is_for_the_kit() -> None:
    with pytest.raises(KeyboardInterrupt):
        python_device(Replies(KeyboardInterrupt())).exchange(Advance(5.0))


def _power_on() -> DeviceRequest:
    from tests.unit.conformance.test_own import power_on

    return power_on(0.0)
