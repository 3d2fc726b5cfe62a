"""One update for many devices, from version negotiation to the confirmed reboot."""

from __future__ import annotations

from .config import CampaignConfig, FirmwareStep, GroupConfig, Member, RetryPolicy
from .document import config_from_json, config_to_json
from .engine import FuotaCampaign
from .events import Event, EventKind
from .sqlitestore import SqliteStore
from .state import Stage
from .store import CampaignStore, MemoryStore, StoreError

__all__ = [
    "CampaignConfig",
    "CampaignStore",
    "Event",
    "EventKind",
    "FirmwareStep",
    "FuotaCampaign",
    "GroupConfig",
    "Member",
    "MemoryStore",
    "RetryPolicy",
    "SqliteStore",
    "Stage",
    "StoreError",
    "config_from_json",
    "config_to_json",
]
