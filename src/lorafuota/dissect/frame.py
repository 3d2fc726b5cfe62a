"""A PHYPayload explained: what kind it is, its headers, its MAC commands, its payload once opened.

The headers are declared as commands are, so they are laid out by the same code.  Join frames are
named and cut into their fields; a join-accept takes the root key to open.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterator
from typing import Final

from .._kinds import JSON, Source
from ..errors import TruncatedError
from ..types import DOWNLINK, UPLINK, BytesLike, DevAddr, DevEUI, Direction, NetID
from ..wire import Record, flag, octets, record, uint
from .anomaly import Anomaly, Oddity
from .joins import ACCEPT_SIZES, REQUEST_SIZE
from .keyring import Keyring, Opened
from .layout import Line, lay_out
from .lorawan11 import SessionKeys
from .maccommands import MacCommand, read_mac_commands

__all__ = ["FType", "FrameKind", "MicCheck", "PhyExplanation", "explain_phy"]


class FType(enum.IntEnum):
    """The kind of a frame: the top three bits of MHDR, named as in TS001."""

    JOIN_REQUEST = 0
    JOIN_ACCEPT = 1
    UNCONFIRMED_DATA_UP = 2
    UNCONFIRMED_DATA_DOWN = 3
    CONFIRMED_DATA_UP = 4
    CONFIRMED_DATA_DOWN = 5
    REJOIN_REQUEST = 6
    PROPRIETARY = 7


class FrameKind(enum.Enum):
    """What a frame turned out to be."""

    DATA = "data"
    JOIN_REQUEST = "join-request"
    JOIN_ACCEPT = "join-accept"
    REJOIN_REQUEST = "rejoin-request"
    PROPRIETARY = "proprietary"
    UNREADABLE = "unreadable"


class MicCheck(enum.Enum):
    """What came of checking a frame's MIC."""

    FITS = "fits"
    HALF_FITS = "half fits"
    DOES_NOT_FIT = "does not fit"
    NOT_CHECKED = "not checked"


@record
class Mhdr(Record):
    """The first octet of every frame."""

    major: int = uint(2, rfu=3, doc="Format of the frame; 0 is the only one")
    f_type: FType = uint(3, FType, doc="What kind of frame", spec="FType")


@record
class Fhdr(Record):
    """The header of a data frame, without its FOpts."""

    dev_addr: DevAddr = uint(32, DevAddr, doc="Device, or group (McAddr)")
    f_opts_len: int = uint(4, doc="Octets of MAC commands in FOpts")
    f_pending: bool = flag(doc="More is waiting; of an uplink: class B")
    ack: bool = flag(doc="Acknowledges a confirmed frame", spec="ACK")
    adr_ack_req: bool = flag(doc="Wants a downlink; reserved in downlinks", spec="ADRACKReq")
    adr: bool = flag(doc="The network decides the data rate", spec="ADR")
    f_cnt: int = uint(16, doc="Lower half of the frame counter")


@record
class Port(Record):
    """The octet between header and payload."""

    f_port: int = uint(8, doc="0 is for MAC commands, 1 to 223 for applications")


@record
class Mic(Record):
    """The last four octets of a frame."""

    mic: bytes = octets(4, doc="Message integrity code", spec="MIC")


@record
class JoinRequest(Record):
    """What a device sends to join."""

    join_eui: DevEUI = uint(64, DevEUI, doc="The join server (AppEUI before 1.1)", spec="JoinEUI")
    dev_eui: DevEUI = uint(64, DevEUI, doc="The device", spec="DevEUI")
    dev_nonce: int = uint(16, doc="Never used twice")


@record
class JoinAccept(Record):
    """What a network answers, in the clear and without a CFList."""

    join_nonce: int = uint(24, doc="Never used twice (AppNonce before 1.1)", spec="JoinNonce")
    net_id: NetID = uint(24, NetID, doc="The network", spec="NetID")
    dev_addr: DevAddr = uint(32, DevAddr, doc="The device's address from now on")
    rx2_data_rate: int = uint(4, doc="Data rate of RX2", spec="RX2DataRate")
    rx1_dr_offset: int = uint(3, doc="Between uplink and RX1", spec="RX1DRoffset")
    opt_neg: bool = flag(doc="The session is one of LoRaWAN 1.1; reserved before", spec="OptNeg")
    rx_delay: int = uint(4, rfu=4, doc="Seconds to RX1; 0 means 1", spec="RxDelay")


