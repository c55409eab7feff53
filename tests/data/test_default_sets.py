"""The cache of default sets: made once, found again, repaired, and shared by processes."""

import logging
import multiprocessing
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import pytest

from lasernet.data import default_sets, generate
from lasernet.data.default_sets import cache_folder, cached, default_voronoi
from lasernet.data.image_file import open_image_file
from lasernet.errors import DataError


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "lasernet"


def make_fewer(patch: pytest.MonkeyPatch) -> None:
    """Let the small set be one of 30 images, which takes a seventh of the time."""
    known = generate.GENERATORS["voronoi"]
    patch.setitem(generate.GENERATORS, "voronoi", replace(known, counts={**known.counts, "small": 30}))


@pytest.fixture
def fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    make_fewer(monkeypatch)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set as the cache keeps it."""
    with pytest.MonkeyPatch.context() as patch:
        make_fewer(patch)
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return default_voronoi(preset="small")


@pytest.fixture
def kept(cache: Path, made: Path, fewer: None) -> Path:
    """That set in the cache of this test."""
    cache.mkdir()
    return Path(shutil.copy(made, cache))


def test_the_folder_is_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "lasernet"
    monkeypatch.setenv("HOME", str(tmp_path / "me"))
    for no_folder in ("", "relative/place"):
        monkeypatch.setenv("XDG_CACHE_HOME", no_folder)
        assert cache_folder() == tmp_path / "me" / ".cache" / "lasernet"


def test_a_set_is_made_once_and_found_again(cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="lasernet")
    path = default_voronoi(preset="small")
    assert "once" in caplog.text
    stamp = path.stat().st_mtime_ns
    caplog.clear()
    assert default_voronoi(preset="small") == path
    assert path.stat().st_mtime_ns == stamp
    assert caplog.text == ""
    with open_image_file(path) as file:
        (images,) = file.cases.values()
        assert images.shape == (200, 64, 64)
        assert images.periodic
        assert 20 <= images.grains.min() <= images.grains.max() <= 40


@pytest.mark.parametrize("damage", ["bytes", "cut", "values"])
def test_a_damaged_set_is_made_anew_with_a_warning(kept: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    path = kept
    assert default_voronoi(preset="small") == path
    assert caplog.text == ""
    good = path.read_bytes()
    if damage == "bytes":
        middle = len(good) // 2
        path.write_bytes(good[:middle] + bytes(64) + good[middle + 64 :])
    elif damage == "cut":
        path.write_bytes(good[: len(good) // 2])
    else:
        with h5py.File(path, "r+") as file:
            file["cases/images/image"][3, 4, 5] ^= 1
    assert default_voronoi(preset="small") == path
    assert "damaged" in caplog.text
    assert path.read_bytes() == good


def test_another_version_of_a_generator_has_a_file_of_its_own(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cached("voronoi", preset="small") == kept
    known = generate.GENERATORS["voronoi"]
    newer = replace(known, version=known.version + 1)
    monkeypatch.setitem(generate.GENERATORS, "voronoi", newer)
    assert cached("voronoi", preset="small") != kept


def _ask(queue: "multiprocessing.Queue[tuple[str, bool]]") -> None:
    made = []

    def counted(*words: object, **options: object) -> Path:
        made.append(1)
        return generate.generate(*words, **options)  # type: ignore[arg-type]

    default_sets.generate = counted
    queue.put((str(default_voronoi(preset="small")), bool(made)))


@pytest.mark.usefixtures("fewer")
def test_of_two_processes_at_once_one_makes_the_set(cache: Path) -> None:
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    processes = [context.Process(target=_ask, args=(queue,)) for _ in range(2)]
    for process in processes:
        process.start()
    answers = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    assert answers[0][0] == answers[1][0]
    assert sorted(made for _, made in answers) == [False, True]
    assert [path.name for path in cache.glob("*") if not path.name.endswith(".lock")] == [Path(answers[0][0]).name]


def test_a_cache_that_cannot_be_made_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(DataError, match="XDG_CACHE_HOME"):
        default_voronoi(preset="small")
