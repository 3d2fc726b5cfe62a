"""What a stage asks a device, and what the answers mean for it.

Everything here is about one device and knows neither windows nor other devices: requests go from
record to commands, answers from command to the next stage.  :mod:`.engine` decides when.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from ..firmwaremanagement import v1 as firmware
from ..fragmentation import v1 as frag_v1
from ..fragmentation import v2 as frag_v2
from ..gpstime import from_wire
from ..multicastsetup import v1 as mc_v1
from ..multicastsetup import v2 as mc_v2
from ..package import PackageVersionAns, PackageVersionReq
from ..session.fragserver import FragServer
from ..session.groupserver import McGroupServer, SessionAns
from ..session.profile import FRAG_PROFILES, MC_PROFILES
from ..session.windows import SessionReq
from ..wire import Command
from .config import CampaignConfig, Member, StatusQuirk
from .repair import completion_probability
from .state import DeviceRecord, Outcome, Stage

__all__ = ["Step", "answer", "frag_server", "requests", "silence"]

_MAX_TRIES: Final = 8
"""Other session counters tried after refusals."""

_NUMBERS: Final = 4
"""Values of McGroupID and of FragIndex."""

_MAX_RESTARTS: Final = 8
"""Set-ups of one device that are begun again because its groups, session or clock went astray."""

_MAX_SILENT: Final = 2
"""Polls without any answer after which a device is given up."""

_RESYNC_SECONDS: Final = 300.0
"""Time for a device to ask for the time and get it."""

_START_TOLERANCE: Final = 60.0
"""A device that calls a start missed that is still so far away has a wrong clock."""

_LOSSLESS_MARGIN: Final = 8
"""Coded fragments sent in vain that tell MissingFrag 1 after no loss from one that is missing."""

_LIKELY: Final = 0.999

_START_MISSED: Final = 8
"""Of version 2; known version 1 devices set it as well."""

_CANCEL_REBOOT: Final = 0xFFFFFF

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


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """Where an answer leads: to a stage, to an end, or to the same stage once more."""

    stage: Stage
    outcome: Outcome | None = None
    detail: str = ""
    delay_seconds: float = 0.0
    resync: bool = False
    """Have the device synchronise its clock first."""


def frag_server(config: CampaignConfig, member: Member, record: DeviceRecord) -> FragServer:
    """Return the messages of the device's present fragmentation session."""
    profile = FRAG_PROFILES[record.frag_version or 1]
    return FragServer(
        profile,
        config.block,
        frag_index=record.frag_index,
        mc_group_bit_mask=1 << record.mc_group_id if record.group else 0,
        block_ack_delay=config.block_ack_delay,
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
) -> list[tuple[str, Command]]:
    """Return what the device is asked in its present stage: package names and commands."""
    match record.stage:
        case Stage.NEGOTIATE:
            asked = [("fragmentation", record.frag_version)]
            if member.multicast:
                asked.append(("multicastsetup", record.mc_version))
            return [(name, PackageVersionReq()) for name, version in asked if version is None]
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
            countdown = firmware.DevRebootCountdownReq(countdown=config.firmware.countdown_seconds)
            return [("firmwaremanagement", countdown)]
        case Stage.CONFIRM:
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
        cancel = firmware.DevRebootCountdownReq(countdown=_CANCEL_REBOOT)
        commands.append(("firmwaremanagement", cancel))
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


