"""README and docs, executed: examples, commands, links, and the tables made from declarations.

* ``python`` blocks run from top to bottom, one namespace per file; with ``>>>`` they are doctests.
* ``sh`` blocks: a line that starts with ``lorafuota`` goes through the command line's ``main``.  It
  must end with status 0, or with the one in a comment: ``# exit status 1``.  A ``text`` block right
  after it is what it prints; ``...`` stands for whatever differs between machines.
* Where detools is not installed, examples that create a delta do not run, nor what follows from
  them; the file then counts as skipped.
* ``docs/reference/commands`` and ``docs/reference/checks.md`` are made from the declarations, the
  lines in ``docs/reference/server-lines.md`` from objects and from a program that stands on it,
  ``mermaid`` blocks from tables of transitions, and plots, where matplotlib is installed, by the
  commands that the pages name.  After a change of these, write them anew with
  ``LORAFUOTA_WRITE_DOCS=1 python -m pytest tests/test_docs.py``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import doctest
import enum
import functools
import importlib
import importlib.util
import inspect
import io
import itertools
import os
import pathlib
import pkgutil
import re
import shlex
import sys
import tomllib
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

import lorafuota
from lorafuota import campaign, errors
from lorafuota.campaign.actions import CampaignAction
from lorafuota.campaign.events import EventKind
from lorafuota.campaign.quirks import StatusQuirk
from lorafuota.campaign.report import aws_status
from lorafuota.campaign.state import CampaignPhase, GroupPhase, Outcome, Stage
from lorafuota.cli import main
from lorafuota.conformance import serversubject as server
from lorafuota.conformance.catalogues import CATALOGUES
from lorafuota.conformance.check import Catalogue, Severity
from lorafuota.conformance.lines import Done, Error, kind_of
from lorafuota.conformance.serverlines import SERVER_EVENTS, SERVER_REQUESTS, LineServer
from lorafuota.conformance.serverpeer import ServerPeer
from lorafuota.conformance.serversubject import (
    REACHED,
    SERVER_CAPABILITIES,
    STATUSES,
    DeviceEntry,
    GroupOrder,
    ServerAbout,
    ServerEvent,
    ServerRequest,
)
from lorafuota.conformance.subject import CAPABILITIES, About, DeviceEvent, DeviceRequest
from lorafuota.conformance.transports.example import compiler
from lorafuota.conformance.transports.process import ProcessChannel
from lorafuota.crypto import derive_mc_app_s_key, derive_mc_nwk_s_key
from lorafuota.dissect.causes import TRY_NEXT
from lorafuota.dissect.hypothesis import Symptom
from lorafuota.fec.variant import ParityVariant
from lorafuota.link import build_mc_downlink
from lorafuota.package import Package
from lorafuota.plan import LintCode
from lorafuota.session import actions, serveractions
from lorafuota.session.firmwarestage import FirmwareStage
from lorafuota.session.serveractions import FirmwareOutcome, SetFailure
from lorafuota.types import AppKey, DevAddr, DevEUI, GenAppKey, McKey
from lorafuota.wire import Command, Record

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
COMMANDS = DOCS / "reference" / "commands"
FILES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
NAMES = [one.name for one in lorafuota.PACKAGES]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lorafuota.__path__, "lorafuota.")
    if not module.name.endswith(("__main__", "_speedups"))
)
FLAGS = doctest.NORMALIZE_WHITESPACE
DETOOLS = importlib.util.find_spec("detools") is not None
NO_DETOOLS = "an example needs detools, which is not installed (extra: delta)"

every_file = pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
every_package = pytest.mark.parametrize("name", list(dict.fromkeys(NAMES)))


@dataclasses.dataclass(frozen=True)
class Fence:
    """A fenced block: its language, its text, and the line its text starts on, from 0."""

    language: str
    text: str
    line: int


@functools.cache
def fences(path: pathlib.Path) -> tuple[Fence, ...]:
    found = []
    opened: tuple[str, int] | None = None
    lines = path.read_text("utf-8").splitlines(keepends=True)
    for at, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if opened is None:
            opened = line[3:].strip(), at + 1
        else:
            found.append(Fence(opened[0], "".join(lines[opened[1] : at]), opened[1]))
            opened = None
    assert opened is None, f"{path}: a block is not closed"
    return tuple(found)


def without_fences(path: pathlib.Path) -> str:
    return re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)


# What runs


def run_doctest(source: doctest.DocTest, *, keep: bool = False) -> None:
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=FLAGS)
    runner.run(source, out=report.write, clear_globs=not keep)
    assert runner.summarize(verbose=False).failed == 0, report.getvalue()


@every_file
def test_every_python_example_runs_and_prints_what_it_says(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "DetoolsCodec" in path.read_text("utf-8"):
        pytest.importorskip("detools", reason="creating deltas needs lorafuota[delta]")
    monkeypatch.chdir(ROOT)
    namespace: dict[str, Any] = {"__name__": "__example__"}
    for fence in fences(path):
        if fence.language != "python":
            continue
        if "DetoolsCodec" in fence.text and not DETOOLS:
            pytest.skip(NO_DETOOLS)
        if ">>>" in fence.text:
            parser = doctest.DocTestParser()
            test = parser.get_doctest(fence.text, namespace, path.name, str(path), fence.line)
            run_doctest(test, keep=True)
            namespace = test.globs
        else:
            exec(compile("\n" * fence.line + fence.text, str(path), "exec"), namespace)


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_run(module: str) -> None:
    loaded = importlib.import_module(module)
    for test in doctest.DocTestFinder(exclude_empty=True).find(loaded, module):
        if test.examples:
            run_doctest(test)


NEEDS = (
    ("detools", ("delta", "create")),
    ("detools", ("delta", "simulate")),
    ("matplotlib", ("plan", "--plot")),
)
"""What optional libraries are for, as words of a command line."""


def need(argv: list[str]) -> None:
    """Skip a test that needs a compiler, or a library of an extra, which is not there."""
    if "--example" in argv and compiler() is None:
        pytest.skip("the example of lorafuota conform needs a C compiler")
    for library, words in NEEDS:
        if all(word in argv for word in words):
            pytest.importorskip(library, reason=f"`lorafuota {' '.join(words)}` needs an extra")


def command_lines(text: str) -> Iterator[tuple[list[str], int]]:
    """The arguments of each ``lorafuota`` in a block, and the exit status it is to have."""
    for line in text.replace("\\\n", " ").splitlines():
        if line.startswith("lorafuota "):
            status = re.search(r"#.*exit status (\d+)", line)
            yield shlex.split(line, comments=True)[1:], int(status[1]) if status else 0


@every_file
def test_every_command_line_ends_and_prints_as_shown(
    path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "100")
    skipped = False
    for fence, following in itertools.zip_longest(fences(path), fences(path)[1:]):
        if fence.language != "sh":
            continue
        makes_a_delta = "delta create" in fence.text or "delta simulate" in fence.text
        if makes_a_delta and not DETOOLS:
            skipped = True
            continue
        printed = io.StringIO()
        for argv, status in command_lines(fence.text):
            need(argv)
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                assert main(argv) == status, (argv, printed.getvalue())
        if not printed.getvalue() or following is None or following.language != "text":
            continue
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        checker = doctest.OutputChecker()
        if not checker.check_output(following.text, printed.getvalue(), flags):
            pytest.fail(f"{path.name}, line {following.line}: it prints\n{printed.getvalue()}")
    if skipped:
        pytest.skip(NO_DETOOLS)


def test_the_readme_has_one_command_that_sets_up_and_runs_and_one_that_tests() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for heading, last in (("Run it", "lorafuota simulate"), ("Run the tests", "-m pytest")):
        [block] = re.findall(
            rf"^## {heading}\n.*?^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE
        )
        [line] = block.splitlines()
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
        assert last in line


def test_what_the_readme_says_the_first_command_prints_is_what_it_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    setup, sample = fences(ROOT / "README.md")[:2]
    assert (setup.language, sample.language) == ("sh", "text")
    argv = shlex.split(setup.text.split(".venv/bin/lorafuota ")[1])
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        assert main(argv) == 0
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(sample.text, printed.getvalue(), flags), (
        printed.getvalue()
    )


def test_commands_of_the_tests_come_behind_what_they_need_to_run() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]
    assert any(one.startswith("pytest") for one in extras["test"])
    texts = [fence.text for fence in fences(DOCS / "explanation" / "fuzzing.md")]
    needs = [at for at, text in enumerate(texts) if "python -m tests." in text]
    assert needs
    assert "pip install -e '.[test]'\n" in texts[: needs[0]]


# What is linked and listed


def slug(heading: str) -> str:
    """The anchor a forge makes of a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


