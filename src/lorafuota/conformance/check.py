"""What a check is: its name, where it comes from, how much it matters, and the script to play."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

from ..catalogue import package
from ..errors import FieldError
from ..package import Package

__all__ = ["Catalogue", "Check", "Failed", "NotApplicable", "Severity"]

P = TypeVar("P")


class Severity(enum.Enum):
    """How much a failure matters."""

    REQUIRED = "required"
    """The document says so, or data or devices are lost without it."""
    RECOMMENDED = "recommended"
    """The document advises it, or practice has shown that it matters."""
    QUIRK = "quirk"
    """A difference of a known stack that servers and devices have learned to live with."""


class Failed(Exception):
    """The subject did something else than the check expects.

    Raised by peers and checks, caught by the runner; the message says what was expected and what
    came, in words.  What went over the link stands in the peer's transcript.
    """


class NotApplicable(Exception):
    """The check cannot be played against this subject; the message says why."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[P]):
    """One named check, for one version of one package.

    Attributes:
        name: Short, kebab-case, unique within the package and role.
        package: Which one, in which version.
        title: What has to hold, one sentence (the first line of the script's docstring).
        text: The whole docstring: why, and what usually goes wrong.
        clause: The document and section, or the public report, it comes from.
        severity: How much a failure matters.
        needs: What the subject has to be able to do; see the subject's ``About.can``.
        quirk_of: Names of stack profiles known to fail it.
        script: Plays it against a peer; returns if all is well, raises :class:`Failed` if not.
    """

    name: str
    package: Package
    title: str
    text: str
    clause: str
    severity: Severity
    needs: frozenset[str]
    quirk_of: frozenset[str]
    script: Callable[[P], None] = dataclasses.field(repr=False)

    @property
    def id(self) -> str:
        """``ts004-v1/setup-frag-size-zero``: document, version, name."""
        return f"{self.package.document[:5].lower()}-v{self.package.version}/{self.name}"


class Catalogue(Generic[P]):
    """Every check of one role, in the order of their declaration."""

    def __init__(self, *parts: Iterable[Check[P]]) -> None:
        """Start with the checks of other catalogues, in their order.

        Raises:
            FieldError: A name is taken twice.
        """
        self._checks: dict[str, Check[P]] = {}
        for one in (check for part in parts for check in part):
            self._add(one)

    def check(
        self,
        package_name: str,
        versions: Sequence[int],
        name: str,
        *,
        clause: str,
        severity: Severity = Severity.REQUIRED,
        needs: Sequence[str] = (),
        quirk_of: Sequence[str] = (),
    ) -> Callable[[Callable[[P], None]], Callable[[P], None]]:
        """Declare a script as a check, once for each version of the package it holds for.

        Raises:
            FieldError: The script has no docstring, or the name is taken.
        """

        def declare(script: Callable[[P], None]) -> Callable[[P], None]:
            text = "\n".join(line.strip() for line in (script.__doc__ or "").strip().splitlines())
            if not text:
                raise FieldError("check", "script", script.__name__, "a function with a docstring")
            for version in versions:
                one = Check(
                    name=name,
                    package=package(package_name, version),
                    title=text.partition("\n")[0],
                    text=text,
                    clause=clause,
                    severity=severity,
                    needs=frozenset(needs),
                    quirk_of=frozenset(quirk_of),
                    script=script,
                )
                self._add(one)
            return script

        return declare

    def _add(self, one: Check[P]) -> None:
        if one.id in self._checks:
            raise FieldError("check", "name", one.id, "a name of its own")
        self._checks[one.id] = one

    def __iter__(self) -> Iterator[Check[P]]:
        return iter(self._checks.values())

    def __len__(self) -> int:
        return len(self._checks)

    def __getitem__(self, id: str) -> Check[P]:
        try:
            return self._checks[id]
        except KeyError:
            raise FieldError("Catalogue", "id", id, "the id of a check") from None
