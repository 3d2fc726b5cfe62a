import os
import pathlib
import stat
import sys

import pytest

from lorafuota.cli.reportfile import ReportFile


def test_the_old_report_stays_until_the_new_one_is_there(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"old")
    with ReportFile(path):
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"old"
    with ReportFile(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["report.xml"]


def test_a_run_that_ends_early_leaves_no_file_where_there_was_none(tmp_path: pathlib.Path) -> None:
    with ReportFile(tmp_path / "report.xml"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links of POSIX")
def test_mode_and_link_stay(tmp_path: pathlib.Path) -> None:
    path, link, new = tmp_path / "report.xml", tmp_path / "link.xml", tmp_path / "new.xml"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with ReportFile(link) as file:
        file.write(b"new")
    assert (link.is_symlink(), path.read_bytes()) == (True, b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    mask = os.umask(0o027)
    try:
        with ReportFile(new) as file:
            file.write(b"new")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_a_place_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(OSError, match=r"No such file or directory: '.*/no/report.xml'"):
        ReportFile(tmp_path / "no" / "report.xml")
    with pytest.raises(IsADirectoryError):
        ReportFile(tmp_path)


def test_what_cannot_be_renamed_is_written_in_place(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.xml"
    path.write_bytes(b"old and longer")

    def refuse(*args: object, **options: object) -> None:
        raise OSError("busy")

    with monkeypatch.context() as patched, ReportFile(path) as file:
        patched.setattr(pathlib.Path, "replace", refuse)
        file.write(b"new")
    assert path.read_bytes() == b"new"
    with monkeypatch.context() as patched:
        patched.setattr(pathlib.Path, "touch", refuse)
        with ReportFile(path) as file:
            file.write(b"newer")
    assert path.read_bytes() == b"newer"
    assert [one.name for one in tmp_path.iterdir()] == ["report.xml"]


@pytest.mark.skipif(not pathlib.Path(os.devnull).is_char_device(), reason="no device files")
def test_a_device_is_written_and_not_replaced() -> None:
    with ReportFile(pathlib.Path(os.devnull)) as file:
        file.write(b"gone")
    assert pathlib.Path(os.devnull).is_char_device()
