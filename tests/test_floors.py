"""Imports go down, never up: the floors of the package, checked on the source."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "lasernet"
FLOORS = [
    {"errors", "registry", "options", "atomic"},
    {"physics", "nn", "simulate", "viz", "run", "weights"},
    {"data", "losses", "metrics"},
    {"models"},
    {"tasks"},
    {"engine"},
    {"cli"},
]
TOP = {"__init__", "__main__"}
MODULES = sorted(PACKAGE.rglob("*.py"))
KNOWS_ACCELERATE = {"engine"}
KNOWS_TYPER = {"cli"}


def unit(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[0]


def floor(name: str) -> int:
    for level, units in enumerate(FLOORS):
        if name in units:
            return level
    raise AssertionError(f"lasernet.{name} stands on no floor")


def imports(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            if node.module == "lasernet":
                found += [f"lasernet.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_floor_or_below(path: Path) -> None:
    own = unit(path)
    if own in TOP:
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "lasernet" or len(parts) == 1 or parts[1] == "__version__":
            continue
        other = parts[1]
        if other == own:
            continue
        level = floor(own)
        assert floor(other) <= level, f"{own} (floor {level}) imports {name} (floor {floor(other)})"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_the_engine_knows_accelerate_and_only_the_cli_knows_typer(path: Path) -> None:
    roots = {name.split(".")[0] for name in imports(path)}
    if unit(path) not in KNOWS_ACCELERATE:
        assert "accelerate" not in roots
    if unit(path) not in KNOWS_TYPER:
        assert not roots & {"typer", "rich"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_nothing_that_is_read_can_run_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for call in ("pickle.load", "yaml.load", "allow_pickle=True"):
        assert call not in text
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in ("eval", "exec"), f"{path}: {name}()"
            if name == "torch.load":
                assert "weights_only=True" in ast.unparse(node)
