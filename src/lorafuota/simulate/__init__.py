"""A whole update of a simulated fleet: the campaign, a lossy channel, devices; octets in between.

:class:`Simulation` runs a :class:`lorafuota.campaign.FuotaCampaign` against a fleet of
:class:`lorafuota.session.device.FuotaDevice` in virtual time, which starts at :data:`START`.
Everything drawn at random comes from the seed and every device has generators of its own, so a run
is a function of its :class:`Scenario`.

>>> from lorafuota.simulate import Scenario, Simulation
>>> report = Simulation(Scenario(image=bytes(range(256)) * 8, devices=3, loss=0.2)).run()
>>> report.success, report.devices_complete
(True, 3)

:class:`RankFleet` is for fleets of any size: no payload, only who hears enough
(:mod:`.simulate.rank`, :mod:`lorafuota.losses`).
"""

from __future__ import annotations

from ..losses import Losses, LossModel, Varied
from .rank import RankFleet, RankReport
from .report import DeviceResult, GroupResult, Report
from .scenario import START, Scenario, parity_for
from .simulation import Simulation

__all__ = [
    "START",
    "DeviceResult",
    "GroupResult",
    "LossModel",
    "Losses",
    "RankFleet",
    "RankReport",
    "Report",
    "Scenario",
    "Simulation",
    "Varied",
    "parity_for",
]
