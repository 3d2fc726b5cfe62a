"""Refuses arguments at once, when a strategy is asked for, and not when it draws."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Any

from ..errors import FieldError
from ..package import Package
from ..types import Direction

__all__ = ["require", "require_class", "require_members", "require_number", "require_travel"]


def require(where: str, field: str, value: object, kind: Any, expected: str) -> None:
    """See that *value* is a *kind*: a class, or several as ``isinstance`` takes them.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, kind):
        raise FieldError(where, field, value, expected)


def require_number(
    where: str, field: str, value: Any, kind: Any, lowest: float, expected: str
) -> None:
    """See that *value* is a finite number of a *kind*, and not too low; a bool is none.

    Raises:
        FieldError: It is not.
    """
    fine = isinstance(value, kind) and not isinstance(value, bool)
    if not fine or not lowest <= value < math.inf:
        raise FieldError(where, field, value, expected)


def require_travel(where: str, package: object, direction: object) -> None:
    """See that these are a package and the way its commands travel.

    Raises:
        FieldError: They are not.
    """
    made = "a Package, as lorafuota.package('fragmentation', 2) returns it"
    require(where, "package", package, Package, made)
    require(where, "direction", direction, Direction, "Direction.UPLINK or Direction.DOWNLINK")


def require_class(
    where: str, field: str, value: object, base: type, expected: str, *, without: Any = ()
) -> None:
    """See that *value* is a class below *base*.

    Args:
        where: The function, for the error.
        field: The argument, for the error.
        value: What was given.
        base: It is none itself.
        expected: For the error.
        without: Further classes that are none.

    Raises:
        FieldError: It is not.
    """
    fine = isinstance(value, type) and issubclass(value, base) and value not in (base, *without)
    if not fine:
        raise FieldError(where, field, value, expected)


def require_members(
    where: str, field: str, value: object, kind: type, expected: str
) -> Collection[Any]:
    """Return *value* if it is a collection of *kind*, empty or not.

    Raises:
        FieldError: It is not.
    """
    if not isinstance(value, Collection) or not all(isinstance(one, kind) for one in value):
        raise FieldError(where, field, value, expected)
    return value
