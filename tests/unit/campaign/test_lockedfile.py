"""A file for one writer, which notices that it is not the one any more."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import pytest

from lorafuota.campaign import StoreError
from lorafuota.campaign.lockedfile import LockedFile


def opened(path: pathlib.Path, *, create: bool = True) -> LockedFile:
    return LockedFile(path, create=create, sync=True)


def test_a_new_file_is_empty_and_its_owners_only(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    file = opened(path)
    file.require_same()
    assert file.is_empty()
    if os.name != "nt":
        assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"x")
    assert not file.is_empty()
    file.close()
    file.close()


def test_one_process_has_it_and_others_only_look(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("fcntl")
    path = tmp_path / "file"
    file = opened(path)
    with pytest.raises(StoreError, match="is in use by another process"):
        opened(path)
    reader = opened(path, create=False)
    reader.require_same()
    reader.close()
    file.close()
    opened(path).close()


def test_looking_makes_no_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(StoreError, match="No such file"):
        opened(path, create=False)
    assert not path.exists()


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be replaced there")
def test_a_file_that_is_another_one_by_now_is_noticed(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "file"
    file = opened(path)
    path.unlink()
    with pytest.raises(StoreError, match="was replaced or removed"):
        file.require_same()
    path.write_bytes(b"")
    with pytest.raises(StoreError, match="was replaced or removed"):
        file.require_same()
    file.close()


@pytest.mark.parametrize("name", ["fstat", "stat"])
def test_what_cannot_be_told_is_an_error_of_ours(
    name: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(tmp_path / "file")

    def failing(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, name, failing)
        with pytest.raises(StoreError, match="Permission denied"):
            file.require_same()
        if name == "fstat":
            with pytest.raises(StoreError, match="Permission denied"):
                file.is_empty()
    file.close()
