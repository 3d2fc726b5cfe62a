"""What a stage asks a device, and what the answers mean for it.

Everything here is about one device and knows neither windows nor other devices: requests go from
record to commands, answers from command to the next stage.  :mod:`.engine` decides when.
"""

from __future__ import annotations

from typing import Final

from ..firmwaremanagement import v1 as firmware
from ..fragmentation import v1 as frag_v1
from ..fragmentation import v2 as frag_v2
from ..gpstime import from_wire
from ..multicastsetup import v1 as mc_v1
from ..multicastsetup import v2 as mc_v2
from ..multipackage.v1 import DevPackageAns
from ..package import PackageVersionAns
from ..session.firmwareanswers import cancel_req, is_cancelled
from ..session.fragserver import FragServer
from ..session.groupserver import McGroupServer, SessionAns
from ..session.profile import FRAG_PROFILES
from ..session.windows import SessionReq
from ..wire import Command
from .completion import no_report, report, status
from .config import CampaignConfig, Member
from .negotiation import (
    ask_clock,
    ask_versions,
    clock_silence,
    dev_packages,
    package_version,
    running,
    version_silence,
)
from .quirks import StatusQuirk
from .reboot import over_after, reboot_answered, reboot_req
from .state import MAX_RESTARTS, DeviceRecord, Outcome, Stage
from .step import Step

__all__ = ["answer", "frag_server", "requests", "silence"]

_MAX_TRIES: Final = 8
"""Other session counters tried after refusals."""

_NUMBERS: Final = 4
"""Values of McGroupID and of FragIndex."""

_MAX_SILENT: Final = 2
"""Polls without any answer after which a device is given up."""

_START_TOLERANCE: Final = 60.0
"""A device that calls a start missed that is still so far away has a wrong clock."""

_START_MISSED: Final = 8
"""Of version 2; known version 1 devices set it as well."""

_NO_IMAGE: Final = "no image is stored"

_SESSION_GONE, _GROUP_GONE, _REBOOT_OFF, _IMAGE_GONE = 1, 2, 4, 8
"""Answers to the clean-up."""

_ANSWERS: Final[dict[type, tuple[type, ...]]] = {
    mc_v1.McClassCSessionReq: (mc_v1.McClassCSessionAns, mc_v2.McClassCSessionAns),
    mc_v1.McClassBSessionReq: (mc_v1.McClassBSessionAns, mc_v2.McClassBSessionAns),
}

_SETUP_REFUSALS: Final = (
    (frag_v2.SetupError.FRAG_ALGO_UNSUPPORTED, Outcome.FRAG_ALGO_UNSUPPORTED),
    (frag_v2.SetupError.NOT_ENOUGH_MEMORY, Outcome.NOT_ENOUGH_MEMORY),
    (frag_v2.SetupError.WRONG_DESCRIPTOR, Outcome.WRONG_DESCRIPTOR),
)


def frag_server(config: CampaignConfig, member: Member, record: DeviceRecord) -> FragServer:
    """Return the messages of the device's present fragmentation session."""
    profile = FRAG_PROFILES[record.frag_version or 1]
    return FragServer(
        profile,
        config.block,
        frag_index=record.frag_index,
        mc_group_bit_mask=1 << record.mc_group_id if record.group else 0,
        block_ack_delay=config.ack_delay(multicast=record.group is not None),
        ack_reception=profile.has_mic,
        session_cnt=record.session_cnt,
        root_key=member.root_key if profile.has_mic else None,
    )