@record
class ChannelList(Record):
    """A CFList of frequencies: type 0."""

    freq_1_hz: int = uint(24, step=100, doc="Channel to add", spec="Freq1")
    freq_2_hz: int = uint(24, step=100, doc="Channel to add", spec="Freq2")
    freq_3_hz: int = uint(24, step=100, doc="Channel to add", spec="Freq3")
    freq_4_hz: int = uint(24, step=100, doc="Channel to add", spec="Freq4")
    freq_5_hz: int = uint(24, step=100, doc="Channel to add", spec="Freq5")
    cf_list_type: int = uint(8, doc="0: frequencies", spec="CFListType")


@record
class ChannelMasks(Record):
    """A CFList of any other type."""

    masks: bytes = octets(15, doc="Which channels may be used, the lowest bit first", spec="ChMask")
    cf_list_type: int = uint(8, doc="1: masks of channels", spec="CFListType")


_LEAST: Final = 12
"""Octets of a data frame without port, payload and options."""

_CF_LIST_AT: Final = 13
"""Where a join-accept has its CFList, if it has one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PhyExplanation:
    """What one PHYPayload holds.

    Attributes:
        phy: The frame as it was on air.
        kind: What it turned out to be.
        direction: Who sent it; None if that cannot be told.
        lines: Its headers, laid out.
        mac_commands: From FOpts, or from an opened payload of port 0.
        address: DevAddr or McAddr of a data frame; the DevAddr that an opened join-accept gives.
        dev_eui: The device, if the frame says so or the keys do.
        multicast: Whether it is a group's frame, as far as the keys tell.
        fcnt: The whole counter, once the MIC fits; its lower half before.
        fport: The port, if there is one.
        frm_payload: FRMPayload as it was on air; of other frames all that is not laid out.
        payload: The same in the clear, if a key opened it.
        check: What came of checking the MIC.
        notes: What was found by trying, what could not be checked, and the like.
        anomalies: What is odd.
    """

    phy: bytes
    kind: FrameKind
    direction: Direction | None = None
    lines: tuple[Line, ...] = ()
    mac_commands: tuple[MacCommand, ...] = ()
    address: DevAddr | None = None
    dev_eui: DevEUI | None = None
    multicast: bool = False
    fcnt: int | None = None
    fport: int | None = None
    frm_payload: bytes = b""
    payload: bytes | None = None
    check: MicCheck = MicCheck.NOT_CHECKED
    notes: tuple[str, ...] = ()
    anomalies: tuple[Anomaly, ...] = ()

    def to_json(self) -> dict[str, JSON]:
        """Return all of it as JSON."""
        return {
            "phy": self.phy.hex(),
            "kind": self.kind.value,
            "direction": None if self.direction is None else self.direction.value,
            "address": None if self.address is None else str(self.address),
            "dev_eui": None if self.dev_eui is None else str(self.dev_eui),
            "multicast": self.multicast,
            "fcnt": self.fcnt,
            "fport": self.fport,
            "frm_payload": self.frm_payload.hex(),
            "payload": None if self.payload is None else self.payload.hex(),
            "mic": self.check.value,
            "notes": [*self.notes],
            "lines": [line.to_json() for line in self.lines],
            "mac_commands": [command.to_json() for command in self.mac_commands],
            "anomalies": [anomaly.to_json() for anomaly in self.anomalies],
        }


def explain_phy(
    phy: BytesLike,
    keys: Keyring | None = None,
    *,
    near_fcnt: int | None = None,
    tries: int = 1 << 16,
) -> PhyExplanation:
    """Explain a PHYPayload, whatever is in it; never raises because of what arrived.

    Args:
        phy: The frame as it was on air.
        keys: Keys to check the MIC and to open the payload with; they learn from the frame.
        near_fcnt: A counter not far below the frame's; it saves a search for the upper half.
        tries: How many upper halves of the counter to try, all if not given.
    """
    phy = bytes(phy)
    keys = Keyring() if keys is None else keys
    if not phy:
        return _unreadable(phy, (), "the frame is empty")
    head = Mhdr.decode_body(Source(phy, 0, "MHDR", strict=False))
    lines = tuple(lay_out(head, phy, 0))
    if len(phy) > 255:
        return _unreadable(phy, lines, f"{len(phy)} octets; no frame is longer than 255")
    odd = []
    if head.major:
        odd.append(_odd(Oddity.MAJOR_VERSION, 0, f"Major is {head.major}; nothing but 0 exists"))
    if phy[0] & 0x1C:
        odd.append(_odd(Oddity.RESERVED_BITS, 0, "reserved bits of MHDR are set"))
    match head.f_type:
        case FType.JOIN_REQUEST:
            return _join_request(phy, lines, odd, keys)
        case FType.JOIN_ACCEPT:
            if len(phy) not in ACCEPT_SIZES:
                odd.append(
                    _odd(Oddity.LENGTH, 0, f"a join-accept has 17 or 33 octets, not {len(phy)}")
                )
                return _shut_accept(phy, lines, odd)
            return _join_accept(phy, lines, odd, keys)
        case FType.REJOIN_REQUEST | FType.PROPRIETARY:
            up = head.f_type is FType.REJOIN_REQUEST
            return PhyExplanation(
                phy=phy,
                kind=FrameKind.REJOIN_REQUEST if up else FrameKind.PROPRIETARY,
                direction=UPLINK if up else None,
                lines=lines,
                frm_payload=phy[1:],
                anomalies=tuple(odd),
            )
        case _:
            up = head.f_type in (FType.UNCONFIRMED_DATA_UP, FType.CONFIRMED_DATA_UP)
            return _data(phy, UPLINK if up else DOWNLINK, lines, odd, keys, near_fcnt, tries)


def _join_request(
    phy: bytes, lines: tuple[Line, ...], odd: list[Anomaly], keys: Keyring
) -> PhyExplanation:
    if len(phy) != REQUEST_SIZE:
        return _unreadable(phy, lines, f"a join-request has 23 octets, not {len(phy)}")
    fits = keys.join_request(phy)
    if fits is False:
        odd.append(_odd(Oddity.MIC, 19, "the MIC does not fit the root key of this device"))
    checks = {None: MicCheck.NOT_CHECKED, True: MicCheck.FITS, False: MicCheck.DOES_NOT_FIT}
    return PhyExplanation(
        phy=phy,
        kind=FrameKind.JOIN_REQUEST,
        direction=UPLINK,
        lines=(*lines, *_part(JoinRequest, phy, 1), *_part(Mic, phy, 19)),
        dev_eui=DevEUI(int.from_bytes(phy[9:17], "little")),
        check=checks[fits],
        anomalies=tuple(odd),
    )


def _join_accept(
    phy: bytes, lines: tuple[Line, ...], odd: list[Anomaly], keys: Keyring
) -> PhyExplanation:
    joined = keys.join_accept(phy)
    if joined is None:
        if not keys.has_roots:
            return _shut_accept(phy, lines, odd)
        sentence = "the MIC fits no root key: another device's, or an answer to a rejoin-request"
        odd.append(_odd(Oddity.MIC, 0, sentence))
        return _shut_accept(phy, lines, odd, MicCheck.DOES_NOT_FIT)
    clear, mic_at = joined.clear, len(phy) - 4
    parts = _part(JoinAccept, clear, 1)
    if mic_at > _CF_LIST_AT:
        listed = ChannelMasks if clear[mic_at - 1] else ChannelList
        parts += _part(listed, clear, _CF_LIST_AT)
    return PhyExplanation(
        phy=phy,
        kind=FrameKind.JOIN_ACCEPT,
        direction=DOWNLINK,
        lines=(*lines, *parts, *_part(Mic, clear, mic_at)),
        address=joined.address,
        dev_eui=joined.root.dev_eui,
        frm_payload=phy[1:],
        payload=clear[1:],
        check=MicCheck.FITS if joined.checked else MicCheck.NOT_CHECKED,
        notes=(joined.note,),
        anomalies=tuple(odd),
    )


def _shut_accept(
    phy: bytes,
    lines: tuple[Line, ...],
    odd: list[Anomaly],
    check: MicCheck = MicCheck.NOT_CHECKED,
) -> PhyExplanation:
    return PhyExplanation(
        phy=phy,
        kind=FrameKind.JOIN_ACCEPT,
        direction=DOWNLINK,
        lines=lines,
        frm_payload=phy[1:],
        check=check,
        anomalies=tuple(odd),
    )


def _data(
    phy: bytes,
    direction: Direction,
    lines: tuple[Line, ...],
    odd: list[Anomaly],
    keys: Keyring,
    near: int | None,
    tries: int,
) -> PhyExplanation:
    try:
        header = Fhdr.decode_body(Source(phy[:-4], 1, "FHDR", strict=False))
    except TruncatedError:
        return _unreadable(phy, lines, f"a data frame has {_LEAST} octets at least, not {len(phy)}")
    options = phy[8 : 8 + header.f_opts_len]
    behind = 8 + header.f_opts_len
    if behind > len(phy) - 4:
        reason = f"FOptsLen is {header.f_opts_len}, but only {len(phy) - 12} octets are there"
        return _unreadable(phy, (*lines, *lay_out(header, phy, 1, counted=1)), reason)
    fport = phy[behind] if behind < len(phy) - 4 else None
    port_lines = () if fport is None else _part(Port, phy, behind)
    frm_payload = b"" if fport is None else phy[behind + 1 : -4]
    opened = keys.open(phy, direction=direction, fport=fport, near=near, tries=tries)
    payload: bytes | None = None
    fcnt = header.f_cnt
    check = MicCheck.DOES_NOT_FIT if keys.knows(header.dev_addr) else MicCheck.NOT_CHECKED
    multicast = False
    dev_eui: DevEUI | None = None
    notes: list[str] = []
    if opened is not None:
        one, fcnt = opened.keys, opened.fcnt
        check = MicCheck.HALF_FITS if opened.half else MicCheck.FITS
        multicast, dev_eui = one.multicast, one.dev_eui
        payload = one.crypt(frm_payload, port=fport or 0, direction=direction, fcnt=fcnt)
        notes += [opened.note] if opened.note else []
    commands, note = _options(options, direction, fport, opened)
    notes += [note] if note else []
    if fport == 0 and payload is not None:
        commands += read_mac_commands(payload, direction, behind + 1)
    odd += _odd_data(header, fport, check, multicast=multicast)
    odd += [_odd(Oddity.MAC_COMMAND, one.at, one.problem) for one in commands if one.problem]
    return PhyExplanation(
        phy=phy,
        kind=FrameKind.DATA,
        direction=direction,
        lines=(
            *lines,
            *lay_out(header, phy, 1, counted=1),
            *port_lines,
            *_part(Mic, phy, len(phy) - 4),
        ),
        mac_commands=tuple(commands),
        address=header.dev_addr,
        dev_eui=dev_eui,
        multicast=multicast,
        fcnt=fcnt,
        fport=fport,
        frm_payload=frm_payload,
        payload=payload,
        check=check,
        notes=tuple(notes),
        anomalies=tuple(odd),
    )


def _options(
    options: bytes, direction: Direction, fport: int | None, opened: Opened | None
) -> tuple[list[MacCommand], str]:
    """Return the MAC commands of FOpts, and a note if they are not as LoRaWAN 1.1 has them."""
    as_sent = list(read_mac_commands(options, direction, 8))
    if opened is None or not isinstance(opened.keys, SessionKeys):
        return as_sent, ""
    clear = opened.keys.crypt_options(options, fport=fport, direction=direction, fcnt=opened.fcnt)
    commands = list(read_mac_commands(clear, direction, 8))
    if any(one.problem for one in commands) and not any(one.problem for one in as_sent):
        return as_sent, "FOpts is in the clear, though LoRaWAN 1.1 encrypts it"
    return commands, ""


def _odd_data(
    header: Fhdr, fport: int | None, check: MicCheck, *, multicast: bool
) -> Iterator[Anomaly]:
    if header.f_opts_len and fport == 0:
        yield _odd(Oddity.MAC_TWICE, 5, "MAC commands in FOpts and on port 0: a receiver drops it")
    if multicast:
        for said, what in (
            (header.f_opts_len, "MAC commands in FOpts"),
            (header.ack, "an acknowledgement"),
            (header.adr_ack_req, "ADRACKReq"),
            (fport == 0, "port 0"),
        ):
            if said:
                yield _odd(Oddity.NOT_MULTICAST, 5, f"a multicast frame with {what} is dropped")
    if check is MicCheck.DOES_NOT_FIT:
        sentence = "no counter makes the MIC fit: other keys, another device, or damaged octets"
        yield _odd(Oddity.MIC, 0, sentence)
    if check is MicCheck.HALF_FITS and not header.ack:
        sentence = "SNwkSIntKey makes its half of the MIC fit with no TxDr and TxCh: another key"
        yield _odd(Oddity.MIC, 0, sentence)


def _part(cls: type[Record], phy: bytes, at: int) -> tuple[Line, ...]:
    return tuple(lay_out(cls.decode_body(Source(phy, at, "", strict=False)), phy, at, counted=at))


def _unreadable(phy: bytes, lines: tuple[Line, ...], reason: str) -> PhyExplanation:
    odd = (_odd(Oddity.LENGTH, 0, reason),)
    return PhyExplanation(phy=phy, kind=FrameKind.UNREADABLE, lines=lines, anomalies=odd)


def _odd(code: Oddity, at: int, sentence: str) -> Anomaly:
    return Anomaly(code=code, at=at, sentence=sentence)
