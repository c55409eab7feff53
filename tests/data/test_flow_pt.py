"""Published sets of flows as .pt files: read as data and never run, with units checked and pressures parted exactly."""

import json
import logging
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import numpy as np
import pytest

from lasernet.cli.app import main
from lasernet.data.flow_file import open_flow_file
from lasernet.data.importers import find_files, import_source
from lasernet.data.importers.flow_pt_case import split_pressure
from lasernet.data.verify import verify_file
from lasernet.errors import DataError, LasernetError, OptionError

torch = pytest.importorskip("torch")

ROWS, COLUMNS, SLICES, COUNT = 12, 16, 3, 2
SIZE = (32e-6, 24e-6, 15e-6)  # m: x, y, z
DENSITY, VISCOSITY = 1250.0, 0.5
FALL = 2e5  # Pa/m
WALL = 3  # rows of solid on either side
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def no_child(monkeypatch):
    """A child process takes seconds to start."""
    monkeypatch.setattr("lasernet.data.importers.flow_pt.check_in_child", lambda *given, **named: None)


def channel(slices: int | None = None, dtype=torch.float32) -> Tensors:
    """Flows between two walls along x, the second at twice the gradient; with ``slices``, in the layout of 3D sets."""
    rng = np.random.default_rng(1)
    height, length = SIZE[1], SIZE[0]
    y, x = (np.arange(ROWS) + 0.5) * height / ROWS, (np.arange(COLUMNS) + 0.5) * length / COLUMNS
    wall = WALL * height / ROWS
    fluid = np.repeat(((y > wall) & (y < height - wall))[:, None], COLUMNS, 1)
    profile = np.where(fluid, ((y - wall) * (height - wall - y))[:, None], 0) / 2
    falls = FALL * np.arange(1, COUNT + 1)[:, None, None]
    ripple = 0.01 * FALL * length * np.sin(2 * np.pi * (x - x[0]) / (x[-1] - x[0]))  # 0 at both ends
    depth = slices or 1
    velocity = np.zeros((COUNT, depth, 3, ROWS, COLUMNS))
    velocity[:, :, 0] = (falls / VISCOSITY * profile)[:, None]
    flat = velocity.copy()
    if slices:
        velocity[:, :, 2] = 0.05 * velocity[:, :, 0] * rng.standard_normal((COUNT, depth, 1, 1))
    pressure = np.where(fluid, falls * (length - x) + ripple, 0) / DENSITY
    known = FALL / VISCOSITY * profile.mean() * VISCOSITY / FALL
    tensors = {
        "domain": np.repeat(fluid[None, None, None], COUNT, 0).repeat(depth, 1),
        "U": velocity,
        "U_2d": flat,
        "p": pressure[:, None, None].repeat(depth, 1),
        "dxyz": np.array([SIZE] * COUNT),
        "permeability": np.full(COUNT, known),
    }
    if not slices:
        del tensors["U_2d"]
        tensors |= {name: tensors[name][:, 0] for name in ("domain", "U", "p")}
    return {name: torch.from_numpy(np.ascontiguousarray(value)).to(dtype) for name, value in tensors.items()}


def along_y(tensors: Tensors) -> Tensors:
    """The same flows along y: rows and columns, and the components, change places."""
    turned = {name: value.mT.contiguous() for name, value in tensors.items() if value.ndim > 3}
    for name in ("U", "U_2d"):
        if name in turned:
            turned[name] = turned[name][..., [1, 0, 2], :, :]
    return {**tensors, **turned, "dxyz": tensors["dxyz"][:, [1, 0, 2]]}


def save(folder: Path, tensors: Tensors) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in tensors.items():
        torch.save(value, folder / f"{name}.pt")
    return folder


def convert(source: Path, out: Path, **options) -> Path:
    return import_source(str(source), out, **options)


