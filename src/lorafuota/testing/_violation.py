"""How a machine says what its subject did wrong, and remembers that it has said it."""

from __future__ import annotations

from types import TracebackType
from typing import final

__all__ = ["Violation", "Watch"]


class Violation(AssertionError):
    """What the subject did wrong, in a sentence."""


@final
class Watch:
    """Notices that a subject has failed: what it does afterwards is not judged any more.

    Hypothesis lets a machine tear down after a failure too, and a second one would hide the first.
    """

    __slots__ = ("failed",)

    def __init__(self) -> None:
        self.failed = False

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.failed |= kind is not None