def requests(
    config: CampaignConfig,
    member: Member,
    record: DeviceRecord,
    group: McGroupServer | None,
    session: SessionReq | None,
    *,
    now: float,
) -> list[tuple[str, Command]]:
    """Return what the device is asked in its present stage: package names and commands."""
    match record.stage:
        case Stage.NEGOTIATE:
            return ask_versions(config, member, record)
        case Stage.CLOCK:
            return [("clocksync", ask_clock(record))]
        case Stage.GROUP if group is not None:
            setup = group.setup_req(member.root_key, mc_group_id=record.mc_group_id)
            return [("multicastsetup", setup)]
        case Stage.DELETE:
            delete = frag_v1.FragSessionDeleteReq(frag_index=record.frag_index)
            return [("fragmentation", delete)]
        case Stage.FRAGMENTATION:
            return [("fragmentation", frag_server(config, member, record).setup_req)]
        case Stage.SESSION if session is not None:
            return [("multicastsetup", session)]
        case Stage.STATUS:
            status = frag_v1.FragSessionStatusReq(participants=True, frag_index=record.frag_index)
            return [("fragmentation", status)]
        case Stage.IMAGE:
            return [("firmwaremanagement", firmware.DevUpgradeImageReq())]
        case Stage.REBOOT if config.firmware is not None:
            return [("firmwaremanagement", reboot_req(config.firmware, record, now))]
        case Stage.BASE | Stage.CONFIRM:
            return [("firmwaremanagement", firmware.DevVersionReq())]
        case Stage.CLEANUP:
            return _cleanup(config, record)
        case _:
            return []


def _to_clean(config: CampaignConfig, record: DeviceRecord) -> int:
    """Return which answers a clean-up still waits for."""
    wanted = _SESSION_GONE
    if record.group is not None:
        wanted |= _GROUP_GONE
    if record.outcome is Outcome.CANCELLED and config.firmware is not None:
        wanted |= _REBOOT_OFF | _IMAGE_GONE
    return wanted & ~record.cleaned


def _cleanup(config: CampaignConfig, record: DeviceRecord) -> list[tuple[str, Command]]:
    """Return what removes the traces of the campaign: indices and group numbers are scarce."""
    wanted = _to_clean(config, record)
    commands: list[tuple[str, Command]] = []
    if wanted & _REBOOT_OFF:
        commands.append(("firmwaremanagement", cancel_req()))
    if wanted & _IMAGE_GONE and config.firmware is not None:
        version = config.firmware.version
        delete_image = firmware.DevDeleteImageReq(firmware_to_delete_version=version)
        commands.append(("firmwaremanagement", delete_image))
    if wanted & _SESSION_GONE:
        delete = frag_v1.FragSessionDeleteReq(frag_index=record.frag_index)
        commands.append(("fragmentation", delete))
    if wanted & _GROUP_GONE:
        gone = mc_v1.McGroupDeleteReq(mc_group_id=record.mc_group_id)
        commands.append(("multicastsetup", gone))
    return commands


def _cleaned(config: CampaignConfig, record: DeviceRecord, bit: int) -> Step | None:
    """Note one answer to the clean-up; end when it was the last."""
    record.cleaned |= bit
    return None if _to_clean(config, record) else _over(record)


def _over(record: DeviceRecord) -> Step:
    done = record.outcome.success or record.outcome is Outcome.LIKELY
    return Step(Stage.DONE if done else Stage.FAILED, detail=record.detail)


def silence(config: CampaignConfig, member: Member, record: DeviceRecord, *, now: float) -> Step:
    """Say what to do with a device that did not answer in its stage, however often asked."""
    match record.stage:
        case Stage.NEGOTIATE:
            return version_silence(config, member, record)
        case Stage.CLOCK:
            return clock_silence(config, record)
        case Stage.DELETE:
            return Step(Stage.FRAGMENTATION)  # the answer does not matter; a set-up replaces
        case Stage.SESSION:
            return Step(Stage.READY, detail="the window was not confirmed")
        case Stage.STATUS if step := no_report(config, record):
            return step
        case Stage.STATUS:
            record.silent += 1
            if record.silent >= _MAX_SILENT:
                return Step(Stage.FAILED, Outcome.NO_ANSWER, "no status answer")
            if record.frag_version == 1 and record.restarts < MAX_RESTARTS:
                record.restarts += 1  # version 1 says nothing when there is no session
                return Step(Stage.DELETE, detail="no status answer")
            return Step(Stage.READY, detail="no status answer")
        case Stage.REBOOT:  # it may have rebooted all the same
            wait = over_after(config.firmware, now) if config.firmware else 0.0
            return Step(Stage.CONFIRM, delay_seconds=wait)
        case Stage.CONFIRM if record.detail:
            return Step(Stage.CLEANUP, Outcome.NOT_UPDATED, record.detail)
        case Stage.CONFIRM:  # the outcome stays what is known
            return Step(Stage.CLEANUP, detail="no version after the reboot")
        case Stage.IMAGE if record.detail == _NO_IMAGE:
            known = record.outcome.success  # else the block may never have been there
            ends = Outcome.BAD_IMAGE if known else Outcome.UNKNOWN
            return Step(Stage.CLEANUP, ends, record.detail)
        case Stage.IMAGE:
            return Step(Stage.CLEANUP, detail="no image status")
        case Stage.CLEANUP:
            return _over(record)
        case _:
            return Step(Stage.FAILED, Outcome.NO_ANSWER, f"in stage {record.stage.value}")