def test_a_2d_set_gives_a_case_for_each_sample_and_direction(tmp_path):
    flat = channel()
    save(tmp_path / "s" / "x", flat)
    save(tmp_path / "s" / "y", along_y(flat))
    path = convert(tmp_path / "s", tmp_path / "f.h5")
    with open_flow_file(path) as file:
        assert list(file.cases) == ["flow-00000-x", "flow-00000-y", "flow-00001-x", "flow-00001-y"]
        assert [case.group for case in file.cases.values()] == ["sample-0", "sample-0", "sample-1", "sample-1"]
        assert [case.axis for case in file.cases.values()] == [0, 1, 0, 1]
        one, turned = file.cases["flow-00001-x"], file.cases["flow-00001-y"]
        assert (one.shape, turned.shape) == ((1, ROWS, COLUMNS), (1, COLUMNS, ROWS))
        assert one.fields == ("mask", "velocity", "pressure")
        assert (one.location, one.viscosity) == ("centers", VISCOSITY)
        assert one.spacing == pytest.approx([2e-6, 2e-6, 15e-6])
        assert one.gradient == pytest.approx([2 * FALL, 0, 0], rel=1e-6)
        assert turned.gradient == pytest.approx([0, 2 * FALL, 0], rel=1e-6)
        np.testing.assert_array_equal(one.read("velocity")[:, 0], flat["U"][1])
        np.testing.assert_array_equal(turned.read("velocity")[1, 0], flat["U"][1, 0].T)
        np.testing.assert_array_equal(one.read("mask")[0], flat["domain"][1, 0] == 1)
        assert one.permeability[0] == pytest.approx(turned.permeability[1]) == pytest.approx(flat["permeability"][0])
        assert one.provenance["permeability_published"] == pytest.approx(one.permeability[0])
    assert [row["name"] for row in verify_file(path) if not row["ok"]] == []


@pytest.mark.parametrize("one_mask", [False, True])
@pytest.mark.usefixtures("no_child")
def test_a_3d_set_keeps_the_flow_of_its_slices(tmp_path, one_mask):
    volume = channel(SLICES)
    if one_mask:
        volume["domain"] = volume["domain"][:, 0]  # (N, 1, H, W), for all slices
    path = convert(save(tmp_path / "s", volume), tmp_path / "f.h5")
    with open_flow_file(path) as file:
        case = file.cases["flow-00001-x"]
        assert case.shape == (SLICES, ROWS, COLUMNS)
        assert case.fields == ("mask", "velocity", "velocity_2d", "pressure")
        np.testing.assert_array_equal(case.read("velocity"), np.moveaxis(volume["U"][1].numpy(), 0, 1))
        assert not case.read("velocity_2d")[2].any()
        assert case.spacing[2] == pytest.approx(5e-6)
    assert [row["name"] for row in verify_file(path) if not row["ok"]] == []
    other = convert(tmp_path / "s", tmp_path / "g.h5", slice_distance=4.5e-6, density=2500, viscosity=1.0)
    with open_flow_file(other) as file:
        case = file.cases["flow-00001-x"]
        assert case.spacing[2] == 4.5e-6
        assert case.gradient[0] == pytest.approx(4 * FALL, rel=1e-6)


def test_a_pressure_is_gradient_periodic_part_and_constant_exactly():
    rng = np.random.default_rng(0)
    fluid = rng.random((3, 7, 9)) > 0.3
    for axis, count, step in ((0, 9, 2e-6), (1, 7, 3e-6)):
        x = (np.arange(count) + 0.5) * step
        x = x if axis == 0 else x[:, None]
        total = 40.0 - 1e6 * x + rng.standard_normal(fluid.shape)
        gradient, periodic, constant = split_pressure(total, fluid, axis, step)
        np.testing.assert_allclose((constant - gradient * x + periodic)[fluid], total[fluid], rtol=1e-13)
        assert abs(periodic[fluid].mean()) < 1e-12
        assert not periodic[~fluid].any()
        first, last = (np.take(periodic, end, 2 - axis)[np.take(fluid, end, 2 - axis)].mean() for end in (0, -1))
        assert first == pytest.approx(last, abs=1e-12)  # so that the block can be repeated
        linear = split_pressure(np.broadcast_to(40.0 - 1e6 * x, fluid.shape), fluid, axis, step)
        assert (linear[0], linear[2]) == pytest.approx((1e6, 40.0), rel=1e-13)
        assert np.abs(linear[1]).max() < 1e-12


