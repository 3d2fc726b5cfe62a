from __future__ import annotations

import math
import pickle

import pytest

from lorafuota import errors
from tests.support import nested


def test_every_error_of_ours_is_a_fuota_error_and_says_whose_fault_it_is() -> None:
    ours = {getattr(errors, name) for name in errors.__all__ if name.endswith("Error")}
    assert all(issubclass(one, errors.FuotaError) for one in ours)
    assert issubclass(errors.FieldError, ValueError)
    assert issubclass(errors.StateError, RuntimeError)
    refused = {one for one in ours if issubclass(one, errors.RefusedError)}
    assert {one.__name__ for one in refused} == {
        "BaseImageError",
        "RefusedError",
        "RollbackError",
        "TargetError",
    }
    decode = {one for one in ours if issubclass(one, errors.DecodeError)}
    assert {one.__name__ for one in decode} == {
        "DecodeError",
        "ReservedBitsError",
        "TrailingOctetsError",
        "TruncatedError",
        "UnknownCommandError",
    }


def test_sentences_name_message_field_value_and_expectation() -> None:
    assert str(errors.FieldError("A", "b", 7, "int in 0..3")) == "A.b = 7: expected int in 0..3"
    assert str(errors.DecodeError("A", 3, "cut")) == "A: cut (octet 3)"
    assert str(errors.StateError("A.b", "not now")) == "A.b: not now"
    assert str(errors.RollbackError("image", "not newer")) == "image: not newer"
    assert str(errors.IntegrityError("frame", "the MIC does not fit")) == (
        "frame: the MIC does not fit"
    )


def test_a_long_value_is_cut_short() -> None:
    text = str(errors.FieldError("A", "b", bytes(1000), "4 octets"))
    assert len(text) < 120
    assert text.endswith("... (bytes): expected 4 octets")


def test_a_value_that_cannot_be_shown_is_named_by_its_kind() -> None:
    assert str(errors.FieldError("X", "y", nested(), "less")) == "X.y = (list): expected less"
    assert str(errors.FieldError("X", "y", 10**5000, "less")) == "X.y = (int): expected less"


def test_decode_errors_compare_by_content() -> None:
    error = errors.TruncatedError("A", 1, "cut")
    assert error == errors.TruncatedError("A", 1, "cut")
    assert error != errors.DecodeError("A", 1, "cut")
    assert error != errors.TruncatedError("A", 2, "cut")
    assert error != "A: cut (octet 1)"
    assert hash(error) == hash(errors.TruncatedError("A", 1, "cut"))


def test_a_number_out_of_range_is_refused_and_a_bool_is_no_number() -> None:
    assert errors.require_int("A", "b", 3, 0, 3) == 3
    for value in (-1, 4, 1.0, "1", None, True):
        with pytest.raises(errors.FieldError, match=r"A\.b = .*: expected int in 0\.\.3"):
            errors.require_int("A", "b", value, 0, 3)


def test_errors_survive_pickling() -> None:
    for error in (
        errors.FieldError("A", "b", 7, "int"),
        errors.TruncatedError("A", 1, "cut"),
        errors.StateError("A", "b"),
        errors.IntegrityError("A", "b"),
        errors.TargetError("A", "b"),
    ):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.args, str(again)) == (type(error), error.args, str(error))


@pytest.mark.parametrize("value", [0.0, -5.0, 1.4e9, float(1 << 53)])
def test_a_time_is_given_back(value: float) -> None:
    assert errors.require_time("here", "now", value) == value


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 2.0**54])
def test_what_is_no_time_is_refused_by_name(value: float) -> None:
    with pytest.raises(errors.FieldError) as caught:
        errors.require_time("here", "now", value)
    assert str(caught.value) == f"here.now = {value!r}: expected seconds, at most 2**53 of them"
