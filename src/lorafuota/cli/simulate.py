"""``lorafuota simulate``: a firmware file, a lossy channel, and a fleet that rebuilds the file."""

from __future__ import annotations

import argparse
import pathlib
import statistics
from collections import Counter
from typing import Final

from ..dissect.words import count
from ..fec import kernels
from ..image.version import ImageVersion
from ..simulate import DeviceResult, Report, Scenario, Simulation
from ..wire import JSON
from .arguments import Status, Subparsers, add_json, subcommand
from .fleet import add_fleet, run_fleet, without_fleet
from .gate import FleetGate, add_gate, gate_of, with_versions
from .output import bad, good, table, write_json
from .progress import progress
from .saving import Saving, saving_of
from .scenario import add_scenario, read_image, scenario_of

__all__ = ["add", "all_well", "count", "deliver", "duration", "print_report", "run", "work"]

_ROWS: Final = 20
"""Devices shown one by one, the worst first, unless --all is given."""


def add(subparsers: Subparsers) -> None:
    """Declare the subcommand."""
    parser = subcommand(
        subparsers,
        "simulate",
        run,
        summary="deliver a firmware file to a simulated fleet",
        description=(
            "Deliver a firmware file to simulated devices with a whole campaign, as real octets:\n"
            "versions asked for, groups and sessions set up, windows, fragments in encrypted\n"
            "multicast frames, losses, status, repair, and what each device rebuilds. Time is\n"
            "virtual: a week takes seconds. With --fleet there is no payload, only losses and\n"
            "ranks: for fleets of any size."
        ),
        example="lorafuota simulate firmware.bin --devices 20 --loss 0.2 --seed 7",
    )
    parser.add_argument("image", type=pathlib.Path, metavar="IMAGE", help="the firmware file")
    add_scenario(parser)
    add_gate(parser)
    add_fleet(parser)
    parser.add_argument("--all", action="store_true", help="show every device, not the worst 20")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Simulate, and print the report."""
    if args.fleet:
        return run_fleet(args)
    without_fleet(args)
    scenario = scenario_of(args, read_image(args.image))
    gate = gate_of(args)
    return deliver(args, scenario, gate, str(args.image))


def deliver(
    args: argparse.Namespace, scenario: Scenario, gate: FleetGate | None, image: str
) -> Status:
    """Run a whole campaign, print the report, and say whether all is well with every device.

    Args:
        args: With ``--json`` and ``--all``.
        scenario: What is simulated.
        gate: What devices let in, if what they get is signed.
        image: What the image is called.
    """
    if gate is not None:
        scenario = with_versions(scenario, gate)
    simulation = Simulation(scenario, gates=gate)
    saving = None if gate is None else saving_of(scenario, gate.gate)
    with progress("fragments", work(simulation), quiet=args.json) as bar:
        report = simulation.run(watch=lambda one: bar.advance(one.fleet.frames - bar.done))
    if args.json:
        document: dict[str, JSON] = {"image": image, "kernels": kernels.NAME}
        if saving is not None:
            document["delta"] = saving.to_json()
        write_json({**document, **report.to_json()})
    else:
        print_report(report, image, every=args.all, saving=saving)
    return Status.GOOD if all_well(report) else Status.NO


def all_well(report: Report) -> bool:
    """Say whether every device has the image, and runs it where it is to be installed."""
    return report.success and report.devices_confirmed in (None, report.devices)


def work(simulation: Simulation) -> int:
    """Return about how many fragments are going to pass the devices, all together."""
    plan = simulation.plan
    return (plan.block.nb_frag + plan.parity) * plan.scenario.devices


def print_report(report: Report, image: str, *, every: bool, saving: Saving | None = None) -> None:
    """Print what became of the image, the fleet, and its devices, and what a delta saves."""
    for label, text in _summary(report, image):
        print(f"{label:<8} {text}".rstrip())
    print()
    if saving is not None:
        octets, whole = saving.delta_octets, saving.image_octets
        share = f"{octets / whole:.0%} of the {whole:,} of the image that it gives"
        print(f"delta    {octets:,} octets, {share}; first pass of either:\n\n{saving}\n")
    shown = sorted(report.results, key=_worst_first)
    if len(shown) > _ROWS and not every:
        shown = shown[:_ROWS]
    mixed = len(report.kinds) > 1
    head: tuple[str, ...] = ("device", "heard", "lost", "used", "complete at", "SHA-256", "")
    rows = [_row(report, result) for result in sorted(shown, key=lambda one: one.device)]
    if mixed:
        head = ("device", "kind", *head[1:])
    print(table(head, rows, right=(0, 2, 3, 4, 5) if mixed else (0, 1, 2, 3, 4)))
    if len(shown) < report.devices:
        print(f"(the worst {len(shown)} of {report.devices:,}; --all shows every device)")
    print()
    completed = [one.completed_by for one in report.results if one.completed_by is not None]
    if completed and report.nb_frag > 1:
        typical = statistics.median(max(0, n - report.nb_frag) for n in completed)
        print(
            f"parity needed: {report.parity_needed} coded fragments for the last device, "
            f"{typical:g} for half of them"
        )
    verdict = f"{report.devices_complete:,} of {count(report.devices, 'device')} rebuilt the image"
    if report.devices_confirmed is not None:
        verdict += f", {report.devices_confirmed:,} installed it and reported its version"
    print(good(verdict) if all_well(report) else bad(verdict))


def _summary(report: Report, image: str) -> list[tuple[str, str]]:
    coded = "repeats" if report.nb_frag == 1 else "coded"
    windows = count(report.windows, f"class {report.window_class} window")
    kinds = ", ".join(f"{number:,} {name}" for name, number in report.kinds.items())
    lines = [
        ("image", f"{image}, {report.image_octets:,} octets"),
        ("SHA-256", report.image_sha256),
        (
            "block",
            f"{report.nb_frag} fragments of {report.frag_size} octets, {report.padding} octets "
            f"padding; first pass: {report.parity_planned} more {coded}",
        ),
        (
            "air",
            f"{report.region} DR{report.dr}, {count(report.frames, 'fragment')} of "
            f"{1000 * report.frame_airtime_seconds:.1f} ms: {duration(report.airtime_seconds)} on "
            f"air, {windows}, {count(report.rounds, 'repair round')}",
        ),
        (
            "fleet",
            f"{count(report.devices, 'device')} ({kinds}); {report.frames_lost_share:.1%} of the "
            "fragments lost",
        ),
        (
            "campaign",
            f"{report.phase} after {duration(report.duration_seconds)}; "
            f"{count(report.unicast_downlinks, 'unicast downlink')}, "
            f"{count(report.uplinks, 'uplink')}, {count(report.commits, 'commit')}",
        ),
        (
            "status",
            f"{count(report.questions, 'question')} by multicast, {report.status_downlinks:,} by "
            f"unicast; {count(report.status_uplinks, 'answer')} and reports, at most "
            f"{report.status_peak:,} in a second",
        ),
        ("outcome", ", ".join(f"{number:,} {name}" for name, number in report.outcomes.items())),
    ]
    if report.devices_confirmed is not None:
        running = Counter(one.fw_version for one in report.results)
        lines.append(("firmware", ", ".join(_runs(*one) for one in running.most_common())))
    if len(report.groups) > 1:
        for group in report.groups:
            text = (
                f"{count(group.devices, 'device')}, {count(group.frames, 'frame')} up to "
                f"N = {group.highest_n}, {count(group.windows, 'window')}, "
                f"{duration(group.airtime_seconds)} on air"
            )
            lines.append((f"group {group.name}", text))
    return lines


def _runs(fw_version: int | None, devices: int) -> str:
    if fw_version is None:
        return f"{devices:,} without TS006"
    version = str(ImageVersion.from_fw_version(fw_version)).partition("+")[0]
    return f"{devices:,} run {version} (0x{fw_version:08X})"


def _worst_first(result: DeviceResult) -> tuple[bool, int, int]:
    return result.complete, -(result.completed_by or 0), result.device


def _row(report: Report, result: DeviceResult) -> tuple[str, ...]:
    if result.complete:
        state = "MIC ok" if result.verified else "not verified: version 1 has no MIC"
    else:
        state = result.problem or "incomplete"
    known = result.outcome in state or (
        result.complete and result.outcome in ("integrity ok", "transport complete")
    )
    if not known:
        state += f"; {result.outcome}"
    same = result.sha256 == report.image_sha256
    digest = "-" if result.sha256 is None else "equal" if same else "DIFFERS"
    completed = "-" if result.completed_by is None else f"N = {result.completed_by}"
    numbers = (result.frames_heard, result.frames_lost, result.fragments_used)
    kind = (result.kind,) if len(report.kinds) > 1 else ()
    cells = (*(str(number) for number in numbers), completed, digest, state)
    return (str(result.device), *kind, *cells)


def duration(seconds: float) -> str:
    """Return a time span as people say it."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return f"{minutes} min {rest:02} s"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02} h" if days else f"{hours} h {minutes:02} min"
