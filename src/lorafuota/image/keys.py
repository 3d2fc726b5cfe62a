"""Keys that sign images and check them; the key decides the algorithm, never the image.

A :class:`Scheme` is the whole recipe: kind of key, hash, and what exactly is signed.  MCUboot's
names for the choices are in the image too, but nobody asks it: an image that says otherwise than
the caller's key is refused.
"""

from __future__ import annotations

import enum
import hashlib
from typing import Final, NoReturn, Self, final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ..errors import Described, FieldError, IntegrityError
from ..types import BytesLike

__all__ = ["Scheme", "SigningKey", "VerifyKey"]

_PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
_MAX_PEM: Final = 1 << 16
_LONGEST_ECDSA: Final = 72
_NOT_READ: Final = (ValueError, UnsupportedAlgorithm, InternalError)
"""Of the ``cryptography`` package; the last for a key of another kind with a wrong length."""


@final
class Scheme(enum.Enum):
    """How octets are signed."""

    ECDSA_P256 = "ecdsa-p256"
    """ECDSA on P-256 with SHA-256; the signature is DER, of 70 to 72 octets as a rule."""
    ED25519 = "ed25519"
    """Ed25519 over the SHA-256 of the octets: what imgtool does unless told."""
    ED25519_SHA512 = "ed25519-sha512"
    """Ed25519 over the SHA-512 of the octets: imgtool's ``--sha 512``."""
    ED25519_PURE = "ed25519-pure"
    """Ed25519 over the octets themselves: imgtool's ``--pure``."""

    @property
    def hash_name(self) -> str:
        """The hash that goes with it, in an image and over the public key: sha256 or sha512."""
        return "sha512" if self in (Scheme.ED25519_SHA512, Scheme.ED25519_PURE) else "sha256"

    def digest(self, data: BytesLike) -> bytes:
        """Return :attr:`hash_name` of *data*."""
        return hashlib.new(self.hash_name, data).digest()


@final
class VerifyKey:
    """A public key and the one scheme it is for."""

    __slots__ = ("_key", "scheme")

    def __init__(self, key: _PublicKey, scheme: Scheme | None = None) -> None:
        """Take a key of the ``cryptography`` package.

        Args:
            key: P-256 or Ed25519.
            scheme: How it signs; None for the usual: ECDSA_P256, ED25519.

        Raises:
            FieldError: It is another kind of key, or the scheme is for another kind.
        """
        self.scheme: Final = _scheme(key, scheme)
        self._key: Final = key

    @classmethod
    def from_pem(cls, pem: BytesLike, scheme: Scheme | None = None) -> Self:
        """Read a public key, or the public half of a private one that is not encrypted.

        Raises:
            FieldError: *pem* is neither, or see ``VerifyKey``; the error repeats nothing of it.
        """
        pem = _checked_pem(pem)
        if b"PRIVATE KEY" in pem:
            return cls(_private(pem, None).public_key(), scheme)
        try:
            key = serialization.load_pem_public_key(pem)
        except _NOT_READ:
            raise _no_key() from None
        if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
            raise _no_key()
        return cls(key, scheme)

    @property
    def key_hash(self) -> bytes:
        """The scheme's hash over the key as SubjectPublicKeyInfo; what MCUboot finds it by."""
        return self.scheme.digest(self.der)

    @property
    def der(self) -> bytes:
        """The key as SubjectPublicKeyInfo."""
        encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(encoding, form)

    @property
    def pem(self) -> bytes:
        """The key as PEM."""
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return self._key.public_bytes(encoding, form)

    def verify(self, signature: BytesLike, data: BytesLike) -> None:
        """Check that *signature* is this key's over *data*.

        Zeros after an ECDSA signature, up to 72 octets, are taken: imgtool's ``--pad-sig``.

        Raises:
            IntegrityError: It is not.
        """
        signature, data = bytes(signature), bytes(data)
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                pure = self.scheme is Scheme.ED25519_PURE
                self._key.verify(signature, data if pure else self.scheme.digest(data))
            else:
                self._key.verify(_without_padding(signature), data, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            raise IntegrityError("signature", "it is not this key's over these octets") from None

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, VerifyKey):
            return NotImplemented
        return (self.scheme, self.der) == (other.scheme, other.der)

    def __hash__(self) -> int:
        return hash((self.scheme, self.der))

    def __repr__(self) -> str:
        return f"VerifyKey({self.scheme.value}, {self.key_hash[:4].hex()})"

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[object, ...]:
        return (_unpickle, (self.pem, self.scheme))


