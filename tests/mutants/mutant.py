"""What a mutant is: our own device with one thing broken, and the check that is there for it."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from unittest import mock

from lorafuota.conformance.own import OwnDevice
from lorafuota.session import stacks
from lorafuota.session.fraglimits import FragLimits
from lorafuota.session.multicast import McLimits

V1 = "documents v1"
V2 = "documents v2"
SMALL = "small"
"""A device with little room: two groups, two sessions, short uplinks, few Descriptors."""

TINY = "tiny"
"""A device of version 1 with one group and one session."""

ROOMY = "roomy"
"""A device with memory for the most fragments there are."""

_SMALL_LIMITS = FragLimits(
    max_memory=1 << 20, nb_indices=2, max_lost=6, descriptors=frozenset({b"\x01\x02\x03\x04"})
)


def own_device(name: str, *, seed: str = "mutants") -> OwnDevice:
    """Our own device: of a profile, or one of these three."""
    if name == ROOMY:
        return OwnDevice(V2, frag_limits=FragLimits(max_memory=1 << 27), seed=seed)
    if name == TINY:
        return OwnDevice(
            V1,
            mc_limits=McLimits(max_groups=1),
            frag_limits=FragLimits(nb_indices=1),
            max_payload=11,
            seed=seed,
        )
    if name != SMALL:
        return OwnDevice(name, seed=seed)
    return OwnDevice(
        V2,
        mc_limits=McLimits(max_groups=2),
        frag_limits=_SMALL_LIMITS,
        max_payload=51,
        seed=seed,
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Mutant:
    """One thing that is wrong."""

    name: str
    sentence: str
    """What is wrong, in one sentence."""
    killer: str
    """Id of the check that is there for it."""
    patch: Callable[[], AbstractContextManager[Any]]
    """Breaks the device, for the time of a context."""
    subject: str = V2
    """Which of our devices is broken."""
    survives: str = ""
    """Why nothing can notice it; the kit has to notice all of these."""


def around(owner: Any, name: str, new: Callable[..., Any]) -> AbstractContextManager[Any]:
    """Replace a function or method; *new* gets the real one in front of the arguments."""
    real = getattr(owner, name)

    def method(*args: Any, **options: Any) -> Any:
        return new(real, *args, **options)

    return mock.patch.object(owner, name, method)


def changed(message: Any, **fields: Any) -> Any:
    """Return a message with other values in some fields."""
    return dataclasses.replace(message, **fields)


def attribute(owner: Any, name: str, new: Any) -> AbstractContextManager[Any]:
    """Replace an attribute."""
    return mock.patch.object(owner, name, new)


@contextlib.contextmanager
def together(*patches: AbstractContextManager[Any]) -> Iterator[None]:
    """Break several things."""
    with contextlib.ExitStack() as stack:
        for one in patches:
            stack.enter_context(one)
        yield


@contextlib.contextmanager
def flags(subject: str = V2, **parts: dict[str, Any]) -> Iterator[None]:
    """Change fields of a profile: ``multicast={"knows_class_b": False}``."""
    profile = stacks.DEVICE_PROFILES[subject]
    broken = changed(
        profile,
        **{name: changed(getattr(profile, name), **fields) for name, fields in parts.items()},
    )
    with mock.patch.object(stacks, "DEVICE_PROFILES", {**stacks.DEVICE_PROFILES, subject: broken}):
        yield