@functools.cache
def anchors(path: pathlib.Path) -> frozenset[str]:
    seen: dict[str, int] = {}
    found = set()
    for heading in re.findall(r"^#+ (.+)$", without_fences(path), re.MULTILINE):
        name = slug(heading)
        found.add(f"{name}-{seen[name]}" if name in seen else name)
        seen[name] = seen.get(name, 0) + 1
    return frozenset(found)


@every_file
def test_every_link_leads_to_a_file_and_a_heading_that_exist(path: pathlib.Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_fences(path)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.exists(), f"{path.name} -> {target}"
        if anchor:
            assert anchor in anchors(file), f"{path.name} -> {target}"


def test_every_page_is_in_the_index() -> None:
    index = (DOCS / "README.md").read_text("utf-8")
    pages = [str(page.relative_to(DOCS).as_posix()) for page in FILES[1:]]
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


def test_every_exception_is_explained() -> None:
    text = (DOCS / "reference" / "errors.md").read_text("utf-8")
    names = [name for name in errors.__all__ if isinstance(getattr(errors, name), type)]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_action_and_every_reason_to_drop_is_explained() -> None:
    text = (DOCS / "reference" / "sessions.md").read_text("utf-8")
    names = [name for name in actions.__all__ if name != "Action"]
    names += [reason.name for reason in actions.DropReason]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_every_action_stage_and_end_of_a_server_is_explained() -> None:
    text = (DOCS / "reference" / "sessions.md").read_text("utf-8")
    names = [name for name in serveractions.__all__ if name != "ServerAction"]
    kinds: tuple[type[enum.Enum], ...] = (FirmwareOutcome, FirmwareStage, SetFailure)
    names += [member for kind in kinds for member in kind.__members__]
    assert [name for name in names if f"`{name}`" not in text] == []


def campaign_page() -> str:
    return (DOCS / "reference" / "campaign.md").read_text("utf-8")


def test_every_action_of_a_campaign_is_explained_with_its_fields() -> None:
    text = campaign_page()
    for action in typing.get_args(CampaignAction):
        fields = ", ".join(f"`{field.name}`" for field in dataclasses.fields(action))
        row = next(line for line in text.splitlines() if line.startswith(f"| `{action.__name__}` "))
        assert row.endswith(f"| {fields} |" if fields else "| |"), row


def test_the_guide_says_what_to_do_with_every_action_of_a_campaign() -> None:
    text = (DOCS / "guides" / "campaign.md").read_text("utf-8")
    names = [action.__name__ for action in typing.get_args(CampaignAction)]
    assert [name for name in names if f"| `{name}` |" not in text] == []


@pytest.mark.parametrize(
    "kind", [Stage, GroupPhase, CampaignPhase, Outcome, StatusQuirk, EventKind]
)
def test_every_state_of_a_campaign_is_explained(kind: type[enum.Enum]) -> None:
    names = list(kind.__members__)
    assert [name for name in names if f"`{name}`" not in campaign_page()] == []


def test_every_outcome_has_its_value_and_its_aws_status() -> None:
    for outcome in Outcome:
        start, end = f"| `{outcome.name}` | {outcome.value} |", f"| {aws_status(outcome)} |"
        rows = [line for line in campaign_page().splitlines() if line.startswith(start)]
        assert [row.endswith(end) for row in rows] == [True], outcome


@pytest.mark.parametrize(
    "config",
    [
        campaign.CampaignConfig,
        campaign.FirmwareStep,
        campaign.GroupConfig,
        campaign.Member,
        campaign.RetryPolicy,
    ],
)
def test_every_setting_of_a_campaign_is_explained(config: Any) -> None:
    names = [field.name for field in dataclasses.fields(config)]
    assert [name for name in names if f"`{name}`" not in campaign_page()] == []


def test_every_lint_of_a_plan_is_explained() -> None:
    text = (DOCS / "guides" / "plan.md").read_text("utf-8")
    assert [code.value for code in LintCode if f"| `{code.value}` |" not in text] == []


def test_every_symptom_of_the_doctor_is_listed_with_what_to_try() -> None:
    text = (DOCS / "guides" / "doctor.md").read_text("utf-8")
    rows = [f"| `{one.value}` | {TRY_NEXT[one]} |" for one in Symptom]
    assert [row for row in rows if row not in text] == []


def test_the_page_of_kernels_says_which_sets_are_there() -> None:
    lines = (DOCS / "reference" / "kernels.md").read_text("utf-8").splitlines()
    for name, module in (("c", "_speedups"), ("python", "_pure"), ("reference", "_reference")):
        row = next(line for line in lines if line.startswith(f"| `{name}` |"))
        there = any((ROOT / "src" / "lorafuota" / "fec").glob(f"{module}.*"))
        assert there is ("not there yet" not in row), row


def test_every_variant_of_the_parity_code_is_explained() -> None:
    text = (DOCS / "explanation" / "parity-code.md").read_text("utf-8")
    assert [one.value for one in ParityVariant if f"`{one.value}`" not in text] == []


# The pages of commands


def prose(thing: Any) -> str:
    """A docstring as Markdown: one line a paragraph is not kept, roles and literals become code."""
    text = inspect.getdoc(thing) or ""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text).replace("``", "`")
    parts = text.split("`")
    return "`".join(part if i % 2 else cell(part) for i, part in enumerate(parts))


