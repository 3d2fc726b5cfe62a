import re

import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.setup import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, ServerEvent, ServerRequest, Uplink
from lorafuota.datablock import DataBlock
from lorafuota.session.fragserver import FragServer
from lorafuota.session.profile import frag_profile
from tests.unit.conformance.server.support import (
    Meddler,
    downlinks,
    every,
    expect_pass,
    octet,
    reason,
)


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


@pytest.mark.parametrize(
    ("name", "at", "value", "words"),
    [
        ("ts004-v1/setup-fits-image", 6, lambda _: 3, "20 x 10 - 3 octets announced"),
        ("ts004-v2/setup-fits-image", 2, lambda _: 21, "21 x 10 - 5 octets announced"),
        ("ts004-v1/setup-no-padding", 6, lambda _: 1, "NbFrag 20, Padding 1"),
        ("ts004-v2/setup-algo", 5, lambda old: old | 8, "FragAlgo 1"),
        ("ts004-v1/setup-algo", 1, lambda old: old | 0x80, "can read strictly"),
        ("ts004-v1/setup-descriptor", 7, lambda _: 9, "Descriptor 09020304, not 01020304"),
        ("ts004-v2/setup-mic", 13, lambda old: old ^ 1, "no usual mistake gives it"),
        ("ts004-v2/setup-mask", 1, lambda old: old | 8, "McGroupID 0, McGroupBitMask"),
        ("ts004-v1/setup-mask-unicast", 1, lambda old: old | 2, "McGroupBitMask 0010"),
        ("ts004-v1/setup-index", 1, lambda old: old | 0x20, "set up [2]; asked []; deleted [0]"),
    ],
)
def test_a_field_that_is_wrong_is_named(name: str, at: int, value: object, words: str) -> None:
    change = octet(at, value)  # type: ignore[arg-type]
    assert words in reason(CHECKS[name], Meddler(downlinks(201, 2, change)))


def test_the_usual_mistakes_in_a_mic_are_told_apart() -> None:
    def wrong(descriptor: bytes, padded: bool) -> str:
        def events(event: ServerEvent) -> list[ServerEvent]:
            if not isinstance(event, Downlink) or event.payload[:1] != b"\x02":
                return [event]
            if event.fport != 201 or len(event.payload) != 17:
                return [event]
            assert server.order is not None
            [entry] = [one for one in server.order.devices if one.dev_eui == event.dev_eui]
            image = server.order.image + bytes(5 * padded)
            block = DataBlock.of(image, frag_size=10, descriptor=descriptor)
            mic = FragServer(frag_profile(2), block, root_key=entry.root_key).setup_req.encode()[
                -4:
            ]
            return [Downlink(event.time, event.dev_eui, 201, event.payload[:-4] + mic)]

        server = Meddler(events)
        return reason(CHECKS["ts004-v2/setup-mic"], server)

    assert wrong(b"\x01\x02\x03\x04", True) == "the MIC is wrong: it covers the padding"
    assert wrong(bytes(4), False).endswith("it was computed with a Descriptor of zeros")
    assert wrong(b"\x04\x03\x02\x01", False).endswith("with Descriptor turned round")


def heard(fport: int, cid: int, change: object) -> object:
    """A server that misreads uplinks."""

    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Uplink) and request.fport == fport and request.payload[0] == cid:
            payload = change(request.payload)  # type: ignore[operator]
            return Uplink(request.time, request.dev_eui, fport, payload)
        return request

    return requests


@pytest.mark.parametrize("name", ["algo", "memory", "index", "descriptor", "replay", "all"])
def test_a_server_that_does_not_look_at_the_bits_is_found(name: str) -> None:
    server = Meddler(requests=heard(201, 2, octet(1, lambda old: old & 0xC0)))  # type: ignore[arg-type]
    # the device has no session, and says so for ever
    assert re.search("expected |device", reason(CHECKS[f"ts004-v2/refused-{name}"], server))


def test_a_server_that_does_not_look_at_the_index_is_found() -> None:
    server = Meddler(requests=heard(201, 2, octet(1, lambda old: old & 0x3F)))  # type: ignore[arg-type]
    check = CHECKS["ts004-v1/answer-other-index"]
    assert "accepted another session only" in reason(check, server) or reason(check, server)


def test_a_server_that_never_asks_again_is_found() -> None:
    sent: set[object] = set()

    def once(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and event.fport == 201 and event.payload[:1] == b"\x02":
            if event.dev_eui in sent:
                return []
            sent.add(event.dev_eui)
        return [event]

    words = reason(CHECKS["ts004-v1/setup-request-lost"], Meddler(once))
    assert "does not have the block in the end" in words


def test_a_session_counter_that_is_used_twice_is_found() -> None:
    def first_counter(payload: bytes) -> bytes:
        return payload[:11] + bytes(2) + payload[13:] if len(payload) == 17 else payload

    check = CHECKS["ts004-v2/session-cnt-rises"]
    words = reason(check, Meddler(downlinks(201, 2, first_counter)))
    assert "carries SessionCnt 0 although a fragment reached it under 0" in words
