"""A server that says what it is told to, request by request."""

from __future__ import annotations

from lorafuota.conformance.serversubject import ServerAbout, ServerReply, ServerRequest

CAN = frozenset({"unicast", "outcomes"})


class Scripted:
    """A server that says what it is told to, request by request."""

    def __init__(self, *replies: ServerReply, **about: object) -> None:
        fields = {"name": "scripted", "versions": {"fragmentation": (1, 2)}, "can": CAN, **about}
        self.about = ServerAbout(**fields)  # type: ignore[arg-type]
        self.replies = list(replies)
        self.heard: list[ServerRequest] = []

    def exchange(self, request: ServerRequest) -> ServerReply:
        self.heard.append(request)
        return self.replies.pop(0) if self.replies else ServerReply()
