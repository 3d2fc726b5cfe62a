from __future__ import annotations

import argparse
import os
import tracemalloc
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from lorafuota.cli import imagefile
from lorafuota.cli.arguments import InputError
from lorafuota.image.keys import Scheme, SigningKey, VerifyKey
from lorafuota.image.version import ImageVersion
from tests.unit.image.support import FIRMWARE, PEM, key


def arguments(path: Path, scheme: Scheme | None = None) -> argparse.Namespace:
    return argparse.Namespace(key=path, scheme=None if scheme is None else scheme.value)


def encrypted(path: Path, password: bytes) -> SigningKey:
    made = ed25519.Ed25519PrivateKey.generate()
    path.write_bytes(
        made.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password),
        )
    )
    return SigningKey(made)


def test_a_public_file_and_the_public_half_of_a_private_one_are_read(tmp_path: Path) -> None:
    private = FIRMWARE / PEM["ed25519"]
    public = tmp_path / "public.pem"
    public.write_bytes(key().public.pem)
    assert imagefile.verify_key(arguments(public)) == key().public
    assert imagefile.verify_key(arguments(private)) == key().public
    assert imagefile.signing_key(arguments(private)).public == key().public
    pure = imagefile.verify_key(arguments(public, Scheme.ED25519_PURE))
    assert pure == VerifyKey.from_pem(key().public.pem, Scheme.ED25519_PURE)


def test_the_password_of_an_encrypted_key_comes_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key.pem"
    made = encrypted(path, b"tell-nobody")
    monkeypatch.setenv(imagefile.PASSWORD, "tell-nobody")
    assert imagefile.signing_key(arguments(path)).public == made.public
    assert imagefile.verify_key(arguments(path)) == made.public
    monkeypatch.setenv(imagefile.PASSWORD, "guessed")
    with pytest.raises(InputError, match="and its password") as caught:
        imagefile.signing_key(arguments(path))
    assert "guessed" not in str(caught.value)
    monkeypatch.delenv(imagefile.PASSWORD)
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InputError, match="is encrypted: set LORAFUOTA_IMAGE_PASSWORD"):
        imagefile.signing_key(arguments(path))


def test_a_file_that_is_no_key_is_named_and_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    for content in (b"", b"secret", b"-----BEGIN PRIVATE KEY-----\nsecret"):
        path.write_bytes(content)
        for read in (imagefile.verify_key, imagefile.signing_key):
            with pytest.raises(InputError, match=r"key\.pem: expected a P-256 or Ed25519 key") as e:
                read(arguments(path))
            assert "secret" not in str(e.value)


def test_a_scheme_for_another_kind_of_key_is_named() -> None:
    with pytest.raises(InputError, match="--scheme is for another kind of key than"):
        imagefile.verify_key(arguments(FIRMWARE / PEM["signed"], Scheme.ED25519))


def test_files_are_read_and_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "image.bin"
    imagefile.write(path, b"first")
    imagefile.write(path, b"second")
    assert imagefile.read(path) == b"second"
    assert os.listdir(tmp_path) == ["image.bin"]
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        imagefile.read(path)


def test_a_file_larger_than_any_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.truncate((1 << 26) + 1)
    with pytest.raises(InputError, match="is longer than 67108864 octets"):
        imagefile.read(path)


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "there"
    path.mkdir()
    with pytest.raises(OSError, match="there"):
        imagefile.write(path, b"octets")
    assert os.listdir(tmp_path) == ["there"]


def test_numbers_and_versions_are_read() -> None:
    assert [imagefile.number(text) for text in ("7", "0x107", "4294967295")] == [7, 263, 0xFFFFFFFF]
    assert imagefile.version("1.2.3+4") == ImageVersion(1, 2, 3, 4)
    for text in ("", "x", "-1", "4294967296"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not a number of 32 bits"):
            imagefile.number(text)
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected major\.minor"):
        imagefile.version("one")


def test_reading_a_small_file_takes_no_room_for_a_large_one(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"small")
    tracemalloc.start()
    try:
        assert imagefile.read(path) == b"small"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
