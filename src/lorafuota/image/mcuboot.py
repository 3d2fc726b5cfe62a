"""MCUboot images: read, verify, sign.

    header     32 octets, filled up to the header's size
    program
    protected  TLVs under the signature: hardware, security counter, dependencies, ...
    trailer    TLVs that are not: hash, hash of the public key, signature

The signature covers all but the trailer, and the trailer may hold nothing but what belongs to it,
each once.  So an image either is what its signer made, to the last octet, or it is refused.

MCUboot has no field for the hardware an image is for.  We put HW version of TS006 into a protected
TLV of the range left to vendors, :data:`HARDWARE_TLV`; imgtool writes it too, the octets as they
stand: hardware 0x01070002 is ``--custom-tlv 0x00a4 0x02000701``.
Another one, :data:`DELTA_TLV`, says that the "program" is a delta (see :mod:`.delta`), together
with the flag that keeps a boot loader from starting it.
"""

from __future__ import annotations

import dataclasses
import hmac
import struct
from collections.abc import Iterator, Sequence
from typing import Final, final

from ..errors import DecodeError, FieldError, IntegrityError, TruncatedError, require_int
from ..types import BytesLike
from .keys import Scheme, SigningKey, VerifyKey
from .version import ImageVersion

__all__ = ["DELTA_TLV", "HARDWARE_TLV", "MAGIC", "McubootImage", "Tlv", "parse", "sign", "verify"]

MAGIC: Final = bytes.fromhex("3db8f396")
"""What an image starts with."""
HARDWARE_TLV: Final = 0x00A4
"""Protected: HW version, 32 bits, low octet first, as in DevVersionAns."""
DELTA_TLV: Final = 0x00A5
"""Protected, one octet, 1: the program is a delta."""

_WHAT: Final = "MCUboot image"
_HEADER: Final = struct.Struct("<4sIHHII8sI")
_TLV: Final = struct.Struct("<HH")
_PROTECTED: Final = 0x6908
_TRAILER: Final = 0x6907
_NON_BOOTABLE: Final = 0x10
_ENCRYPTED: Final = 0x04 | 0x08
_KEY_HASH, _PUBLIC_KEY, _PURE = 0x01, 0x02, 0x25
_HASHES: Final = {"sha256": 0x10, "sha512": 0x12}
_DEPENDENCY, _SECURITY_COUNTER = 0x40, 0x50
_SIGNATURES: Final = {
    Scheme.ECDSA_P256: 0x22,
    Scheme.ED25519: 0x24,
    Scheme.ED25519_SHA512: 0x24,
    Scheme.ED25519_PURE: 0x24,
}
_NAMES: Final = {
    0x01: "KEYHASH",
    0x02: "PUBKEY",
    0x10: "SHA256",
    0x11: "SHA384",
    0x12: "SHA512",
    0x20: "RSA2048",
    0x22: "ECDSASIG",
    0x23: "RSA3072",
    0x24: "ED25519",
    0x25: "SIG_PURE",
    0x40: "DEPENDENCY",
    0x50: "SEC_CNT",
    0x60: "BOOT_RECORD",
    0x74: "UUID_VID",
    0x75: "UUID_CID",
    HARDWARE_TLV: "hardware",
    DELTA_TLV: "delta",
}


@final
@dataclasses.dataclass(frozen=True, slots=True)
class Tlv:
    """One entry of an image's tables.

    Attributes:
        kind: Its type, 16 bits.
        value: Its octets.
        protected: Whether the signature covers it.
    """

    kind: int
    value: bytes
    protected: bool = False

    @property
    def name(self) -> str:
        """MCUboot's name, or the type in hex."""
        return _NAMES.get(self.kind, f"0x{self.kind:04x}")


@final
@dataclasses.dataclass(frozen=True, slots=True)
class McubootImage:
    """What stands in an image.  Nothing of it is true until :func:`verify` has said so.

    Attributes:
        version: What it contains.
        load_address: Where in RAM it runs; 0 when it runs from flash.
        flags: MCUboot's.
        header_size: Octets before the program.
        program: The program, or the delta.
        tlvs: Its tables in their order.
        signed: The octets under the signature.
    """

    version: ImageVersion
    load_address: int
    flags: int
    header_size: int
    program: bytes = dataclasses.field(repr=False)
    tlvs: tuple[Tlv, ...]
    signed: bytes = dataclasses.field(repr=False)

    @property
    def hardware(self) -> int | None:
        """HW version it is for; None if it does not say."""
        return self._number(HARDWARE_TLV)

    @property
    def security_counter(self) -> int | None:
        """MCUboot's security counter, if it has one."""
        return self._number(_SECURITY_COUNTER)

    @property
    def is_delta(self) -> bool:
        """Whether the program is a delta."""
        return bool(self._protected(DELTA_TLV))

    @property
    def notices(self) -> tuple[str, ...]:
        """What the image asks for and nobody here checks: its dependencies on other images."""
        found = []
        for value in self._protected(_DEPENDENCY):
            if len(value) == 12:
                least = ImageVersion.decode(value[4:])
                found.append(f"needs version {least} of image {value[0]}: not checked")
            else:
                found.append("a dependency that cannot be read: not checked")
        return tuple(found)

    def _protected(self, kind: int) -> list[bytes]:
        return [tlv.value for tlv in self.tlvs if tlv.kind == kind and tlv.protected]

    def _number(self, kind: int) -> int | None:
        values = self._protected(kind)
        return int.from_bytes(values[0], "little") if values else None


