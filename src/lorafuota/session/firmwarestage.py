"""The stages of a firmware session on the server (TS006), and where each can lead."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["CALLED_OFF", "FIRMWARE_TRANSITIONS", "MAY_REBOOT", "FirmwareStage"]


class FirmwareStage(enum.Enum):
    """What the server is about to learn from the device."""

    IDLE = "nothing was asked yet"
    VERSION = "what runs on what"
    IMAGE = "whether the image is there"
    REBOOT = "whether it will reboot"
    REBOOTING = "nothing: it reboots"
    CONFIRM = "what runs after the reboot"
    DIAGNOSE = "what became of the image"
    CANCEL = "whether the reboot is cancelled"
    DELETE = "whether the image is gone"
    CHECK = "what runs after the cancellation"
    ENDED = "nothing: it is over"


MAY_REBOOT: Final = (FirmwareStage.REBOOT, FirmwareStage.REBOOTING, FirmwareStage.CONFIRM)
"""Where a device may be about to reboot, or has rebooted just now."""

CALLED_OFF: Final = (FirmwareStage.CANCEL, FirmwareStage.DELETE, FirmwareStage.CHECK)
"""Where the update is being undone."""

_END_OR_CANCEL: Final = frozenset({FirmwareStage.CANCEL, FirmwareStage.ENDED})

FIRMWARE_TRANSITIONS: Final[Mapping[FirmwareStage, frozenset[FirmwareStage]]] = MappingProxyType(
    {
        FirmwareStage.IDLE: frozenset({FirmwareStage.VERSION, FirmwareStage.CANCEL}),
        FirmwareStage.VERSION: _END_OR_CANCEL | {FirmwareStage.IMAGE},
        FirmwareStage.IMAGE: _END_OR_CANCEL | {FirmwareStage.REBOOT},
        FirmwareStage.REBOOT: _END_OR_CANCEL | {FirmwareStage.REBOOTING, FirmwareStage.CONFIRM},
        FirmwareStage.REBOOTING: _END_OR_CANCEL | {FirmwareStage.CONFIRM},
        FirmwareStage.CONFIRM: _END_OR_CANCEL
        | {FirmwareStage.REBOOT, FirmwareStage.REBOOTING, FirmwareStage.DIAGNOSE},
        FirmwareStage.DIAGNOSE: _END_OR_CANCEL,
        FirmwareStage.CANCEL: frozenset({FirmwareStage.DELETE}),
        FirmwareStage.DELETE: frozenset({FirmwareStage.CHECK}),
        FirmwareStage.CHECK: frozenset({FirmwareStage.ENDED}),
        FirmwareStage.ENDED: frozenset(),
    }
)
"""Where each stage can lead; a stage that asks again stays."""
