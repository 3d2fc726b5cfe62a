"""``lorafuota campaign``: a campaign that is kept in a file, for the simulated fleet.

Two files: STORE is the campaign's store, as a network server would keep it, and STORE.air is what
the simulated fleet needs to come back (:mod:`lorafuota.simulate.airlog`).  The store holds the
scenario too, and what devices let in, so that only the first ``run`` is told about them.  Looking
(status, report, events) writes in neither, and is possible while another process runs the campaign.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import math
import pathlib
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from ..campaign import FuotaCampaign, MemoryStore, SqliteStore
from ..campaign.report import CampaignReport
from ..campaign.snapshot import Snapshot
from ..campaign.state import CampaignPhase
from ..dissect.words import count
from ..errors import StateError
from ..fec import kernels
from ..simulate import START, Scenario, Simulation
from ..simulate.airlog import AirLog
from ..simulate.plan import Plan
from ..wire import JSON
from .arguments import InputError, Parser, Status, Subparsers, add_json, subcommand
from .gate import FleetGate, add_gate, gate_given, gate_of, with_versions
from .output import strong, table, write_json
from .progress import progress
from .scenario import add_scenario, given, read_image, scenario_of
from .simulate import all_well, duration, print_report, work

__all__ = ["add"]

_SCENARIO: Final = "simulation"
"""Name of the document with the scenario."""
_MOST_DEVICES: Final = 1_000_000
"""In a store; more would not be simulated in days, and so it is damaged or forged."""
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand and its verbs."""
    parser = subcommand(
        subparsers,
        "campaign",
        _run,
        summary="run a campaign kept in a file, on a simulated fleet",
        description=(
            "Run, watch and steer a campaign that is kept in a file. The fleet is simulated;\n"
            "everything else is what a network server does. A process that is killed loses\n"
            "nothing: run again, and the campaign goes on."
        ),
        example=(
            "lorafuota campaign run update.campaign firmware.bin --devices 20 --loss 0.2\n"
            "lorafuota campaign status update.campaign"
        ),
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True, title="verbs")
    run = _verb(verbs, "run", _run, "begin a campaign, or go on with one")
    run.add_argument(
        "image", nargs="?", type=pathlib.Path, metavar="IMAGE", help="the firmware file, to begin"
    )
    run.add_argument(
        "--until", type=_span, metavar="TIME", help="stop at this virtual time: 90s, 30m, 6h, 2d"
    )
    run.add_argument("--steps", type=int, metavar="N", help="stop after so many events")
    add_scenario(run)
    add_gate(run)
    _verb(verbs, "status", _status, "show how the campaign stands")
    _verb(verbs, "pause", _pause, "send nothing more, until resume")
    _verb(verbs, "resume", _resume, "let a paused campaign go on with the next run")
    _verb(verbs, "cancel", _cancel, "give up; the next run has devices clean up")
    report = _verb(verbs, "report", _report, "show what became of every device")
    events = _verb(verbs, "events", _events, "show what happened, one event after the other")
    events.add_argument(
        "subject", nargs="?", metavar="SUBJECT", help="campaign, group/NAME or device/DEVEUI"
    )
    for one in (run, report):
        one.add_argument("--all", action="store_true", help="show every device, not the worst 20")


def _verb(
    verbs: Subparsers, name: str, run: Callable[[argparse.Namespace], int], summary: str
) -> Parser:
    parser = verbs.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
    parser.add_argument("store", type=pathlib.Path, metavar="STORE", help="the file")
    add_json(parser)
    parser.set_defaults(run=run)
    return parser


# The verbs


def _run(args: argparse.Namespace) -> int:
    if args.steps is not None and args.steps < 0:
        raise InputError(f"--steps {args.steps}: expected 0 or more")
    if args.image is None:
        _must_exist(args.store)
    else:
        read_image(args.image)  # before a file is begun for it
    with SqliteStore(args.store, sync=False) as store, AirLog(_air(args.store)) as air:
        scenario, image, gate = _stored_or_new(args, store)
        simulation = Simulation(scenario, store=store, air=air, gates=gate)
        if simulation.campaign.phase is CampaignPhase.PAUSED:
            raise InputError(f"the campaign is paused: lorafuota campaign resume {args.store}")
        stopped = _go(simulation, args)
        simulation.stop()
        report = simulation.report()
    if args.json:
        write_json({"image": image, "kernels": kernels.NAME, **report.to_json()})
    elif stopped:
        _print_status(simulation.campaign.report(), simulation.now - START)
    else:
        print_report(report, image, every=args.all)
    return Status.GOOD if stopped or all_well(report) else Status.NO


def _go(simulation: Simulation, args: argparse.Namespace) -> bool:
    """Run as far as wanted; return whether there is more to do."""
    until = math.inf if args.until is None else START + args.until
    left = math.inf if args.steps is None else args.steps
    with progress("fragments", work(simulation), quiet=args.json) as bar:
        while left > 0:
            upcoming = simulation.next_time
            if upcoming is None or upcoming > until or not simulation.step():
                break
            left -= 1
            bar.advance(simulation.fleet.frames - bar.done)
    return not simulation.ended


def _status(args: argparse.Namespace) -> int:
    with _looking(args.store) as (store, air):
        scenario, image, gate = _stored(store, args.store)
        plan, saved = Plan(scenario, gate), store.load()
        elapsed = max((entry.now for entry in air.entries), default=float(START)) - START
        known = set() if saved is None else set(Snapshot.from_json(saved).devices)
        members = {at for at in range(scenario.devices) if plan.dev_eui(at) in known}
        report = FuotaCampaign(plan.config(members), saved=saved).report()
    if args.json:
        write_json({"image": image, "virtual_seconds": elapsed, **report.to_json()})
    else:
        _print_status(report, elapsed)
    return Status.GOOD


