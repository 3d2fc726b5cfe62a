"""What a mutant of our server is: one change of its source, made while the module is imported."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Final

ROOT: Final = pathlib.Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "lorafuota"


@dataclasses.dataclass(frozen=True)
class ServerMutant:
    """One fault.

    Attributes:
        name: Short, unique.
        killer: Id of the check that is there for it, empty if it survives.
        sentence: What is wrong with it, one sentence.
        subject: The module that has it, below lorafuota.
        old: The text that is replaced; it stands there once.
        new: What replaces it.
        survives: Why nothing can notice it, or empty if the kit has to.
    """

    name: str
    killer: str
    sentence: str
    subject: str
    old: str
    new: str
    survives: str = ""

    @property
    def path(self) -> pathlib.Path:
        """The file it changes."""
        return SOURCE.joinpath(*self.subject.split(".")).with_suffix(".py")

    @property
    def source(self) -> str:
        """The changed file.

        Raises:
            ValueError: What is to be replaced does not stand there exactly once.
        """
        source = self.path.read_text("utf-8")
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {source.count(self.old)} times")
        return source.replace(self.old, self.new)