def answer(
    config: CampaignConfig,
    member: Member,
    record: DeviceRecord,
    command: Command,
    *,
    now: float,
    session: SessionReq | None,
) -> Step | None:
    """Take one answer into the record; return where it leads, or None if nowhere.

    Answers that come late, twice, or to another question change nothing that matters.
    """
    match command:
        case PackageVersionAns():
            return package_version(config, member, record, command)
        case DevPackageAns():
            return dev_packages(config, member, record, command)
        case mc_v1.McGroupSetupAns() if record.stage is Stage.GROUP:
            return _group(record, command)
        case frag_v1.FragSessionDeleteAns(frag_index=index) if index == record.frag_index:
            if record.stage is Stage.DELETE:
                return Step(Stage.FRAGMENTATION)
            if record.stage is Stage.CLEANUP:
                return _cleaned(config, record, _SESSION_GONE)
            return None
        case mc_v1.McGroupDeleteAns(mc_group_id=group) if record.stage is Stage.CLEANUP:
            return _cleaned(config, record, _GROUP_GONE) if group == record.mc_group_id else None
        case firmware.DevDeleteImageAns() if record.stage is Stage.CLEANUP:
            return _cleaned(config, record, _IMAGE_GONE)  # not there, or another: gone as well
        case firmware.DevRebootCountdownAns() if record.stage is Stage.CLEANUP:
            return _cleaned(config, record, _REBOOT_OFF) if is_cancelled(command) else None
        case frag_v1.FragSessionSetupAns() | frag_v2.FragSessionSetupAns():
            return _setup(record, command) if record.stage is Stage.FRAGMENTATION else None
        case frag_v1.FragSessionStatusAns() | frag_v2.FragSessionStatusAns():
            return status(config, member, record, command)
        case frag_v2.FragDataBlockReceivedReq():
            return report(config, record, command)
        case firmware.DevUpgradeImageAns() if record.stage is Stage.IMAGE:
            return _image(config, member, record, command)
        case firmware.DevRebootTimeAns() | firmware.DevRebootCountdownAns() if (
            record.stage is Stage.REBOOT and config.firmware is not None
        ):
            return reboot_answered(config.firmware, record, command, now)
        case firmware.DevVersionAns() if record.stage is Stage.BASE:
            return running(config, member, record, command)
        case firmware.DevVersionAns(fw_version=version) if record.stage is Stage.CONFIRM:
            if config.firmware is not None and version == config.firmware.version:
                return Step(Stage.CLEANUP, Outcome.CONFIRMED)
            record.detail = f"runs version 0x{version:08X}"  # still; asked again
            return None
        case _ if isinstance(command, SessionAns) and record.stage is Stage.SESSION:
            return _session(record, command, session, now)
        case _:
            return None


def _group(record: DeviceRecord, command: mc_v1.McGroupSetupAns) -> Step | None:
    if command.mc_group_id != record.mc_group_id:
        return None
    if not command.id_error:
        record.tries, record.joined = 0, True
        if record.cnt_used:  # it had a session and may have it still
            return Step(Stage.STATUS)
        return Step(Stage.DELETE if record.frag_version == 1 else Stage.FRAGMENTATION)
    record.tries += 1
    if record.tries >= _NUMBERS:
        return Step(Stage.FAILED, Outcome.REFUSED, "no McGroupID is supported")
    record.mc_group_id = (record.mc_group_id + 1) % _NUMBERS
    return Step(Stage.GROUP)


