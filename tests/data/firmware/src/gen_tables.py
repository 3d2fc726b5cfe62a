"""Write tables/*.inc: the lookup tables of the sample firmware.

The tables are checked in; run this only to change one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

TABLES = Path(__file__).resolve().parent / "tables"


def write(name: str, what: str, values: Sequence[int], digits: int = 0) -> None:
    """Write one table, in hexadecimal of so many digits or in decimal."""
    texts = [f"0x{value:0{digits}x}" if digits else str(value) for value in values]
    lines = [f"/* {what} Written by gen_tables.py. */"]
    step = 8
    lines += [", ".join(texts[at : at + step]) + "," for at in range(0, len(texts), step)]
    (TABLES / f"{name}.inc").write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def xtime(value: int) -> int:
    """Return twice the value in the field of AES."""
    return ((value << 1) ^ 0x11B) & 0xFF if value & 0x80 else value << 1


def multiply(left: int, right: int) -> int:
    """Multiply in the field of AES."""
    total = 0
    while right:
        if right & 1:
            total ^= left
        left, right = xtime(left), right >> 1
    return total


def sbox() -> list[int]:
    """Return the S-box of AES: inverse, then the affine map."""
    box = []
    for value in range(256):
        inverse = next((i for i in range(256) if multiply(value, i) == 1), 0)
        turned = inverse
        for shift in range(1, 5):
            turned ^= ((inverse << shift) | (inverse >> (8 - shift))) & 0xFF
        box.append(turned ^ 0x63)
    return box


def crc16(value: int) -> int:
    """Return one entry of CRC-16, polynomial 0x1021, high bit first."""
    value <<= 8
    for _ in range(8):
        value = ((value << 1) ^ (0x1021 if value & 0x8000 else 0)) & 0xFFFF
    return value


def crc32(value: int) -> int:
    """Return one entry of CRC-32, polynomial 0xedb88320, low bit first."""
    for _ in range(8):
        value = (value >> 1) ^ (0xEDB88320 if value & 1 else 0)
    return value


def resistance(code: float) -> float:
    """Return the ohms of a thermistor under a 10 kOhm pull-up from its 12-bit ADC code."""
    return 10_000.0 * code / (4096.0 - code)


def centi(kelvin: float) -> int:
    """Return hundredths of a degree Celsius, held to what the probe survives."""
    return round(100 * min(max(kelvin - 273.15, -55.0), 150.0))


def beta(code: int) -> int:
    """Return the temperature for a code by the two-point model, B = 3950 K."""
    ratio = resistance(min(max(code, 16), 4080)) / 10_000.0
    return centi(1.0 / (1.0 / 298.15 + math.log(ratio) / 3950.0))


def steinhart(code: int) -> int:
    """Return the temperature for a code by the three-point model of Steinhart and Hart."""
    log = math.log(resistance(min(max(code, 16), 4080)))
    return centi(1.0 / (1.129148e-3 + 2.34125e-4 * log + 8.76741e-8 * log**3))


def moisture(code: int, dry: float, wet: float, bend: float) -> int:
    """Return hundredths of a percent of water by volume from a capacitive probe's code."""
    share = min(max((dry - code) / (dry - wet), 0.0), 1.0)
    return round(6000 * math.pow(share, bend))


def main() -> None:
    """Write every table."""
    box = sbox()
    write("sbox", "AES: the S-box.", box, 2)
    columns = [(multiply(2, s) << 24) | (s << 16) | (s << 8) | multiply(3, s) for s in box]
    write("aes_column", "AES: SubBytes and MixColumns of a column's first octet.", columns, 8)
    write("crc16", "CRC-16, 0x1021.", [crc16(i) for i in range(256)], 4)
    write("crc32", "CRC-32, 0xedb88320.", [crc32(i) for i in range(256)], 8)
    quarter = [round(32767 * math.sin(math.pi / 2 * i / 256)) for i in range(257)]
    write("sine", "First quarter of a sine, Q15.", quarter)
    write(
        "log2", "65536 log2(1 + i / 64).", [round(65536 * math.log2(1 + i / 64)) for i in range(65)]
    )
    codes = range(0, 4097, 32)
    write("thermistor_1_0", "0.01 degC per 32 ADC codes, B = 3950 K.", [beta(c) for c in codes])
    write(
        "thermistor_1_1",
        "0.01 degC per 32 ADC codes, Steinhart-Hart.",
        [steinhart(c) for c in codes],
    )
    for soil, dry, wet, bend in (
        ("mineral", 3100.0, 1240.0, 1.35),
        ("clay", 3020.0, 1180.0, 1.60),
        ("peat", 3180.0, 1120.0, 1.15),
    ):
        values = [moisture(c, dry, wet, bend) for c in range(0, 4097, 64)]
        write(f"soil_{soil}", f"0.01 % of water per 64 ADC codes, {soil} soil.", values)


if __name__ == "__main__":
    main()