def cell(text: str) -> str:
    return text.replace("|", "\\|").replace("**", "\\*\\*")


def grid(head: str, rows: list[list[str]]) -> list[str]:
    titles = head.split("|")
    lines = [titles, ["---"] * len(titles), *rows]
    return [f"| {' | '.join(line)} |" for line in lines] + [""]


def layout(cls: type[Record]) -> list[str]:
    """The table of one record, and what its enumerations and records are."""
    if not cls.KINDS:
        return ["No fields.", ""]
    rows = [
        [row.octets, row.bits, row.name, f"`{row.field}`" if row.field else "", *words]
        for row in cls.table()
        for words in [[cell(row.values), cell(row.doc)]]
    ]
    lines = grid("Octets|Bits|Field|In Python|Values|Meaning", rows)
    for kind in cls.KINDS.values():
        inner = getattr(kind, "inner", kind)
        values = getattr(inner, "type", None)
        if isinstance(values, type) and issubclass(values, enum.Enum):
            lines += [f"`{values.__name__}`: {prose(values).splitlines()[0]}", ""]
            lines += grid("Value|Name", [[str(one.value), f"`{one.name}`"] for one in values])
        item = getattr(inner, "item", None)
        if isinstance(item, type) and issubclass(item, Record):
            lines += [f"`{item.__name__}`: {prose(item)}", "", *layout(item)]
    return lines


