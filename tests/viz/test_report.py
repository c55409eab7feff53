from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lasernet.errors import DataError
from lasernet.viz.report import inject, markdown_table, skill_figure, table_names

ROWS: list[dict[str, object]] = [
    {"model": "a|b", "mse": 0.12345, "note": "fine"},
    {"model": "c\nd", "mse": None, "note": "none"},
    {"model": "e", "mse": float("nan")},
]


def test_table_writes_what_the_formatters_say() -> None:
    assert markdown_table(ROWS, {"model": str, "mse": ".3f"}).splitlines() == [
        "| model | mse |",
        "| --- | ---: |",
        "| a\\|b | 0.123 |",
        "| c d | – |",
        "| e | – |",
    ]


def test_a_column_that_no_row_has_is_refused() -> None:
    with pytest.raises(DataError, match="'mae'; found: model, mse, note"):
        markdown_table(ROWS, {"mae": ".3f"})


def test_injection_replaces_the_part_between_the_marks_and_nothing_else() -> None:
    document = "before\n<!-- table:x -->\nold\n<!-- /table:x -->\nafter <!-- table:y --><!-- /table:y -->\n"
    once = inject(document, "x", "| new |")
    assert once == document.replace("old", "| new |")
    assert inject(once, "x", "| new |") == once
    assert "\n| y |\n" in inject(once, "y", "| y |")
    assert table_names(document) == ["x", "y"]


@pytest.mark.parametrize(
    "document",
    [
        "",
        "<!-- table:x -->",
        "<!-- /table:x -->",
        "<!-- /table:x --> <!-- table:x -->",
        "<!-- table:x --><!-- /table:x --><!-- table:x --><!-- /table:x -->",
        "<!-- table:xy --><!-- /table:xy -->",
    ],
)
def test_marks_that_are_missing_doubled_or_exchanged_are_refused(document: str) -> None:
    with pytest.raises(DataError, match="table:x"):
        inject(document, "x", "new")


def skills(models: int, regions: tuple[str, ...] = ("active", "all")) -> list[dict[str, object]]:
    return [
        {"model": f"m{n}", "baseline": b, "region": r, "skill": 0.1 * n - 0.2, "low": None if n else -0.3, "high": 0.5}
        for n in range(models)
        for b in ("persistence", "mean-color")
        for r in regions
    ]


def test_more_models_make_a_higher_figure(tmp_path: Path) -> None:
    heights = [Image.open(skill_figure(skills(count), tmp_path / "a.png")).height for count in (1, 3, 6)]
    assert heights == sorted(set(heights))


def test_skills_that_are_missing_unknown_or_terrible_are_drawn(tmp_path: Path) -> None:
    rows = [*skills(2), {"model": "bad", "baseline": "persistence", "region": "all", "skill": -30.0}]
    rows.append({"model": "unknown", "baseline": "mean-color", "region": "active", "skill": None})
    assert skill_figure(rows, tmp_path / "a.png", title="Skill").is_file()


@pytest.mark.parametrize("rows", [[], [{"model": "a", "skill": 0.1}]])
def test_rows_that_cannot_be_drawn_are_refused(rows: list[dict[str, object]], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected"):
        skill_figure(rows, tmp_path / "a.png")


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    assert (
        skill_figure(skills(2), tmp_path / "a.png").read_bytes()
        == skill_figure(skills(2), tmp_path / "b.png").read_bytes()
    )
