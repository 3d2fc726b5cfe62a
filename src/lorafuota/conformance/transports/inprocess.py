"""A Python object in this process as the subject under test."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Generic, TypeVar, final

from ..subject import SubjectError

__all__ = ["PythonSubject", "load"]

Q = TypeVar("Q")
R = TypeVar("R")
A = TypeVar("A")


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
class PythonSubject(Generic[Q, R, A]):
    """Somebody's object: whatever it raises ends a check, and none of the others.

    Attributes:
        about: What it says of itself.
    """

    def __init__(self, thing: object, *, about: type[A], reply: type[R]) -> None:
        """Take a subject, or something that makes one when it is called without arguments.

        Args:
            thing: The subject, or what makes it.
            about: The class of what it says of itself.
            reply: The class of its replies.

        Raises:
            SubjectError: It is neither.
        """
        if isinstance(thing, type) or not hasattr(thing, "exchange"):
            thing = _made(thing)
        said = getattr(thing, "about", None)
        exchange = getattr(thing, "exchange", None)
        if not isinstance(said, about) or not callable(exchange):
            needs = f"about, of class {about.__name__}, and a method exchange"
            raise SubjectError(f"{type(thing).__name__} is nothing to test: it needs {needs}")
        self.about: A = said
        self._exchange: Callable[[Q], object] = exchange
        self._reply = reply

    def exchange(self, request: Q) -> R:
        """Carry out one request.

        Raises:
            SubjectError: It raised something, or gave no reply.
        """
        name = type(request).__name__
        try:
            reply = self._exchange(request)
        except SubjectError:
            raise
        except Exception as error:  # the finding, and its traceback stays with it
            raise SubjectError(f"{name} raises {_words(error)}") from error
        if not isinstance(reply, self._reply):
            raise SubjectError(f"{name} gives {type(reply).__name__}, no {self._reply.__name__}")
        return reply


def _made(thing: object) -> object:
    if not callable(thing):
        raise SubjectError(f"{type(thing).__name__} is nothing to test, and makes nothing")
    try:
        return thing()
    except Exception as error:
        raise SubjectError(f"the subject cannot be made: {_words(error)}") from error


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
