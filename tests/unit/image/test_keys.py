from __future__ import annotations

import base64
import copy
import pickle

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from lorafuota.errors import FieldError, IntegrityError
from lorafuota.image.keys import Scheme, SigningKey, VerifyKey
from tests.unit.image.support import FIRMWARE, PEM, key

KEYS = {scheme: SigningKey.generate(scheme) for scheme in Scheme}
every_scheme = pytest.mark.parametrize("scheme", Scheme, ids=lambda one: one.value)


def private_pem(
    made: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey,
    password: bytes = b"",
) -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
    )


@every_scheme
def test_what_a_key_signs_its_public_half_verifies(scheme: Scheme) -> None:
    private = KEYS[scheme]
    public = VerifyKey.from_pem(private.public.pem, scheme)
    assert public == private.public
    public.verify(private.sign(b"firmware"), b"firmware")


@every_scheme
def test_other_octets_another_key_or_another_scheme_are_refused(scheme: Scheme) -> None:
    private = KEYS[scheme]
    signature = private.sign(b"firmware")
    with pytest.raises(IntegrityError):
        private.public.verify(signature, b"firmwarE")
    with pytest.raises(IntegrityError):
        SigningKey.generate(scheme).public.verify(signature, b"firmware")
    for other in set(Scheme) - {scheme}:
        with pytest.raises(IntegrityError):
            KEYS[other].public.verify(signature, b"firmware")


def test_the_three_ways_of_ed25519_sign_different_octets() -> None:
    made = ed25519.Ed25519PrivateKey.generate()
    schemes = [one for one in Scheme if one is not Scheme.ECDSA_P256]
    signatures = {scheme: SigningKey(made, scheme).sign(b"x") for scheme in schemes}
    for scheme in schemes:
        for other, signature in signatures.items():
            public = VerifyKey(made.public_key(), scheme)
            if other is scheme:
                public.verify(signature, b"x")
            else:
                with pytest.raises(IntegrityError):
                    public.verify(signature, b"x")


@every_scheme
@given(signature=st.binary(max_size=80))
def test_any_octets_as_signature_are_an_integrity_error(scheme: Scheme, signature: bytes) -> None:
    with pytest.raises(IntegrityError):
        KEYS[scheme].public.verify(signature, b"firmware")


def test_an_ecdsa_signature_may_be_padded_with_zeros_and_nothing_else() -> None:
    private = key("signed")
    signature = private.sign(b"firmware")
    while len(signature) == 72:  # leave room; about every other one is shorter
        signature = private.sign(b"firmware")
    private.public.verify(signature.ljust(72, b"\0"), b"firmware")
    for bad in (signature.ljust(73, b"\0"), signature + b"\1", signature[:-1]):
        with pytest.raises(IntegrityError):
            private.public.verify(bad, b"firmware")


def test_the_public_half_of_a_private_file_is_taken() -> None:
    for name in PEM.values():
        pem = (FIRMWARE / name).read_bytes()
        assert VerifyKey.from_pem(pem) == SigningKey.from_pem(pem).public


def test_the_usual_scheme_follows_from_the_kind_of_key() -> None:
    assert key("signed").scheme is key("signed").public.scheme is Scheme.ECDSA_P256
    assert key("ed25519").scheme is key("ed25519").public.scheme is Scheme.ED25519


def test_a_scheme_for_another_kind_of_key_is_refused() -> None:
    for kind, scheme in (("signed", Scheme.ED25519_PURE), ("ed25519", Scheme.ECDSA_P256)):
        with pytest.raises(FieldError, match=r"image key\.scheme"):
            VerifyKey.from_pem(key(kind).public.pem, scheme)


def test_other_kinds_of_keys_are_refused() -> None:
    others = (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048))
    for made in others:
        pem = private_pem(made)
        public = made.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        for data in (pem, public):
            with pytest.raises(FieldError, match="a P-256 or Ed25519 key"):
                VerifyKey.from_pem(data)
        with pytest.raises(FieldError, match="a P-256 or Ed25519 key"):
            SigningKey.from_pem(pem)


@pytest.mark.parametrize("kind", ["6f", "71"], ids=["X448", "Ed448"])
def test_a_key_of_another_kind_with_the_length_of_ours_is_refused(kind: str) -> None:
    """OpenSSL's error about it is one that the cryptography package does not know."""
    der = bytes.fromhex(f"302e020100300506032b65{kind}04220420") + bytes(range(32))
    pem = (
        b"-----BEGIN PRIVATE KEY-----\n" + base64.b64encode(der) + b"\n-----END PRIVATE KEY-----\n"
    )
    for read in (VerifyKey.from_pem, SigningKey.from_pem):
        with pytest.raises(FieldError, match="a P-256 or Ed25519 key"):
            read(pem)


@given(pem=st.binary(max_size=200))
def test_any_octets_as_a_file_are_a_field_error_that_does_not_repeat_them(pem: bytes) -> None:
    for read in (VerifyKey.from_pem, SigningKey.from_pem):
        with pytest.raises(FieldError) as caught:
            read(b"-----BEGIN PRIVATE KEY-----\n" + pem)
        assert str(caught.value).startswith("image key.pem = (hidden): expected a P-256")


def test_a_file_that_is_far_too_long_is_refused() -> None:
    with pytest.raises(FieldError, match=r"image key\.pem"):
        VerifyKey.from_pem(bytes(1 << 17))


def test_an_encrypted_key_wants_its_password_and_others_want_none() -> None:
    made = ed25519.Ed25519PrivateKey.generate()
    pem = private_pem(made, b"tell-nobody")
    assert SigningKey.from_pem(pem, password=b"tell-nobody").public == SigningKey(made).public
    for password in (None, b"guessed"):
        with pytest.raises(FieldError, match="password") as caught:
            SigningKey.from_pem(pem, password=password)
        assert "guessed" not in str(caught.value)
    with pytest.raises(FieldError, match=r"image key\.password = a password"):
        SigningKey.from_pem(private_pem(made), password=b"tell-nobody")


def test_a_private_key_does_not_show_itself_and_does_not_pickle() -> None:
    private = key("ed25519")
    assert repr(private) == str(private) == "SigningKey(ed25519, <secret>)"
    with pytest.raises(TypeError, match="does not pickle"):
        pickle.dumps(private)
    with pytest.raises(TypeError, match="does not pickle"):
        copy.deepcopy(private)


def test_a_public_key_copies_and_pickles_and_tells_its_hash() -> None:
    public = key("ed25519").public
    assert copy.deepcopy(public) == pickle.loads(pickle.dumps(public)) == public
    assert hash(public) == hash(VerifyKey.from_pem(public.pem))
    assert public != key("signed").public
    assert public != VerifyKey.from_pem(public.pem, Scheme.ED25519_PURE)
    assert public != public.der
    assert repr(public) == f"VerifyKey(ed25519, {public.key_hash[:4].hex()})"


@every_scheme
def test_hash_and_length_of_the_key_hash_follow_the_scheme(scheme: Scheme) -> None:
    length = {"sha256": 32, "sha512": 64}[scheme.hash_name]
    assert len(scheme.digest(b"")) == len(KEYS[scheme].public.key_hash) == length