def octets_of(cls: type[Command]) -> str:
    """How many octets the command has behind its identifier."""
    fixed = all(row.octets != ".." and not row.octets.endswith("..") for row in cls.table())
    optional = any(hasattr(kind, "among") for kind in cls.KINDS.values())
    return f"{cls.SHORTEST}" if fixed and not optional else f"{cls.SHORTEST} or more"


def section(cls: type[Command], package: Package) -> list[str]:
    about = [f"Identifier 0x{cls.CID:02X}, {cls.DIRECTION.value}."]
    about += ["Alone in its payload."] if cls.ALONE else []
    about += ["Also accepted on a multicast address."] if cls.MULTICAST else []
    heading = f"### {cls.__name__}, version {package.version}"
    return [heading, "", prose(cls), "", " ".join(about), "", *layout(cls)]


def page(name: str) -> str:
    """All commands of all versions of one package."""
    versions = [one for one in lorafuota.PACKAGES if one.name == name]
    newest = versions[-1]
    lines = [
        f"# {newest.title}",
        "",
        f"Package `{name}`, PackageIdentifier {newest.identifier}, recommended FPort"
        f" {newest.fport}. Documents: {', '.join(one.document for one in versions)}.",
        "",
        "Made from the declarations in the source; see [how to read it](README.md).",
        "",
    ]
    home: dict[type[Command], int] = {}
    for package in versions:
        module = importlib.import_module(f"lorafuota.{name}.v{package.version}")
        lines += [f"## Version {package.version}", "", prose(module), ""]
        fresh = [cls for cls in package.commands if cls not in home]
        home |= dict.fromkeys(fresh, package.version)
        rows = []
        for cls in package.commands:
            anchor = slug(f"{cls.__name__}, version {home[cls]}")
            same = "its own" if cls in fresh else f"as in version {home[cls]}"
            link = f"[{cls.__name__}](#{anchor})"
            identifier = f"0x{cls.CID:02X}"
            rows.append([identifier, cls.DIRECTION.value, link, octets_of(cls), same])
        lines += grid("Identifier|Direction|Command|Octets behind the identifier|Layout", rows)
        for cls in fresh:
            lines += section(cls, package)
    return "\n".join(lines).rstrip() + "\n"


