"""How frames get lost: one model, for what is computed of it and for what is drawn from it.

:class:`Losses` is a receiver's: independent, or in bursts.  :class:`Varied` is a fleet whose
devices differ, and :class:`LossModel` what a model of your own has to be.
"""

from __future__ import annotations

from .chain import Losses
from .model import LossModel, Varied

__all__ = ["LossModel", "Losses", "Varied"]
