"""The server's smaller messages; set-ups are tested with the device, in test_fragmentation."""

from __future__ import annotations

import pytest

from lorafuota.datablock import DataBlock
from lorafuota.errors import StateError
from lorafuota.fragmentation import v1, v2
from lorafuota.session import fragmentation
from lorafuota.session.fragserver import FragServer
from lorafuota.session.profile import frag_profile
from lorafuota.types import AppKey


def server(version: int) -> FragServer:
    return FragServer(
        frag_profile(version), DataBlock(b"image", 2), frag_index=2, root_key=AppKey(bytes(16))
    )


@pytest.mark.parametrize("version", [1, 2])
def test_its_messages_are_about_its_session(version: int) -> None:
    one = server(version)
    for participants in (False, True):
        assert one.status_req(participants=participants) == v1.FragSessionStatusReq(
            participants=participants, frag_index=2
        )
    assert one.delete_req() == v1.FragSessionDeleteReq(frag_index=2)


def test_only_version_2_acknowledges_reports() -> None:
    assert server(2).received_ans() == v2.FragDataBlockReceivedAns(frag_index=2)
    with pytest.raises(StateError):
        server(1).received_ans()


def test_it_is_found_in_the_module_of_the_package() -> None:
    assert fragmentation.FragServer is FragServer
