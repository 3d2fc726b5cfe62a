"""A Python object in this process as the device under test."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import final

from ..subject import About, DeviceRequest, Reply, SubjectError

__all__ = ["PythonDevice", "load"]


def load(name: str) -> object:
    """Return what ``module:attribute`` names.

    Raises:
        SubjectError: There is no such module, or it cannot be imported, or it has no such thing.
    """
    module, colon, path = name.partition(":")
    if not (module and colon and path):
        raise SubjectError(f"{name!r}: expected module:attribute")
    try:
        found: object = importlib.import_module(module)
    except Exception as error:  # whatever somebody's module does when it is imported
        raise SubjectError(f"{module} cannot be imported: {_words(error)}") from error
    for part in path.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise SubjectError(f"{module} has no {path}") from None
    return found


@final
class PythonDevice:
    """Somebody's object: whatever it raises ends a check, and none of the others."""

    def __init__(self, thing: object) -> None:
        """Take a device, or something that makes one when it is called without arguments.

        Raises:
            SubjectError: It is neither.
        """
        if isinstance(thing, type) or not hasattr(thing, "exchange"):
            thing = _made(thing)
        about = getattr(thing, "about", None)
        exchange = getattr(thing, "exchange", None)
        if not isinstance(about, About) or not callable(exchange):
            expected = "about, an About, and exchange (lorafuota.conformance.subject.DeviceSubject)"
            raise SubjectError(f"{type(thing).__name__} is no device: it needs {expected}")
        self.about: About = about
        self._exchange: Callable[[DeviceRequest], object] = exchange

    def exchange(self, request: DeviceRequest) -> Reply:
        """Carry out one request."""
        try:
            reply = self._exchange(request)
        except SubjectError:
            raise
        except Exception as error:  # the finding, and its traceback stays with it
            raise SubjectError(f"{type(request).__name__} raises {_words(error)}") from error
        if not isinstance(reply, Reply):
            raise SubjectError(f"{type(request).__name__} gives {type(reply).__name__}, no Reply")
        return reply


def _made(thing: object) -> object:
    if not callable(thing):
        raise SubjectError(f"{type(thing).__name__} is no device, and makes none")
    try:
        return thing()
    except Exception as error:
        raise SubjectError(f"the device cannot be made: {_words(error)}") from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
