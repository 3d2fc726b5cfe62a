"""The kit's end of the lines, over any channel: hello, requests, and the events that come back.

What arrives is untrusted.  Whatever is not as the protocol says ends the link with a
:class:`SubjectError`; :meth:`LineLink.begin` then makes a new one, so that a subject that broke in
one check is there for the next.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, Generic, TypeVar, final

from ..lines import (
    Done,
    Error,
    LineError,
    Lines,
    hello_request,
    keys_in,
    read_hello,
    read_object,
)
from ..printable import printable
from ..replies import MOST_EVENTS, Rules, Timed, WrongReply
from ..subject import SubjectError
from .channel import Channel

__all__ = ["LineLink"]

_MOST_NOISE: Final = 1_000
"""Lines a subject may say before its hello, and comments it may make at one request."""
_ASK_AGAIN_SECONDS: Final = 2.0
"""What a subject gets to say hello before it is asked again."""
_SHOWN: Final = 240
"""Characters of a line that are shown."""
_COMMENTS: Final = 10
"""Comments that are kept for the explanation of a failure."""


Q = TypeVar("Q", bound=Timed)
E = TypeVar("E", bound=Timed)
A = TypeVar("A")


@final
class LineLink(Generic[Q, E, A]):
    """One subject, from its hello on; *A* is what it says of itself.

    Attributes:
        about: What it says of itself.
        stamp: GPS seconds; says when an event came, for a subject with a clock of its own.  None
            for one in virtual time, which says it, and is checked.
    """

    def __init__(
        self,
        connect: Callable[[], Channel],
        *,
        role: str,
        about: type[A],
        requests: Lines[Q],
        events: Lines[E | Done | Error],
        rules: Rules[Q, E],
        seconds: float = 10.0,
    ) -> None:
        """Connect and hear what the subject says of itself.

        Args:
            connect: Opens a channel, at the start and whenever the link broke.
            role: ``device`` or ``server``.
            about: The class of what it says of itself.
            requests: Lines of the kit.
            events: Lines of the subject.
            rules: Say whether an event can be; not asked while there is a *stamp*.
            seconds: How long it may take over the hello, or over one request.

        Raises:
            SubjectError: It cannot be reached, or is not what it should be.
        """
        self._connect, self._role, self._about_class = connect, role, about
        self._requests, self._events = requests, events
        self._rules, self._seconds = rules, seconds
        self.stamp: Callable[[], float] | None = None
        self._secrets: set[str] = set()
        self._late_hellos = 0  # answers to a hello that was asked for twice
        self._comments: deque[str] = deque(maxlen=_COMMENTS)
        self._no_hello = ""  # what came in its place
        self._channel: Channel | None = None
        self.about: A = self._open()

    def begin(self) -> None:
        """Make a new link if the last one broke; time may begin anew.

        Raises:
            SubjectError: There is none to be had, or the subject says something else of itself.
        """
        self._rules.begin()
        if self._channel is None and self._open() != self.about:
            raise self._broken("the subject says something else of itself than before")

    def exchange(self, request: Q) -> tuple[tuple[E, ...], float | None]:
        """Send one request; return the events until its end, and when the next thing is due.

        Raises:
            SubjectError: The subject does not work any more.
        """
        channel = self._open_channel()
        if self.stamp is None and (left := self._next(time.monotonic())) is not None:
            raise self._broken(f"{type(left).__name__} came, which belongs to no request")
        self._secrets.update(key.reveal().hex() for key in keys_in(request))
        self._rules.ask(request)
        self._send(channel, self._requests.encode(request))
        end = time.monotonic() + self._seconds
        events: list[E] = []
        while True:
            message = self._next(end)
            if message is None:
                raise self._broken(
                    f'no "done" within {self._seconds:g} s of {type(request).__name__}', ended=True
                )
            if isinstance(message, Error):
                raise self._broken(f"the subject gives up: {self._shown(message.reason)}")
            if isinstance(message, Done):
                self._rules.done()
                return tuple(events), message.next
            events.append(self._checked(message))
            if len(events) > MOST_EVENTS:
                raise self._broken(f"more than {MOST_EVENTS} events came for one request")

    def collect(self, seconds: float) -> tuple[E, ...]:
        """Wait for events nobody asked for; return as soon as there are any.

        Raises:
            SubjectError: The subject does not work any more.
        """
        self._open_channel()
        events: list[E] = []
        end = time.monotonic() + seconds
        while len(events) <= MOST_EVENTS:
            message = self._next(time.monotonic() if events else end)
            if message is None:
                return tuple(events)
            if isinstance(message, Error):
                raise self._broken(f"the subject gives up: {self._shown(message.reason)}")
            if isinstance(message, Done):
                raise self._broken('a "done" came that belongs to no request')
            events.append(message)
        raise self._broken(f"more than {MOST_EVENTS} events came at once")

    def close(self) -> None:
        """End it.  Harmless when repeated."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # --- How ---

    def _open(self) -> A:
        self._comments.clear()
        self._channel = self._connect()
        try:
            about = self._hear_hello(self._channel)
        except SubjectError as error:
            raise SubjectError(f"no hello: {error}") from error
        self._no_hello = ""
        return about

    def _hear_hello(self, channel: Channel) -> A:
        """Ask for the hello, again and again: a board that starts loses what it is told."""
        self._late_hellos, noise = -1, 0
        ask = time.monotonic()
        end = ask + self._seconds
        while noise < _MOST_NOISE:
            if (now := time.monotonic()) >= end:
                what = "other lines only" if self._no_hello or self._comments else "nothing"
                raise self._broken(f"{what} within {self._seconds:g} s", ended=True)
            if now >= ask:
                self._send(channel, hello_request())
                self._late_hellos += 1
                ask = now + _ASK_AGAIN_SECONDS
            line = self._line(min(end, ask))
            if line is None:
                continue
            noise += 1
            try:
                given = read_object(line)
            except LineError:  # what a board says while it starts
                self._comments.append(line.decode("utf-8", "replace"))
                continue
            if given.get("event") == "hello":
                try:
                    return read_hello(given, self._role, self._about_class)
                except LineError as error:
                    raise self._broken(str(error)) from None
            self._no_hello = f"{self._quoted(line)}, {_why_no_hello(given)}"
        raise self._broken(f"{_MOST_NOISE} other lines came")

    def _send(self, channel: Channel, line: str) -> None:
        try:
            channel.send(line)
        except SubjectError as error:
            raise self._broken(str(error)) from error

    def _open_channel(self) -> Channel:
        if self._channel is None:
            raise SubjectError("the link to the subject is broken")
        return self._channel

    def _line(self, end: float) -> bytes | None:
        """Return the next line that is not a comment; None if there is none until *end*."""
        channel = self._open_channel()
        for _ in range(_MOST_NOISE):
            try:
                line = channel.receive(max(end - time.monotonic(), 0.0))
            except SubjectError as error:
                raise self._broken(str(error), ended=True) from error
            if line is None:
                return None
            if line and not line.startswith(b"#"):
                return line
            self._comments.append(line.decode("utf-8", "replace"))
        raise self._broken(f"more than {_MOST_NOISE} comments came in a row")

    def _next(self, end: float) -> E | Done | Error | None:
        line = self._line(end)
        if line is None:
            return None
        try:
            given = read_object(line)
            if given.get("event") == "hello" and self._late_hellos > 0:
                self._late_hellos -= 1
                return self._next(end)
            if "request" in given and "event" not in given:
                raise LineError("requests come back; switch the echo off")
            return self._events.read(given, time=None if self.stamp is None else self.stamp())
        except LineError as error:
            raise self._broken(f"the subject says {self._quoted(line)}: {error}") from None

    def _checked(self, event: E) -> E:
        if self.stamp is not None:
            return event
        try:
            return self._rules.take(event)
        except WrongReply as error:
            raise self._broken(str(error)) from None

    def _broken(self, reason: str, *, ended: bool = False) -> SubjectError:
        """Close the link; return the error, with what the subject said besides.

        Args:
            reason: Why.
            ended: Whether something more was waited for: a line that was begun is shown then.
        """
        channel, self._channel = self._channel, None
        words = rest = ""
        if channel is not None:
            rest = self._shown(channel.unfinished()) if ended else ""
            channel.close()
            words = channel.last_words()
        comments = "\n".join(one for one in self._comments if one)
        for said, where in (
            (self._no_hello, ""),
            (rest and f"'{rest}'", " without a line feed"),
            (comments, " beside its lines"),
            (words, " on standard error"),
        ):
            if said:
                reason += f"; it said{where}: {said}"
        self._no_hello = ""
        return SubjectError(self._without_keys(reason))

    def _shown(self, said: bytes | str) -> str:
        """Return the start of what the subject said, without keys and on one line."""
        text = said if isinstance(said, str) else said.decode("utf-8", "replace")
        return printable(self._without_keys(text)[:_SHOWN])

    def _quoted(self, said: bytes) -> str:
        return f"'{self._shown(said)}'"

    def _without_keys(self, text: str) -> str:
        for secret in self._secrets:
            text = re.sub(secret, "(key)", text, flags=re.IGNORECASE)
        return text


def _why_no_hello(given: Mapping[str, object]) -> str:
    """Say what is wrong with an object that came in the place of the hello."""
    if "event" in given:
        return 'whose "event" is not "hello"'
    if "request" in given:
        return "a request that comes back: switch the echo off"
    return 'which has no "event"'
