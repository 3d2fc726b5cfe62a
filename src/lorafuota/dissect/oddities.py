"""What is odd about a command that can be read: values no sane peer sends, each with a sentence.

A command is read as leniently as the documents ask, so almost anything decodes.  The rules here
say what a device or a server is going to stumble over.  Each looks at one message of one class, by
name, so that it holds for every version that has the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from ..catalogue import PACKAGES
from ..gpstime import UNIX_TIME_OF_GPS_EPOCH, from_wire, signed_difference, to_wire
from ..package import Package
from ..wire import Command
from .anomaly import Anomaly, Oddity
from .layout import reserved_bits
from .meaning import duration
from .words import count

__all__ = ["oddities"]

_MAX_N: Final = 0x3FFF
_MOST_FRAGMENT: Final = 239
"""Octets of a fragment in the longest FRMPayload, behind identifier and FragIndex&N."""

_BANDS: Final = ((433, 435), (470, 510), (779, 787), (863, 870), (902, 928))
"""MHz, of all regions."""

_DAY: Final = 86_400


Finding: TypeAlias = tuple[Oddity, str, str]
"""Kind, field, sentence."""


def oddities(
    command: Command, package: Package, at: int, *, time: float | None = None
) -> list[Anomaly]:
    """Return what is odd about a command, in the order of the rules.

    Args:
        command: What was read.
        package: Where it belongs.
        at: Where it stands in its payload.
        time: When it was captured, in GPS seconds, if that is known.
    """
    found: list[Finding] = []
    for field, bits in reserved_bits(command):
        sentence = f"{field} has the bits 0x{bits:02X} set, which {package.document} reserves"
        found.append((Oddity.RESERVED_VALUE, field, sentence))
    rule = _RULES.get(type(command).__name__)
    if rule is not None:
        found += rule(command, package, time)
    return [Anomaly(code=code, at=at, field=field, sentence=text) for code, field, text in found]


def _version(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if ans.package_identifier != package.identifier:
        yield (
            Oddity.OTHER_PACKAGE,
            "package_identifier",
            f"PackageIdentifier {ans.package_identifier} on the port of {package.name}, which is "
            f"package {package.identifier}: do not believe the version",
        )
    else:
        versions = [one.version for one in PACKAGES if one.name == package.name]
        if ans.package_version not in versions:
            known = " and ".join(map(str, versions))
            sentence = (
                f"there is no version {ans.package_version} of {package.name}; known are {known}"
            )
            yield Oddity.UNKNOWN_VERSION, "package_version", sentence


def _app_time_ans(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if ans.time_correction in (-(1 << 31), (1 << 31) - 1):
        sentence = "the correction is at its limit: the true difference may be larger"
        yield Oddity.SATURATED, "time_correction", sentence


def _device_time(message: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if time is None:
        return
    off = signed_difference(message.device_time, to_wire(time))
    unix = signed_difference(message.device_time, to_wire(time + UNIX_TIME_OF_GPS_EPOCH))
    if abs(unix) < _DAY:
        sentence = "DeviceTime is Unix time, not GPS time: it is 315,964,800 s ahead"
        yield Oddity.UNIX_TIME, "device_time", sentence
    elif abs(off) > _DAY:
        sentence = f"the device's clock is {duration(off)} off the time of capture"
        yield Oddity.CLOCK_FAR_OFF, "device_time", sentence


def _force_resync(message: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if message.nb_transmissions == 0:
        sentence = "NbTransmissions is 0: the device discards this without a sound"
        yield Oddity.NO_EFFECT, "nb_transmissions", sentence


def _frag_setup(setup: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if setup.nb_frag == 0:
        yield Oddity.NO_FRAGMENTS, "nb_frag", "NbFrag is 0: a block without fragments"
    if setup.nb_frag > _MAX_N:
        sentence = f"NbFrag is {setup.nb_frag}, but N has 14 bits: the last can be {_MAX_N}"
        yield Oddity.TOO_MANY_FRAGMENTS, "nb_frag", sentence
    if setup.frag_size == 0:
        yield Oddity.EMPTY_FRAGMENTS, "frag_size", "FragSize is 0: fragments without octets"
    if setup.frag_size > _MOST_FRAGMENT:
        sentence = f"FragSize is {setup.frag_size}; no data rate carries more than {_MOST_FRAGMENT}"
        yield Oddity.FRAGMENT_TOO_LONG, "frag_size", sentence
    if setup.frag_size and setup.padding >= setup.frag_size:
        sentence = (
            f"Padding is {setup.padding} with a FragSize of {setup.frag_size}: "
            "the last fragment would be filler only"
        )
        yield Oddity.PADDING_TOO_LONG, "padding", sentence
    if setup.frag_algo:
        sentence = f"FragAlgo is {setup.frag_algo}; 0 is the only one there is"
        yield Oddity.UNKNOWN_ALGORITHM, "frag_algo", sentence
    if getattr(setup, "mic", None) == bytes(4):
        yield Oddity.ZERO_MIC, "mic", "the MIC is zero: nobody computed one"


def _frag_status(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if getattr(ans, "mic_error", False) and ans.missing_frag:
        sentence = (
            f"MICError with {count(ans.missing_frag, 'fragment')} missing: "
            "a MIC can be checked only on a whole block"
        )
        yield Oddity.CONTRADICTION, "mic_error", sentence


def _data_fragment(fragment: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if not fragment.payload:
        yield Oddity.EMPTY_FRAGMENT, "payload", "the fragment has no octets"


def _group_status(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if len(ans.groups) > ans.nb_total_groups:
        sentence = f"{count(len(ans.groups), 'group')} listed, but NbTotalGroups is "
        yield Oddity.CONTRADICTION, "nb_total_groups", sentence + str(ans.nb_total_groups)


def _group_setup(setup: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if setup.min_mc_fcnt >= setup.max_mc_fcnt:
        sentence = "minMcFCnt is not below maxMcFCnt: the group never accepts a frame"
        yield Oddity.NO_COUNTERS, "max_mc_fcnt", sentence
    if setup.mc_addr in (0, 0xFFFFFFFF):
        yield Oddity.ODD_ADDRESS, "mc_addr", f"McAddr {setup.mc_addr} is hardly an address in use"
    if setup.mc_key_encrypted == bytes(16):
        sentence = "McKey_encrypted is zero: it was left out, or stands there in the clear"
        yield Oddity.ZERO_KEY, "mc_key_encrypted", sentence


def _session(request: Any, package: Package, time: float | None) -> Iterator[Finding]:
    class_b = type(request).__name__ == "McClassBSessionReq"
    lasts = (128 if class_b else 1) << request.time_out
    if not class_b and request.time_out < 3:
        sentence = f"the session ends after {lasts} s: hardly time for a frame"
        yield Oddity.SHORT_SESSION, "time_out", sentence
    if lasts > 7 * _DAY:
        sentence = f"the session lasts {duration(lasts)}, more than a week"
        yield Oddity.LONG_SESSION, "time_out", sentence
    mhz = request.dl_freq_hz / 1e6
    if not request.dl_freq_hz and not class_b:
        sentence = "DLFreq is 0: in class C no frequency stands for a default"
        yield Oddity.NO_FREQUENCY, "dl_freq_hz", sentence
    elif request.dl_freq_hz and not any(low <= mhz <= high for low, high in _BANDS):
        yield Oddity.ODD_FREQUENCY, "dl_freq_hz", f"{mhz:g} MHz is in no band LoRaWAN uses"
    if request.dr > 15:
        yield Oddity.ODD_DATA_RATE, "dr", f"DR {request.dr}: no region has more than 0 to 15"
    if class_b and request.session_time % 128:
        sentence = "SessionTime is no multiple of 128: devices start at the next beacon"
        yield Oddity.UNALIGNED_START, "session_time", sentence
    if time is not None:
        yield from _session_time(request.session_time, lasts, time)


def _session_time(field: int, lasts: int, time: float) -> Iterator[Finding]:
    starts = from_wire(field, near=time)
    if abs(starts - time - UNIX_TIME_OF_GPS_EPOCH) < _DAY:
        sentence = "SessionTime is Unix time, not GPS time: it is 315,964,800 s ahead"
        yield Oddity.UNIX_TIME, "session_time", sentence
    elif starts + lasts < time:
        ago = duration(round(time - starts - lasts))
        yield Oddity.SESSION_OVER, "session_time", f"the session was over {ago} before this frame"
    elif starts - time > 30 * _DAY:
        later = duration(round(starts - time))
        yield Oddity.SESSION_FAR_OFF, "session_time", f"the session starts {later} after this frame"


def _session_ans(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if ans.time_to_start is None:
        return
    if ans.time_to_start == 0xFFFFFF:
        sentence = (
            "TimeToStart is 0xFFFFFF: the device's clock is off, and it will miss the session"
            if package.version > 1
            else "TimeToStart is 0xFFFFFF: a version 2 device says so that its clock is off"
        )
        yield Oddity.CLOCK_OFF, "time_to_start", sentence
    elif ans.time_to_start > 30 * _DAY:
        sentence = f"the start is {duration(ans.time_to_start)} away: the two clocks disagree"
        yield Oddity.CLOCK_OFF, "time_to_start", sentence


def _buffer_req(request: Any, package: Package, time: float | None) -> Iterator[Finding]:
    if request.start_byte > request.stop_byte:
        sentence = f"StartByte {request.start_byte} is behind StopByte {request.stop_byte}"
        yield Oddity.CONTRADICTION, "start_byte", sentence


def _packages(ans: Any, package: Package, time: float | None) -> Iterator[Finding]:
    ports = [one.port for one in ans.packages]
    for port in sorted({port for port in ports if ports.count(port) > 1}):
        yield Oddity.CONTRADICTION, "packages", f"two packages say that they are on port {port}"


_RULES: Final[Mapping[str, Callable[[Any, Package, float | None], Iterator[Finding]]]] = {
    "PackageVersionAns": _version,
    "AppTimeReq": _device_time,
    "AppTimeAns": _app_time_ans,
    "DeviceAppTimePeriodicityAns": _device_time,
    "ForceDeviceResyncReq": _force_resync,
    "ForceDeviceResyncCmd": _force_resync,
    "FragSessionSetupReq": _frag_setup,
    "FragSessionStatusAns": _frag_status,
    "DataFragment": _data_fragment,
    "McGroupStatusAns": _group_status,
    "McGroupSetupReq": _group_setup,
    "McClassBSessionReq": _session,
    "McClassCSessionReq": _session,
    "McClassBSessionAns": _session_ans,
    "McClassCSessionAns": _session_ans,
    "MultiPackBufferReq": _buffer_req,
    "DevPackageAns": _packages,
}
