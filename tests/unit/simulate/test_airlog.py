from __future__ import annotations

import pathlib

import pytest

from lorafuota.campaign.actions import Multicast, Unicast, WindowAnnounced
from lorafuota.simulate.airlog import AirLog, AirLogError, Entry, Pause
from lorafuota.types import DevAddr, DevEUI

ENTRIES = [
    Entry(0, 1.5, Unicast(DevEUI(7), 201, b"\x00")),
    Entry(
        3,
        2.0,
        WindowAnnounced(
            group="v2",
            mc_addr=DevAddr(1),
            start=10.0,
            end=20.0,
            dl_freq_hz=869_525_000,
            dr=5,
            frames=3,
        ),
    ),
    Entry(
        4, 10.0, Multicast(group="v2", time=10.0, fcnt=0, fport=201, payload=b"ab", phy=b"\x60c")
    ),
    Entry(9, 12.25, Pause()),
]


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    with AirLog(tmp_path / "air") as log:
        assert log.entries == []
        for entry in ENTRIES:
            log.write(entry)
    return tmp_path / "air"


def test_what_was_written_comes_back(path: pathlib.Path) -> None:
    with AirLog(path) as log:
        assert log.entries == ENTRIES


def test_a_line_that_was_cut_is_dropped_and_writing_goes_on_behind_the_last_whole_one(
    path: pathlib.Path,
) -> None:
    octets = path.read_bytes()
    for cut in range(octets.rindex(b"\n", 0, -1) + 1, len(octets)):
        path.write_bytes(octets[:cut])
        with AirLog(path) as log:
            assert log.entries == ENTRIES[:-1]
            log.write(ENTRIES[-1])
        assert path.read_bytes() == octets


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b"[1]",
        b'[1, 2, "Nothing", {}]',
        b'[1, 2, "Pause", {"a": 1}]',
        b"[0, 0, 0, 0]",
        b'[0, 0, "Pause", []]',
        b'[0, 1e999, "Pause", {}]',
        b'[0, 1%s, "Pause", {}]' % (b"0" * 400),
        b'["0", 1, "Pause", {}]',
        b'[true, 1, "Pause", {}]',
        b'[0, 1, "Unicast", {"dev_eui": "7", "fport": 201, "payload": ""}]',
        b'[0, 1, "Unicast", {"dev_eui": -7, "fport": 201, "payload": ""}]',
        b'[0, 1, "Unicast", {"dev_eui": 7, "fport": null, "payload": ""}]',
        b'[0, 1, "Unicast", {"dev_eui": 7, "fport": 201, "payload": "0"}]',
        b'[0, 1, "Unicast", {"dev_eui": 7, "fport": 201, "payload": 3}]',
        pytest.param(b"[" * 20_000, id="deep"),
    ],
)
def test_any_other_damage_is_refused_with_its_line(path: pathlib.Path, line: bytes) -> None:
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], line, *lines[1:]]))
    with pytest.raises(AirLogError, match="air is damaged in line 2"):
        AirLog(path)


def test_without_a_file_nothing_is_kept() -> None:
    with AirLog() as log:
        log.write(ENTRIES[0])
        assert log.entries == []
