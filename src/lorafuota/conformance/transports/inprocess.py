"""A Python object in this process as the subject under test.

Whatever it raises is caught, ``SystemExit`` too, and what it prints goes to standard error:
standard output is the kit's, and may be a document for a program.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar, final

from ..lines import Done, Error, LineError, Lines
from ..printable import printable
from ..replies import MOST_EVENTS, Rules, Timed, WrongReply
from ..subject import SubjectError

__all__ = ["PythonSubject", "load"]

Q = TypeVar("Q", bound=Timed)
E = TypeVar("E", bound=Timed)
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
    with _somebodys(f"{module} cannot be imported:"):
        found: object = importlib.import_module(module)
    for part in path.split("."):
        with _somebodys(f"{name} raises"):
            if not hasattr(found, part):
                raise SubjectError(f"{module} has no {path}")
            found = getattr(found, part)
    return found


@final
class PythonSubject(Generic[Q, E, R, A]):
    """Somebody's object: whatever it raises or replies ends a check, and none of the others.

    Attributes:
        about: What it says of itself.
    """

    def __init__(
        self,
        thing: object,
        *,
        about: type[A],
        reply: type[R],
        events: Lines[E | Done | Error],
        rules: Rules[Q, E],
    ) -> None:
        """Take a subject, or something that makes one when it is called without arguments.

        Args:
            thing: The subject, or what makes it.
            about: The class of what it says of itself.
            reply: The class of its replies, made of events and the time of what is next.
            events: What it may say.
            rules: Say whether an event can be.

        Raises:
            SubjectError: It is neither.
        """
        with _somebodys("the subject raises"):
            ready = not isinstance(thing, type) and hasattr(thing, "exchange")
        if not ready:
            thing = _made(thing)
        with _somebodys("the subject raises"):
            said = getattr(thing, "about", None)
            exchange = getattr(thing, "exchange", None)
        if not isinstance(said, about) or not callable(exchange):
            needs = f"about, of class {about.__name__}, and a method exchange"
            raise SubjectError(f"{type(thing).__name__} is nothing to test: it needs {needs}")
        self.about: A = said
        self._exchange: Callable[[Q], object] = exchange
        self._reply, self._events, self._rules = reply, events, rules

    def exchange(self, request: Q) -> R:
        """Carry out one request.

        Raises:
            SubjectError: It raised something, or gave no reply, or one that cannot be.
        """
        name = type(request).__name__
        self._rules.ask(request)
        with _somebodys(f"{name} raises"):
            reply = self._exchange(request)
        if not isinstance(reply, self._reply):
            raise SubjectError(f"{name} gives {type(reply).__name__}, no {self._reply.__name__}")
        try:
            checked = self._checked(reply)
        except (LineError, WrongReply) as error:
            raise SubjectError(f"{name} gives a reply that cannot be: {error}") from error
        self._rules.done()
        return checked

    def _checked(self, reply: Any) -> R:
        """Return a reply as it would be if it had come as lines."""
        if not isinstance(reply.events, tuple | list):
            raise WrongReply(f"events: expected a tuple; came {type(reply.events).__name__}")
        if len(reply.events) > MOST_EVENTS:
            raise WrongReply(f"more than {MOST_EVENTS} events came for one request")
        events: list[E] = []
        for one in reply.events:
            event = self._events.checked(one)
            if isinstance(event, Done | Error):
                raise WrongReply(f"{type(event).__name__} is for lines, and no event")
            events.append(self._rules.take(event))
        done = self._events.checked(Done(reply.next))
        assert isinstance(done, Done)
        make: Any = self._reply
        made: R = make(tuple(events), done.next)
        return made


def _made(thing: object) -> object:
    if not callable(thing):
        raise SubjectError(f"{type(thing).__name__} is nothing to test, and makes nothing")
    with _somebodys("the subject cannot be made:"):
        return thing()


@contextlib.contextmanager
def _somebodys(what: str) -> Iterator[None]:
    """Run somebody's code: it cannot end the kit, and does not print where the kit does.

    Raises:
        SubjectError: It raised something, which stands behind *what*.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (SubjectError, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too; the finding, and its traceback stays with it
        raise SubjectError(f"{what} {_words(error)}") from error


def _words(error: BaseException) -> str:
    try:
        text = printable(str(error))
    except Exception:  # an error that cannot say what it is
        text = ""
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
