"""Invariant: whatever is in a file or on the command line, a command ends with 0, 1 or 2.

2 comes with one sentence, and no key is in it.  The first octet says which command reads the rest.
The store of a campaign has the name of its image in it, which is another one each time.
"""

from __future__ import annotations

import functools
import json
import os
import pathlib
import random
import sqlite3
from collections.abc import Callable, Sequence
from typing import Final
from unittest import mock

from tests.fuzz import mutation
from tests.fuzz.targets import airlog, deltas, images, store
from tests.fuzz.targets.target import MiB, Target, folder
from tests.unit.cli.support import MC_KEY, ROOT, call
from tests.unit.image.support import FIRMWARE, PEM

KEY: Final = str(FIRMWARE / PEM["ed25519"])
SEPARATOR: Final = "\n"
IMAGE, VERIFY, PEM_FILE, DELTA, KEYS, STATUS, EVENTS, AIR, DECODE, PLAN = range(10)


def one_input(data: bytes) -> str:
    path = folder() / "input"
    path.write_bytes(data[1:])
    command = COMMANDS[data[0] % len(COMMANDS)] if data else COMMANDS[0]
    with mock.patch.dict(os.environ, clear=True):
        words = command(path)
        outcome = call(*words)
    assert outcome.status in (0, 1, 2), outcome
    assert "Traceback" not in outcome.err
    if words[0] == "keys":
        assert ROOT not in outcome.out + outcome.err
        assert MC_KEY not in outcome.out + outcome.err
    if outcome.status == 2:
        assert outcome.err.startswith("lorafuota")
        assert outcome.err.count("\n") == 1
    return f"{words[0]}: {outcome.status}"


def _words(path: pathlib.Path) -> list[str]:
    """Arguments, one in a line; nothing that writes files, and no NUL, which no process gets."""
    text = path.read_bytes()[:2000].decode("utf-8", "replace").replace("\0", "")
    return [word for word in text.split(SEPARATOR) if not word.startswith("--plot")]


@functools.cache
def _small_image() -> pathlib.Path:
    path = folder() / "image"
    path.write_bytes(images.images()[3])
    return path


@functools.cache
def _campaign() -> tuple[bytes, bytes]:
    """The store of a small simulated campaign in the middle, and the log of its air."""
    path = folder() / "campaign"
    words = ["campaign", "run", str(path), str(_small_image()), "--devices", "2", "--steps", "40"]
    outcome = call(*words)
    assert outcome.status == 0, outcome
    return path.read_bytes(), path.with_name("campaign.air").read_bytes()


def _campaign_beside(log: pathlib.Path) -> pathlib.Path:
    """That store, beside a log."""
    path = folder() / "kept"
    path.write_bytes(_campaign()[0])
    log.replace(path.with_name("kept.air"))
    return path


COMMANDS: Final[tuple[Callable[[pathlib.Path], list[str]], ...]] = (
    lambda path: ["image", "info", str(path)],
    lambda path: ["image", "verify", str(path), "--key", KEY, "--json"],
    lambda path: ["image", "verify", str(_small_image()), "--key", str(path)],
    lambda path: ["delta", "info", str(path)],
    lambda path: ["keys", "--keys", str(path), "--lorawan", "1.0"],
    lambda path: ["campaign", "status", str(path)],
    lambda path: ["campaign", "events", str(path), "--json"],
    lambda path: ["campaign", "report", str(_campaign_beside(path))],
    lambda path: ["decode", *_words(path)],
    lambda path: ["plan", *_words(path)],
)

DECODED: Final = (
    ("fragmentation/1", "uplink", "02c0"),
    ("201/2", "down", "02 01 1400 32 00 05 00000000 0100 4d6d1790", "--strict"),
    ("225", "uplink", "8302c001", "--speaks", "fragmentation/1", "--json"),
    ("ts004/2", "up", "AsA=", "--base64"),
)
PLANNED: Final = (
    ("--size", "20000", "--loss", "0.2", "--devices", "10"),
    ("--size", "900", "--region", "US915", "--dr", "10", "--json", "--class", "B"),
    ("--size", "50000", "--redundancy", "0.3", "--time-out", "8", "--frag-size", "48"),
)


@functools.cache
def seeds() -> tuple[bytes, ...]:
    keys = f"GenAppKey={ROOT}\nMcKey={MC_KEY}\nMcAddr=01020304\n".encode()
    as_json = json.dumps({"AppKey": ROOT, "mc_key": MC_KEY}).encode()
    scenario, log = _campaign()
    contents = [
        *[(IMAGE, one) for one in images.images()[3:6]],
        *[(VERIFY, one) for one in images.images()[3:6]],
        *[(PEM_FILE, one) for one in images.pems()],
        (DELTA, images.images()[2]),
        (DELTA, deltas.deltas()[0]),
        *[(KEYS, one) for one in (keys, keys, keys, as_json, as_json)],
        *[(STATUS, scenario)] * 4,
        *[(EVENTS, one) for one in (scenario, store.seeds()[3])],
        *[(AIR, log)] * 6,
        *[(DECODE, SEPARATOR.join(words).encode()) for words in DECODED],
        *[(PLAN, SEPARATOR.join(words).encode()) for words in PLANNED],
    ]
    return tuple(bytes((which,)) + content for which, content in contents)


def mutate(rng: random.Random, pool: Sequence[bytes]) -> bytes:
    """Change the file as what it is."""
    chosen = rng.choice(pool)
    which, content = chosen[0], chosen[1:]
    if rng.random() < 0.1:
        content = mutation.octets(rng, [one[1:] for one in pool])
    elif which in (STATUS, EVENTS) and len(content) > 100:
        content = (
            _other_scenario(rng, content) if rng.random() < 0.7 else store.mutate(rng, [content])
        )
    elif which == AIR:
        content = airlog.mutate(rng, [content])
    elif which == KEYS and content.startswith(b"{"):
        content = mutation.document(rng, [content])
    elif which in (DECODE, PLAN):
        words = content.decode().split(SEPARATOR)
        at = rng.randrange(len(words))
        edge = str(rng.choice((*mutation.EDGES[:-1], 0.99, "nan", "inf", "", "-1", "x")))
        words[at] = rng.choice((edge, edge, rng.choice(words)))
        content = SEPARATOR.join(words).encode()
    else:
        content = mutation.octets(rng, [content])
    return bytes((which,)) + content


def _other_scenario(rng: random.Random, content: bytes) -> bytes:
    """The store with another scenario in it, as somebody could write it."""
    database = sqlite3.connect(":memory:", isolation_level=None)
    try:
        database.deserialize(content)
        [[text]] = database.execute("SELECT content FROM document").fetchall()
        text = mutation.document(rng, [text.encode()]).decode("utf-8", "replace")
        database.execute("UPDATE document SET content = ?", (text,))
        store.sign(database)
        return database.serialize()
    finally:
        database.close()


TARGETS = (
    Target(
        name="command-line",
        one_input=one_input,
        seeds=seeds,
        mutate=mutate,
        memory=64 * MiB,
        everyday=30,
    ),
)
