"""What ``data info`` and ``data verify`` say of image sets."""

import json

import h5py
import numpy as np
import pytest

from lasernet.data.bundled import bundled_track
from lasernet.data.image_file import write_image_set
from lasernet.data.inspect import describe
from lasernet.data.reading import by_kind, kind_of
from lasernet.data.verify import verify_file
from lasernet.errors import DataError


def known(path, **options):
    """Four images of 2 x 4 pixels: a quarter black, a quarter white, half at 51."""
    image = np.array([[0, 0, 51, 51], [51, 51, 255, 255]], dtype=np.uint8)
    labels = np.array([[0, 0, 1, 1], [1, 1, 2, 2]], dtype=np.int32)
    stack = {"labels": np.stack([labels] * 4)} if options.pop("labelled", True) else {}
    return write_image_set(
        path, np.stack([image] * 4), groups=np.array([0, 0, 0, 1]), provenance={"a": 1}, **stack, **options
    )


def test_a_description_is_json_and_has_units_and_ranges(tmp_path):
    path = known(tmp_path / "a.h5", periodic=True, pixel_size=2e-6)
    told = json.loads(json.dumps(describe(path), allow_nan=False))
    case = told["cases"][0]
    assert (told["kind"], told["file"]) == ("images", "a.h5")
    assert case["shape"] == {"images": 4, "height": 2, "width": 4}
    assert case["fields"]["image"] == {"dtype": "uint8", "shape": [4, 2, 4], "unit": "1", "range": [0.0, 1.0]}
    assert case["fields"]["labels"]["range"] == [0, 2]
    assert case["gray"] == {"mean": pytest.approx(0.35), "share_black": 0.25, "share_white": 0.25}
    assert case["grains"] == {"mean": 2.0, "std": 0.0, "lowest": 2, "highest": 2}
    assert case["groups"] == {"count": 2, "smallest": 1, "largest": 3}
    assert (case["periodic"], case["pixel_size"], case["provenance"]) == (True, 2e-6, {"a": 1})


def test_what_is_not_known_is_null(tmp_path):
    case = describe(known(tmp_path / "a.h5", periodic=False, labelled=False))["cases"][0]
    assert (case["grains"], case["pixel_size"], case["periodic"]) == (None, None, False)
    assert list(case["fields"]) == ["image", "group"]


def test_kinds_are_told_apart(tmp_path):
    path = known(tmp_path / "a.h5", periodic=True)
    assert (kind_of(path), kind_of(bundled_track())) == ("images", "laser")
    with pytest.raises(DataError, match="holds 'images' data; expected laser or flow"):
        by_kind(path, {"laser": str, "flow": str})
    with h5py.File(path, "r+") as file:
        del file.attrs["kind"]
    with pytest.raises(DataError, match="no attribute 'kind'"):
        describe(path)


def test_a_sound_set_passes_every_check(tmp_path):
    checks = verify_file(known(tmp_path / "a.h5", periodic=True))
    assert all(check["ok"] for check in checks)
    assert len(checks) == 5
    assert all(check["ok"] for check in verify_file(known(tmp_path / "b.h5", periodic=True, labelled=False)))


@pytest.mark.parametrize(
    ("field", "value", "failing"),
    [
        ("image", 3, ["images/hash"]),
        ("labels", 9, ["images/hash", "images/images whose labels do not count their grains"]),
        ("labels", -3, ["images/hash", "images/pixels with a label below 0"]),
    ],
)
def test_changed_values_fail_their_checks(tmp_path, field, value, failing):
    path = known(tmp_path / "a.h5", periodic=True)
    with h5py.File(path, "r+") as file:
        file[f"cases/images/{field}"][1, 0, 0] = value
    failed = [check["name"] for check in verify_file(path) if not check["ok"]]
    assert set(failing) <= set(failed)
    assert field != "image" or failed == failing


def test_damaged_values_are_one_error(tmp_path):
    path = known(tmp_path / "a.h5", periodic=True)
    with h5py.File(path) as plain:
        chunk = plain["cases/images/image"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        verify_file(path)
    with pytest.raises(DataError, match="damaged"):
        describe(path)
