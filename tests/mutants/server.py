"""Our server with one fault each, to see that the kit notices.

A mutant is one change of the source, made while the module is imported.  ``python -m
tests.mutants.server`` plays against each, in a process of its own, the check that is there for it,
and every check against those that have none; ``--all`` plays every check against every mutant, and
prints how many killed it.  ``--name`` chooses some.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.abc
import importlib.machinery
import importlib.util
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Sequence
from types import CodeType, ModuleType
from typing import Final

ROOT: Final = pathlib.Path(__file__).parents[2]
SOURCE: Final = ROOT / "src" / "lorafuota"

SHOWN: Final = 3
"""Kills that are printed."""

SECONDS: Final = 400.0
"""What a mutant may take; one that takes longer hangs, and is killed by that."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        name: Short, unique.
        killer: Id of the check that is there for it, empty if it survives.
        text: What is wrong with it, one sentence.
        module: Where, below lorafuota.
        old: The text that is replaced; it stands there once.
        new: What replaces it.
        survives: Why nothing can notice it, or empty if the kit has to.
    """

    name: str
    killer: str
    text: str
    module: str
    old: str
    new: str
    survives: str = ""

    @property
    def path(self) -> pathlib.Path:
        """The file it changes."""
        return SOURCE.joinpath(*self.module.split(".")).with_suffix(".py")

    @property
    def source(self) -> str:
        """The changed file.

        Raises:
            ValueError: What is to be replaced does not stand there exactly once.
        """
        source = self.path.read_text("utf-8")
        if source.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.old!r} stands {source.count(self.old)} times")
        return source.replace(self.old, self.new)


_FRAG, _ENGINE, _EXCHANGE = "session.fragserver", "campaign.engine", "campaign.exchange"
_REBOOT = "campaign.reboot"
_GROUP, _ROUNDS, _COMPLETION = "campaign.group", "campaign.rounds", "campaign.completion"
_MC, _NEGOTIATION, _SETS = "session.groupserver", "campaign.negotiation", "campaign.packing"

MUTANTS: Final = (
    # Set-ups of sessions
    Mutant(
        "mic-padded",
        "ts004-v2/setup-mic",
        "The MIC covers the padding.",
        _FRAG,
        "mic = block.mic(",
        "mic = DataBlock.of(block.padded, frag_size=block.frag_size,"
        " descriptor=block.descriptor).mic(",
    ),
    Mutant(
        "mic-zero-descriptor",
        "ts004-v2/setup-mic",
        "The MIC is computed with a Descriptor of zeros (ChirpStack before April 2026).",
        _FRAG,
        "mic = block.mic(",
        "mic = DataBlock.of(block.image, frag_size=block.frag_size).mic(",
    ),
    Mutant(
        "mic-next-session",
        "ts004-v2/setup-mic",
        "The MIC is that of another SessionCnt.",
        _FRAG,
        "session_cnt=session_cnt, frag_index=frag_index)",
        "session_cnt=session_cnt + 1, frag_index=frag_index)",
    ),
    Mutant(
        "mic-wrong-root",
        "ts004-v2/setup-mic",
        "The MIC key is always derived as if the root key were a GenAppKey of another device.",
        _FRAG,
        "key = derive_data_block_int_key(root_key)",
        "key = derive_data_block_int_key(GenAppKey(bytes(16)))",
    ),
    Mutant(
        "padding-zero",
        "ts004-v1/setup-fits-image",
        "Padding is always 0.",
        _FRAG,
        '"padding": block.padding,',
        '"padding": 0,',
    ),
    Mutant(
        "nb-frag-more",
        "ts004-v2/setup-no-padding",
        "NbFrag is one too many.",
        _FRAG,
        '"nb_frag": block.nb_frag,',
        '"nb_frag": block.nb_frag + 1,',
    ),
    Mutant(
        "frag-algo",
        "ts004-v1/setup-algo",
        "FragAlgo is 1.",
        _FRAG,
        '"frag_algo": 0,',
        '"frag_algo": 1,',
    ),
    Mutant(
        "descriptor-turned",
        "ts004-v1/setup-descriptor",
        "Descriptor travels with its octets turned round, in version 1.",
        _FRAG,
        "v1.FragSessionSetupReq(**common, descriptor=block.descriptor)",
        "v1.FragSessionSetupReq(**common, descriptor=block.descriptor[::-1])",
    ),
    Mutant(
        "v1-layout",
        "ts004-v2/setup-mic",
        "Version 2 devices get the set-up of version 1.",
        _FRAG,
        "            if profile.has_mic\n            else v1",
        "            if False\n            else v1",
    ),
    Mutant(
        "mask-zero",
        "ts004-v1/setup-mask",
        "McGroupBitMask is always 0.",
        _EXCHANGE,
        "1 << record.mc_group_id if record.group else 0",
        "0",
    ),
    Mutant(
        "mask-first",
        "ts004-v2/setup-mask-unicast",
        "McGroupBitMask has always bit 0 (ChirpStack), whatever the McGroupID.",
        _EXCHANGE,
        "1 << record.mc_group_id if record.group else 0",
        "1",
    ),
    Mutant(
        "setup-refusal-ignored",
        "ts004-v2/refused-memory",
        "A refused set-up is taken for accepted.",
        _EXCHANGE,
        "    if not errors:\n        record.tries = record.silent = 0",
        "    if True:\n        record.tries = record.silent = 0",
    ),
    Mutant(
        "setup-other-index",
        "ts004-v1/answer-other-index",
        "The acceptance of any FragIndex is taken for that of the one asked for.",
        _EXCHANGE,
        "    if command.frag_index != record.frag_index:\n        return None\n    errors",
        "    errors",
    ),
    Mutant(
        "setup-refusal-endless",
        "ts004-v1/refused-descriptor",
        "A refused set-up is sent again, for ever.",
        _EXCHANGE,
        "            return Step(Stage.CLEANUP, outcome)",
        "            return Step(Stage.FRAGMENTATION, delay_seconds=60.0)",
    ),
    Mutant(
        "memory-is-descriptor",
        "ts004-v2/refused-memory",
        '"Not enough memory" is reported as a wrong descriptor.',
        _EXCHANGE,
        "SetupError.NOT_ENOUGH_MEMORY, Outcome.NOT_ENOUGH_MEMORY",
        "SetupError.NOT_ENOUGH_MEMORY, Outcome.WRONG_DESCRIPTOR",
    ),
    Mutant(
        "replay-same-counter",
        "ts004-v2/replay-raises",
        "A SessionCnt called a replay is not raised.",
        _EXCHANGE,
        "record.session_cnt += 1 << 2 * record.tries",
        "record.session_cnt += 0",
    ),
    Mutant(
        "index-never-other",
        "ts004-v1/index-other",
        "A refused FragIndex is offered again instead of another.",
        _EXCHANGE,
        "record.frag_index = (record.frag_index + 1) % _NUMBERS",
        "record.frag_index += 0",
    ),
    Mutant(
        "session-cnt-kept",
        "ts004-v2/session-cnt-rises",
        "A session that begins again after fragments keeps its SessionCnt.",
        _ENGINE,
        "            record.session_cnt += 1\n",
        "",
    ),
    Mutant(
        "frames-do-not-count",
        "ts004-v2/session-cnt-rises",
        "A SessionCnt is not taken for used when fragments went out by multicast.",
        _ROUNDS,
        "                record.cnt_used = True\n",
        "                record.cnt_used = False\n",
    ),
    # Fragments
    Mutant(
        "n-from-0",
        "ts004-v1/n-from-1",
        "Multicast fragments are numbered from 0 (MultiTech Conduit).",
        _GROUP,
        "            n=n, frag_index=config.frag_index",
        "            n=n - 1, frag_index=config.frag_index",
    ),
    Mutant(
        "unicast-n-from-0",
        "ts004-v2/unicast",
        "Unicast fragments are numbered from 0.",
        _ENGINE,
        "            n=n, frag_index=record.frag_index",
        "            n=n - 1, frag_index=record.frag_index",
    ),
    Mutant(
        "parity-v1",
        "ts004-v2/parity",
        "Coded fragments are always those of version 1.",
        "campaign.roster",
        "Group(config, record, self.encoder_of(config.parity))",
        "Group(config, record, self.encoder_of(ParityVariant.V1))",
    ),
    Mutant(
        "parity-annex",
        "ts004-v2/parity",
        "Coded fragments are always those of the annex of version 2.",
        "campaign.roster",
        "Group(config, record, self.encoder_of(config.parity))",
        "Group(config, record, self.encoder_of(ParityVariant.V2_ANNEX))",
    ),
    Mutant(
        "unicast-parity-v1",
        "ts004-v2/session-gone",
        "Coded fragments by unicast are always those of version 1.",
        _ENGINE,
        "payload=self._roster.encoder_of(parity).fragment(n)",
        "payload=self._roster.encoder_of(type(parity).V1).fragment(n)",
    ),
    Mutant(
        "no-coded",
        "ts004-v1/one-coded",
        "Without redundancy no coded fragment is sent at all.",
        "campaign.roster",
        "max(parity, 1)",
        "parity",
    ),
    Mutant(
        "no-redundancy",
        "ts004-v2/redundancy",
        "The redundancy asked for is not sent.",
        "campaign.roster",
        "max(parity, 1)",
        "1",
    ),
    Mutant(
        "repair-from-1",
        "ts004-v1/n-ascends",
        "A repair begins with fragment 1 again.",
        _ROUNDS,
        "        own.until_n = own.next_n + min(needed, group.frames_left) - 1\n",
        "        own.next_n = 1\n        own.until_n = min(needed, group.frames_left)\n",
    ),
    Mutant(
        "repair-never-plain",
        "ts004-v2/loss-first-window",
        "No plain fragment is ever among a repair.",
        _ROUNDS,
        "if not coded_alone_never_suffice(parity, nb_frag):",
        "if True:",
    ),
    Mutant(
        "one-fragment-coded",
        "ts004-v1/one-fragment",
        "A block of one fragment is repaired with coded fragments.",
        _GROUP,
        "        if self._encoder.nb_frag == 1:\n"
        "            n = 1  # coding says nothing of one fragment\n",
        "",
    ),
    Mutant(
        "no-repair",
        "ts004-v1/loss-random",
        "Nothing is sent after the first pass.",
        _ROUNDS,
        "        if rounds > self._config.max_rounds or",
        "        if True or",
    ),
    Mutant(
        "repair-endless",
        "ts004-v1/hopeless",
        "Repair never ends.",
        _ROUNDS,
        "        if rounds > self._config.max_rounds or own.next_n > MAX_N",
        "        if own.next_n > MAX_N",
    ),
    Mutant(
        "repair-one",
        "ts004-v1/loss-all-different",
        "A repair sends one fragment, however many are missing.",
        _ROUNDS,
        "own.next_n + min(needed, group.frames_left) - 1",
        "own.next_n",
    ),
    Mutant(
        "no-pace",
        "ts004-v1/paced",
        "Frames follow each other without a pause.",
        _GROUP,
        "next_frame_time(config, time + config.pace_seconds)",
        "next_frame_time(config, time + config.frame_seconds)",
    ),
    Mutant(
        "too-long",
        "ts004-v2/fits-air",
        "A fragment longer than any payload is sent.",
        "campaign.config",
        "if self.block.frag_size > MAX_FRM_PAYLOAD - _FRAGMENT_HEAD:",
        "if False:",
    ),
    # Groups and windows
    Mutant(
        "mc-key-encrypted",
        "ts005-v1/mc-key",
        "McKey is encrypted where it has to be decrypted.",
        _MC,
        "mc_key_encrypted=wrap_mc_key(mc_ke_key, self._mc_key),",
        'mc_key_encrypted=__import__("lorafuota.crypto").crypto.aes128_encrypt('
        "mc_ke_key, self._mc_key.reveal()),",
    ),
    Mutant(
        "mc-key-gen",
        "ts005-v2/mc-key",
        "McRootKey is derived as for LoRaWAN 1.0.x, whatever the device.",
        _MC,
        "derive_mc_ke_key(derive_mc_root_key(root_key))",
        "derive_mc_ke_key(derive_mc_root_key(GenAppKey(root_key.reveal())))",
    ),
    Mutant(
        "mc-key-clear",
        "ts005-v1/mc-key",
        "McKey travels unencrypted.",
        _MC,
        "mc_key_encrypted=wrap_mc_key(mc_ke_key, self._mc_key),",
        "mc_key_encrypted=self._mc_key.reveal(),",
    ),
    Mutant(
        "mc-addr-turned",
        "ts005-v1/mc-addr",
        "McAddr has its octets turned round.",
        _MC,
        "            mc_addr=self.sender.mc_addr,",
        "            mc_addr=DevAddr(int.from_bytes(self.sender.mc_addr.to_bytes(4, "
        '"big"), "little")),',
    ),
    Mutant(
        "max-fcnt-all",
        "ts005-v1/fcnt-range-small",
        "maxMcFCnt is always 0xFFFFFFFF (ChirpStack).",
        _MC,
        "            max_mc_fcnt=self.sender.max_mc_fcnt,",
        "            max_mc_fcnt=0xFFFFFFFF,",
    ),
    Mutant(
        "min-fcnt-ahead",
        "ts005-v2/fcnt-range",
        "minMcFCnt lies ahead of the next frame.",
        _MC,
        "            min_mc_fcnt=self.sender.next_fcnt,",
        "            min_mc_fcnt=self.sender.next_fcnt + 4,",
    ),
    Mutant(
        "fcnt-not-stored",
        "ts005-v1/restart-window",
        "Frame counters are not stored before they are used.",
        _GROUP,
        "        self.record.next_fcnt = min(upper, self.config.max_mc_fcnt)\n",
        "        del upper\n",
    ),
    Mutant(
        "fcnt-restarts",
        "ts005-v2/restart-window",
        "A group that comes back from the store counts from 0.",
        _GROUP,
        "            next_fcnt=self.record.next_fcnt,\n",
        "            next_fcnt=0,\n",
    ),
    Mutant(
        "group-refusal-ignored",
        "ts005-v1/group-refused",
        "IDerror is taken for acceptance.",
        _EXCHANGE,
        "    if not command.id_error:",
        "    if True:",
    ),
    Mutant(
        "group-other-id",
        "ts005-v1/group-answer-other",
        "The acceptance of any McGroupID is taken for that of the one asked for.",
        _EXCHANGE,
        "    if command.mc_group_id != record.mc_group_id:\n        return None\n    if not",
        "    if not",
    ),
    Mutant(
        "group-id-kept",
        "ts005-v2/group-other-id",
        "A refused McGroupID is offered again instead of another.",
        _EXCHANGE,
        "record.mc_group_id = (record.mc_group_id + 1) % _NUMBERS",
        "record.mc_group_id += 0",
    ),
    Mutant(
        "window-quarter",
        "ts005-v1/window-fits",
        "The window is announced a quarter as long as it has to be.",
        "campaign.windows",
        "time_out = choose_time_out(needed, unit_seconds=1)",
        "time_out = choose_time_out(needed / 4, unit_seconds=1)",
    ),
    Mutant(
        "window-long",
        "ts005-v1/window-fits",
        "The window is announced sixteen times as long as it has to be.",
        "campaign.windows",
        "time_out = choose_time_out(needed, unit_seconds=1)",
        "time_out = min(choose_time_out(needed, unit_seconds=1) + 4, 15)",
    ),
    Mutant(
        "window-past",
        "ts005-v2/session-future",
        "The window begins before it is announced.",
        _ROUNDS,
        "group.announce(now + self._config.lead_seconds, question=asks)",
        "group.announce(now - 60.0, question=asks)",
    ),
    Mutant(
        "frames-early",
        "ts005-v1/frames-in-window",
        "Frames begin twenty seconds before the start that devices are told.",
        _GROUP,
        "                session_time=to_wire(own.start),\n"
        "                time_out=seconds.bit_length() - 1,",
        "                session_time=to_wire(own.start + 20),\n"
        "                time_out=seconds.bit_length() - 1,",
    ),
    Mutant(
        "class-b-anywhere",
        "ts005-v1/class-b",
        "A class B window does not begin at a beacon.",
        "campaign.windows",
        "math.ceil(earliest / BEACON_PERIOD_SECONDS) * BEACON_PERIOD_SECONDS)",
        "math.ceil(earliest) // 128 * 128 + 1)",
    ),
    Mutant(
        "class-b-seconds",
        "ts005-v2/class-b",
        "TimeOut of a class B window counts seconds (chirpstack-fuota-server).",
        _GROUP,
        "time_out=(seconds // BEACON_PERIOD_SECONDS).bit_length() - 1,",
        "time_out=min(seconds.bit_length() - 1, 15),",
    ),
    Mutant(
        "time-to-start-unread",
        "ts005-v1/time-to-start",
        "TimeToStart is not looked at (ChirpStack).",
        _EXCHANGE,
        "    refusal = McGroupServer.refusal(command, session, received=now)\n",
        "    refusal = None if command.time_to_start is not None else "
        "McGroupServer.refusal(command, session, received=now)\n",
    ),
    Mutant(
        "session-refusal-ignored",
        "ts005-v1/all-refuse",
        "A refused window is taken for accepted.",
        _EXCHANGE,
        "    refusal = McGroupServer.refusal(command, session, received=now)\n",
        "    refusal = None\n",
    ),
    Mutant(
        "undefined-not-redone",
        "",
        "A device without the group is not given it again.",
        _EXCHANGE,
        "    if errors & int(mc_v1.SessionError.MC_GROUP_UNDEFINED) and again:",
        "    if False:",
        survives="a device without the group is served by unicast in the end",
    ),
    Mutant(
        "session-before-group",
        "",
        "A device is set up without waiting for the answer about its group.",
        _EXCHANGE,
        '            return [("multicastsetup", setup)]',
        "            record.joined = True\n"
        "            session_of = frag_server(config, member, record)\n"
        '            return [("multicastsetup", setup), ("fragmentation", session_of.setup_req)]',
        survives="nothing follows from the early set-up: its answer comes in a stage "
        "that ignores it",
    ),
    Mutant(
        "nobody-listens",
        "ts005-v1/nobody-listens",
        "Fragments are sent although nobody has confirmed the window.",
        _ROUNDS,
        "        if not group.stages[Stage.LISTENING]:\n"
        "            return self._no_listener(group, now)\n",
        "",
    ),
    Mutant(
        "clock-not-set",
        "ts005-v2/time-to-start",
        "A device whose clock is wrong is told of the window again, and its clock not set.",
        _EXCHANGE,
        "    if record.clock_version == 0:\n        record.told",
        "    if True:\n        record.told",
    ),
    Mutant(
        "group-kept",
        "ts005-v1/group-deleted",
        "Groups are never deleted.",
        _EXCHANGE,
        "        wanted |= _GROUP_GONE\n",
        "        wanted |= 0\n",
    ),
    Mutant(
        "session-kept",
        "ts004-v2/session-deleted",
        "Sessions are never deleted in the end.",
        _EXCHANGE,
        "    wanted = _SESSION_GONE\n",
        "    wanted = 0\n",
    ),
    # Status
    Mutant(
        "zero-is-success",
        "ts004-v1/too-few",
        "MissingFrag 0 is success, whatever was received.",
        _COMPLETION,
        "    return told.received >= _enough(member, nb_frag)\n\n\ndef _can_be_there",
        "    return True\n\n\ndef _can_be_there",
    ),
    Mutant(
        "mic-error-unread",
        "ts004-v2/mic-error",
        "MICError in a status is not looked at.",
        _COMPLETION,
        "    if told.mic_error and told.received >= nb_frag:\n",
        "    if False:\n",
    ),
    Mutant(
        "report-mic-unread",
        "ts004-v2/report-mic-error",
        "MICError in a report is not looked at.",
        _COMPLETION,
        "return _mic_error(config, record) if command.mic_error else complete(config, record)",
        "return complete(config, record)",
    ),
    Mutant(
        "memory-error-unread",
        "ts004-v1/memory-error",
        "The memory bit is not looked at.",
        _COMPLETION,
        "    if _out_of_memory(member, told):\n        return",
        "    if False:\n        return",
    ),
    Mutant(
        "v1-verified",
        "ts004-v1/transported-only",
        "A version 1 transfer is reported as verified.",
        _COMPLETION,
        "return Outcome.VERIFIED if verified else Outcome.TRANSPORTED",
        "return Outcome.VERIFIED",
    ),
    Mutant(
        "status-other-index",
        "ts004-v1/other-index",
        "A status about any FragIndex is taken for this session's.",
        _COMPLETION,
        "    if told.frag_index != record.frag_index and not told.nothing_yet:\n",
        "    if False:\n",
    ),
    Mutant(
        "status-before-fragments",
        "ts004-v1/claims-early",
        "A status before the first fragment is believed.",
        _COMPLETION,
        "    if not record.cnt_used:  # no fragment was sent yet",
        "    if False:  # no fragment was sent yet",
    ),
    Mutant(
        "report-before-fragments",
        "ts004-v2/claims-early",
        "A report before the first fragment is believed.",
        _COMPLETION,
        "    if command.frag_index != record.frag_index or not record.cnt_used:\n",
        "    if command.frag_index != record.frag_index:\n",
    ),
    Mutant(
        "mic-endless",
        "ts004-v2/mic-error",
        "A session whose block has another MIC is repeated for ever.",
        _COMPLETION,
        "    if record.mic_errors < config.mic_retries:\n",
        "    if True:\n",
    ),
    Mutant(
        "session-gone-unread",
        "ts004-v2/session-gone",
        '"Session does not exist" is not looked at.',
        _COMPLETION,
        "        if not (asked and again):\n",
        "        if True:\n",
    ),
    Mutant(
        "lossless-one-missing",
        "ts004-v1/stack-lora-basics-modem-48-v1",
        "LoRa Basics Modem's MissingFrag 1 after a lossless transfer is believed (SWL2001 101).",
        _COMPLETION,
        "    return one and StatusQuirk.MISSING_ONE_WHEN_COMPLETE in member.quirks\n",
        "    return False\n",
    ),
    Mutant(
        "silence-is-success",
        "ts004-v2/status-never",
        "A device that says nothing of the block is taken for complete.",
        _EXCHANGE,
        'return Step(Stage.FAILED, Outcome.NO_ANSWER, "no status answer")',
        "return Step(Stage.CLEANUP, Outcome.TRANSPORTED)",
    ),
    Mutant(
        "report-unanswered",
        "ts004-v2/report-answered",
        "FragDataBlockReceivedReq is not answered (ChirpStack).",
        _ENGINE,
        "            self._act(Unicast(dev_eui, fport, ack.encode()))\n",
        "            del ack, fport\n",
    ),
    Mutant(
        "report-answer-index",
        "ts004-v2/report-answered",
        "FragDataBlockReceivedReq is answered with another FragIndex.",
        _ENGINE,
        "frag_v2.FragDataBlockReceivedAns(frag_index=command.frag_index)",
        "frag_v2.FragDataBlockReceivedAns(frag_index=(command.frag_index + 1) % 4)",
    ),
    Mutant(
        "no-ack-delay",
        "ts004-v2/poll-spread",
        "BlockAckDelay is always 0.",
        "campaign.config",
        "        return min(max(math.ceil(seconds / 16) - 1, 0).bit_length(), _MOST_DELAY)",
        "        return 0 * math.ceil(seconds)",
    ),
    Mutant(
        "poll-storm",
        "ts004-v1/poll-spread-unicast",
        "All devices are asked at one instant.",
        _ROUNDS,
        "delay = wait + place / self._config.answers_per_second",
        "delay = wait + 0 * place",
    ),
    Mutant(
        "likely-is-success",
        "ts004-v1/stack-loramac-node-lossy",
        "A block that is only likely there is reported Successful, as ours was until the kit came.",
        "campaign.report",
        '    Outcome.LIKELY: "Initial",\n',
        "",
    ),
    Mutant(
        "no-image-is-bad-image",
        "ts004-v2/stack-st-middleware-v2-unlucky",
        "A device without an image had a bad one, also where the block is only likely to be there.",
        _EXCHANGE,
        "known = record.outcome.success  # else the block may never have been there",
        "known = True",
    ),
    # Versions
    Mutant(
        "version-guessed",
        "ts004-v1/setup-fits-image",
        "Every device is taken for version 2 of TS004.",
        _NEGOTIATION,
        "    setattr(record, VERSION_FIELDS[name], version if known else 0)\n",
        '    guessed = 2 if name == "fragmentation" else version\n'
        "    setattr(record, VERSION_FIELDS[name], guessed if known else 0)\n",
    ),
    Mutant(
        "version-unknown-taken",
        "ts004-v1/other-version",
        "A version that nobody knows is taken for version 1.",
        _NEGOTIATION,
        "version if known else 0)\n",
        "version if known else 1)\n",
    ),
    Mutant(
        "identifier-unread",
        "ts004-v1/other-identifier",
        "PackageVersionAns is taken for TS004's whatever its PackageIdentifier.",
        _NEGOTIATION,
        '    name = _NAMES.get(command.package_identifier, "")\n'
        "    if name not in VERSION_FIELDS or",
        '    name = "fragmentation"\n    if name not in VERSION_FIELDS or',
    ),
    # The loop
    Mutant(
        "never-again",
        "ts004-v1/setup-request-lost",
        "No request is ever repeated.",
        _ENGINE,
        "        if record.attempts >= policy.attempts:\n",
        "        if record.attempts >= 1:\n",
    ),
    Mutant(
        "for-ever",
        "ts004-v1/silent",
        "Every request is repeated until it is answered.",
        _ENGINE,
        "        if record.attempts >= policy.attempts:\n",
        "        if record.attempts >= 1_000_000:\n",
    ),
    Mutant(
        "first-command-only",
        "ts004-v1/behind-others",
        "Only the first command of an uplink is read (ChirpStack).",
        _ENGINE,
        "        for parsed in package.parse(payload, UPLINK):\n",
        "        for parsed in package.parse(payload, UPLINK)[:1]:\n",
    ),
    Mutant(
        "noise-drops-all",
        "ts004-v1/unknown-behind",
        "An uplink whose end cannot be read is not read at all.",
        _ENGINE,
        "        for parsed in package.parse(payload, UPLINK):\n",
        "        read = package.parse(payload, UPLINK)\n"
        "        for parsed in read if all(isinstance(one, Command) for one in read) else []:\n",
    ),
    Mutant(
        "strangers-crash",
        "ts004-v1/stranger",
        "An uplink of a device that is no member is looked up all the same.",
        _ENGINE,
        "        if record is None or self._own.phase",
        "        if self._own.phase",
    ),
    Mutant(
        "strict-crash",
        "ts004-v1/truncated",
        "An uplink that cannot be read raises.",
        _ENGINE,
        "package.parse(payload, UPLINK):\n            if",
        "package.parse(payload, UPLINK, strict=True):\n            if",
    ),
    Mutant(
        "nothing-stored",
        "ts004-v2/restart-fragment",
        "Nothing is stored.",
        _ENGINE,
        "            actions.insert(0, Commit(events))\n",
        "            del events\n",
    ),
    Mutant(
        "control",
        "",
        "Nothing is wrong: the same field, declared at length.",
        "campaign.state",
        "    session_cnt: int = 0\n",
        "    session_cnt: int = dataclasses.field(default=0)\n",
        survives="it shows that the harness itself kills nothing",
    ),
    Mutant(
        "removed-served",
        "ts004-v1/remove-device",
        "A device that was removed is served on.",
        _ENGINE,
        '            self._end(dev_eui, Stage.FAILED, Outcome.CANCELLED, "removed")\n',
        "",
    ),
    Mutant(
        "pause-ignored",
        "ts004-v2/pause",
        "A pause is ignored.",
        _ENGINE,
        "        self._set_phase(CampaignPhase.PAUSED)\n",
        "",
    ),
    Mutant(
        "cancel-ignored",
        "ts004-v1/cancel",
        "A cancelled update goes on.",
        _ENGINE,
        "        self._set_phase(CampaignPhase.CANCELLING)\n"
        "        for dev_eui, record in self._roster.devices.items():\n",
        "        for dev_eui, record in ():\n",
    ),
    Mutant(
        "straggler-holds",
        "",
        "A window waits until no device is being set up any more, however long that takes.",
        _ROUNDS,
        "        late = now >= group.record.since + self._config.setup_seconds\n",
        "        late = False\n",
        survives="requests are bounded, so a silent device leaves the set-up by itself soon enough",
    ),
    # The clock
    Mutant(
        "time-unanswered",
        "ts003-v1/answer-required",
        "AppTimeReq is not answered.",
        _ENGINE,
        "            self._tell_time(dev_eui, command, now)\n",
        "            pass\n",
    ),
    Mutant(
        "time-token",
        "ts003-v2/tokens",
        "AppTimeAns carries token 0.",
        _ENGINE,
        "token_ans=found.token_ans",
        "token_ans=0",
    ),
    Mutant(
        "time-sign",
        "ts003-v1/correction-fast",
        "TimeCorrection has the wrong sign.",
        _ENGINE,
        "AppTimeAns(time_correction=found.time_correction,",
        "AppTimeAns(time_correction=-max(found.time_correction, -(2**31) + 1),",
    ),
    Mutant(
        "time-leap",
        "ts003-v2/correction-leap",
        "Leap seconds are taken out of the correction.",
        _ENGINE,
        "            arrival_gps=now,\n",
        "            arrival_gps=now - 18,\n",
    ),
    Mutant(
        "time-always",
        "ts003-v1/in-sync",
        "AppTimeReq is always answered.",
        _ENGINE,
        "            ans_required=req.ans_required,\n",
        "            ans_required=True,\n",
    ),
    Mutant(
        "time-required-only",
        "ts003-v2/out-of-sync",
        "AppTimeReq is answered only if it asks for that.",
        _ENGINE,
        "        if found is not None:\n            ans = AppTimeAns",
        "        if found is not None and req.ans_required:\n            ans = AppTimeAns",
    ),
    # Firmware
    Mutant(
        "image-any-version",
        "ts006-v1/image-other",
        "A valid image of any version is installed.",
        _EXCHANGE,
        "(wanted is not None and found == wanted.version)",
        "wanted is not None",
    ),
    Mutant(
        "image-corrupt-installed",
        "ts006-v1/image-corrupt",
        "A corrupt image is installed.",
        _EXCHANGE,
        "            return Step(Stage.CLEANUP, Outcome.BAD_IMAGE)\n",
        "            return Step(Stage.REBOOT, Outcome.IMAGE_VALID)\n",
    ),
    Mutant(
        "image-hardware-installed",
        "ts006-v1/image-hardware",
        "An image for other hardware is installed.",
        _EXCHANGE,
        "            return Step(Stage.CLEANUP, Outcome.WRONG_HARDWARE)\n",
        "            return Step(Stage.REBOOT)\n",
    ),
    Mutant(
        "any-version-confirms",
        "ts006-v1/rolled-back",
        "Any version after the reboot is taken for the new one.",
        _EXCHANGE,
        "if config.firmware is not None and version == config.firmware.version:",
        "if config.firmware is not None:",
    ),
    Mutant(
        "reboot-is-installed",
        "ts006-v1/gone-after-reboot",
        "A device that is silent after the reboot is taken for updated.",
        _EXCHANGE,
        'return Step(Stage.CLEANUP, detail="no version after the reboot")',
        "return Step(Stage.CLEANUP, Outcome.CONFIRMED)",
    ),
    Mutant(
        "reboot-refusal-ignored",
        "",
        "A refused reboot is taken for programmed.",
        _REBOOT,
        "        if seconds == 0:\n            return None",
        "        if seconds < 0:\n            return None",
        survives="the version is asked for afterwards, and says that nothing was installed",
    ),
    Mutant(
        "reboot-not-cancelled",
        "ts006-v1/cancel",
        "Cancelling leaves reboots programmed.",
        _EXCHANGE,
        "        wanted |= _REBOOT_OFF | _IMAGE_GONE\n",
        "        wanted |= _IMAGE_GONE\n",
    ),
    Mutant(
        "reboot-now",
        "ts006-v1/reboot-acknowledged",
        "The reboot is ordered at once, which nobody acknowledges.",
        _REBOOT,
        "DevRebootCountdownReq(countdown=min(_left(step, now), MAX_COUNTDOWN))",
        "DevRebootCountdownReq(countdown=0)",
    ),
    # TS007
    Mutant(
        "set-token-constant",
        "ts007-v1/token-changes",
        "All command sets have token 0.",
        _SETS,
        "            self._token = (self._token + 1) % 4\n",
        "            self._token = 0\n",
    ),
    Mutant(
        "set-token-unread",
        "ts007-v1/stale-token",
        "Answers under any token are taken for those to the set under way.",
        "session.multipackageserver",
        "        if self._set is None or found.token != self._set.token:\n",
        "        if self._set is None:\n",
    ),
    Mutant(
        "set-pieces-lost",
        "",
        "Pieces that are missing are not asked for.",
        "session.multipackageserver",
        "        return [Downlink(_FPORT, self._request)]\n",
        "        return []\n",
        survives="a set whose answers do not come together is not repeated for ever: the campaign"
        " asks each package on its own port",
    ),
    Mutant(
        "set-piece-order",
        "ts007-v1/pieces-suffice",
        "Pieces are put together in the order in which they come.",
        "session.multipackageserver",
        "self._got.put(piece.base_byte, piece.ans)",
        "self._got.put(len(self._got.prefix), piece.ans)",
    ),
    Mutant(
        "set-ports-ignored",
        "ts007-v1/ports",
        "The ports a device tells of its packages are ignored.",
        "campaign.roster",
        "device_fports(record.ports, member.fports) if record.ports else member.fports",
        "member.fports",
    ),
)


# --- Playing one ----------------------------------------------------------------------------------


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles the changed source in place of the file's."""

    def __init__(self, fullname: str, mutant: Mutant) -> None:
        super().__init__(fullname, str(mutant.path))
        self._source = mutant.source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname != f"lorafuota.{self._mutant.module}":
            return None
        loader = _Loader(fullname, self._mutant)
        return importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)