@pytest.mark.usefixtures("no_child")
def test_the_published_pressure_comes_back_from_what_is_stored(tmp_path):
    flat = channel(dtype=torch.float64)
    with open_flow_file(convert(save(tmp_path / "s", flat), tmp_path / "f.h5")) as file:
        for index, case in enumerate(file.cases.values()):
            fluid, x = case.read("mask"), (np.arange(COLUMNS) + 0.5) * case.spacing[0]
            periodic = case.read("pressure").astype(np.float64)
            total = case.provenance["pressure_constant"] - case.gradient[0] * x + periodic
            published = DENSITY * flat["p"][index].numpy()
            np.testing.assert_allclose(total[fluid], published[fluid], atol=1e-7 * np.abs(published).max())
            assert abs(periodic[fluid].mean()) < 1e-7 * np.abs(periodic).max()
            assert not periodic[~fluid].any()


@pytest.mark.usefixtures("no_child")
def test_without_pressure_the_user_or_the_permeability_gives_the_gradient(tmp_path):
    flat = channel()
    del flat["p"]
    with open_flow_file(convert(save(tmp_path / "s", flat), tmp_path / "f.h5")) as file:
        case = file.cases["flow-00001-x"]
        assert case.fields == ("mask", "velocity")
        assert case.gradient[0] == pytest.approx(2 * FALL, rel=1e-5)
        assert case.provenance["gradient_from"] == "permeability.pt"
    with open_flow_file(convert(tmp_path / "s", tmp_path / "g.h5", gradient=1.5 * FALL)) as file:
        assert file.cases["flow-00000-x"].gradient[0] == 1.5 * FALL
    (tmp_path / "s" / "permeability.pt").unlink()
    with pytest.raises(DataError, match="--gradient"):
        convert(tmp_path / "s", tmp_path / "h.h5")
    with pytest.raises(OptionError, match=r"p\.pt tells"):
        convert(save(tmp_path / "t", channel()), tmp_path / "h.h5", gradient=FALL)


@pytest.mark.usefixtures("no_child")
def test_what_lies_beside_the_tensors_is_told_by_the_first_case_alone(tmp_path, caplog):
    source = save(tmp_path / "s" / "x", channel()).parent
    statistics, splits = {"U": {"max": 0.1}}, {"train": [0], "val": [], "test": [1], "metadata": {"seed": 2024}}
    (source / "statistics.json").write_text(json.dumps(statistics))
    (source / "splits.json").write_text(json.dumps(splits))
    with open_flow_file(convert(source, tmp_path / "f.h5")) as file:
        first, second = file.cases.values()
        assert first.provenance["published"] == {"statistics.json": statistics, "splits.json": splits}
        assert "published" not in second.provenance
        told = file.content_hash
    for number, text in enumerate(("{", "[1]", '{"a": NaN}', '{"a": ' + "[" * 999 + "]" * 999 + "}", " " * (1 << 19))):
        (source / "splits.json").write_text(text)
        caplog.clear()
        with open_flow_file(convert(source, tmp_path / f"{number}.h5")) as file:
            assert list(next(iter(file.cases.values())).provenance["published"]) == ["statistics.json"]
            assert file.content_hash == told
        assert "splits.json" in caplog.text


@pytest.mark.usefixtures("no_child")
def test_sources_are_recognized(tmp_path):
    flat = channel()
    save(tmp_path / "s" / "x", flat)
    save(tmp_path / "s" / "y", along_y(flat))
    for source in ("s", "s/x", "s/x/U.pt", "s/y"):
        path = tmp_path / source
        assert find_files(str(path)) == ("flow-pt", [path if path.is_dir() else path.parent])
    with open_flow_file(convert(tmp_path / "s" / "y", tmp_path / "y.h5")) as file:
        assert list(file.cases) == ["flow-00000-y", "flow-00001-y"]
    shutil.make_archive(str(tmp_path / "d"), "zip", tmp_path, "s")
    with open_flow_file(convert(tmp_path / "d.zip", tmp_path / "z.h5")) as file:
        assert len(file.cases) == 4
    assert {item.name for item in tmp_path.iterdir()} == {"s", "d.zip", "y.h5", "z.h5"}


