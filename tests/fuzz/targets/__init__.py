"""Every entry point there is."""

from __future__ import annotations

from typing import Final

from tests.fuzz.targets import (
    airlog,
    campaign,
    captures,
    commandline,
    conformance,
    decoders,
    deltas,
    device,
    documents,
    frames,
    images,
    servers,
    store,
    values,
)
from tests.fuzz.targets.target import Target

MODULES: Final = (
    decoders,
    frames,
    device,
    campaign,
    servers,
    store,
    documents,
    airlog,
    images,
    deltas,
    values,
    captures,
    commandline,
    conformance,
)

TARGETS: Final[tuple[Target, ...]] = tuple(one for module in MODULES for one in module.TARGETS)
