import dataclasses

from lorafuota.conformance.check import Catalogue, Failed
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_device_checks, run_server_checks
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.subject import SubjectError

CATALOGUE: Catalogue[DevicePeer] = Catalogue()


@CATALOGUE.check("fragmentation", (1, 2), "good", clause="-")
def good(peer: DevicePeer) -> None:
    """Pass."""


@CATALOGUE.check("fragmentation", (1,), "bad", clause="-", quirk_of=["documents v1"])
def bad(peer: DevicePeer) -> None:
    """Fail."""
    peer.send_raw(201, b"\x00")
    raise Failed("so it is")


@CATALOGUE.check("fragmentation", (1,), "needs", clause="-", needs=["wings"])
def needs(peer: DevicePeer) -> None:
    """Need something nobody has."""


@CATALOGUE.check("fragmentation", (1,), "asks", clause="-")
def asks(peer: DevicePeer) -> None:
    """Find out on the way that something is missing."""
    peer.need("wings")


@CATALOGUE.check("fragmentation", (1,), "dies", clause="-")
def dies(peer: DevicePeer) -> None:
    """Lose the device."""
    raise SubjectError("no answer")


def test_every_check_ends_in_one_way_and_none_stops_the_rest() -> None:
    results = list(run_device_checks(CATALOGUE, OwnDevice("documents v1")))
    assert [(one.check.id, one.outcome, one.reason) for one in results] == [
        ("ts004-v1/good", Outcome.PASSED, ""),
        ("ts004-v2/good", Outcome.SKIPPED, "does not speak fragmentation/2"),
        ("ts004-v1/bad", Outcome.FAILED, "so it is"),
        ("ts004-v1/needs", Outcome.SKIPPED, "does not have: wings"),
        ("ts004-v1/asks", Outcome.SKIPPED, "the device does not have: wings"),
        ("ts004-v1/dies", Outcome.BROKEN, "no answer"),
    ]
    assert [one.good for one in results] == [True, True, False, True, True, False]


def test_a_known_quirk_of_the_profile_is_expected_to_fail() -> None:
    results = run_device_checks([CATALOGUE["ts004-v1/bad"]], OwnDevice("documents v1"))
    assert [one.outcome for one in results] == [Outcome.FAILED]
    [known] = run_device_checks(
        [CATALOGUE["ts004-v1/bad"]], OwnDevice("documents v1"), profile="documents v1"
    )
    assert (known.outcome, known.good, len(known.transcript)) == (Outcome.KNOWN, True, 3)


SERVER: Catalogue[ServerPeer] = Catalogue()


@SERVER.check("fragmentation", (1, 2), "good", clause="-")
def good_server(peer: ServerPeer) -> None:
    """Pass."""
    peer.play(1)
    peer.finish()


@SERVER.check("fragmentation", (2,), "bad", clause="-", quirk_of=["old"])
def bad_server(peer: ServerPeer) -> None:
    """Fail."""
    peer.play(1)
    raise Failed("so it is")


@SERVER.check("fragmentation", (2,), "needs", clause="-", needs=["wings"])
def needs_server(peer: ServerPeer) -> None:
    """Need something nobody has."""


def test_checks_of_a_server_are_played_by_the_same_rules() -> None:
    server = OwnServer()
    server.about = dataclasses.replace(server.about, versions={"fragmentation": (2,)})
    results = list(run_server_checks(SERVER, server))
    assert [(one.check.id, one.outcome, one.reason) for one in results] == [
        ("ts004-v1/good", Outcome.SKIPPED, "does not speak fragmentation/1"),
        ("ts004-v2/good", Outcome.PASSED, ""),
        ("ts004-v2/bad", Outcome.FAILED, "so it is"),
        ("ts004-v2/needs", Outcome.SKIPPED, "does not have: wings"),
    ]
    assert [bool(one.transcript) for one in results] == [False, True, True, False]
    [known] = run_server_checks([SERVER["ts004-v2/bad"]], server, profile="old")
    assert (known.outcome, known.good) == (Outcome.KNOWN, True)
