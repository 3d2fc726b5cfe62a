"""What a subject that does nothing passes: nothing that it has not deserved."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Final

import pytest

from lorafuota.catalogue import PackageMap
from lorafuota.conformance.check import Check
from lorafuota.conformance.device import DEVICE_CHECKS
from lorafuota.conformance.run import Outcome, run_device_checks
from lorafuota.conformance.server import SERVER_CHECKS
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import STATUSES
from lorafuota.conformance.subject import About, DeviceRequest, Downlink, Reply, Uplink

from .mutant import SMALL, TINY, V1, V2, own_device
from .silent import ServerWithoutFragments, SilentServer, passed_by_device, passed_by_server


@pytest.mark.parametrize("can", ["everything", "nothing"])
@pytest.mark.parametrize("name", [V1, V2, SMALL, TINY])
def test_a_device_that_is_silent_after_the_reset(name: str, can: str) -> None:
    about = own_device(name).about
    if can == "nothing":
        about = dataclasses.replace(about, can=frozenset())
    assert passed_by_device(about, DEVICE_CHECKS) == []


class VersionOnly:
    """Answers PackageVersionReq, and nothing else."""

    def __init__(self, about: About) -> None:
        self.about, self._packages = about, PackageMap(about.versions, about.fports)

    def exchange(self, request: DeviceRequest) -> Reply:
        if not isinstance(request, Downlink) or request.payload[:1] != b"\0":
            return Reply()
        package = self._packages.at(request.fport)
        if package is None or package.name == "multipackage" or request.mc_addr is not None:
            return Reply()
        return Reply((Uplink(request.time, request.fport, package.version_ans().encode()),))


_DESERVED: Final = (
    "version", "unknown", "unknown-behind", "unknown-before", "empty", "many", "garbage",
    "status-none",
)  # fmt: skip


@pytest.mark.parametrize("name", [V1, V2])
def test_a_device_that_tells_its_versions_passes_what_is_about_rubbish(name: str) -> None:
    subject = VersionOnly(own_device(name).about)
    passed = [
        one.check.name
        for one in run_device_checks(DEVICE_CHECKS, subject)
        if one.outcome is Outcome.PASSED
    ]
    assert len(passed) > 30
    assert {one for one in passed if not one.startswith("cut-")} <= set(_DESERVED)


@pytest.mark.parametrize("status", [None, *STATUSES])
def test_a_server_that_sends_nothing_and_makes_an_outcome_up(status: str | None) -> None:
    assert passed_by_server(SilentServer(status), SERVER_CHECKS) == []


_ABOUT_FRAGMENTS: Final = (
    "lossy", "asks-in-bounds", "quiet-after-end", "fits-air", "n-ascends", "fcnt-once", "class-b",
    "frames-in-window", "frames-readable", "nobody-listens", "all-refuse", "poll-spread",
    "report-answered", "paced", "index", "alone",
)  # fmt: skip


def about_fragments() -> Iterator[Check[ServerPeer]]:
    for one in SERVER_CHECKS:
        if one.name in _ABOUT_FRAGMENTS or one.name.startswith("stack-"):
            yield one


def test_a_server_that_sends_no_fragment_passes_nothing_that_is_about_fragments() -> None:
    checks = list(about_fragments())
    assert len(checks) > 45
    assert passed_by_server(ServerWithoutFragments(), checks) == []
