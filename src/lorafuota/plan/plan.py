"""The plan of an update: what is sent and when, what it costs, how likely it is to arrive.

A plan is a function of its :class:`PlanRequest`: no clock, no chance but the request's seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Final, final

from ..campaign.config import CampaignConfig, GroupConfig, Member, RetryPolicy, WindowClass
from ..completion import Method, Prediction, parity_needed, predict
from ..datablock import MAX_NB_FRAG, DataBlock
from ..errors import FieldError, StateError
from ..types import BytesLike, DevAddr, McKey
from ..wire import JSON
from .energy import Energy, class_a, class_b, class_c
from .lints import Lint, Severity, check
from .radio import Radio, choose_radio
from .request import PlanRequest
from .windows import PlannedWindow, group_config, plan_windows

__all__ = ["Plan", "make_plan"]

_EXCHANGES: Final = 6
"""Unicast exchanges before the first window: two versions, the clock, group, session, window."""
_SURE: Final = 1e-4  # the chance that one of all devices is given up because of losses alone
_ATTEMPTS: Final = range(5, 61)
_ROUND_COMPLETES: Final = 0.99  # the share of incomplete devices each repair round aims at


@final
@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an update comes to; made by :func:`make_plan`.

    Attributes:
        request: What it was made from.
        radio: What goes on air.
        nb_frag: M, the number of plain fragments.
        padding: Octets of padding in the last one.
        parity: Coded fragments of the first pass; how often the fragment is repeated if M is 1.
        parity_enough: ... that would let all devices complete with the probability wanted; None
            if no number does.
        prediction: The chance that one device does not complete in the first pass.
        windows: Where the frames go.
        repair_rounds: Repair rounds to expect, on average.
        setup_seconds: How long the set-up takes, until all but a device in 10,000 updates answered.
        lead_seconds: From announcing a window to its start.
        retry: How often a unicast request is sent, and how long its answer may take.
        energy: What one device spends, by class.
        lints: What is wrong with it, in words.
    """

    request: PlanRequest
    radio: Radio
    nb_frag: int
    padding: int
    parity: int
    parity_enough: int | None
    prediction: Prediction
    windows: tuple[PlannedWindow, ...]
    repair_rounds: float
    setup_seconds: float
    lead_seconds: float
    retry: RetryPolicy
    energy: dict[str, Energy]
    lints: tuple[Lint, ...]

    @property
    def frames(self) -> int:
        """Frames of the first pass."""
        return self.nb_frag + self.parity

    @property
    def redundancy(self) -> float:
        """Coded fragments as a share of the plain ones."""
        return self.parity / self.nb_frag

    @property
    def airtime_seconds(self) -> float:
        """What each gateway is on air in the first pass."""
        return self.frames * self.radio.frame_us / 1e6

    @property
    def end(self) -> float:
        """When the last window closes."""
        return self.windows[-1].end

    @property
    def duration_seconds(self) -> float:
        """From the beginning of the set-up to the end of the last window of the first pass."""
        return self.end - self.request.start

    @property
    def errors(self) -> tuple[Lint, ...]:
        """The lints because of which this update must not be sent."""
        return tuple(one for one in self.lints if one.severity is Severity.ERROR)

    def group_config(
        self, *, mc_addr: DevAddr, mc_key: McKey, name: str = "group", **settings: Any
    ) -> GroupConfig:
        """Return the multicast group of a campaign that follows this plan.

        Args:
            mc_addr: The group's address.
            mc_key: The group's key.
            name: For reports.
            settings: Further ones of :class:`lorafuota.campaign.GroupConfig`.

        Raises:
            FieldError: A setting does not fit.
            StateError: The plan has errors.
        """
        self._refuse_errors("group_config")
        return group_config(self.request, self.radio, mc_addr, mc_key, name=name, **settings)

    def campaign_config(
        self,
        image: BytesLike,
        *,
        members: Sequence[Member],
        groups: Sequence[GroupConfig],
        descriptor: BytesLike = bytes(4),
        **settings: Any,
    ) -> CampaignConfig:
        """Return the settings of a campaign that follows this plan.

        Args:
            image: The firmware, of the size that was planned.
            members: The devices.
            groups: What :meth:`group_config` returned; one for each parity variant.
            descriptor: Descriptor, 4 octets.
            settings: Further ones of :class:`lorafuota.campaign.CampaignConfig`; they replace the
                plan's.

        Raises:
            FieldError: The image has another size, or a setting does not fit.
            StateError: The plan has errors.
        """
        self._refuse_errors("campaign_config")
        block = DataBlock.of(image, frag_size=self.radio.frag_size, descriptor=descriptor)
        if len(block.image) != self.request.image_octets:
            expected = f"{self.request.image_octets} octets, as planned"
            raise FieldError("Plan", "len(image)", len(block.image), expected)
        planned: dict[str, Any] = {
            # so that rounding up gives exactly these
            "redundancy": max(0.0, self.parity - 0.5) / self.nb_frag,
            "max_windows": len(self.windows),
            "setup_seconds": self.setup_seconds,
            "lead_seconds": self.lead_seconds,
            "retry": self.retry,
            "status_retry": self.retry,
            "unicast_frame_seconds": self.radio.frame_us / 1e6,
            "unicast_seconds": max(self.radio.spacing_us / 1e6, self.request.uplink_seconds),
        }
        return CampaignConfig(
            block=block, members=tuple(members), groups=tuple(groups), **{**planned, **settings}
        )

    def _refuse_errors(self, operation: str) -> None:
        if self.errors:
            raise StateError(f"Plan.{operation}", self.errors[0].text)

    def to_json(self) -> dict[str, JSON]:
        """Return the plan as JSON."""
        request, radio = self.request, self.radio
        return {
            "image_octets": request.image_octets,
            "devices": request.devices,
            "region": radio.region.name,
            "dr": radio.rate.dr,
            "dl_freq_hz": radio.dl_freq_hz,
            "sub_band": radio.sub_band.name if radio.sub_band else None,
            "duty_cycle": float(radio.duty_cycle),
            "variant": request.variant.value,
            "loss": request.losses.loss,
            "losses": str(request.losses),
            "frag_size": radio.frag_size,
            "nb_frag": self.nb_frag,
            "padding": self.padding,
            "parity": self.parity,
            "parity_enough": self.parity_enough,
            "redundancy": self.redundancy,
            "probability_wanted": request.probability,
            "device_fails": self.prediction.failure,
            "device_fails_low": self.prediction.low,
            "device_fails_high": self.prediction.high,
            "method": self.prediction.method.value,
            "trials": self.prediction.trials,
            "all_complete": self.prediction.all_complete(request.devices),
            "all_complete_at_least": self.prediction.all_complete_at_least(request.devices),
            "repair_rounds": self.repair_rounds,
            "frames": self.frames,
            "frame_seconds": radio.frame_us / 1e6,
            "spacing_seconds": radio.spacing_us / 1e6,
            "airtime_seconds_per_gateway": self.airtime_seconds,
            "setup_seconds": self.setup_seconds,
            "lead_seconds": self.lead_seconds,
            "attempts": self.retry.attempts,
            "window_class": request.window_class.value,
            "windows": [dataclasses.asdict(one) for one in self.windows],
            "duration_seconds": self.duration_seconds,
            "energy": {name: dataclasses.asdict(one) for name, one in self.energy.items()},
            "lints": [one.to_json() for one in self.lints],
        }


