import sys
import types

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec import _reference, kernels


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:  # None in sys.modules makes the import fail
        monkeypatch.setitem(sys.modules, f"lorafuota.fec.{name}", None)


def offer(monkeypatch: pytest.MonkeyPatch, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    monkeypatch.setitem(sys.modules, f"lorafuota.fec.{name}", module)
    return module


def test_the_reference_serves_when_nothing_faster_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "_speedups", "_pure")
    for wish in ("auto", "python", "reference"):
        assert kernels._choose(wish) == ("reference", _reference)


def test_the_fastest_allowed_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    speedups, pure = offer(monkeypatch, "_speedups"), offer(monkeypatch, "_pure")
    assert kernels._choose("auto") == ("c", speedups)
    assert kernels._choose("c") == ("c", speedups)
    assert kernels._choose("python") == ("python", pure)
    assert kernels._choose("reference") == ("reference", _reference)


def test_c_that_cannot_be_had_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "_speedups")
    with pytest.raises(ImportError, match="LORAFUOTA_KERNELS=c, but") as caught:
        kernels._choose("c")
    assert isinstance(caught.value.__cause__, ImportError)


def test_an_unknown_wish_is_refused() -> None:
    with pytest.raises(FieldError) as caught:
        kernels._choose("fast")
    assert str(caught.value) == (
        "environment.LORAFUOTA_KERNELS = 'fast': expected auto, c, python or reference"
    )


def test_the_choice_is_reported() -> None:
    assert kernels.NAME in ("c", "python", "reference")
    assert kernels.ACTIVE.lines(3, [1, 3], 0) == b"\x01\x04"
