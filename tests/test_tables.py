"""Every table of README and docs comes from a results file."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SPEC = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
assert SPEC is not None
assert SPEC.loader is not None
tables = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(tables)


@pytest.mark.parametrize("path", tables.DOCUMENTS, ids=lambda path: path.name)
def test_the_tables_of_a_document_are_what_the_results_say(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert tables.fill(text) == text, "run 'make tables'"


def test_every_table_is_shown_somewhere() -> None:
    shown = {name for path in tables.DOCUMENTS for name in tables.table_names(path.read_text(encoding="utf-8"))}
    assert shown == set(tables.TABLES)


def test_a_changed_number_is_noticed() -> None:
    path = next(path for path in tables.DOCUMENTS if "<!-- table:errors -->" in path.read_text(encoding="utf-8"))
    text = path.read_text(encoding="utf-8")
    start = text.index("<!-- table:errors -->")
    changed = text[:start] + re.sub(r"0\.0(\d)", lambda found: f"0.0{9 - int(found[1])}", text[start:], count=1)
    assert changed != text
    assert tables.fill(changed) != changed