@pytest.mark.usefixtures("no_child")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_types_of_masks_and_repeated_sizes_make_no_difference(tmp_path, dtype):
    flat = channel(dtype=dtype)
    convert(save(tmp_path / "s", flat), tmp_path / "f.h5")
    with open_flow_file(tmp_path / "f.h5") as file:
        expected = file.content_hash
    for number, kind in enumerate((torch.bool, torch.uint8, torch.int64, torch.float16)):
        flat["domain"] = flat["domain"].to(kind)
        flat["dxyz"] = flat["dxyz"][:1].clone().expand(COUNT, -1)
        flat["permeability"] = flat["permeability"].reshape(COUNT, 1)
        with open_flow_file(convert(save(tmp_path / str(number), flat), tmp_path / f"{number}.h5")) as file:
            assert file.content_hash == expected


@pytest.mark.usefixtures("no_child")
def test_doubts_are_told_and_not_hidden(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    flat = channel()
    flat["U"][:, 0, 0] = 1e-3 * flat["U"][:, 0].max()  # in a wall
    flat["permeability"] *= 2
    save(tmp_path / "s" / "x", flat)
    save(tmp_path / "s" / "y", along_y(flat))
    with open_flow_file(convert(tmp_path / "s", tmp_path / "f.h5")) as file:
        case = file.cases["flow-00000-x"]
        assert not case.read("velocity")[:, ~case.read("mask")].any()
    assert "2 times those of the fields" in caplog.text
    assert "of 2 samples, x and y show different solids" in caplog.text
    assert "velocities in solid cells" in caplog.text


@pytest.mark.usefixtures("no_child")
def test_both_directions_of_one_geometry_raise_no_doubts(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    rows, columns = np.indices((ROWS, COLUMNS))
    fluid = (rows - 6) ** 2 + (columns - 8) ** 2 > 16
    for axis, drive in enumerate("xy"):
        velocity = np.zeros((1, 3, ROWS, COLUMNS))
        velocity[0, axis] = 1e-5 * fluid
        pressure = np.where(fluid, 20 - (columns, rows)[axis], 0)[None, None] / DENSITY
        tensors = {"domain": fluid[None, None], "U": velocity, "p": pressure, "dxyz": np.array([SIZE])}
        save(tmp_path / "s" / drive, {name: torch.from_numpy(value) for name, value in tensors.items()})
    with open_flow_file(convert(tmp_path / "s", tmp_path / "f.h5")) as file:
        one, other = file.cases.values()
        assert np.array_equal(one.read("mask"), other.read("mask"))
        assert (one.group, one.gradient.tolist(), other.gradient.tolist()) == (
            other.group, [pytest.approx(5e5), 0, 0], [0, pytest.approx(5e5), 0],
        )  # fmt: skip
    assert "lasernet.data.importers.flow_pt" not in caplog.text


class Canary:
    """Would leave a file behind if it were unpickled in earnest."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (Path.touch, (Path(self.path),))


def rezip(path, method=zipfile.ZIP_STORED, old=b"", new=b"", doubled=False):
    """Write the records of a .pt file again, compressed, doubled or changed."""
    with zipfile.ZipFile(path) as archive:
        records = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in records.items():
            archive.writestr(name, data.replace(old, new) if old and name.endswith("data.pkl") else data)
        if doubled:
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr(name, data)


def changed(name, change):
    def damage(folder):
        value = torch.load(folder / f"{name}.pt", weights_only=True)
        torch.save(change(value), folder / f"{name}.pt")

    return damage


def one(name, index, value):
    def change(tensor):
        tensor[index] = value
        return tensor

    return changed(name, change)


def cut(folder):
    path = folder / "U.pt"
    path.write_bytes(path.read_bytes()[:-700])


def flip(folder):
    """Change one bit of a velocity."""
    path = folder / "U.pt"
    data = bytearray(path.read_bytes())
    data[data.index(channel()["U"].numpy()[0, 0, WALL].tobytes()) + 1] ^= 4
    path.write_bytes(data)


def pipe(folder):
    (folder / "p.pt").unlink()
    os.mkfifo(folder / "p.pt")


HOSTILE = {
    "code": (lambda d: torch.save(Canary(d / "canary"), d / "U.pt"), "more or less than plain tensors"),
    "code in a dict": (lambda d: torch.save({"p": Canary(d / "canary")}, d / "p.pt"), "more or less"),
    "old pickle": (lambda d: (d / "p.pt").write_bytes(b"\x80\x02cos\nsystem\n(S'touch canary'\ntR."), "torch.save"),
    "empty": (lambda d: (d / "p.pt").write_bytes(b""), "torch.save"),
    "cut": (cut, "torch.save"),
    "one bit": (flip, "checksums"),
    "compressed": (lambda d: rezip(d / "U.pt", zipfile.ZIP_DEFLATED), "compressed"),
    "doubled record": (lambda d: rezip(d / "U.pt", doubled=True), "doubled"),
    # K pushes a byte, M two: pickles bear that the record grows
    "shape that lies": (lambda d: rezip(d / "U.pt", old=b"K\x0cK\x10", new=b"M\xff\xffM\xff\xff"), "more or less"),
    "huge expanded": (changed("U", lambda v: torch.ones(1).expand(10**4, 3, 10**4, 10**4)), "expected \\(10000, "),
    "expanded": (changed("U", lambda v: v[:1].clone().expand(2, 3, ROWS, COLUMNS)), "fewer are stored"),
    "sparse": (changed("p", lambda v: v.to_sparse()), "in memory"),
    "gradients": (changed("U", lambda v: v.requires_grad_()), "detach"),
    "a dict": (changed("p", lambda v: {"p": v}), "dict"),
    "whole numbers": (changed("U", lambda v: v.int()), "torch.int32"),
    "complex": (changed("p", lambda v: v + 0j), "complex64"),
    "fewer samples": (changed("p", lambda v: v[:1]), "expected \\(2, 1, 12, 16\\)"),
    "other rank": (changed("U", lambda v: v[0]), "expected a tensor with 4 or 5 axes"),
    "two components": (changed("U", lambda v: v[:, :2]), "expected \\(2, 3, 12, 16\\)"),
    "no samples": (changed("U", lambda v: v[:0]), "axes"),
    "other grid": (changed("domain", lambda v: v[..., 1:]), "domain.pt has shape"),
    "3D velocity alone": (changed("U", lambda v: v[:, None]), "p.pt is a tensor|p.pt has shape"),
    "nan": (one("U", (1, 0, 4, 4), float("nan")), "not finite"),
    "inf": (one("p", (0, 0, 4, 4), float("inf")), "not finite"),
    "overflow": (changed("U", lambda v: v.double() * 1e300), "above"),
    "gray mask": (one("domain", (1, 0, 5, 5), 0.5), "other values than 0 and 1"),
    "mask of solids": (changed("domain", lambda v: 1 - v), "where domain.pt is 0"),
    "empty mask": (changed("domain", lambda v: 0 * v), "0 everywhere"),
    "micrometers": (changed("dxyz", lambda v: v * 1e6), "dxyz.pt says"),
    "no length": (one("dxyz", (1, 2), 0.0), "dxyz.pt says"),
    "negative length": (one("dxyz", (1, 0), -1e-5), "dxyz.pt says"),
    "millimeters a second": (changed("U", lambda v: v * 1e3), "permeability"),
    "pressure in Pa": (changed("p", lambda v: v * DENSITY), "permeability.pt says"),
    "permeability in mm2": (changed("permeability", lambda v: v * 1e6), "permeability.pt says"),
    "negative permeability": (changed("permeability", lambda v: -v), "permeability.pt says"),
    "upstream": (changed("U", lambda v: -v), "expected a flow along \\+x"),
    "no flow": (changed("U", lambda v: 0 * v), "expected a flow along \\+x"),
    "across": (changed("U", lambda v: v[:, [1, 0, 2]]), "expected a flow along \\+x"),
    "pressure rises": (changed("p", lambda v: v.flip(-1)), "expected it to fall"),
    "blocked": (changed("domain", lambda v: v * (torch.arange(COLUMNS) > 0)), "no fluid at an end"),
    "a z component": (changed("U", lambda v: v[:, [0, 1, 0]]), "z component"),
    "no velocities": (lambda d: (d / "U.pt").unlink(), "has no U.pt"),
    "no sizes": (lambda d: (d / "dxyz.pt").unlink(), "has no dxyz.pt"),
    "no mask": (lambda d: (d / "domain.pt").unlink(), "holds no domain.pt"),
    "two places": (lambda d: save(d / "x", channel()), "expected one place"),
    "pipe": (pipe, "no regular file"),
    "dangling link": (lambda d: (d / "U_2d.pt").symlink_to(d / "nothing"), "cannot read"),
    "pipe beside": (lambda d: os.mkfifo(d / "splits.json"), "no regular file"),
}
IN_CHILD = ("code", "shape that lies", "huge expanded")


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.usefixtures("no_child")
def test_unsound_sets_give_one_error_and_run_nothing(tmp_path, name):
    check_refused(tmp_path, name)


@pytest.mark.parametrize("name", IN_CHILD)
def test_unsound_sets_are_stopped_by_the_checking_process(tmp_path, monkeypatch, name):
    monkeypatch.setattr("lasernet.data.importers.flow_pt_store.load_flows", None)  # not to be reached in this process
    check_refused(tmp_path, name)


def test_an_interpreter_of_its_own_checks_a_set(tmp_path, monkeypatch):
    monkeypatch.setattr("lasernet.data.quarantine.subprocess", subprocess)
    convert(save(tmp_path / "s", channel()), tmp_path / "f.h5")


def check_refused(tmp_path, name):
    source = save(tmp_path / "s", channel())
    damage, words = HOSTILE[name]
    damage(source)
    with pytest.raises(DataError, match=words) as caught:
        convert(source, tmp_path / "out.h5", format="flow-pt")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
    assert os.listdir(tmp_path) == ["s"]
    assert not (source / "canary").exists()


@pytest.mark.usefixtures("no_child")
def test_a_sample_that_is_damaged_late_leaves_nothing(tmp_path):
    source = save(tmp_path / "s", channel())
    one("p", (1, 0, 6, 6), float("nan"))(source)
    done = []
    with pytest.raises(DataError, match="sample 1 of x"):
        convert(source, tmp_path / "out.h5", progress=lambda *counts: done.append(counts))
    assert done == [(1, 2)]
    assert os.listdir(tmp_path) == ["s"]


@pytest.mark.parametrize("option", ["density", "viscosity", "gradient", "slice_distance"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_options_are_refused(tmp_path, option, value):
    with pytest.raises(OptionError, match=option.replace("_", " ")):
        convert(tmp_path, tmp_path / "out.h5", format="flow-pt", **{option: value})


def test_options_of_other_formats_are_refused(tmp_path):
    with pytest.raises(LasernetError, match="--density says nothing about the format images"):
        convert(tmp_path, tmp_path / "out.h5", format="images", density=1000.0)


@pytest.mark.usefixtures("no_child")
def test_the_command_line_takes_the_options(tmp_path, capsys):
    source, out = save(tmp_path / "s", channel()), tmp_path / "f.h5"
    words = ["data", "import", str(source), "--out", str(out), "--density", "1000", "--viscosity", "0.4"]
    with pytest.raises(SystemExit) as end:
        main([*words, "--slice-distance", "1e-6"])
    assert (end.value.code, capsys.readouterr().out.strip()) == (0, str(out))
    with open_flow_file(out) as file:
        case = file.cases["flow-00000-x"]
        assert (case.viscosity, case.spacing[2]) == (0.4, 1e-6)
        assert case.gradient[0] == pytest.approx(0.8 * FALL, rel=1e-6)
