"""Planning an update before anything is sent: redundancy, airtime, windows, energy, and lints.

>>> from lorafuota.plan import PlanRequest, make_plan
>>> plan = make_plan(PlanRequest(image_octets=100_000, devices=100))
>>> plan.nb_frag, plan.parity, plan.windows[0].time_out
(419, 79, 11)
>>> f"{plan.airtime_seconds:.0f} s on air, {plan.energy['C'].charge_mah:.1f} mAh"
'196 s on air, 2.6 mAh'
"""

from __future__ import annotations

from .energy import Currents, Energy
from .lints import Lint, LintCode, Severity
from .plan import Plan, make_plan
from .radio import Radio
from .request import PlanRequest
from .windows import PlannedWindow

__all__ = [
    "Currents",
    "Energy",
    "Lint",
    "LintCode",
    "Plan",
    "PlanRequest",
    "PlannedWindow",
    "Radio",
    "Severity",
    "make_plan",
]