def parse(data: BytesLike) -> McubootImage:
    """Read an image without believing it; the first step of :func:`verify`.

    Args:
        data: The whole image and nothing else.

    Raises:
        TruncatedError: It ends too early.
        DecodeError: It is no MCUboot image, or goes on after its end, as the slot that imgtool's
            ``--pad`` writes.
    """
    data = bytes(data)
    if data[:4] != MAGIC[: len(data)]:
        raise DecodeError(_WHAT, 0, "it does not start with MCUboot's magic")
    if len(data) < _HEADER.size:
        raise TruncatedError(_WHAT, len(data), "it ends inside the header")
    fields = _HEADER.unpack_from(data)
    _, load, header_size, protected_size, size, flags, version, _ = fields
    if header_size < _HEADER.size:
        raise DecodeError(_WHAT, 8, f"a header of {header_size} octets")
    end = header_size + size
    if end > len(data):
        raise TruncatedError(_WHAT, len(data), f"it ends before octet {end}, where the TLVs begin")
    tlvs: list[Tlv] = []
    at = end
    if protected_size:
        at, area = _area(data, at, _PROTECTED)
        if at - end != protected_size:
            raise DecodeError(_WHAT, 10, "header and TLVs differ in the protected TLVs' length")
        tlvs += area
    signed_end = at
    at, area = _area(data, at, _TRAILER)
    if at != len(data):
        raise DecodeError(_WHAT, at, f"{len(data) - at} octets follow the image")
    tlvs += area
    _check_numbers(tlvs)
    return McubootImage(
        version=ImageVersion.decode(version),
        load_address=load,
        flags=flags,
        header_size=header_size,
        program=data[header_size:end],
        tlvs=tuple(tlvs),
        signed=data[:signed_end],
    )


def verify(data: BytesLike, key: VerifyKey) -> McubootImage:
    """Read an image and prove that the owner of *key* signed it.

    Dependencies on other images are not checked; see :attr:`McubootImage.notices`.

    Args:
        data: The whole image and nothing else.
        key: Decides the algorithm.  An image that says otherwise is refused.

    Raises:
        TruncatedError, DecodeError: As :func:`parse`.
        IntegrityError: The hash does not fit, another key signed it, the signature is wrong, or
            the trailer holds something that does not belong there.
    """
    image = parse(data)
    if image.flags & _ENCRYPTED:
        raise IntegrityError(_WHAT, "it is encrypted, and only its device can read it")
    trailer = {}
    for tlv in image.tlvs:
        if tlv.protected:
            continue
        if tlv.kind in trailer:
            raise IntegrityError(_WHAT, f"two TLVs {tlv.name} outside the signature")
        trailer[tlv.kind] = tlv.value
    hash_kind, signature_kind = _HASHES[key.scheme.hash_name], _SIGNATURES[key.scheme]
    pure = key.scheme is Scheme.ED25519_PURE
    wanted = {hash_kind, signature_kind} | ({_PURE} if pure else set())
    owner = {_KEY_HASH, _PUBLIC_KEY} & trailer.keys()
    if len(owner) != 1 or trailer.keys() - owner != wanted:
        found = ", ".join(_NAMES.get(kind, hex(kind)) for kind in trailer) or "nothing"
        expected = f"what a key for {key.scheme.value} asks for"
        raise IntegrityError(_WHAT, f"outside the signature stands {found}: not {expected}")
    if pure and trailer[_PURE] != b"\x01":
        raise IntegrityError(_WHAT, "SIG_PURE is not 1")
    if not hmac.compare_digest(key.scheme.digest(image.signed), trailer[hash_kind]):
        raise IntegrityError(_WHAT, f"{key.scheme.hash_name} does not fit: it has been changed")
    for kind, ours in ((_KEY_HASH, key.key_hash), (_PUBLIC_KEY, key.der)):
        if kind in owner and not hmac.compare_digest(ours, trailer[kind]):
            raise IntegrityError(_WHAT, "another key signed it")
    key.verify(trailer[signature_kind], image.signed)
    return image