@every_package
def test_the_page_of_each_package_is_what_its_declarations_say(name: str) -> None:
    path, wanted = COMMANDS / f"{name}.md", page(name)
    if os.environ.get("LORAFUOTA_WRITE_DOCS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted, "utf-8")
    assert path.read_text("utf-8") == wanted, "write it anew: LORAFUOTA_WRITE_DOCS=1"


# The catalogue of checks


def checks_page() -> str:
    """Every check, in the order of the catalogues."""
    lines = [
        "# Conformance checks",
        "",
        "What [`lorafuota conform`](command-line.md#conform) holds a subject against. The id of a",
        "check is the document, the version and the name: `ts004-v1/NAME`. Made from the",
        "declarations in the source.",
        "",
        "* **required**: the document says so, or data or devices are lost without it.",
        "* **recommended**: the document advises it, or practice has shown that it matters.",
        "* **quirk**: a difference of a known stack that the other side has learned to live with.",
        "",
    ]
    for role, checks in CATALOGUES.items():
        lines += [f"## Against a {role}", "", *_counted(checks)]
        for name in dict.fromkeys(check.package.name for check in checks):
            document = lorafuota.package(name, 1).document[:5]
            lines += [f"### {role}: {document}, {name}", ""]
            lines += grid("Check|Versions|Severity|What has to hold", _check_rows(checks, name))
    return "\n".join(lines).rstrip() + "\n"


def _counted(checks: Catalogue[Any]) -> list[str]:
    severities = list(Severity)
    counts: dict[str, list[int]] = {}
    for check in checks:
        row = counts.setdefault(str(check.package), [0] * len(severities))
        row[severities.index(check.severity)] += 1
    rows = [[name, *map(str, row), str(sum(row))] for name, row in counts.items()]
    sums = map(sum, zip(*counts.values(), strict=True))
    rows.append(["all", *map(str, sums), str(len(checks))])
    head = "|".join(("Package", *(severity.value for severity in severities), "all"))
    return grid(head, rows)


def _check_rows(checks: Catalogue[Any], name: str) -> list[list[str]]:
    """A row for each script; the versions it holds for share it."""
    rows: dict[tuple[str, str], list[str]] = {}
    for check in checks:
        if check.package.name != name:
            continue
        version = str(check.package.version)
        known = rows.get((check.name, check.text))
        if known is not None:
            known[1] += f", {version}"
            continue
        words = [cell(part.replace("\n", " ")) for part in check.text.split("\n\n")]
        source = f"({cell(check.clause)})"
        needs = [f"Needs `{one}`." for one in sorted(check.needs)]
        text = " ".join([f"**{words[0]}**", *words[1:], source, *needs])
        rows[check.name, check.text] = [f"`{check.name}`", version, check.severity.value, text]
    return list(rows.values())


def test_the_page_of_checks_is_what_the_catalogues_say() -> None:
    path, wanted = DOCS / "reference" / "checks.md", checks_page()
    if os.environ.get("LORAFUOTA_WRITE_DOCS"):
        path.write_text(wanted, "utf-8")
    assert path.read_text("utf-8") == wanted, "write it anew: LORAFUOTA_WRITE_DOCS=1"


# The lines of a device and of a server under test

DEVICE_LINES = DOCS / "reference" / "device-lines.md"
SERVER_LINES = DOCS / "reference" / "server-lines.md"
UNDER_OTHER_NAMES = {"root_key": ["GenAppKey", "AppKey"], "mc_key": ["McKey"]}
"""A key stands under the name of its class."""


def names_on_lines(cls: Any) -> list[list[str]]:
    names = [field.name for field in dataclasses.fields(cls)]
    return [UNDER_OTHER_NAMES.get(name, [name]) for name in names]


def told(row: str, column: int) -> list[str]:
    return re.findall(r"`(\w+)`", row.split("|")[column])


@pytest.mark.parametrize(
    ("path", "union"),
    [
        (DEVICE_LINES, DeviceRequest),
        (DEVICE_LINES, DeviceEvent),
        (DEVICE_LINES, Done | Error),
        (SERVER_LINES, ServerRequest),
        (SERVER_LINES, ServerEvent),
        (SERVER_LINES, Done | Error),
    ],
)
def test_every_line_is_explained_with_its_fields(path: pathlib.Path, union: Any) -> None:
    rows = path.read_text("utf-8").splitlines()
    for cls in typing.get_args(union):
        named = f"| `{kind_of(cls)}` |"  # in a table of fields, which has four columns
        at = next(i for i, row in enumerate(rows) if row.startswith(named) and row.count("|") == 5)
        further = itertools.takewhile(lambda row: row.startswith("| | "), rows[at + 1 :])
        assert [told(row, 2) for row in (rows[at], *further)] == names_on_lines(cls), cls


@pytest.mark.parametrize(("heading", "cls"), [("A device", DeviceEntry), ("A group", GroupOrder)])
def test_what_stands_inside_a_line_of_a_server_is_explained(heading: str, cls: Any) -> None:
    section = SERVER_LINES.read_text("utf-8").split(f"\n### {heading}\n")[1].split("\n#")[0]
    rows = [row for row in section.splitlines() if row.startswith("| `")]
    assert [told(row, 1) for row in rows] == names_on_lines(cls)


@pytest.mark.parametrize(
    ("path", "about", "capabilities"),
    [(DEVICE_LINES, About, CAPABILITIES), (SERVER_LINES, ServerAbout, SERVER_CAPABILITIES)],
)
def test_everything_a_subject_says_of_itself_is_explained(
    path: pathlib.Path, about: Any, capabilities: Mapping[str, str]
) -> None:
    text = path.read_text("utf-8")
    names = [field.name for field in dataclasses.fields(about)] + list(capabilities)
    assert [name for name in names if f"| `{name}` |" not in text] == []


def test_every_word_a_server_has_for_a_device_is_explained() -> None:
    text = SERVER_LINES.read_text("utf-8")
    words = [*STATUSES, *(step or '""' for step in REACHED)]
    assert [word for word in words if f"| `{word}` |" not in text] == []


EUI = DevEUI(0x6A2F0C11D4E5B791)
ENTRY = DeviceEntry(
    dev_eui=EUI,
    dev_addr=DevAddr(0x0178B5E6),
    root_key=GenAppKey(bytes(range(16))),
    versions={"fragmentation": 2, "multicastsetup": 2},
)
GROUP_KEY = McKey(bytes(range(16, 32)))
GROUP = GroupOrder(
    frag_version=2,
    mc_addr=DevAddr(0x01A4C2F0),
    mc_key=GROUP_KEY,
    max_mc_fcnt=65_535,
    device_class="C",
    dl_freq_hz=869_525_000,
    dr=5,
    frame_seconds=0.4,
    spacing_seconds=2.0,
)
AT = 1_400_000_000.0
SERVER_REQUEST_EXAMPLES: list[ServerRequest] = [
    server.Begin(
        time=AT,
        image=b"a small firmware image",
        frag_size=10,
        descriptor=bytes((1, 2, 3, 4)),
        redundancy=0.2,
        devices=(ENTRY,),
        groups=(GROUP,),
        fw_version=0x0200_0000,
    ),
    server.Uplink(AT, EUI, 201, bytes((2, 0))),
    server.Advance(AT + 60),
    server.Restart(AT + 60),
    server.Pause(AT + 90),
    server.Resume(AT + 120),
    server.Cancel(AT + 120),
    server.AddDevice(
        AT + 150,
        DeviceEntry(
            dev_eui=DevEUI(0x6A2F0C11D4E5B792),
            dev_addr=DevAddr(0x0178B5E7),
            root_key=AppKey(bytes(range(32, 48))),
            versions={"fragmentation": 1},
            fports={"fragmentation": 61},
            multicast=False,
            stack="LoRaMac-node",
        ),
    ),
    server.RemoveDevice(AT + 180, EUI),
]
SERVER_EVENT_EXAMPLES: list[ServerEvent | Done | Error] = [
    server.Downlink(AT, EUI, 201, bytes((1, 1))),
    server.MulticastDownlink(AT + 900, GROUP.mc_addr, 201, bytes((8, 1, 0)) + b"a small fi", 0),
    server.MulticastFrame(
        AT + 902,
        build_mc_downlink(
            bytes((8, 2, 0)) + b"rmware ima",
            fport=201,
            fcnt=1,
            mc_addr=GROUP.mc_addr,
            mc_app_s_key=derive_mc_app_s_key(GROUP_KEY, GROUP.mc_addr),
            mc_nwk_s_key=derive_mc_nwk_s_key(GROUP_KEY, GROUP.mc_addr),
        ),
    ),
    server.WindowAnnounced(AT, GROUP.mc_addr, AT + 900, AT + 1_156),
    server.DeviceOutcome(AT + 2_000, EUI, "Successful", "verified", "MissingFrag is 0"),
    server.Ended(AT + 2_000),
    Done(AT + 2_060),
    Error("begin: frag_size is missing"),
]


def play_the_page(tmp_path: pathlib.Path) -> str:
    """A whole update of the server on the page, every line of it."""
    said: list[str] = []

    class Overheard:
        """A channel to the server that writes down what is said."""

        def __init__(self, inner: ProcessChannel) -> None:
            self.last_words, self.close = inner.last_words, inner.close
            self.unfinished = inner.unfinished
            self._inner = inner

        def send(self, line: str) -> None:
            said.append(f"> {line}")
            self._inner.send(line)

        def receive(self, seconds: float) -> bytes | None:
            line = self._inner.receive(seconds)
            said.extend([f"< {line.decode()}"] if line is not None else [])
            return line

    argv = [sys.executable, str(plain_server(tmp_path))]
    with contextlib.closing(LineServer(lambda: Overheard(ProcessChannel(argv)))) as subject:
        peer = ServerPeer(subject, package=lorafuota.package("fragmentation", 1), seed="the page")
        peer.draw_image(25)
        peer.devices(1)
        peer.begin()
        peer.finish()
    return "".join(f"{line}\n" for line in said)


def plain_server(tmp_path: pathlib.Path) -> pathlib.Path:
    """The program on the page, in a file."""
    [text] = [one.text for one in fences(SERVER_LINES) if one.language == "python"]
    assert set(re.findall(r"^(?:import|from) (\S+)", text, re.MULTILINE)) == {"json", "sys"}
    path = tmp_path / "my_server.py"
    path.write_text(text, "utf-8")
    return path


def lines_of(tag: str, messages: Iterable[Any]) -> str:
    codec: Any = {"request": SERVER_REQUESTS, "event": SERVER_EVENTS}[tag]
    return "".join(f"{codec.encode(one)}\n" for one in messages)


def test_the_examples_on_the_page_are_one_of_each() -> None:
    for codec, examples in (
        (SERVER_REQUESTS, SERVER_REQUEST_EXAMPLES),
        (SERVER_EVENTS, SERVER_EVENT_EXAMPLES),
    ):
        assert tuple(kind_of(type(one)) for one in examples) == codec.kinds


def test_the_lines_on_the_page_of_a_server_are_real(tmp_path: pathlib.Path) -> None:
    wanted = {
        "SERVER_REQUEST_EXAMPLES": lines_of("request", SERVER_REQUEST_EXAMPLES),
        "SERVER_EVENT_EXAMPLES": lines_of("event", SERVER_EVENT_EXAMPLES),
        "play_the_page": play_the_page(tmp_path),
    }
    written = re.compile(r"(<!-- written from (\w+) -->\n```\w+\n)(.*?)(```\n)", re.DOTALL)
    text = SERVER_LINES.read_text("utf-8")
    anew = written.sub(lambda found: f"{found[1]}{wanted.pop(found[2])}{found[4]}", text)
    assert wanted == {}
    if os.environ.get("LORAFUOTA_WRITE_DOCS"):
        SERVER_LINES.write_text(anew, "utf-8")
    assert SERVER_LINES.read_text("utf-8") == anew, "write it anew: LORAFUOTA_WRITE_DOCS=1"


def test_the_server_in_plain_python_plays_as_shown(tmp_path: pathlib.Path) -> None:
    [command] = [one for one in fences(SERVER_LINES) if one.language == "console"]
    shown = fences(SERVER_LINES)[fences(SERVER_LINES).index(command) + 1]
    argv, program = shlex.split(command.text)[1:], plain_server(tmp_path)
    assert argv[-2:] == ["python3", program.name]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([*argv[:-2], sys.executable, str(program)]) == 1
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(shown.text, printed.getvalue(), flags), (
        printed.getvalue()
    )
    assert printed.getvalue().count("\nfailed: ") + printed.getvalue().startswith("failed: ") == 1


# The diagrams of states

DRAWN = re.compile(r"(<!-- drawn from ([\w.]+)\.(\w+) -->\n```mermaid\n)(.*?)(```\n)", re.DOTALL)
COMMON = 5
"""Above so many arrows to one state, one arrow from any state is drawn."""


def diagram(table: Mapping[enum.Enum, frozenset[enum.Enum]]) -> str:
    """A table of transitions as a Mermaid state diagram, in the order of the states."""
    sources = {to: [one for one in table if to in table[one]] for to in table}
    moving = [one for one in table if table[one]]
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(table)).name}"]
    lines += [
        f"    {one.name} --> {to.name}"
        for one in table
        for to in table
        if to in table[one] and len(sources[to]) <= COMMON
    ]
    for to in (to for to in table if len(sources[to]) > COMMON):
        others = [one.name for one in moving if one not in sources[to] and one is not to]
        label = f"any but {' and '.join(others)}" if others else "any"
        lines += [f'    state "{label}" as to_{to.name}', f"    to_{to.name} --> {to.name}"]
    lines += [f"    {one.name} --> [*]" for one in table if not table[one]]
    return "\n".join(lines) + "\n"


