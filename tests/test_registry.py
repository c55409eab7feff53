import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from lasernet.errors import OptionError
from lasernet.registry import LOSSES, MODELS, Registry, load_file

FILE = '''
from lasernet import Model, register_model

@register_model("from-a-file")
class FromAFile(Model):
    """Comes from outside."""

class Unnamed(Model):
    """Has no decorator."""
'''


def test_names_are_known_without_torch() -> None:
    code = (
        "import sys; from lasernet.registry import MODELS, LOSSES; "
        "assert 'predrnn' in MODELS.names() and 'mse' in LOSSES.names(); "
        "assert not {'torch', 'numpy', 'h5py', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("registry", [MODELS, LOSSES], ids=["models", "losses"])
def test_every_name_can_be_imported_and_describes_itself(registry: Registry) -> None:
    for name, entry in registry.entries().items():
        assert registry.get(name).__name__ == entry.attribute
        assert entry.summary, f"{name} has no docstring"


def test_a_mistyped_name_gets_a_suggestion() -> None:
    with pytest.raises(OptionError, match="did you mean 'predrnn'"):
        MODELS.get("predrn")


def test_a_name_stands_for_one_class() -> None:
    registry = Registry("model", "lasernet.nothing")
    registry.register("x")(type("A", (), {}))
    with pytest.raises(OptionError, match="taken"):
        registry.register("x")(type("B", (), {}))


def test_a_file_is_imported_under_its_registered_or_its_own_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(FILE)
    assert load_file(f"{file}:FromAFile") == "from-a-file"
    assert load_file(f"{file}:Unnamed") == "Unnamed"
    with pytest.raises(OptionError, match="FromAFile"):
        load_file(f"{file}:FromAFil")
    with pytest.raises(OptionError, match="no file"):
        load_file(f"{tmp_path}/other.py:X")


def test_an_installed_package_adds_its_models_by_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("from-a-package", "toy_models:ToyConv", "lasernet.models")
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point] if group == "lasernet.models" else [])
    registry = Registry("model", "lasernet.models")
    assert "from-a-package" in registry.names()
    assert registry.get("from-a-package").__name__ == "ToyConv"
