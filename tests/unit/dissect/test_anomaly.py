from __future__ import annotations

import ast
import pathlib

from lorafuota.dissect import anomaly
from lorafuota.dissect.anomaly import Anomaly, Oddity

SOURCE = pathlib.Path(anomaly.__file__).parent
PAGE = pathlib.Path(__file__).parents[3] / "docs" / "reference" / "anomalies.md"


def test_an_anomaly_is_json_in_the_order_of_its_attributes() -> None:
    one = Anomaly(code=Oddity.N_IS_ZERO, at=3, sentence="N is 0")
    assert one.to_json() == {"code": "n-is-zero", "at": 3, "field": "", "sentence": "N is 0"}
    assert type(one.to_json()["code"]) is str


def test_a_value_is_its_name_with_hyphens() -> None:
    assert [one.value for one in Oddity] == [one.name.lower().replace("_", "-") for one in Oddity]


def test_every_kind_is_found_by_a_rule() -> None:
    used = {
        node.attr
        for path in SOURCE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "Oddity"
    }
    assert used == set(Oddity.__members__)


def test_every_kind_is_explained() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [one.value for one in Oddity]
