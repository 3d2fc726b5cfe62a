import json
import pathlib
import sys

import pytest

from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.check import Catalogue, Failed
from lorafuota.conformance.serverpeer import ServerPeer
from tests.unit.cli.support import call

FEW: Catalogue[ServerPeer] = Catalogue()


@FEW.check("fragmentation", (1,), "good", clause="TS004, 1")
def good(peer: ServerPeer) -> None:
    """Pass."""


@FEW.check("fragmentation", (2,), "bad", clause="TS004, 2")
def bad(peer: ServerPeer) -> None:
    """Fail."""
    raise Failed("so it is")


@pytest.fixture(autouse=True)
def few_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CATALOGUES, "server", FEW)


SERVER = """
import sys
from lorafuota.conformance.ownserver import OwnServer
from lorafuota.conformance.serverlines import server_answers
for line in server_answers(OwnServer(), sys.stdin):
    print(line, flush=True)
"""


def test_our_own_server_is_played_with() -> None:
    outcome = call("conform", "server", "--own", "--version", "1")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "lorafuota campaign: 1 check, 1 passed"


def test_a_server_behind_lines_that_fails_ends_with_status_1() -> None:
    outcome = call("conform", "server", "--json", "--exec", sys.executable, "-c", SERVER)
    document = json.loads(outcome.out)
    assert (outcome.status, document["role"]) == (1, "server")
    assert [one["outcome"] for one in document["checks"]] == ["passed", "failed"]


def test_an_object_of_ones_own_is_played_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    (tmp_path / "my_server.py").write_text(
        "from lorafuota.conformance.ownserver import OwnServer as Mine\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    outcome = call("conform", "server", "--id", "*/good", "--python", "my_server:Mine")
    assert outcome.status == 0


def test_a_server_that_says_what_there_is_not_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    about = "from lorafuota.conformance.serversubject import *\nclass Mine:\n  about = ServerAbout("
    (tmp_path / "vain_server.py").write_text(about + "name='x', versions={'ts004': (1,)}, can={7})")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    outcome = call("conform", "server", "--python", "vain_server:Mine")
    assert (outcome.status, outcome.out) == (2, "")
    assert "vain_server cannot be imported: FieldError: ServerAbout.can = [7]: " in outcome.err
    outcome = call("conform", "server", "--python", "")
    assert (outcome.status, outcome.out) == (2, "")


def test_status_2_when_the_server_cannot_be_started() -> None:
    outcome = call("conform", "server", "--exec", "./not-there")
    assert (outcome.status, outcome.out) == (2, "")
    assert outcome.err.startswith("lorafuota conform: './not-there' cannot be started: ")


def test_both_roles_are_listed() -> None:
    outcome = call("conform", "list", "--id", "ts004-v1/good")
    assert outcome.out.splitlines()[-1] == "1 check against a server"


def test_one_role_is_listed_where_an_id_names_a_check_of_both() -> None:
    both = json.loads(call("conform", "list", "--json").out)["checks"]
    assert {one["role"] for one in both} == {"device", "server"}
    one = json.loads(call("conform", "list", "--role", "server", "--json").out)["checks"]
    assert one == [check for check in both if check["role"] == "server"]
    outcome = call("conform", "list", "--role", "fleet")
    assert (outcome.status, outcome.out) == (2, "")