def _setup(
    record: DeviceRecord, command: frag_v1.FragSessionSetupAns | frag_v2.FragSessionSetupAns
) -> Step | None:
    if command.frag_index != record.frag_index:
        return None
    errors = frag_v2.SetupError(command.errors)
    if not errors:
        record.tries = record.silent = 0
        return Step(Stage.READY)
    for bit, outcome in _SETUP_REFUSALS:
        if errors & bit:
            return Step(Stage.CLEANUP, outcome)
    record.tries += 1
    if errors & frag_v2.SetupError.SESSION_CNT_REPLAY:
        # The device does not tell its counter: jump further each time.
        record.session_cnt += 1 << 2 * record.tries
        if record.tries >= _MAX_TRIES or record.session_cnt > 0xFFFF:
            return Step(Stage.CLEANUP, Outcome.SESSION_CNT_REPLAY)
        return Step(Stage.FRAGMENTATION)
    if record.tries >= _NUMBERS or record.group is not None:  # a group's fragments have one index
        return Step(Stage.CLEANUP, Outcome.FRAG_INDEX_UNSUPPORTED)
    record.frag_index = (record.frag_index + 1) % _NUMBERS
    return Step(Stage.DELETE if record.frag_version == 1 else Stage.FRAGMENTATION)


def _session(
    record: DeviceRecord, command: SessionAns, session: SessionReq | None, now: float
) -> Step | None:
    if session is None or not isinstance(command, _ANSWERS[type(session)]):
        return None
    start = from_wire(session.session_time, near=now)
    refusal = McGroupServer.refusal(command, session, received=now)
    if refusal is None:
        return Step(Stage.LISTENING)
    if command.mc_group_id != record.mc_group_id:
        return None
    errors = int(command.errors)
    again = record.restarts < MAX_RESTARTS
    if errors & int(mc_v1.SessionError.MC_GROUP_UNDEFINED) and again:
        # LoRaMac-node says so for a missed start too, hence the clock.
        record.joined = False
        return _set_clock(record, Stage.GROUP, refusal)
    if errors & int(mc_v1.SessionError.FREQ_ERROR | mc_v1.SessionError.DR_ERROR):
        return Step(Stage.CLEANUP, Outcome.REFUSED, refusal)
    missed = errors & _START_MISSED and now + _START_TOLERANCE < start
    if again and (missed or command.time_to_start is not None):  # the clock is off
        return _set_clock(record, Stage.READY, refusal)
    return Step(Stage.READY, detail=refusal)  # too late for this window


def _set_clock(record: DeviceRecord, otherwise: Stage, detail: str) -> Step:
    """Have a device set its clock before it is told of a window again, if it can."""
    record.restarts += 1
    if record.clock_version == 0:
        record.told = record.told if otherwise is Stage.READY else 0
        return Step(otherwise, detail=detail)
    record.told = 0
    return Step(Stage.CLOCK, detail=detail)


def _image(
    config: CampaignConfig,
    member: Member,
    record: DeviceRecord,
    command: firmware.DevUpgradeImageAns,
) -> Step | None:
    match command.up_image_status:
        case firmware.UpImageStatus.VALID:
            wanted, found = config.firmware, command.next_firmware_version
            untold = found == 0 and StatusQuirk.NEXT_VERSION_ZERO in member.quirks
            if untold or (wanted is not None and found == wanted.version):
                return Step(Stage.REBOOT, Outcome.IMAGE_VALID)
            return Step(Stage.CLEANUP, Outcome.BAD_IMAGE, f"the image is version {found}")
        case firmware.UpImageStatus.CORRUPT_OR_WRONG_SIGNATURE:
            return Step(Stage.CLEANUP, Outcome.BAD_IMAGE)
        case firmware.UpImageStatus.WRONG_HARDWARE:
            return Step(Stage.CLEANUP, Outcome.WRONG_HARDWARE)
        case _:
            record.detail = _NO_IMAGE  # or still being checked; asked again
            return None
