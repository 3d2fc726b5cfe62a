"""``lorafuota wireshark``: write the dissector for Wireshark."""

from __future__ import annotations

import argparse
import pathlib
from typing import Final

from ..dissect.wireshark import lua_dissector
from .arguments import InputError, Status, Subparsers, add_json, subcommand
from .output import write_json

__all__ = ["add", "run"]

_DESCRIPTION: Final = """\
Write a dissector in Lua for Wireshark and tshark: every command of every
package and version, with its fields, ready for display filters.

It reads what Wireshark's own LoRaWAN dissector has decrypted, on the ports of
the packages (200 to 203, 225); give that one the session keys, of groups as
well, in its preferences.  Versions and ports are preferences of "lorafuota".

A file that is there already is left alone, unless --force says otherwise.

Put the file into the folder of personal Lua plugins (Help, About, Folders), or
name it with -X lua_script:FILE."""

_EXAMPLE: Final = """\
lorafuota wireshark lorafuota.lua
tshark -X lua_script:lorafuota.lua -o lorafuota.fragmentation:1 -r capture.pcap -V"""


def add(subparsers: Subparsers) -> None:
    """Declare the arguments."""
    parser = subcommand(
        subparsers,
        "wireshark",
        run,
        summary="write a dissector for Wireshark",
        description=_DESCRIPTION,
        example=_EXAMPLE,
    )
    parser.add_argument("file", metavar="FILE", help="where to; - writes to standard output")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there already")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Write the file.

    Raises:
        InputError: It is there already, and nobody said to replace it.
    """
    text = lua_dissector()
    lines = text.count("\n")
    if args.file == "-":
        if args.json:
            write_json({"file": None, "lines": lines, "lua": text})
        else:
            print(text, end="")
        return Status.GOOD
    path = pathlib.Path(args.file)
    if path.is_file() and not args.force:
        raise InputError(f"{args.file} is there already: --force replaces it")
    path.write_text(text, encoding="utf-8")
    if args.json:
        write_json({"file": args.file, "lines": lines})
    else:
        print(f"{args.file}: {lines:,} lines of Lua")
    return Status.GOOD
