"""Which commands reach a session: every command of every package, by unicast and by multicast."""

from __future__ import annotations

import pytest

import lorafuota
from lorafuota.package import Package, PackageVersionReq
from lorafuota.session.actions import Answer, Dropped, DropReason
from lorafuota.session.gate import Results, let_in
from lorafuota.types import UPLINK
from lorafuota.wire import Command

EVERY = [
    pytest.param(package, cls, id=f"{package}-{cls.__name__}-{cls.DIRECTION.value}")
    for package in lorafuota.PACKAGES
    for cls in package.commands
]
every_command = pytest.mark.parametrize(("package", "cls"), EVERY)


def ask(package: Package, cls: type[Command], *, unicast_only: bool) -> tuple[Results, int]:
    """Ask for a command; return what came of it and how often the session was called."""
    called = []

    def run() -> Results | None:
        called.append(cls)
        return None if cls.DIRECTION is UPLINK else []

    command = object.__new__(cls)
    return let_in(command, package, run, unicast_only=unicast_only), len(called)


@every_command
def test_s10_what_must_not_come_by_multicast_never_reaches_a_session(
    package: Package, cls: type[Command]
) -> None:
    results, called = ask(package, cls, unicast_only=True)
    if cls.__name__ in ("DataFragment", "FragSessionStatusReq"):
        assert (results, called) == ([], 1)
    else:
        assert (results, called) == ([Dropped(DropReason.UNICAST_ONLY, cls.__name__)], 0)


@every_command
def test_a_request_reaches_its_session_and_an_answer_does_nothing(
    package: Package, cls: type[Command]
) -> None:
    results, called = ask(package, cls, unicast_only=False)
    if cls is PackageVersionReq:
        assert (results, called) == ([Answer(package.version_ans())], 0)
    elif cls.DIRECTION is UPLINK:
        assert results == [Dropped(DropReason.DIRECTION, cls.__name__)]
    else:
        assert (results, called) == ([], 1)


@every_command
def test_a_command_of_another_package_reaches_no_session(
    package: Package, cls: type[Command]
) -> None:
    for other in lorafuota.PACKAGES:
        if cls not in other.commands:
            assert ask(other, cls, unicast_only=False) == (
                [Dropped(DropReason.PACKAGE, cls.__name__)],
                0,
            )
