"""A channel that says what a test wants it to say."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence

from lorafuota.conformance.lines import hello
from lorafuota.conformance.subject import About, SubjectError

ABOUT = About(name="scripted", versions={"fragmentation": 1})
HELLO = hello("device", ABOUT)
DONE = '{"event": "done"}'


def event(kind: str, **fields: object) -> str:
    return json.dumps({"event": kind, **fields})


class Scripted:
    """For each line sent, says the lines of the script that come next; None: nothing in time."""

    def __init__(self, *script: Sequence[str | bytes | None]) -> None:
        self.script = [list(lines) for lines in script]
        self.said: list[str | bytes | None] = []
        self.heard: list[str] = []
        self.closed = 0
        self.words = ""
        self.rest = b""

    def send(self, line: str) -> None:
        self.heard.append(line)
        if not self.script:
            raise SubjectError("it is gone")
        self.said += self.script.pop(0)

    def receive(self, seconds: float) -> bytes | None:
        if not self.said:
            time.sleep(seconds)
            return None
        line = self.said.pop(0)
        return line.encode() if isinstance(line, str) else line

    def unfinished(self) -> bytes:
        assert not self.closed
        return self.rest

    def last_words(self) -> str:
        assert self.closed
        return self.words

    def close(self) -> None:
        self.closed += 1
