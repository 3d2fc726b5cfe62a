"""The table of stages against what the server does, both ways."""

from __future__ import annotations

import random
from typing import Any
from unittest import mock

from lorafuota.firmwaremanagement import v1
from lorafuota.firmwaremanagement.v1 import DeleteError, UpImageStatus
from lorafuota.session.firmwareserver import FirmwareServer
from lorafuota.session.firmwarestage import (
    CALLED_OFF,
    FIRMWARE_TRANSITIONS,
    MAY_REBOOT,
    FirmwareStage,
)
from lorafuota.session.retries import Retries
from lorafuota.wire import Command

NEW = 2
ANSWERS: list[Command] = [
    *(v1.DevVersionAns(fw_version=version, hw_version=7) for version in (1, 1, 1, NEW)),
    *(v1.DevUpgradeImageAns(up_image_status=UpImageStatus.VALID, next_firmware_version=NEW),) * 3,
    v1.DevUpgradeImageAns(up_image_status=UpImageStatus.NO_IMAGE, next_firmware_version=None),
    *(v1.DevRebootCountdownAns(countdown=seconds) for seconds in (0, 30, 0xFFFFFF)),
    v1.DevDeleteImageAns(errors=DeleteError(0)),
]


def test_the_table_holds_the_moves_that_happen_and_no_others() -> None:
    rng, moves = random.Random(1), set[tuple[FirmwareStage, FirmwareStage]]()
    enter, end = FirmwareServer._enter, FirmwareServer._end

    def entering(self: FirmwareServer, stage: FirmwareStage, now: float) -> Any:
        moves.add((self.stage, stage))
        return enter(self, stage, now)

    def ending(self: FirmwareServer, *what: Any) -> Any:
        moves.add((self.stage, FirmwareStage.ENDED))
        return end(self, *what)

    with mock.patch.multiple(FirmwareServer, _enter=entering, _end=ending):
        for _ in range(2_000):
            server = FirmwareServer(NEW, countdown_seconds=30, retries=Retries(seconds=50, tries=2))
            now = 0.0
            if rng.random() < 0.05:
                server.cancel(now=now)
            else:
                server.start(now=now)
            for _ in range(40):
                now += rng.choice([0, 1, 60, 200])
                if server.stage is FirmwareStage.ENDED:
                    break
                if rng.random() < 0.02 and server.stage not in CALLED_OFF:
                    server.cancel(now=now)
                elif rng.random() < 0.5:
                    server.tick(now=now)
                else:
                    server.take(rng.choice(ANSWERS), now=now)
    table = {(one, other) for one, others in FIRMWARE_TRANSITIONS.items() for other in others}
    assert {move for move in moves if move[0] is not move[1]} == table


def test_every_stage_is_in_the_table_and_leads_to_the_end() -> None:
    assert list(FIRMWARE_TRANSITIONS) == list(FirmwareStage)
    ending, before = {FirmwareStage.ENDED}, set[FirmwareStage]()
    while ending != before:
        before = set(ending)
        ending |= {one for one, others in FIRMWARE_TRANSITIONS.items() if others & ending}
    assert ending == set(FirmwareStage)
    assert not set(MAY_REBOOT) & set(CALLED_OFF)