def silence(config: CampaignConfig, record: DeviceRecord) -> Step:
    """Say what to do with a device that did not answer in its stage, however often asked."""
    match record.stage:
        case Stage.DELETE:
            return Step(Stage.FRAGMENTATION)  # the answer does not matter; a set-up replaces
        case Stage.SESSION:
            return Step(Stage.READY, detail="the window was not confirmed")
        case Stage.STATUS:
            record.silent += 1
            if record.silent >= _MAX_SILENT:
                return Step(Stage.FAILED, Outcome.NO_ANSWER, "no status answer")
            if record.frag_version == 1 and record.restarts < _MAX_RESTARTS:
                record.restarts += 1  # version 1 says nothing when there is no session
                return Step(Stage.DELETE, detail="no status answer")
            return Step(Stage.READY, detail="no status answer")
        case Stage.REBOOT:  # it may have rebooted all the same
            return Step(Stage.CONFIRM, delay_seconds=_reboot_seconds(config))
        case Stage.CONFIRM if record.detail:
            return Step(Stage.CLEANUP, Outcome.NOT_UPDATED, record.detail)
        case Stage.CONFIRM:  # the outcome stays what is known
            return Step(Stage.CLEANUP, detail="no version after the reboot")
        case Stage.IMAGE if record.detail:
            return Step(Stage.CLEANUP, Outcome.BAD_IMAGE, record.detail)
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
            return _version(member, record, command)
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
        case firmware.DevRebootCountdownAns(countdown=seconds) if record.stage is Stage.CLEANUP:
            return _cleaned(config, record, _REBOOT_OFF) if seconds == _CANCEL_REBOOT else None
        case frag_v1.FragSessionSetupAns() | frag_v2.FragSessionSetupAns():
            return _setup(record, command) if record.stage is Stage.FRAGMENTATION else None
        case frag_v1.FragSessionStatusAns() | frag_v2.FragSessionStatusAns():
            return _status(config, member, record, command)
        case frag_v2.FragDataBlockReceivedReq(frag_index=index, mic_error=wrong):
            if index != record.frag_index or not _listens(record) or not record.cnt_used:
                return None  # without a fragment of ours it is about an earlier session
            return _mic_error() if wrong else _complete(config, record)
        case firmware.DevUpgradeImageAns() if record.stage is Stage.IMAGE:
            return _image(config, member, record, command)
        case firmware.DevRebootCountdownAns(countdown=seconds) if record.stage is Stage.REBOOT:
            if seconds == 0:
                return None  # the device cannot; asked again until patience ends
            record.reboot_eta = now + min(seconds, _reboot_seconds(config))
            record.installing = now
            return Step(Stage.CONFIRM, delay_seconds=_reboot_seconds(config))
        case firmware.DevVersionAns(fw_version=version) if record.stage is Stage.CONFIRM:
            if config.firmware is not None and version == config.firmware.version:
                return Step(Stage.CLEANUP, Outcome.CONFIRMED)
            record.detail = f"runs version 0x{version:08X}"  # still; asked again
            return None
        case _ if isinstance(command, SessionAns) and record.stage is Stage.SESSION:
            return _session(record, command, session, now)
        case _:
            return None


def _reboot_seconds(config: CampaignConfig) -> float:
    """Return when a device has rebooted: not a device's own figure, which may be anything."""
    step = config.firmware
    return step.countdown_seconds + step.boot_seconds if step else 0.0


def _listens(record: DeviceRecord) -> bool:
    return record.stage in (
        Stage.READY,
        Stage.SESSION,
        Stage.LISTENING,
        Stage.UNICAST,
        Stage.STATUS,
    )


def _version(member: Member, record: DeviceRecord, command: PackageVersionAns) -> Step | None:
    if record.stage is not Stage.NEGOTIATE:
        return None
    identifier, version = command.package_identifier, command.package_version
    if identifier == FRAG_PROFILES[1].package.identifier:
        known = version in FRAG_PROFILES
        record.frag_version = version if known else record.frag_version
    elif identifier == MC_PROFILES[1].package.identifier:
        known = version in MC_PROFILES
        record.mc_version = version if known else record.mc_version
    else:
        return None
    if not known:
        detail = f"package {identifier} version {version}"
        return Step(Stage.FAILED, Outcome.NOT_SUPPORTED, detail)
    waiting = record.frag_version is None or (member.multicast and record.mc_version is None)
    return None if waiting else Step(Stage.GROUP)


def _group(record: DeviceRecord, command: mc_v1.McGroupSetupAns) -> Step | None:
    if command.mc_group_id != record.mc_group_id:
        return None
    if not command.id_error:
        record.tries = 0
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
    again = record.restarts < _MAX_RESTARTS
    if errors & int(mc_v1.SessionError.MC_GROUP_UNDEFINED) and again:
        # LoRaMac-node says so for a missed start too, hence the clock.
        record.restarts += 1
        record.told = 0
        return Step(Stage.GROUP, detail=refusal, resync=True)
    if errors & int(mc_v1.SessionError.FREQ_ERROR | mc_v1.SessionError.DR_ERROR):
        return Step(Stage.CLEANUP, Outcome.REFUSED, refusal)
    missed = errors & _START_MISSED and now + _START_TOLERANCE < start
    if again and (missed or command.time_to_start is not None):  # the clock is off
        record.restarts += 1
        if now + _RESYNC_SECONDS < start:
            return Step(Stage.SESSION, None, refusal, delay_seconds=_RESYNC_SECONDS, resync=True)
        return Step(Stage.READY, detail=refusal, resync=True)
    return Step(Stage.READY, detail=refusal)  # too late for this window


