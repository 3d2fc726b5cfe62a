import dataclasses

from lorafuota.conformance.check import Catalogue, Failed
from lorafuota.conformance.devicepeer import DevicePeer
from lorafuota.conformance.own import OwnDevice
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.run import Outcome, run_device_checks, run_server_checks
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.subject import PowerOn, SubjectError
from lorafuota.types import AppKey

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


def test_a_device_that_breaks_again_and_again_is_given_up() -> None:
    checks = [CATALOGUE["ts004-v1/dies"]] * 7 + [CATALOGUE["ts004-v1/good"]]
    results = list(run_device_checks(checks, OwnDevice("documents v1")))
    assert [one.outcome for one in results] == [Outcome.BROKEN] * 5 + [Outcome.NOT_PLAYED] * 3
    assert results[-1].reason == "the subject broke 5 times in a row"
    assert not results[-1].good


def test_a_device_that_recovers_is_not_given_up() -> None:
    dies, good = CATALOGUE["ts004-v1/dies"], CATALOGUE["ts004-v1/good"]
    results = list(run_device_checks([*[dies] * 4, good] * 2, OwnDevice("documents v1")))
    assert [one.outcome for one in results] == [*[Outcome.BROKEN] * 4, Outcome.PASSED] * 2


def test_a_key_of_the_device_itself_is_used() -> None:
    key = AppKey(bytes(range(16)))
    [result] = run_device_checks(
        [CATALOGUE["ts004-v1/bad"]], OwnDevice("documents v1"), root_key=key
    )
    first = result.transcript[0]
    assert isinstance(first, PowerOn)
    assert first.root_key == key


def test_a_result_knows_how_long_it_took_in_the_devices_time() -> None:
    catalogue: Catalogue[DevicePeer] = Catalogue()

    @catalogue.check("fragmentation", (1,), "slow", clause="-")
    def slow(peer: DevicePeer) -> None:
        """Wait."""
        peer.wait(12.5)

    [result] = run_device_checks(catalogue, OwnDevice("documents v1"))
    assert result.seconds == 12.5
    skipped = next(run_device_checks([CATALOGUE["ts004-v2/good"]], OwnDevice("documents v1")))
    assert skipped.seconds == 0.0


def test_real_time_is_bounded_for_each_check() -> None:
    catalogue: Catalogue[DevicePeer] = Catalogue()

    @catalogue.check("fragmentation", (1,), "slow", clause="-")
    def slow(peer: DevicePeer) -> None:
        """Wait."""
        peer.wait(60)

    [result] = run_device_checks(
        catalogue, OwnDevice("documents v1"), clock=lambda: 7.0, max_wait=50
    )
    assert (result.outcome, result.reason) == (
        Outcome.SKIPPED,
        "takes longer than the 50 s of real time it may",
    )
