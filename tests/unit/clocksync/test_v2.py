from __future__ import annotations

from lorafuota.clocksync import v1, v2


def test_version_2_renames_one_command_and_keeps_the_rest() -> None:
    changed = set(v2.PACKAGE.commands) - set(v1.PACKAGE.commands)
    assert changed == {v2.ForceDeviceResyncCmd}
    assert v2.ForceDeviceResyncCmd(nb_transmissions=3).encode() == b"\x03\x03"