@final
class SigningKey:
    """A private key and the one scheme it is for.  It does not show itself and does not pickle."""

    __slots__ = ("_key", "scheme")

    def __init__(self, key: _PrivateKey, scheme: Scheme | None = None) -> None:
        """Take a key of the ``cryptography`` package; arguments and errors as ``VerifyKey``."""
        self.scheme: Final = _scheme(key.public_key(), scheme)
        self._key: Final = key

    @classmethod
    def from_pem(
        cls, pem: BytesLike, *, password: bytes | None = None, scheme: Scheme | None = None
    ) -> Self:
        """Read a private key, as imgtool and OpenSSL write them.

        Args:
            pem: The file's content.
            password: For a key that is encrypted, and only then.
            scheme: As for ``VerifyKey``.

        Raises:
            FieldError: *pem* is no such key, or the password does not open it; the error repeats
                nothing of either.
        """
        return cls(_private(_checked_pem(pem), password), scheme)

    @classmethod
    def generate(cls, scheme: Scheme) -> Self:
        """Draw a fresh key from the operating system's generator."""
        if scheme is Scheme.ECDSA_P256:
            return cls(ec.generate_private_key(ec.SECP256R1()), scheme)
        return cls(ed25519.Ed25519PrivateKey.generate(), scheme)

    @property
    def public(self) -> VerifyKey:
        """The half that devices hold."""
        return VerifyKey(self._key.public_key(), self.scheme)

    def sign(self, data: BytesLike) -> bytes:
        """Return the signature over *data*; with ECDSA another one each time."""
        data = bytes(data)
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            pure = self.scheme is Scheme.ED25519_PURE
            return self._key.sign(data if pure else self.scheme.digest(data))
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:
        return f"SigningKey({self.scheme.value}, <secret>)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a SigningKey does not pickle")


def _unpickle(pem: bytes, scheme: Scheme) -> VerifyKey:
    return VerifyKey.from_pem(pem, scheme)


def _scheme(key: _PublicKey, scheme: Scheme | None) -> Scheme:
    """Return the scheme, if it is one for this kind of key."""
    fitting: tuple[Scheme, ...]
    if isinstance(key, ed25519.Ed25519PublicKey):
        fitting = (Scheme.ED25519, Scheme.ED25519_SHA512, Scheme.ED25519_PURE)
    elif isinstance(key.curve, ec.SECP256R1):
        fitting = (Scheme.ECDSA_P256,)
    else:
        raise _no_key()
    if scheme is None:
        return fitting[0]
    if scheme not in fitting:
        expected = "one of " + ", ".join(one.name for one in fitting)
        raise FieldError("image key", "scheme", scheme, expected)
    return scheme


def _checked_pem(pem: BytesLike) -> bytes:
    if len(pem) > _MAX_PEM:
        raise _no_key()
    return bytes(pem)


def _private(pem: bytes, password: bytes | None) -> _PrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password)
    except TypeError:
        expected = "a password for an encrypted key, and only for one"
        given = Described("no password" if password is None else "a password")
        raise FieldError("image key", "password", given, expected) from None
    except _NOT_READ:
        raise _no_key() from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise _no_key()
    return key


def _no_key() -> FieldError:
    expected = "a P-256 or Ed25519 key in PEM, and its password if it has one"
    return FieldError("image key", "pem", Described("(hidden)"), expected)


def _without_padding(signature: bytes) -> bytes:
    """Return a DER signature without the zeros of ``--pad-sig``; the rest is for OpenSSL."""
    if len(signature) < 2 or len(signature) > _LONGEST_ECDSA:
        return b""
    end = 2 + signature[1]
    return signature[:end] if not any(signature[end:]) else signature