def make_plan(request: PlanRequest) -> Plan:
    """Plan an update.

    What cannot be sent is planned as far as possible, and the lints say why it cannot.

    Raises:
        FieldError: The region or data rate does not exist or is not for multicast, or a fragment
            is longer than any frame.
    """
    radio = choose_radio(request)
    nb_frag = -(-request.image_octets // radio.frag_size)
    enough = _parity_enough(request, nb_frag)
    parity = _parity(request, nb_frag, enough)
    prediction = _predict(request, nb_frag, parity)
    retry = _retry(request)
    lead = retry.attempts * retry.interval_seconds
    setup = (_EXCHANGES - 1 + retry.attempts) * retry.interval_seconds
    windows = plan_windows(request, radio, nb_frag + parity, request.start + setup, lead)
    plan = Plan(
        request=request,
        radio=radio,
        nb_frag=nb_frag,
        padding=nb_frag * radio.frag_size - request.image_octets,
        parity=parity,
        parity_enough=enough,
        prediction=prediction,
        windows=windows,
        repair_rounds=_repair_rounds(prediction.failure, request.devices),
        setup_seconds=setup,
        lead_seconds=lead,
        retry=retry,
        energy=_energy(request, radio, nb_frag, nb_frag + parity),
        lints=(),
    )
    return dataclasses.replace(plan, lints=tuple(check(plan)))


def _parity_enough(request: PlanRequest, nb_frag: int) -> int | None:
    if nb_frag > MAX_NB_FRAG:
        return None
    found = parity_needed(
        nb_frag,
        variant=request.variant,
        losses=request.losses,
        probability=request.probability,
        devices=request.devices,
        max_lost=request.max_lost,
        seed=request.seed,
    )
    # without one, a lossless block may be complete, and ST's decoder does not notice
    return None if found is None else max(found, 1)


def _parity(request: PlanRequest, nb_frag: int, enough: int | None) -> int:
    most = max(MAX_NB_FRAG - nb_frag, 0)
    if request.redundancy is not None:
        return min(max(math.ceil(request.redundancy * nb_frag), 1), most)
    if enough is None:  # as many as are lost, and the rest by repair
        loss = request.losses.loss
        return min(math.ceil(nb_frag * loss / (1 - loss)) + 1, most)
    return enough


def _predict(request: PlanRequest, nb_frag: int, parity: int) -> Prediction:
    if nb_frag > MAX_NB_FRAG:
        return Prediction(failure=1.0, low=1.0, high=1.0, method=Method.EXACT)
    return predict(
        nb_frag,
        parity,
        variant=request.variant,
        losses=request.losses,
        max_lost=request.max_lost,
        seed=request.seed,
    )


def _repair_rounds(failure: float, devices: int) -> float:
    """Return how many rounds there are on average: one while any device is incomplete.

    Each leaves one in a hundred of the incomplete ones incomplete.
    """
    rounds, incomplete = 0.0, devices * failure
    while incomplete > 1e-6:
        rounds += -math.expm1(-incomplete)
        incomplete *= 1 - _ROUND_COMPLETES
    return rounds


def _retry(request: PlanRequest) -> RetryPolicy:
    """Be so patient that losses alone let hardly any device be given up."""
    fails = 1 - (1 - request.losses.loss) * (1 - request.uplink_loss)
    attempts = _ATTEMPTS[0]
    if fails > 0:
        attempts = math.ceil(math.log(_SURE / request.devices) / math.log(fails))
    interval = 60.0 + request.uplink_seconds
    return RetryPolicy(min(max(attempts, _ATTEMPTS[0]), _ATTEMPTS[-1]), interval)


def _energy(request: PlanRequest, radio: Radio, nb_frag: int, frames: int) -> dict[str, Energy]:
    """Return what a device spends if it listens like this, each class with windows of its own."""
    frame_seconds = radio.frame_us / 1e6
    seconds = {}
    for window_class in WindowClass:
        alike = dataclasses.replace(request, window_class=window_class, start=0.0)
        windows = plan_windows(alike, radio, frames, 0.0, 0.0)
        seconds[window_class] = [one.end - one.start for one in windows]
    return {
        "A": class_a(
            request.currents,
            radio.region,
            radio.rate,
            fragments=nb_frag / (1 - request.losses.loss),
            frame_seconds=frame_seconds,
            uplink_seconds=request.uplink_seconds,
        ),
        "B": class_b(
            request.currents,
            radio.region,
            windows=seconds[WindowClass.B],
            frames=frames,
            frame_seconds=frame_seconds,
            periodicity=request.periodicity,
        ),
        "C": class_c(request.currents, windows=seconds[WindowClass.C]),
    }
