from __future__ import annotations

import json
from typing import Any

from lorafuota.dissect.keyring import Keyring
from lorafuota.dissect.logentry import Entry, open_entry
from lorafuota.dissect.logreader import Captured, Unread, read_log
from lorafuota.dissect.logversions import Homes, choose_versions

ANS = bytes.fromhex("01 02 0001e1 03014d 02")


def entries(*frames: dict[str, Any]) -> list[Entry | Unread]:
    found = []
    for one in read_log(json.dumps(frame) for frame in frames):
        assert isinstance(one, Captured)
        found.append(open_entry(one, Keyring()))
    return [*found, Unread(9, "no line")]


def up(fport: int, payload: bytes, eui: int = 1) -> dict[str, Any]:
    return {"direction": "up", "fport": fport, "payload": payload.hex(), "dev_eui": f"{eui:016X}"}


def test_a_package_lives_where_its_device_says_else_where_the_caller_does() -> None:
    opened = entries(up(225, ANS, 1), up(77, b"", 1), up(201, b"", 1), up(201, b"", 2), up(5, b""))
    homes = Homes({"clocksync": 5}, opened)
    frames = [one for one in opened if isinstance(one, Entry)]
    assert [(found and found.name) for found in map(homes.package, frames)] == [
        "multipackage",
        "fragmentation",
        None,
        "fragmentation",
        "clocksync",
    ]


def test_every_owner_and_package_has_a_choice_but_groups_and_what_is_known() -> None:
    group = {"direction": "down", "fport": 201, "payload": "0100", "mc_addr": "00000007"}
    opened = entries(up(201, b"\x04\x00"), up(202, b"\x00\x01\x01", 2), up(200, b"\x01"), group)
    homes = Homes({}, opened)
    found = choose_versions(opened, {"multicastsetup": 1}, homes)
    assert {key: (one.device, one.told) for key, one in found.items()} == {
        ("0000000000000001", "fragmentation"): (2, False),
        ("0000000000000002", "clocksync"): (1, True),
    }


def test_what_a_device_declares_decides_even_without_another_frame() -> None:
    opened = entries(up(225, ANS))
    found = choose_versions(opened, {}, Homes({}, opened))
    [(key, choice)] = found.items()
    assert key == ("0000000000000001", "fragmentation")
    assert (choice.device, choice.reasons) == (
        1,
        ("the device, for fragmentation/1: line 1 on port 225 the device says so",),
    )
