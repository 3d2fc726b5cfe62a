"""Every bit with which a device refuses or complains, in every version, and what follows.

The table is compared with the declared messages: a bit that is added to one of them has to be
added here.
"""

from __future__ import annotations

import enum
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from lorafuota.campaign import FirmwareStep
from lorafuota.campaign.exchange import answer
from lorafuota.campaign.negotiation import app_time
from lorafuota.campaign.state import DeviceRecord, Outcome, Stage
from lorafuota.campaign.step import Step
from lorafuota.catalogue import PACKAGES
from lorafuota.clocksync.v1 import AppTimeReq
from lorafuota.fragmentation import v1 as frag_v1
from lorafuota.fragmentation import v2 as frag_v2
from lorafuota.multicastsetup import v1 as mc_v1
from lorafuota.multicastsetup import v2 as mc_v2
from lorafuota.package import Package
from lorafuota.session.windows import SessionReq
from lorafuota.types import UPLINK
from lorafuota.wire import Command
from tests.unit.campaign.fleet import BLOCK, FREQ, NEW, START, config, member

FIRMWARE = FirmwareStep(version=NEW, countdown_seconds=60, boot_seconds=30.0)
SHARED: dict[str, Any] = {
    "mc_group_id": 0,
    "session_time": 128 * (int(START + 2_000) // 128),
    "dl_freq_hz": FREQ,
    "dr": 5,
}
SESSIONS: dict[str, SessionReq] = {
    "McClassCSessionAns": mc_v1.McClassCSessionReq(time_out=6, **SHARED),
    "McClassBSessionAns": mc_v1.McClassBSessionReq(time_out=1, periodicity=4, **SHARED),
}

Reaction = tuple[Stage, Outcome | None] | None
"""Where it leads, or None if nowhere."""

TABLE: dict[tuple[str, str], tuple[Stage, Reaction]] = {
    # in the stage: where it leads
    ("McGroupSetupAns", "id_error"): (Stage.GROUP, (Stage.GROUP, None)),
    ("McGroupDeleteAns", "mc_group_undefined"): (Stage.CLEANUP, (Stage.DONE, None)),
    ("McClassCSessionAns", "DR_ERROR"): (Stage.SESSION, (Stage.CLEANUP, Outcome.REFUSED)),
    ("McClassCSessionAns", "FREQ_ERROR"): (Stage.SESSION, (Stage.CLEANUP, Outcome.REFUSED)),
    ("McClassCSessionAns", "MC_GROUP_UNDEFINED"): (Stage.SESSION, (Stage.CLOCK, None)),
    ("McClassCSessionAns", "START_MISSED"): (Stage.SESSION, (Stage.CLOCK, None)),
    ("McClassBSessionAns", "DR_ERROR"): (Stage.SESSION, (Stage.CLEANUP, Outcome.REFUSED)),
    ("McClassBSessionAns", "FREQ_ERROR"): (Stage.SESSION, (Stage.CLEANUP, Outcome.REFUSED)),
    ("McClassBSessionAns", "MC_GROUP_UNDEFINED"): (Stage.SESSION, (Stage.CLOCK, None)),
    ("McClassBSessionAns", "START_MISSED"): (Stage.SESSION, (Stage.CLOCK, None)),
    ("FragSessionSetupAns", "FRAG_ALGO_UNSUPPORTED"): (
        Stage.FRAGMENTATION,
        (Stage.CLEANUP, Outcome.FRAG_ALGO_UNSUPPORTED),
    ),
    ("FragSessionSetupAns", "NOT_ENOUGH_MEMORY"): (
        Stage.FRAGMENTATION,
        (Stage.CLEANUP, Outcome.NOT_ENOUGH_MEMORY),
    ),
    ("FragSessionSetupAns", "FRAG_INDEX_UNSUPPORTED"): (
        Stage.FRAGMENTATION,
        (Stage.CLEANUP, Outcome.FRAG_INDEX_UNSUPPORTED),
    ),
    ("FragSessionSetupAns", "WRONG_DESCRIPTOR"): (
        Stage.FRAGMENTATION,
        (Stage.CLEANUP, Outcome.WRONG_DESCRIPTOR),
    ),
    ("FragSessionSetupAns", "SESSION_CNT_REPLAY"): (
        Stage.FRAGMENTATION,
        (Stage.FRAGMENTATION, None),
    ),
    ("FragSessionDeleteAns", "session_does_not_exist"): (Stage.CLEANUP, (Stage.DONE, None)),
    ("FragSessionStatusAns", "not_enough_matrix_memory"): (
        Stage.STATUS,
        (Stage.CLEANUP, Outcome.MEMORY_ERROR),
    ),
    ("FragSessionStatusAns", "memory_error"): (
        Stage.STATUS,
        (Stage.CLEANUP, Outcome.MEMORY_ERROR),
    ),
    ("FragSessionStatusAns", "mic_error"): (Stage.STATUS, (Stage.FRAGMENTATION, None)),
    ("FragSessionStatusAns", "session_does_not_exist"): (
        Stage.STATUS,
        (Stage.FRAGMENTATION, None),
    ),
    ("FragDataBlockReceivedReq", "mic_error"): (Stage.LISTENING, (Stage.FRAGMENTATION, None)),
    ("DevUpgradeImageAns", "NO_IMAGE"): (Stage.IMAGE, None),
    ("DevUpgradeImageAns", "CORRUPT_OR_WRONG_SIGNATURE"): (
        Stage.IMAGE,
        (Stage.CLEANUP, Outcome.BAD_IMAGE),
    ),
    ("DevUpgradeImageAns", "WRONG_HARDWARE"): (
        Stage.IMAGE,
        (Stage.CLEANUP, Outcome.WRONG_HARDWARE),
    ),
    ("DevUpgradeImageAns", "VALID"): (Stage.IMAGE, (Stage.REBOOT, Outcome.IMAGE_VALID)),
    ("DevDeleteImageAns", "NO_VALID_IMAGE"): (Stage.CLEANUP, (Stage.FAILED, None)),
    ("DevDeleteImageAns", "INVALID_VERSION"): (Stage.CLEANUP, (Stage.FAILED, None)),
    # nothing is refused by these: the time of day, and a wish to be answered
    ("DeviceAppTimePeriodicityAns", "not_supported"): (Stage.CLOCK, None),
    ("AppTimeReq", "ans_required"): (Stage.CLOCK, (Stage.GROUP, None)),
}

NOTHING: dict[str, Any] = {
    "mc_group_id": 0,
    "frag_index": 0,
    "id_error": False,
    "mc_group_undefined": False,
    "time_to_start": None,
    "nb_frag_received": BLOCK.nb_frag,
    "missing_frag": 0,
    "not_enough_matrix_memory": False,
    "memory_error": False,
    "mic_error": False,
    "session_does_not_exist": False,
    "next_firmware_version": None,
    "not_supported": False,
    "device_time": int(START),
    "token_req": 0,
    "ans_required": False,
}


def bits() -> Iterator[tuple[Package, type[Command], str, str, Any]]:
    """Every bit or value that says something, by package, message, field, name and value."""
    for package in PACKAGES:
        for command in package.commands:
            if command.DIRECTION is not UPLINK or package.identifier == 0:
                continue
            for field, kind in command.KINDS.items():
                values = getattr(getattr(kind, "inner", kind), "type", None)
                if values is bool:
                    yield package, command, field, field, True
                elif isinstance(values, type) and issubclass(values, enum.Enum):
                    for one in values:
                        yield package, command, field, one.name, one


def build(command: type[Command], field: str, value: Any) -> Command:
    names = inspect.get_annotations(command)
    given = {name: NOTHING[name] for name in names if name in NOTHING and name != field}
    if field == "session_does_not_exist" and "missing_frag" in given:
        given |= dict.fromkeys(("nb_frag_received", "frag_index", "missing_frag"))
    if value == 3 and field == "up_image_status":
        given["next_firmware_version"] = NEW
    return command(**given, **{field: value})


def test_every_bit_of_every_answer_has_its_row() -> None:
    found = {(command.__name__, name) for _, command, _, name, _ in bits()}
    assert found == set(TABLE)


@pytest.mark.parametrize(
    ("package", "command", "field", "name", "value"),
    [pytest.param(*one, id=f"{one[0].document}-{one[1].__name__}-{one[3]}") for one in bits()],
)
def test_every_bit_has_the_reaction_of_its_row(
    package: Package, command: type[Command], field: str, name: str, value: Any
) -> None:
    stage, expected = TABLE[command.__name__, name]
    about = DeviceRecord(
        stage=stage,
        outcome=Outcome.VERIFIED if stage is Stage.CLEANUP else Outcome.PENDING,
        frag_version=package.version if package.name == "fragmentation" else 2,
        mc_version=package.version if package.name == "multicastsetup" else 2,
        group="v2",
        cnt_used=True,
    )
    wanted = config((), firmware=FIRMWARE)
    if stage is Stage.CLEANUP:  # all others have been answered
        about.cleaned = 15 - {"FragSessionDeleteAns": 1, "McGroupDeleteAns": 2}.get(
            command.__name__, 8
        )
        if command.__name__ == "DevDeleteImageAns":
            about.outcome = Outcome.CANCELLED
    said = build(command, field, value)
    if isinstance(said, AppTimeReq):
        step = app_time(wanted, about, said, START)
    else:
        session = SESSIONS.get(command.__name__)
        step = answer(wanted, member(1), about, said, now=START, session=session)
    assert (None if step is None else (step.stage, step.outcome)) == expected


@pytest.mark.parametrize("name", SESSIONS)
@pytest.mark.parametrize("module", [mc_v1, mc_v2])
@pytest.mark.parametrize("errors", range(1, 64))
def test_every_combination_of_session_errors_is_judged_by_its_cause(
    errors: int, module: Any, name: str
) -> None:
    """An undefined group first (LoRaMac-node sets the others too), then what cannot be helped."""
    kind = getattr(module, name)
    said = kind(mc_group_id=0, errors=module.SessionError(errors), time_to_start=None)
    about = DeviceRecord(stage=Stage.SESSION, frag_version=2, mc_version=2, group="v2")
    step = answer(config(()), member(1), about, said, now=START, session=SESSIONS[name])
    assert step is not None
    if errors & 4 or (not errors & 3 and errors & 8):
        assert (step.stage, step.outcome) == (Stage.CLOCK, None)
    elif errors & 3:
        assert (step.stage, step.outcome) == (Stage.CLEANUP, Outcome.REFUSED)
    else:
        assert (step.stage, step.outcome) == (Stage.READY, None)


@pytest.mark.parametrize(
    ("module", "errors"),
    [(frag_v1, errors) for errors in range(1, 16)] + [(frag_v2, errors) for errors in range(1, 32)],
)
def test_every_combination_of_set_up_errors_ends_or_tries_what_can_be_tried(
    module: Any, errors: int
) -> None:
    version = module.PACKAGE.version
    said = module.FragSessionSetupAns(errors=module.SetupError(errors), frag_index=0)
    about = DeviceRecord(stage=Stage.FRAGMENTATION, frag_version=version, mc_version=2, group="v2")
    step = answer(config(()), member(1), about, said, now=START, session=None)
    assert step is not None
    if errors & 11:
        assert (step.stage, step.outcome is None) == (Stage.CLEANUP, False)
    elif errors & 16:
        assert step == Step(Stage.FRAGMENTATION)
    else:
        assert step == Step(Stage.CLEANUP, Outcome.FRAG_INDEX_UNSUPPORTED)
