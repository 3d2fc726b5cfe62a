"""A whole campaign on the server: what it costs per device as the fleet grows, store included."""

from __future__ import annotations

import gc
import pathlib
import random
import statistics
import tempfile
import time
import tracemalloc

from benchmarks.harness import Case, Table
from lorafuota.campaign import (
    CampaignConfig,
    CampaignStore,
    FuotaCampaign,
    GroupConfig,
    Member,
    MemoryStore,
    SqliteStore,
)
from lorafuota.campaign.actions import CampaignAction, Commit, Unicast
from lorafuota.campaign.state import CampaignPhase
from lorafuota.catalogue import PackageMap
from lorafuota.datablock import DataBlock
from lorafuota.fec.variant import ParityVariant
from lorafuota.fragmentation import v2 as frag
from lorafuota.multicastsetup import v2 as mc
from lorafuota.package import PackageVersionAns, PackageVersionReq
from lorafuota.types import DOWNLINK, DevAddr, DevEUI, GenAppKey, McKey
from lorafuota.wire import Command

START = 1_400_000_000.0
MAP = PackageMap()
NB_FRAG = 100
SIZES, SIZES_ONCE = (1_000, 4_000), (100, 400)


def _config(devices: int) -> CampaignConfig:
    members = tuple(
        Member(
            dev_eui=DevEUI(at + 1),
            root_key=GenAppKey(at.to_bytes(16)),
            clock_version=0,
            multi_package=False,
        )
        for at in range(devices)
    )
    group = GroupConfig(
        name="all",
        mc_addr=DevAddr(1),
        mc_key=McKey(bytes(16)),
        parity=ParityVariant.V2,
        dl_freq_hz=869_525_000,
        dr=5,
        frame_seconds=0.1,
        spacing_seconds=1.0,
    )
    block = DataBlock.of(random.Random(0).randbytes(NB_FRAG * 48), frag_size=48)
    return CampaignConfig(block=block, members=members, groups=(group,), lead_seconds=600.0)


def _answer(command: Command, identifier: int, now: float, missing: int) -> Command | None:
    """What a device says that misses so many fragments."""
    match command:
        case PackageVersionReq():
            return PackageVersionAns(package_identifier=identifier, package_version=2)
        case mc.McGroupSetupReq():
            return mc.McGroupSetupAns(mc_group_id=0, id_error=False)
        case frag.FragSessionSetupReq():
            return frag.FragSessionSetupAns(errors=frag.SetupError(0), frag_index=0)
        case mc.McClassCSessionReq(session_time=start):
            return mc.McClassCSessionAns(
                mc_group_id=0, errors=mc.SessionError(0), time_to_start=int(start - now)
            )
        case frag.FragSessionStatusReq():
            return frag.FragSessionStatusAns(
                memory_error=False,
                mic_error=False,
                session_does_not_exist=False,
                nb_frag_received=NB_FRAG + 5 - missing,
                frag_index=0,
                missing_frag=missing,
            )
        case frag.FragSessionDeleteReq():
            return frag.FragSessionDeleteAns(frag_index=0, session_does_not_exist=False)
        case mc.McGroupDeleteReq():
            return mc.McGroupDeleteAns(mc_group_id=0, mc_group_undefined=False)
        case _:
            return None


def run(devices: int, store: CampaignStore) -> FuotaCampaign:
    """Take every device from the version to the clean-up; one in three needs a repair round."""
    campaign = FuotaCampaign(_config(devices))
    now = START
    asked = [0] * (devices + 1)
    todo: list[CampaignAction] = campaign.start(now=now)
    while campaign.phase is not CampaignPhase.ENDED or todo:
        following: list[CampaignAction] = []
        for action in todo:
            if isinstance(action, Commit):
                store.append(action.events)
            elif isinstance(action, Unicast):
                package = MAP.at(action.fport)
                assert package is not None
                [command] = package.parse(action.payload, DOWNLINK)
                eui = action.dev_eui
                first = isinstance(command, frag.FragSessionStatusReq) and asked[eui] == 0
                asked[eui] += first
                missing = 3 if first and eui % 3 == 0 else 0
                assert isinstance(command, Command)
                answer = _answer(command, package.identifier, now, missing)
                if answer is not None:
                    following += campaign.receive(eui, action.fport, answer.encode(), now=now)
        todo = following
        if not todo and (deadline := campaign.next_deadline) is not None:
            now = max(now, deadline)
            todo = campaign.tick(now=now)
    assert campaign.report().success
    return campaign


def _timed(devices: int, store: CampaignStore) -> float:
    gc.collect()
    start = time.perf_counter()
    run(devices, store)
    return (time.perf_counter() - start) / devices


def _memory(devices: int) -> float:
    """Octets per device at the peak, configuration and store included."""
    gc.collect()
    tracemalloc.start()
    try:
        run(devices, MemoryStore(keep_log=False))
        return tracemalloc.get_traced_memory()[1] / devices
    finally:
        tracemalloc.stop()


def cases(once: bool) -> list[Case]:
    """None: the figures are per device, so they stand in a table."""
    return []


def tables(once: bool, rounds: int) -> list[Table]:
    """Time and memory of a campaign per device, which should not depend on how many there are."""
    rows: list[tuple[str | float | None, ...]] = []
    for devices in SIZES_ONCE if once else SIZES:
        in_memory, on_disk = [], []
        for _ in range(1 if once else min(rounds, 3)):
            in_memory.append(_timed(devices, MemoryStore(keep_log=False)))
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / "store"
                with SqliteStore(path, sync=False) as store:
                    on_disk.append(_timed(devices, store))
        times = [statistics.median(each) * 1e6 for each in (in_memory, on_disk)]
        rows.append((f"{devices} devices", *times, _memory(devices) / 1024))
    columns = ("", "us/device, memory", "us/device, SQLite", "KiB/device")
    return [Table(f"One campaign, M = {NB_FRAG}, a third repaired, devices free", columns, rows)]