def sign(
    program: BytesLike,
    *,
    key: SigningKey,
    version: ImageVersion,
    hardware: int | None = None,
    security_counter: int | None = None,
    dependencies: Sequence[tuple[int, ImageVersion]] = (),
    header_size: int = 0x200,
    load_address: int | None = None,
    is_delta: bool = False,
) -> bytes:
    """Wrap a program and sign it; imgtool's ``sign --pad-header`` gives the same octets.

    Args:
        program: As linked, without header.
        key: Whose image it is; decides the algorithm.
        version: What it contains.
        hardware: HW version it is for, 32 bits, or None to leave that open.
        security_counter: 32 bits, for MCUboot's hardware rollback protection.
        dependencies: Images it needs, by number 0 to 255, and their least versions.
        header_size: 32 or more; what the program was linked for.
        load_address: Where in RAM it runs, 32 bits; None when it runs from flash.
        is_delta: *program* is what :meth:`.delta.DeltaUpdate.encode` returned.

    Raises:
        FieldError: An argument is out of range, or the program is empty.
    """
    program = bytes(program)
    if not program:
        raise FieldError("image", "program", len(program), "1 octet or more")
    require_int("image", "program", len(program), 1, 0xFFFFFFFF)
    require_int("image", "header_size", header_size, _HEADER.size, 0xFFFF)
    flags = _NON_BOOTABLE if is_delta else 0
    if load_address is not None:
        flags |= 0x20
        require_int("image", "load_address", load_address, 1, 0xFFFFFFFF)
    entries: list[tuple[int, bytes]] = []
    if security_counter is not None:
        require_int("image", "security_counter", security_counter, 0, 0xFFFFFFFF)
        entries.append((_SECURITY_COUNTER, security_counter.to_bytes(4, "little")))
    for number, least in dependencies:
        require_int("image", "dependencies", number, 0, 0xFF)
        entries.append((_DEPENDENCY, bytes((number, 0, 0, 0)) + least.encode()))
    if hardware is not None:
        require_int("image", "hardware", hardware, 0, 0xFFFFFFFF)
        entries.append((HARDWARE_TLV, hardware.to_bytes(4, "little")))
    if is_delta:
        entries.append((DELTA_TLV, b"\x01"))
    protected = _table(_PROTECTED, entries) if entries else b""
    header = _HEADER.pack(
        MAGIC,
        load_address or 0,
        header_size,
        len(protected),
        len(program),
        flags,
        version.encode(),
        0,
    )
    signed = header.ljust(header_size, b"\xff") + program + protected
    public = key.public
    trailer = [(_HASHES[key.scheme.hash_name], key.scheme.digest(signed))]
    if key.scheme is Scheme.ED25519_PURE:
        trailer.append((_PURE, b"\x01"))
    trailer += [(_KEY_HASH, public.key_hash), (_SIGNATURES[key.scheme], key.sign(signed))]
    return signed + _table(_TRAILER, trailer)


def _table(magic: int, entries: Sequence[tuple[int, bytes]]) -> bytes:
    body = b"".join(_TLV.pack(kind, len(value)) + value for kind, value in entries)
    if len(body) > 0xFFFF - _TLV.size:
        raise FieldError("image", "dependencies", len(entries), "TLVs of less than 65532 octets")
    return _TLV.pack(magic, _TLV.size + len(body)) + body


def _area(data: bytes, start: int, magic: int) -> tuple[int, list[Tlv]]:
    """Read one table of TLVs; return where it ends, and its entries."""
    if start + _TLV.size > len(data):
        raise TruncatedError(_WHAT, len(data), "it ends where TLVs should begin")
    found, size = _TLV.unpack_from(data, start)
    if found != magic:
        raise DecodeError(_WHAT, start, f"TLVs begin with 0x{found:04x}, not with 0x{magic:04x}")
    end = start + size
    if size < _TLV.size:
        raise DecodeError(_WHAT, start + 2, f"a table of {size} octets")
    if end > len(data):
        raise TruncatedError(_WHAT, len(data), f"it ends before octet {end}, where the TLVs do")
    return end, list(_entries(data, start + _TLV.size, end, magic == _PROTECTED))


def _entries(data: bytes, at: int, end: int, protected: bool) -> Iterator[Tlv]:
    while at < end:
        if at + _TLV.size > end:
            raise DecodeError(_WHAT, at, "a TLV goes on after its table")
        kind, length = _TLV.unpack_from(data, at)
        at += _TLV.size
        if at + length > end:
            raise DecodeError(_WHAT, at, "a TLV goes on after its table")
        yield Tlv(kind, data[at : at + length], protected)
        at += length


def _check_numbers(tlvs: Sequence[Tlv]) -> None:
    """Refuse protected TLVs of ours, or of MCUboot's, that are there twice or cannot be read."""
    for kind, length in ((HARDWARE_TLV, 4), (_SECURITY_COUNTER, 4), (DELTA_TLV, 1)):
        values = [tlv.value for tlv in tlvs if tlv.kind == kind and tlv.protected]
        good = not values or (len(values) == 1 and len(values[0]) == length)
        if not good or (kind == DELTA_TLV and values not in ([], [b"\x01"])):
            name = _NAMES[kind]
            raise DecodeError(_WHAT, 0, f"the TLV {name} is there twice or cannot be read")
