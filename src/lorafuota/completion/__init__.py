"""How likely devices complete a block, under losses that are independent or come in bursts.

>>> from lorafuota.completion import Losses, parity_needed, predict
>>> from lorafuota.fec.variant import ParityVariant
>>> losses = Losses.independent(0.1)
>>> one = predict(500, 50, variant=ParityVariant.V2, losses=losses)
>>> f"{1 - one.failure:.2f}", one.method.value
('0.20', 'formula')
>>> parity_needed(500, variant=ParityVariant.V2, losses=losses, probability=0.99, devices=1000)
96
"""

from __future__ import annotations

from ..losses import Losses
from .curve import Curve, completion_curve
from .predict import TRIALS, Method, Prediction, parity_needed, predict

__all__ = [
    "TRIALS",
    "Curve",
    "Losses",
    "Method",
    "Prediction",
    "completion_curve",
    "parity_needed",
    "predict",
]