def drawn(found: re.Match[str]) -> str:
    table = getattr(importlib.import_module(found[2]), found[3])
    return f"{found[1]}{diagram(table)}{found[5]}"


@every_file
def test_every_diagram_of_states_is_drawn_from_its_table(path: pathlib.Path) -> None:
    text = path.read_text("utf-8")
    wanted = DRAWN.sub(drawn, text)
    assert len(DRAWN.findall(text)) == len(re.findall("^```mermaid$", text, re.MULTILINE))
    if os.environ.get("LORAFUOTA_WRITE_DOCS") and wanted != text:
        path.write_text(wanted, "utf-8")
    assert path.read_text("utf-8") == wanted, "write it anew: LORAFUOTA_WRITE_DOCS=1"


# The plots

TEXTS = re.compile(r"<text[^>]*>(.*?)</text>", re.DOTALL)


def plots() -> Iterator[tuple[pathlib.Path, list[str]]]:
    """Each page's command that draws, with the directory it draws into."""
    for path in FILES:
        for directory in re.findall(r"`--plot (docs/[\w/]+)`", path.read_text("utf-8")):
            shown = [fence.text for fence in fences(path) if fence.language == "sh"]
            argv, _ = next(command_lines(shown[0]))
            yield ROOT / directory, argv


def test_the_plots_of_a_page_are_what_its_command_draws(tmp_path: pathlib.Path) -> None:
    """What stands in them is compared, not every line: other releases draw other octets."""
    pytest.importorskip("matplotlib", reason="plots need an extra")
    found = list(plots())
    assert found
    for directory, argv in found:
        with contextlib.redirect_stdout(io.StringIO()):
            assert main([*argv, "--plot", str(tmp_path)]) == 0
        new = {path.name: path.read_text("utf-8") for path in tmp_path.glob("*.svg")}
        old = {path.name: path.read_text("utf-8") for path in directory.glob("*.svg")}
        assert new.keys() == old.keys()
        for name, drawn_now in new.items():
            if TEXTS.findall(old[name]) == TEXTS.findall(drawn_now):
                continue
            assert os.environ.get("LORAFUOTA_WRITE_DOCS"), "write it anew: LORAFUOTA_WRITE_DOCS=1"
            (directory / name).write_text(drawn_now, "utf-8")
