"""Servers behind lines of JSON: the same codec as for devices, with a server's words.

``docs/guides/test-your-server.md`` shows a server on standard input and output; a transport of
:mod:`.transports` carries the lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias, final, get_args

from .lines import Done, Error, Lines
from .replies import ServerRules
from .serversubject import (
    Begin,
    ServerAbout,
    ServerEvent,
    ServerReply,
    ServerRequest,
    ServerSubject,
)
from .serving import serve
from .subject import SubjectError
from .transports.channel import Channel
from .transports.link import LineLink

__all__ = ["SERVER_EVENTS", "SERVER_REQUESTS", "LineServer", "server_answers"]

ServerLine: TypeAlias = ServerEvent | Done | Error

SERVER_REQUESTS: Final[Lines[ServerRequest]] = Lines("request", get_args(ServerRequest))
"""What the kit says to a server after the hello."""

SERVER_EVENTS: Final[Lines[ServerLine]] = Lines("event", get_args(ServerLine))
"""What a server says after the hello."""


def server_answers(server: ServerSubject, lines: Iterable[str | bytes]) -> Iterator[str]:
    """Carry out the requests a server gets; yield each line to write.

    ::

        for line in server_answers(MyServer(), sys.stdin):
            print(line, flush=True)

    Args:
        server: Carries them out, in virtual time.
        lines: What arrives, one line after the other.
    """
    return serve(server, lines, role="server", requests=SERVER_REQUESTS, events=SERVER_EVENTS)


@final
class LineServer:
    """A server that speaks lines, in virtual time.

    Attributes:
        about: What it says of itself.
    """

    def __init__(self, connect: Callable[[], Channel], *, seconds: float = 10.0) -> None:
        """Connect.

        Args:
            connect: Opens a channel, at the start and for each check after one that broke it.
            seconds: How long the server may take over one request.

        Raises:
            SubjectError: It cannot be reached, is no server, or has a clock of its own.
        """
        self._link: LineLink[ServerRequest, ServerEvent, ServerAbout] = LineLink(
            connect,
            role="server",
            about=ServerAbout,
            requests=SERVER_REQUESTS,
            events=SERVER_EVENTS,
            rules=ServerRules(),
            seconds=seconds,
        )
        self.about = self._link.about
        if self.about.real_time:
            self.close()
            raise SubjectError("a server with a clock of its own would take weeks: give it ours")

    def exchange(self, request: ServerRequest) -> ServerReply:
        """Carry out one request."""
        if isinstance(request, Begin):
            self._link.begin()
        events, due = self._link.exchange(request)
        return ServerReply(events, due)

    def close(self) -> None:
        """End it."""
        self._link.close()
