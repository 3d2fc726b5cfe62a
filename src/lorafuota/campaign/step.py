"""Where an answer, or silence, leads a device."""

from __future__ import annotations

import dataclasses

from .state import Outcome, Stage

__all__ = ["Step"]


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """To a stage, to an end, or to the same stage once more."""

    stage: Stage
    outcome: Outcome | None = None
    detail: str = ""
    delay_seconds: float = 0.0
