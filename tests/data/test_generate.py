"""Generated files: whole or absent, the same for the same seed, and with everything that made them."""

from pathlib import Path

import numpy as np
import pytest

from lasernet.data import generate as module
from lasernet.data.flow_file import open_flow_file
from lasernet.data.generate import GENERATORS, generate, recipe_of, verify_generators
from lasernet.data.image_file import open_image_file
from lasernet.data.layout import open_file
from lasernet.data.verify import verify_file
from lasernet.errors import DataError, OptionError
from lasernet.options import options_of

SMALL: dict[str, dict[str, object]] = {  # options that make a quick set of each generator
    "laser": {"cells": "24,8,6", "spacing": 1e-5, "frames": 3, "grain_size": "3e-5:5e-5"},
    "voronoi": {"size": 16, "grains": "3,6"},
    "flow": {"cells": "16,16,3", "size": 1.8e-5, "fraction": "0.2:0.3", "sway": "1e-6"},
}
OPENED = {"laser": open_file, "voronoi": open_image_file, "flow": open_flow_file}


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", list(GENERATORS))
def test_a_generated_file_passes_its_checks_and_says_what_made_it(name: str, tmp_path: Path) -> None:
    path = generate(name, tmp_path / "set.h5", n=3, seed=3, **SMALL[name])
    assert all(check["ok"] for check in verify_file(path))
    with OPENED[name](path) as file:
        provenance = next(iter(file.cases.values())).provenance
    assert (provenance["generator"], provenance["n"], provenance["seed"]) == (name, 3, 3)
    assert provenance["options"].keys() == {option.name for option in options_of(GENERATORS[name].recipe)}
    for option, value in SMALL[name].items():
        told = value.replace(":", ",").split(",") if isinstance(value, str) else value
        kept = provenance["options"][option]
        assert kept == ([float(part) for part in told] if isinstance(told, list) else told)
    assert {"lasernet", "numpy", "numba", "scipy"} <= set(provenance["made_with"])


@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", list(GENERATORS))
def test_the_same_seed_gives_the_same_content_and_another_does_not(name: str, tmp_path: Path) -> None:
    hashes = []
    for number, seed in enumerate((0, 0, 1)):
        with OPENED[name](generate(name, tmp_path / f"{number}.h5", n=2, seed=seed, **SMALL[name])) as file:
            hashes.append(file.content_hash)
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_same_images_are_the_same_bytes(tmp_path: Path) -> None:
    first, again = (generate("voronoi", tmp_path / f"{n}.h5", n=5, **SMALL["voronoi"]) for n in range(2))
    assert first.read_bytes() == again.read_bytes()


def test_a_longer_set_begins_with_the_shorter_whatever_the_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = generate("voronoi", tmp_path / "short.h5", n=5, **SMALL["voronoi"])
    monkeypatch.setattr(module, "BLOCK_PIXELS", 3 * 16 * 16)
    long = generate("voronoi", tmp_path / "long.h5", n=11, **SMALL["voronoi"])
    with open_image_file(short) as one, open_image_file(long) as two:
        for field in ("image", "labels", "grains"):
            np.testing.assert_array_equal(one.cases["images"].read(field), two.cases["images"].read(field, slice(0, 5)))
        assert two.cases["images"].periodic
        assert len(set(two.cases["images"].groups)) == 11


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit(143), MemoryError])
def test_an_interruption_leaves_nothing(stop: BaseException, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise stop

    with pytest.raises(stop if isinstance(stop, type) else type(stop)):
        generate("voronoi", tmp_path / "set.h5", n=4, progress=interrupt, **SMALL["voronoi"])
    assert list(tmp_path.iterdir()) == []


def test_an_existing_file_stays_unless_it_may_be_replaced(tmp_path: Path) -> None:
    path = tmp_path / "set.h5"
    path.write_text("mine")
    with pytest.raises(DataError, match="exists already"):
        generate("voronoi", path, n=2, **SMALL["voronoi"])
    assert path.read_text() == "mine"
    generate("voronoi", path, n=2, overwrite=True, **SMALL["voronoi"])
    assert verify_file(path)


def test_presets_say_how_many_and_a_number_overrules_them() -> None:
    assert [recipe_of("voronoi", preset=name)["n"] for name in ("small", "default", "paper")] == [200, 14_000, 20_000]
    assert recipe_of("voronoi", preset="paper", n=5)["n"] == 5


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"name": "vornoi"}, "did you mean 'voronoi'"),
        ({"name": "voronoi", "preset": "smal"}, "did you mean 'small'"),
        ({"name": "voronoi", "n": 0}, "--n 0"),
        ({"name": "voronoi", "seed": -1}, "--seed -1"),
        ({"name": "voronoi", "sise": 4}, "did you mean 'size'"),
        ({"name": "voronoi", "size": "x"}, "expected int"),
    ],
)
def test_unknown_names_and_impossible_numbers_are_refused(arguments: dict, says: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=says):
        generate(arguments.pop("name"), tmp_path / "set.h5", **arguments)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("checked_before")
def test_verifying_covers_every_generator() -> None:
    found = {str(check["name"]).split("/")[0] for check in verify_generators()}
    assert found >= set(GENERATORS)