def _report(args: argparse.Namespace) -> int:
    with _looking(args.store) as (store, air):
        scenario, image, gate = _stored(store, args.store)
        memory = MemoryStore(store.load(), keep_log=False)
        report = Simulation(scenario, store=memory, air=air, gates=gate).report()
    if args.json:
        write_json({"image": image, "kernels": kernels.NAME, **report.to_json()})
    else:
        print_report(report, image, every=args.all)
    return Status.GOOD if all_well(report) else Status.NO


def _events(args: argparse.Namespace) -> int:
    _must_exist(args.store)
    with SqliteStore(args.store, readonly=True) as store:
        found = store.history(args.subject)
        if args.json:
            write_json({"events": [event.to_json() for event in found]})
            return Status.GOOD
        for event in found:
            print(f"{event.time - START:.3f} {event}")
    return Status.GOOD


def _pause(args: argparse.Namespace) -> int:
    return _steer(args, Simulation.pause)


def _resume(args: argparse.Namespace) -> int:
    return _steer(args, Simulation.resume)


def _cancel(args: argparse.Namespace) -> int:
    return _steer(args, Simulation.cancel)


def _steer(args: argparse.Namespace, wish: Callable[[Simulation], None]) -> int:
    _must_exist(args.store)
    with SqliteStore(args.store, sync=False) as store, AirLog(_air(args.store)) as air:
        scenario, image, gate = _stored(store, args.store)
        simulation = Simulation(scenario, store=store, air=air, gates=gate)
        try:
            wish(simulation)
        except StateError as error:
            raise InputError(f"{args.verb}: {error}") from error
        simulation.stop()
        report = simulation.campaign.report()
    elapsed = simulation.now - START
    if args.json:
        write_json({"image": image, "virtual_seconds": elapsed, **report.to_json()})
    else:
        _print_status(report, elapsed)
    return Status.GOOD


# The files


def _air(store: pathlib.Path) -> pathlib.Path:
    return store.with_name(f"{store.name}.air")


def _must_exist(store: pathlib.Path) -> None:
    if not store.exists():
        raise InputError(f"there is no campaign in {store}: begin with IMAGE")


@contextlib.contextmanager
def _looking(store: pathlib.Path) -> Iterator[tuple[SqliteStore, AirLog]]:
    """Open the store to read, and a copy of the log; the store may be ahead, as after a crash."""
    _must_exist(store)
    with tempfile.TemporaryDirectory() as folder:
        copy = pathlib.Path(folder) / "air"
        if _air(store).exists():
            shutil.copyfile(_air(store), copy)
        with SqliteStore(store, readonly=True) as opened, AirLog(copy) as air:
            yield opened, air


def _stored_or_new(
    args: argparse.Namespace, store: SqliteStore
) -> tuple[Scenario, str, FleetGate | None]:
    """Return what the store keeps, or put what the options describe into it."""
    if store.document(_SCENARIO) is None:
        if args.image is None:
            raise InputError(f"there is no campaign in {args.store}: begin with IMAGE")
        image = read_image(args.image)
        gate = gate_of(args)
        scenario = scenario_of(args, image)
        if gate is not None:
            scenario = with_versions(scenario, gate)
        Plan(scenario, gate)  # refuses what makes no sense before anything is written
        path = str(args.image.resolve())
        digest = hashlib.sha256(image).hexdigest()
        let_in = None if gate is None else gate.to_json()
        store.put_document(_SCENARIO, [scenario.to_json(), path, digest, let_in])
        return scenario, path, gate
    if given(args) or gate_given(args):
        raise InputError(f"{args.store} has its scenario already: give --until and --steps only")
    return _stored(store, args.store, args.image)


def _stored(
    store: SqliteStore, path: pathlib.Path, image: pathlib.Path | None = None
) -> tuple[Scenario, str, FleetGate | None]:
    entry: JSON = store.document(_SCENARIO)
    match entry:
        case [fields, str(name), str(digest), let_in]:
            octets = read_image(pathlib.Path(name) if image is None else image)
            if hashlib.sha256(octets).hexdigest() != digest:
                raise InputError(f"{image or name} is not the image the campaign began with")
            gate = None if let_in is None else FleetGate.from_json(let_in)
            scenario = Scenario.from_json(fields, image=octets)
            if scenario.devices > _MOST_DEVICES:
                raise InputError(f"{path} is of more than {_MOST_DEVICES} devices")
            return scenario, name, gate
        case _:
            raise InputError(f"{path} is not the store of a simulated campaign")


def _span(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: expected 90s, 30m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def _print_status(report: CampaignReport, elapsed: float) -> None:
    ended = sum(one.stage.value in ("done", "failed") for one in report.devices)
    total = count(len(report.devices), "device")
    phase = strong(report.phase.value)
    print(f"{phase}, {duration(elapsed)} after its start; {ended:,} of {total} ended")
    groups = [
        (
            name,
            str(sum(one.group == name for one in report.devices)),
            str(report.fragments_sent[name]),
            str(rounds),
        )
        for name, rounds in report.rounds.items()
    ]
    if groups:
        head = ("group", "devices", "highest N sent", "repair rounds")
        print(f"\n{table(head, groups, right=(1, 2, 3))}")
    tally = Counter((one.stage.value, one.outcome.value) for one in report.devices)
    stages = [(stage, outcome, str(number)) for (stage, outcome), number in tally.most_common()]
    print(f"\n{table(('stage', 'outcome', 'devices'), stages, right=(2,))}")
