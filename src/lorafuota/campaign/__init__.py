"""One update for many devices, from version negotiation to the confirmed reboot."""

from __future__ import annotations

from .config import CampaignConfig, FirmwareStep, GroupConfig, Member, RetryPolicy
from .engine import FuotaCampaign
from .state import Stage
from .store import FileStore, MemoryStore, Store, StoreError

__all__ = [
    "CampaignConfig",
    "FileStore",
    "FirmwareStep",
    "FuotaCampaign",
    "GroupConfig",
    "Member",
    "MemoryStore",
    "RetryPolicy",
    "Stage",
    "Store",
    "StoreError",
]
