import pytest

from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.subject import About, Advance, DeviceRequest, Reply, SubjectError
from lorafuota.conformance.transports.inprocess import PythonDevice, load

HERE = __name__


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
        assert isinstance(PythonDevice(thing).about, About)
    device = PythonDevice(make)
    with pytest.raises(SubjectError, match=r"Advance raises StateError: OwnDevice.exchange: "):
        device.exchange(Advance(0.0))


def fail() -> None:
    raise OSError("no board")


@pytest.mark.parametrize(
    ("thing", "sentence"),
    [
        ("text", "str is no device, and makes none"),
        (fail, "the device cannot be made: OSError: no board"),
        (lambda: 1, "int is no device: it needs about, an About, and exchange"),
    ],
)
def test_what_is_no_device_is_told(thing: object, sentence: str) -> None:
    with pytest.raises(SubjectError, match=sentence):
        PythonDevice(thing)


def test_whatever_a_device_raises_ends_the_check_and_nothing_else() -> None:
    device = PythonDevice(Odd())
    for time, sentence in (
        (1.0, "Advance gives NoneType, no Reply"),
        (2.0, "^enough$"),
        (3.0, "Advance raises KeyError$"),
    ):
        with pytest.raises(SubjectError, match=sentence):
            device.exchange(Advance(time))
    assert PythonDevice(make).exchange(_power_on()) == Reply()


def _power_on() -> DeviceRequest:
    from tests.unit.conformance.test_own import power_on

    return power_on(0.0)
