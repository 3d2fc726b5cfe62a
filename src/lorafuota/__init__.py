"""LoRaWAN firmware updates over the air, both ends of the link.

The names most callers need are here; everything else is imported from the module that is named
after it: ``lorafuota.fec``, ``lorafuota.crypto``, ``lorafuota.fragmentation.v2``, ...
"""

from __future__ import annotations

from .catalogue import PACKAGES, PackageMap, from_json, package, parse
from .errors import (
    BaseImageError,
    DecodeError,
    FieldError,
    FuotaError,
    IntegrityError,
    RefusedError,
    ReservedBitsError,
    RollbackError,
    StateError,
    TargetError,
    TrailingOctetsError,
    TruncatedError,
    UnknownCommandError,
)
from .package import MalformedCommand, Package, UnknownCommand
from .types import DOWNLINK, UPLINK, DevAddr, DevEUI, Direction
from .version import VERSION as __version__

__all__ = [
    "DOWNLINK",
    "PACKAGES",
    "UPLINK",
    "BaseImageError",
    "DecodeError",
    "DevAddr",
    "DevEUI",
    "Direction",
    "FieldError",
    "FuotaError",
    "IntegrityError",
    "MalformedCommand",
    "Package",
    "PackageMap",
    "RefusedError",
    "ReservedBitsError",
    "RollbackError",
    "StateError",
    "TargetError",
    "TrailingOctetsError",
    "TruncatedError",
    "UnknownCommand",
    "UnknownCommandError",
    "__version__",
    "from_json",
    "package",
    "parse",
]
