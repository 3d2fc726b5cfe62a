import pytest

from lorafuota.conformance.check import Check
from lorafuota.conformance.server.multipackage import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, ServerEvent
from tests.unit.conformance.server.support import Meddler, every, expect_pass, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def on_225(change: object) -> Meddler:
    def events(event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, Downlink) and event.fport == 225:
            return [
                Downlink(event.time, event.dev_eui, 225, payload)
                for payload in change(event.payload)  # type: ignore[operator]
            ]
        return [event]

    return Meddler(events)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("well-formed", lambda p: [p[:-1] + bytes((p[-1] | 0x40,))], "reserved bits of the token"),
        ("well-formed", lambda p: [p[:-1]], "is no command set"),
        ("well-formed", lambda p: [b"\x55" + p], "is no command set"),
    ],
)
def test_a_command_set_that_is_wrong_is_named(name: str, change: object, words: str) -> None:
    assert words in reason(CHECKS[f"ts007-v1/{name}"], on_225(change))


def test_a_token_that_never_changes_is_found() -> None:
    def constant(payload: bytes) -> list[bytes]:
        return [payload if payload[:1] == b"\x02" else payload[:-1] + b"\x00"]

    words = reason(CHECKS["ts007-v1/token-changes"], on_225(constant))
    assert words == "two sets with other commands share token 0"


def test_a_server_that_sends_sets_without_end_is_found() -> None:
    words = reason(CHECKS["ts007-v1/buffer-gone"], on_225(lambda payload: [payload] * 40))
    assert "downlinks on FPort 225 to one device" in words
