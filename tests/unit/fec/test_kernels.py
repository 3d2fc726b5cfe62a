import sys
import types
from typing import Any

import pytest

from lorafuota.errors import FieldError
from lorafuota.fec import _reference, kernels


def forbid(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:  # None in sys.modules makes the import fail
        monkeypatch.setitem(sys.modules, f"lorafuota.fec.{name}", None)


def offer(monkeypatch: pytest.MonkeyPatch, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    module.instruction_sets = lambda: ("baseline",)  # type: ignore[attr-defined]
    module.Kernels = lambda simd: (module, simd)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, f"lorafuota.fec.{name}", module)
    return module


def choose(wish: str, simd: str = "auto") -> Any:
    return kernels._choose(wish, simd)


def test_the_reference_serves_when_nothing_faster_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "_speedups", "_pure")
    for wish in ("auto", "python", "reference"):
        assert choose(wish) == ("reference", _reference)


def test_the_fastest_allowed_set_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    speedups, pure = offer(monkeypatch, "_speedups"), offer(monkeypatch, "_pure")
    assert choose("auto") == ("c", (speedups, "auto"))
    assert choose("c") == ("c", (speedups, "auto"))
    assert choose("python") == ("python", pure)
    assert choose("reference") == ("reference", _reference)


def test_c_that_cannot_be_had_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    forbid(monkeypatch, "_speedups")
    with pytest.raises(ImportError, match="LORAFUOTA_KERNELS=c, but") as caught:
        choose("c")
    assert isinstance(caught.value.__cause__, ImportError)


def test_an_unknown_wish_is_refused() -> None:
    with pytest.raises(FieldError) as caught:
        choose("fast")
    assert str(caught.value) == (
        "environment.LORAFUOTA_KERNELS = 'fast': expected auto, c, python or reference"
    )


def test_an_instruction_set_is_taken_or_refused_as_named(monkeypatch: pytest.MonkeyPatch) -> None:
    speedups = offer(monkeypatch, "_speedups")
    forbid(monkeypatch, "_pure")
    assert choose("c", "baseline") == ("c", (speedups, "baseline"))
    assert choose("auto", "avx2") == ("reference", _reference)
    with pytest.raises(ImportError, match="LORAFUOTA_KERNELS=c, but"):
        choose("c", "avx2")
    with pytest.raises(FieldError, match="LORAFUOTA_SIMD = 'avx512': expected auto, avx2 or base"):
        choose("auto", "avx512")


def test_all_sets_that_load_are_offered_to_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    assert next(iter(kernels.available())) == "reference"
    forbid(monkeypatch, "_speedups", "_pure")
    assert kernels.available() == {"reference": _reference}


def test_the_choice_is_reported() -> None:
    assert kernels.NAME in ("c", "python", "reference")
    assert kernels.ACTIVE.lines(3, [1, 3], 0) == b"\x01\x04"