@dataclasses.dataclass(frozen=True, slots=True)
class _Status:
    """What a status answer of either version says about a session that exists."""

    received: int
    missing: int
    frag_index: int
    memory_error: bool
    mic_error: bool = False

    @classmethod
    def of(cls, command: frag_v1.FragSessionStatusAns | frag_v2.FragSessionStatusAns) -> _Status:
        if isinstance(command, frag_v1.FragSessionStatusAns):
            return cls(
                command.nb_frag_received,
                command.missing_frag,
                command.frag_index,
                command.not_enough_matrix_memory,
            )
        return cls(
            command.nb_frag_received or 0,
            command.missing_frag or 0,
            command.frag_index or 0,
            command.memory_error,
            command.mic_error,
        )

    @property
    def nothing_yet(self) -> bool:
        """All zeros, index included: some stacks before the first fragment, or after a reset."""
        return self.received == 0 and self.missing == 0


def _status(
    config: CampaignConfig,
    member: Member,
    record: DeviceRecord,
    command: frag_v1.FragSessionStatusAns | frag_v2.FragSessionStatusAns,
) -> Step | None:
    if not _listens(record):
        return None
    asked, again = record.stage is Stage.STATUS, record.restarts < _MAX_RESTARTS
    if isinstance(command, frag_v2.FragSessionStatusAns) and command.session_does_not_exist:
        if not (asked and again):
            return None
        record.restarts += 1
        return Step(Stage.FRAGMENTATION, detail="the session is gone")
    status, nb_frag = _Status.of(command), config.block.nb_frag
    if status.frag_index != record.frag_index and not status.nothing_yet:
        return None
    if not record.cnt_used:  # no fragment was sent yet, so it is about an earlier session
        return Step(Stage.READY) if asked else None
    if status.memory_error and StatusQuirk.STICKY_MEMORY_ERROR not in member.quirks:
        return Step(Stage.CLEANUP, Outcome.MEMORY_ERROR)
    if status.mic_error and status.received >= nb_frag:
        return _mic_error()
    record.received, record.silent = status.received, 0
    if status.nothing_yet and asked and again and record.sent:
        record.restarts += 1  # nothing is lost by setting it up again, should it have been reset
        return Step(Stage.FRAGMENTATION, detail="nothing was received")
    # A count cut to 8 bits, or 255 for more: what was not received is missing in any case.
    missing = max(status.missing, nb_frag - status.received)
    if _everything(member, record, status, nb_frag):
        return _complete(config, record)
    record.missing = missing
    if _likely(member, record, status, nb_frag):
        detail = f"MissingFrag {missing} never falls; {record.sent} fragments were sent"
        return _complete(config, record, Outcome.LIKELY, detail)
    return Step(Stage.READY) if asked else None


def _everything(member: Member, record: DeviceRecord, status: _Status, nb_frag: int) -> bool:
    """Say whether a status means that the block is there.

    Nothing missing counts only with NbFrag fragments received.  LoRa Basics Modem up to 4.8 says 1
    after a transfer without loss; it then stopped counting at NbFrag.  A device that misses one can
    show the same right after the plain fragments, but not after several coded ones.
    """
    if status.missing == 0:
        return status.received >= nb_frag
    lossless = status.missing == 1 and status.received == nb_frag
    enough = record.sent >= nb_frag + _LOSSLESS_MARGIN
    return StatusQuirk.MISSING_ONE_WHEN_COMPLETE in member.quirks and lossless and enough


def _likely(member: Member, record: DeviceRecord, status: _Status, nb_frag: int) -> bool:
    """Say whether a device whose MissingFrag never falls must have everything by now."""
    if StatusQuirk.MISSING_NEVER_FALLS not in member.quirks or status.received < nb_frag:
        return False
    coded = record.sent - nb_frag
    loss = min(max(status.missing / nb_frag, 0.05), 0.9)
    return coded > 0 and completion_probability(status.missing, coded, loss) >= _LIKELY


def _mic_error() -> Step:
    return Step(Stage.CLEANUP, Outcome.MIC_ERROR, "the block has another MIC, or another matrix")


def _complete(
    config: CampaignConfig,
    record: DeviceRecord,
    outcome: Outcome | None = None,
    detail: str = "",
) -> Step:
    if outcome is None:
        record.missing = 0
        verified = FRAG_PROFILES[record.frag_version or 1].has_mic
        outcome = Outcome.VERIFIED if verified else Outcome.TRANSPORTED
    return Step(Stage.IMAGE if config.firmware else Stage.CLEANUP, outcome, detail)


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
            record.detail = "no image is stored"  # or still being checked; asked again
            return None
