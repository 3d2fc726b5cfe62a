"""Build the sample firmware: the raw images, and on request the signed ones.

The raw images and SHA256SUMS go to the folder above this one, or to ``--output``. The same
toolchain gives the same octets: nothing in them depends on the time, the machine or the folder.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent
FIRMWARE = SOURCE.parent
PREFIX = "arm-none-eabi-"
VERSIONS = {"1.0.0": 0, "1.1.0": 1}
HEADER_SIZE = 0x200
SLOT_SIZE = 0x1C000

#: Files of 1.1.0 only.
NEW_FILES = {"history.c", "moisture.c"}

FLAGS = [
    "-mcpu=cortex-m4",
    "-mthumb",
    "-mfloat-abi=soft",
    "-std=c11",
    "-Os",
    "-g0",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-ffreestanding",
    "-fno-tree-loop-distribute-patterns",
    "-ffunction-sections",
    "-fdata-sections",
    "-nostdlib",
    "-static",
    "-Wl,--gc-sections",
    "-Wl,--build-id=none",
    "-Wl,-Tlink.ld",
]

#: The signed pairs: the middle of their file names, and the test key of each.
SIGNED = {"signed": "test-only-ecdsa-p256.pem", "ed25519": "test-only-ed25519.pem"}


def toolchain() -> str:
    """Return the first lines of what compiler and linker say of their versions."""
    lines = []
    for tool in ("gcc", "ld"):
        told = subprocess.run(
            [PREFIX + tool, "--version"], check=True, capture_output=True, text=True
        )
        lines.append(told.stdout.splitlines()[0])
    return "\n".join(lines) + "\n"


def build_raw(version: str, output: Path) -> Path:
    """Compile and link one version; return its raw image, without header and signature."""
    sources = sorted(path.name for path in SOURCE.glob("*.c"))
    if VERSIONS[version] < 1:
        sources = [name for name in sources if name not in NEW_FILES]
    raw = output / f"app-{version}.raw.bin"
    with tempfile.TemporaryDirectory() as folder:
        elf = str(Path(folder) / "app.elf")
        define = f"-DAPP_MINOR={VERSIONS[version]}"
        subprocess.run(
            [f"{PREFIX}gcc", *FLAGS, define, *sources, "-o", elf], check=True, cwd=SOURCE
        )
        subprocess.run([f"{PREFIX}objcopy", "-O", "binary", elf, str(raw)], check=True)
    return raw


def sign(raw: Path, version: str, kind: str) -> Path:
    """Wrap a raw image as an MCUboot image, signed with a test key."""
    image = raw.with_name(f"app-{version}.{kind}.bin")
    options = {
        "--key": str(FIRMWARE / SIGNED[kind]),
        "--version": f"{version}+0",
        "--header-size": hex(HEADER_SIZE),
        "--slot-size": hex(SLOT_SIZE),
        "--align": "8",
        "--sha": "256",
    }
    words = [word for option in options.items() for word in option]
    command = ["imgtool", "sign", "--pad-header", *words, str(raw), str(image)]
    subprocess.run(command, check=True)
    return image


def main() -> None:
    """Build what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=FIRMWARE, help="folder for the images")
    parser.add_argument("--sign", action="store_true", help="make the signed images, by imgtool")
    arguments = parser.parse_args()
    output: Path = arguments.output.resolve()
    for version in VERSIONS:
        raw = build_raw(version, output)
        print(f"{raw.name}: {raw.stat().st_size} octets")
        for kind in SIGNED if arguments.sign else ():
            image = sign(raw, version, kind)
            print(f"{image.name}: {image.stat().st_size} octets")
    if arguments.sign:
        (output / "TOOLCHAIN").write_text(toolchain(), encoding="ascii", newline="\n")
        sums = [
            f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
            for path in sorted(output.glob("*.bin"))
        ]
        (output / "SHA256SUMS").write_text("".join(sums), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main()
