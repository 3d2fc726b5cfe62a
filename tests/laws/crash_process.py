"""A campaign in a process of its own, to be killed.

``python -m tests.laws.crash_process DIR SEED`` runs it.  The store and what a reset spares of the
devices are files in DIR; ``air`` gets a line for everything before it goes on air.  Started again
it goes on, with devices that had a power cut too.
"""

from __future__ import annotations

import json
import pathlib
import random
import sys
from typing import Any

from lorafuota.campaign import RetryPolicy, SqliteStore
from lorafuota.campaign.actions import CampaignAction, Multicast
from lorafuota.campaign.state import CampaignPhase
from tests.unit.campaign.fleet import START, Channel, Fleet, Unit, config, member

AIR, STORE, OUTCOME = "air", "store", "outcome"
PATIENT = RetryPolicy(12, 20.0)


class LoggedFleet(Fleet):
    """Writes down what it sends before it sends it."""

    air: pathlib.Path

    def act(self, actions: list[CampaignAction]) -> None:  # type: ignore[override]
        for action in actions:
            if isinstance(action, Multicast):
                used = {int(eui): unit.session_cnt_prev for eui, unit in self.units.items()}
                frame = [action.group, action.fcnt, action.phy.hex()]
                with self.air.open("a") as file:
                    file.write(json.dumps([self.now, used, frame]) + "\n")
            super().act([action])


def read_air(directory: pathlib.Path) -> list[Any]:
    """What was sent so far; a line without its end was not."""
    path = directory / AIR
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


def main(directory: pathlib.Path, seed: int) -> None:
    units = [Unit.of(member(at + 1), 1 + at % 2) for at in range(4)]
    air = read_air(directory)
    now = START
    if air:
        [now, used, _] = air[-1]
        for unit in units:
            prev = used[str(int(unit.member.dev_eui))]
            unit.session_cnt_prev.update({int(index): cnt for index, cnt in prev.items()})
        (directory / AIR).write_text("".join(json.dumps(line) + "\n" for line in air))
    with SqliteStore(directory / STORE, sync=seed % 2 == 0) as store:
        wanted = config(
            [unit.member for unit in units],
            retry=PATIENT,
            status_retry=PATIENT,
            max_rounds=40,
            lead_seconds=400.0,
        )
        rng = random.Random(seed * 1000 + len(air))
        fleet = LoggedFleet(wanted, units, store=store, channel=Channel(rng, 0.1, 0.1))
        fleet.air, fleet.now = directory / AIR, now
        if fleet.campaign.phase is CampaignPhase.NEW:
            fleet.start()
        fleet.run()
        report = fleet.campaign.report().to_json()
        (directory / OUTCOME).write_text(json.dumps(report))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
