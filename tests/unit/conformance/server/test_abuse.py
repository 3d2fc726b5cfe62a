import dataclasses

from lorafuota.conformance.check import Check
from lorafuota.conformance.run import Outcome, run_server_checks
from lorafuota.conformance.server.abuse import CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import Downlink, ServerReply, ServerRequest, Uplink
from lorafuota.conformance.subject import SubjectError
from tests.unit.conformance.server.support import Meddler, every, expect_pass, outcomes, reason


@every(CHECKS)
def test_our_server_passes(check: Check[ServerPeer]) -> None:
    expect_pass(check)


def first_only(request: ServerRequest) -> ServerRequest:
    """A server that reads the first command of an uplink."""
    if not isinstance(request, Uplink) or request.fport not in (200, 201):
        return request
    lengths = {(200, 0): 3, (201, 0): 3, (200, 2): 2, (201, 2): 2, (201, 3): 2, (200, 3): 2}
    length = lengths.get((request.fport, request.payload[0] if request.payload else 99), 99)
    return dataclasses.replace(request, payload=request.payload[:length])


def test_a_server_that_reads_the_first_command_only_is_found() -> None:
    words = reason(CHECKS["ts004-v1/behind-others"], Meddler(requests=first_only))
    assert "does not have the block in the end" in words


def test_a_server_that_drops_what_it_cannot_read_whole_is_found() -> None:
    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Uplink) and request.payload.endswith(b"\x77\x01\x02"):
            return dataclasses.replace(request, payload=b"")
        return request

    words = reason(CHECKS["ts004-v2/unknown-behind"], Meddler(requests=requests))
    assert "does not have the block in the end" in words


def test_a_server_that_dies_of_noise_is_found() -> None:
    def requests(request: ServerRequest) -> ServerRequest:
        if isinstance(request, Uplink) and request.payload == b"":
            raise SubjectError("IndexError")
        return request

    [result] = run_server_checks([CHECKS["ts004-v1/empty"]], Meddler(requests=requests))
    assert (result.outcome, result.reason) == (Outcome.BROKEN, "IndexError")


class Chatty(Meddler):
    """Says something to everybody who says something."""

    def exchange(self, request: ServerRequest) -> ServerReply:
        reply = super().exchange(request)
        if isinstance(request, Uplink):
            word = Downlink(request.time, request.dev_eui, 2, b"\x00")
            return dataclasses.replace(reply, events=(*reply.events, word))
        return reply


def test_a_server_that_answers_strangers_is_found() -> None:
    words = reason(CHECKS["ts004-v2/stranger"], Chatty())
    assert words == "a downlink went to a device that is not in the update"


def test_a_server_that_a_liar_makes_talk_without_end_is_found() -> None:
    words = reason(CHECKS["ts004-v1/flood"], Chatty())
    assert words.endswith("downlinks went to a device that lies")


def test_a_claim_about_a_device_that_said_nothing_readable_is_found() -> None:
    words = reason(CHECKS["ts004-v1/truncated"], Meddler(outcomes(status="Successful")))
    assert "although it does not have the block" in words