def kills(mutant: Mutant, ids: Sequence[str]) -> list[str]:
    """Play the checks against a mutant, in this process, which has not imported it yet.

    Args:
        mutant: Which one.
        ids: The checks to play, none for all.

    Returns:
        The checks that failed, each with its reason.
    """
    sys.meta_path.insert(0, _Finder(mutant))
    from lorafuota.conformance.ownserver import OwnServer
    from lorafuota.conformance.run import run_server_checks
    from lorafuota.conformance.server import SERVER_CHECKS

    found: list[str] = []
    for check in [SERVER_CHECKS[id] for id in ids] or SERVER_CHECKS:
        try:
            [result] = run_server_checks([check], OwnServer())
        except Exception as error:  # a mutant may do anything
            found.append(f"{check.id}: raised {type(error).__name__}: {error}")
        else:
            if not result.good:
                found.append(f"{check.id}: {result.reason}")
    return found


def in_a_process(mutant: Mutant, *, everything: bool = False) -> tuple[list[str], float]:
    """Play checks against a mutant; return what killed it, and the seconds that took.

    Raises:
        RuntimeError: The process could not even begin.
    """
    begun = time.monotonic()
    command = [sys.executable, "-m", "tests.mutants.server", "--one", mutant.name]
    command += [] if everything or not mutant.killer else ["--check", mutant.killer]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ["it hangs"], time.monotonic() - begun
    if done.returncode:
        raise RuntimeError(f"{mutant.name}: {done.stderr[-2_000:]}")
    found: list[str] = json.loads(done.stdout)
    return found, time.monotonic() - begun


def main(argv: Sequence[str] | None = None) -> int:
    """Play mutants; return 1 if one survives that should not, or the other way round."""
    parser = argparse.ArgumentParser(prog="tests.mutants.server", description=__doc__)
    parser.add_argument("--name", action="append", help="this one only; may be repeated")
    parser.add_argument("--all", action="store_true", help="every check against every mutant")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--check", action="append", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    by_name = {one.name: one for one in MUTANTS}
    if args.one:
        print(json.dumps(kills(by_name[args.one], args.check or ())))
        return 0
    chosen = [by_name[name] for name in args.name] if args.name else list(MUTANTS)
    wrong = killed = 0
    for mutant in chosen:
        found, seconds = in_a_process(mutant, everything=args.all)
        killed += bool(found)
        wrong += bool(found) is not bool(mutant.killer)
        word = f"killed by {len(found)}" if found else "SURVIVES"
        print(f"{mutant.name:26} {word:13} {seconds:5.1f} s  {mutant.text}", flush=True)
        for line in found[:SHOWN]:
            print(f"    {line}", flush=True)
        if not found:
            print(f"    {mutant.survives or 'and nobody knows why'}", flush=True)
    print(f"{killed} of {len(chosen)} killed; {wrong} not as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
