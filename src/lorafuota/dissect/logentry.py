"""One frame of a log, opened with the keys there are, and the device or group it belongs to."""

from __future__ import annotations

import dataclasses
from typing import Final

from .._kinds import JSON
from ..gpstime import utc_text
from .capture import Frame
from .explain import Explanation
from .frame import FrameKind, MicCheck, PhyExplanation, explain_phy
from .keyring import Keyring
from .logreader import Captured, frame_to_json

__all__ = ["GROUP", "Entry", "open_entry"]

GROUP: Final = "group "
"""How the owner begins if it is a group."""

_TRIES: Final = 16
"""Upper halves of a counter that are tried for a frame of a log."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One frame of the log, explained.

    Attributes:
        line: Its line.
        source: Which format it came in.
        frame: What was captured; with the payload, if a key opened it.
        owner: The device or group it belongs to.
        phy: Its PHYPayload, if the log has that.
        reading: What its payload says; None if there is none to read.
        sessions: Names of the sessions it opens or belongs to.
        note: Why there is nothing to read, or what else there is to say.
    """

    line: int
    source: str
    frame: Frame
    owner: str
    phy: PhyExplanation | None = None
    reading: Explanation | None = None
    sessions: tuple[str, ...] = ()
    note: str = ""

    @property
    def doubt(self) -> str:
        """What was not checked of the MIC of a frame that was opened; empty if nothing."""
        if self.phy is None or self.phy.check is not MicCheck.HALF_FITS:
            return ""
        return "; ".join(self.phy.notes)

    def to_json(self) -> dict[str, JSON]:
        """Return the entry as JSON."""
        return {
            "line": self.line,
            "source": self.source,
            "owner": self.owner,
            "frame": frame_to_json(self.frame),
            "utc": None if self.frame.time is None else utc_text(self.frame.time),
            "phy": None if self.phy is None else self.phy.to_json(),
            "reading": None if self.reading is None else self.reading.to_json(),
            "sessions": [*self.sessions],
            "note": self.note,
        }


def open_entry(one: Captured, keys: Keyring) -> Entry:
    """Return a captured frame as an entry, with its payload if a key opens it."""
    frame, phy = one.frame, None
    note = ""
    if frame.phy is not None:
        phy = explain_phy(frame.phy, keys, near_fcnt=frame.fcnt, tries=_TRIES)
        if frame.payload is None or frame.fport is None:
            frame, note = _with_payload(frame, phy)
    return Entry(
        line=one.line,
        source=one.source,
        frame=frame,
        owner=_owner(frame, phy),
        phy=phy,
        note=note,
    )


def _with_payload(frame: Frame, phy: PhyExplanation) -> tuple[Frame, str]:
    if phy.kind is FrameKind.UNREADABLE:
        return frame, phy.anomalies[0].sentence
    if phy.kind is not FrameKind.DATA:
        if phy.kind is FrameKind.JOIN_REQUEST or phy.check is MicCheck.FITS:
            frame = dataclasses.replace(frame, dev_eui=frame.dev_eui or phy.dev_eui)
        came = {
            MicCheck.FITS: ("MIC fits",),
            MicCheck.DOES_NOT_FIT: ("MIC does not fit the root key",),
        }.get(phy.check, ())
        return frame, "; ".join((f"a {phy.kind.value}", *came, *phy.notes))
    address = phy.address
    if phy.payload is None or address is None:
        why = (
            "the MIC does not fit the keys"
            if phy.check is MicCheck.DOES_NOT_FIT
            else "no key for it"
        )
        return frame, f"encrypted, and {why}"
    return dataclasses.replace(
        frame,
        direction=phy.direction or frame.direction,
        fport=phy.fport,
        payload=phy.payload if phy.fport is not None else None,
        fcnt=phy.fcnt,
        mc_addr=address if phy.multicast else frame.mc_addr,
        dev_eui=frame.dev_eui or phy.dev_eui,
    ), "" if phy.fport else "no application payload"


def _owner(frame: Frame, phy: PhyExplanation | None) -> str:
    if frame.mc_addr is not None:
        return f"{GROUP}{frame.mc_addr}"
    if frame.dev_eui is not None:
        return str(frame.dev_eui)
    if phy is not None and phy.address is not None:
        return f"address {phy.address}"
    return "unnamed device"
