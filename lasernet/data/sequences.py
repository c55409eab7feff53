"""Frame sequences: windows of slices cut from laser tracks, the items of frame prediction."""

from __future__ import annotations

import copy
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lasernet.data.derived import WITH_FRAME_BEFORE, Volume, derive
from lasernet.data.layout import Case, TrackFile, open_file
from lasernet.data.splits import SPLITS, all_tested, assign_groups, hash_items, time_targets
from lasernet.errors import DataError, OptionError
from lasernet.physics.nearest import mean_intercept

Batch = dict[str, Tensor]
ITEM = np.dtype([("case", "<i4"), ("slice", "<i4"), ("frame", "<i4")])
FIXED_AXIS = {"yz": 0, "xz": 1, "xy": 2}  # the axis along which slices are counted; images are [row, column]
ANSWERS = ("target", "target_molten")  # of a batch: what a model must not see
FUTURE = ("future_temperature", "beside_future_temperature")  # known where the temperature is given, else not
BESIDE = {"beside_1": 1, "beside_2": 2}  # inputs: fields of frame t in so many slices on either side
IMAGE_AXES = {"xz": ("z", "x"), "xy": ("y", "x"), "yz": ("z", "y")}


class FrameData:
    """Laser tracks, cut into slices and windows and split into train, val and test.

    Args:
        files: HDF5 files in the toolkit's layout.
        task: ``microstructure`` (target: colors of frame t+1) or ``temperature`` (target: its temperature).
        inputs: derived fields to add to the batches (see data/derived.py).

    Raises:
        DataError: if a file does not hold what the task needs, or the tracks do not fit together.
        OptionError: if the options leave nothing to train on.
    """

    def __init__(
        self,
        files: Sequence[Path],
        task: str = "microstructure",
        inputs: Sequence[str] = (),
        *,
        plane: Annotated[Literal["xz", "xy", "yz"], "plane of the slices"] = "xz",
        seq_length: Annotated[int, "context frames before each target"] = 3,
        split_ratio: Annotated[str, "train,val,test shares of frames (or of groups, by case)"] = "12,6,6",
        split_by: Annotated[
            Literal["time", "case", "random"], "cut each track in time, or keep groups whole: in order, or shuffled"
        ] = "time",
        windows: Annotated[
            Literal["target", "inside", "legacy"], "context may reach back, lies inside the split, or as published"
        ] = "target",
        first_frame: Annotated[int, "frames before this one are not used"] = 0,
        crop_depth: Annotated[
            float | None, "keep the top share of the height (large z), as 0.3; of xy slices, those in it"
        ] = None,
        split_seed: Annotated[int, "seed of --split-by random"] = 0,
        preload: Annotated[bool, "hold the tracks in memory"] = True,
    ) -> None:
        if seq_length < 1:
            raise OptionError(f"--seq-length {seq_length}: expected at least 1 context frame")
        if first_frame < 0:
            raise OptionError(f"--first-frame {first_frame}: expected 0 or more")
        self.plane, self.seq_length, self.task, self.preload = plane, seq_length, task, preload
        self.inputs = tuple(inputs)
        self.files = [Path(file) for file in files]
        self.tracks = _open_tracks(self.files, task, preload=preload, top=crop_depth)
        self.case_names = [
            track.name if len(self.files) == 1 else f"{track.path.stem}/{track.name}" for track in self.tracks
        ]
        self.groups = [track.case.group for track in self.tracks]
        self._check_shapes()
        self.hash = hashlib.sha256("".join(track.content_hash for track in self.tracks).encode()).hexdigest()
        self._items = self._cut(split_ratio, split_by, windows, first_frame, split_seed)
        self.split_hash = hash_items(self._items)

    def split(self, name: str) -> FrameSplit:
        """The windows of one split; ``all`` joins the three."""
        if name == "all":
            return FrameSplit(self, np.sort(np.concatenate([self._items[part] for part in SPLITS])))
        return FrameSplit(self, self._items[name])

    @property
    def spec(self) -> dict[str, dict[str, object]]:
        """Channels, unit and image shape of each field of a batch, and how many frames its context has."""
        shared = {"shape": self.image_shape(0), "frames": self.seq_length}
        fields = {"temperature": (1, "K"), "ipf": (9, "1")}
        return {name: {"channels": n, "unit": unit, **shared} for name, (n, unit) in fields.items()}

    def image_shape(self, case: int) -> tuple[int, int]:
        """Rows and columns of a slice of one case."""
        size = dict(zip("xyz", self.tracks[case].case.shape[1:], strict=True))
        rows, columns = IMAGE_AXES[self.plane]
        return size[rows], size[columns]

    def slice_count(self, case: int) -> int:
        """How many slices one case has."""
        return int(self.tracks[case].case.shape[1 + FIXED_AXIS[self.plane]])

    def slices_per_grain(self) -> int:
        """A grain's width in slices: 1.5 mean intercepts (a sphere's diameter), at least 1, over the first case."""
        track = self.tracks[0]
        frame = min(self.seq_length, track.case.shape[0] - 1)
        labels = track.labels(frame)
        width = 1.5 * mean_intercept(labels, FIXED_AXIS[self.plane])
        return max(1, int(np.ceil(width))) if np.isfinite(width) else 1

    def _check_shapes(self) -> None:
        shapes = {self.image_shape(index) for index in range(len(self.tracks))}
        if len(shapes) > 1:
            raise DataError(
                f"{self.plane} slices have different sizes ({', '.join(map(str, sorted(shapes)))}); "
                "expected one size in all files; train on one grid at a time, or choose another --plane"
            )

    def _cut(self, ratio: str, split_by: str, windows: str, first_frame: int, seed: int) -> dict[str, NDArray[np.void]]:
        owner: dict[str, str] = {}
        if split_by != "time":
            owner = assign_groups(self.groups, ratio=ratio, seed=seed if split_by == "random" else None)
        rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in SPLITS}
        for index, track in enumerate(self.tracks):
            frames = track.case.shape[0]
            if split_by == "time":
                targets = time_targets(frames, self.seq_length, ratio=ratio, windows=windows, first_frame=first_frame)
            else:
                skip = 1 if windows == "legacy" else 0
                every = list(range(first_frame + self.seq_length + skip, frames))
                targets = {name: every if name == owner[track.case.group] else [] for name in SPLITS}
            for name in SPLITS:
                rows[name] += [
                    (index, position, frame) for frame in targets[name] for position in range(self.slice_count(index))
                ]
        items = {name: np.array(rows[name], dtype=ITEM) for name in SPLITS}
        if not len(items["train"]) and not all_tested(ratio):
            raise OptionError(
                f"no training window: {self.tracks[0].case.shape[0]} frames, --split-ratio {ratio}, "
                f"--seq-length {self.seq_length}; shorten the sequence or give more frames"
            )
        return items


class FrameSplit:
    """The windows of one split; ``fetch`` makes batches in physical units.

    Attributes:
        items: structured array with ``case``, ``slice`` and ``frame`` (the target) of every window.
    """

    def __init__(self, data: FrameData, items: NDArray[np.void]) -> None:
        self.data = data
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, rows: int | Sequence[int]) -> Batch:
        return self.fetch([rows] if isinstance(rows, int) else rows)

    def fetch(self, rows: Sequence[int]) -> Batch:
        """The windows in ``rows`` as one batch; the notes on fields are in docs/data.md."""
        single = [self._window(int(row)) for row in rows]
        return {name: torch.stack([window[name] for window in single]) for name in single[0]}

    def _window(self, row: int) -> Batch:
        data = self.data
        case, position, frame = (int(value) for value in self.items[row])
        track = data.tracks[case]
        context = range(frame - data.seq_length, frame)
        views = [track.view(index, data.plane, position) for index in (*context, frame)]
        temperature, ipf, molten, valid = (torch.from_numpy(np.stack(field)) for field in zip(*views, strict=True))
        colors = ipf.to(torch.float32) / 255
        future = temperature[-1]
        info = track.case
        rows_axis, columns_axis = IMAGE_AXES[data.plane]
        window = {
            "temperature": temperature[:-1],
            "ipf": colors[:-1],
            "molten": molten[:-1],
            "valid": valid[:-1],
            "future_temperature": future,
            "target": future if data.task == "temperature" else colors[-1],
            "target_molten": molten[-1],
            "mask": valid[-1] & valid[-2],
            "solidus": torch.tensor(info.solidus, dtype=torch.float32),
            "liquidus": torch.tensor(info.liquidus, dtype=torch.float32),
            "front_low": torch.tensor(info.front[0], dtype=torch.float32),
            "front_high": torch.tensor(info.front[1], dtype=torch.float32),
            "cell_height": torch.tensor(track.spacing[rows_axis], dtype=torch.float32),
            "cell_width": torch.tensor(track.spacing[columns_axis], dtype=torch.float32),
            "cell_depth": torch.tensor(track.spacing["xyz"[FIXED_AXIS[data.plane]]], dtype=torch.float32),
            "time_step": torch.tensor(info.t[frame] - info.t[frame - 1], dtype=torch.float32),
            "item": torch.tensor(row),
        }
        for name in data.inputs:
            if name in BESIDE:
                window |= self._beside(case, position, frame - 1, reach=BESIDE[name])
            else:
                window[name] = torch.from_numpy(track.derived(name, frame - 1, data.plane, position))
        return window

    def _beside(self, case: int, position: int, frame: int, *, reach: int) -> Batch:
        """Slices on either side of one, at one frame; beyond the first and the last, nothing is valid.

        As everywhere, of the frame to come only the temperature is known.
        """
        data, track = self.data, self.data.tracks[case]
        places = [position + step for step in (*range(-reach, 0), *range(1, reach + 1))]
        inside = [0 <= place < data.slice_count(case) for place in places]
        clipped = [min(max(place, 0), data.slice_count(case) - 1) for place in places]
        views = [track.view(frame, data.plane, at) for at in clipped]
        temperature, ipf, molten, valid = (np.stack(field) for field in zip(*views, strict=True))
        future = np.stack([track.view(frame + 1, data.plane, at)[0] for at in clipped])
        there = np.array(inside).reshape(-1, 1, 1, 1)
        return {
            "beside_temperature": torch.from_numpy(temperature),
            "beside_future_temperature": torch.from_numpy(future),
            "beside_ipf": torch.from_numpy(ipf).to(torch.float32) / 255,
            "beside_molten": torch.from_numpy(molten & there),
            "beside_valid": torch.from_numpy(valid & there),
        }


def with_inputs(split: FrameSplit, inputs: Sequence[str]) -> FrameSplit:
    """The same windows, with other derived fields in their batches."""
    data = copy.copy(split.data)
    data.inputs = tuple(dict.fromkeys(inputs))
    return FrameSplit(data, split.items)


class Track:
    """One case of a file: slices of its frames, from memory or from disk.

    Args:
        top: the share of the height that is kept, from the top; None: all of it. Cells below do not exist for
            anyone: not for derived fields, baselines, metrics or figures.
    """

    def __init__(self, path: Path, name: str, file: TrackFile, *, preload: bool, top: float | None = None) -> None:
        self.path, self.name, self.preload, self.top = path, name, preload, top
        self._file, self._pid = file, os.getpid()
        whole = file.cases[name]
        self.case = whole if top is None else whole.top(top)
        axes = {"x": whole.x, "y": whole.y, "z": whole.z}
        self.spacing = {key: float(axis[1] - axis[0]) if len(axis) > 1 else 1.0 for key, axis in axes.items()}
        self._frames: dict[
            int, tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]
        ] = {}
        self._derived: dict[tuple[str, int], NDArray[np.generic]] = {}

    @property
    def content_hash(self) -> str:
        """Of what is used of the case: another one where cells are cut off."""
        levels, whole = len(self.case.z), len(self._file.cases[self.name].z)
        return self.case.content_hash if levels == whole else f"{self.case.content_hash} top {levels}"

    def frame(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
        """Temperature (K; the solidus where there is no point), ipf, molten and valid volumes of a frame."""
        if index not in self._frames:
            case = self._open()
            valid = case.valid(index)
            temperature = np.asarray(case.frame("temperature", index), dtype=np.float32)
            if not np.isfinite(temperature[valid]).all():
                raise DataError(
                    f"{self.path.name}: temperature of case '{self.name}', frame {index} is not finite in valid cells; "
                    "expected K everywhere that the mask is true; repair the source and import it again"
                )
            ipf = np.asarray(case.frame("ipf", index))
            found = (np.where(valid, temperature, np.float32(case.solidus)), ipf, case.molten(index), valid)
            if not self.preload:
                while len(self._frames) >= 8:
                    del self._frames[next(iter(self._frames))]
            self._frames[index] = found
        return self._frames[index]

    def view(self, index: int, plane: str, position: int) -> tuple[NDArray[np.generic], ...]:
        """One slice of a frame: temperature (1, H, W), ipf (9, H, W), molten and valid (1, H, W)."""
        temperature, ipf, molten, valid = self.frame(index)
        return (
            cut_slice(temperature[None], plane, position),
            cut_slice(ipf, plane, position),
            cut_slice(molten[None], plane, position),
            cut_slice(valid[None], plane, position),
        )

    def derived(self, name: str, index: int, plane: str, position: int) -> NDArray[np.float32]:
        """One slice of a derived field of frame ``index`` as float32 (C, H, W); colors in [0, 1]."""
        key = (name, index)
        volume = self._derived[key] if key in self._derived else self.derived_volume(name, index)
        if key not in self._derived:
            bulky = volume.ndim == 4 and volume.dtype == np.float32  # more than the frame itself
            kept = [at for at in self._derived if at[0] == name]
            if len(kept) >= 8 and (bulky or not self.preload):
                del self._derived[kept[0]]
            self._derived[key] = volume
        image = cut_slice(volume if volume.ndim == 4 else volume[None], plane, position)
        values: NDArray[np.float32] = image.astype(np.float32)
        return values / np.float32(255) if image.dtype == np.uint8 else values

    def derived_volume(self, name: str, index: int, *, until: int | None = None) -> NDArray[np.generic]:
        """A derived field of frame ``index`` as a volume; the scan moves on to frame ``until``, by default the next."""
        before = self._volume(index - 1, index) if index and name in WITH_FRAME_BEFORE else None
        frame = self._volume(index, index + 1 if until is None else until)
        return derive(name, **{**vars(frame), "before": before})

    def _volume(self, index: int, until: int) -> Volume:
        temperature, ipf, molten, valid = self.frame(index)
        return Volume(
            ipf=ipf,
            temperature=temperature,
            molten=molten,
            valid=valid,
            spacing=(self.spacing["x"], self.spacing["y"], self.spacing["z"]),
            velocity=self.case.scan_velocity,
            time_step=float(self.case.t[until] - self.case.t[index]),
        )

    def labels(self, index: int) -> NDArray[np.int64]:
        """Grain labels of a frame, 0 = molten or missing: ids where known, else one number per color."""
        case = self._open()
        if "grain_id" in case.fields:
            return np.asarray(case.frame("grain_id", index), dtype=np.int64)
        _, ipf, molten, valid = self.frame(index)
        code = np.zeros(molten.shape, dtype=np.int64)
        for channel in ipf[:7]:
            code = code * 256 + channel
        return np.where(valid & ~molten, code + 1, 0)

    def _open(self) -> Case:
        if self._pid != os.getpid():  # an HDF5 handle must not be shared with a forked worker
            self._file, self._pid = open_file(self.path, check=False), os.getpid()
            case = self._file.cases[self.name]
            self.case = case if self.top is None else case.top(self.top)
        return self.case


def cut_slice(volume: NDArray[Any], plane: str, position: int) -> NDArray[Any]:
    """Cut (C, X, Y, Z) at a position of the plane's fixed axis into an image (C, rows, columns)."""
    image: NDArray[Any] = volume.take(position, axis=1 + FIXED_AXIS[plane])
    return np.ascontiguousarray(image.swapaxes(1, 2))


def _open_tracks(files: Sequence[Path], task: str, *, preload: bool, top: float | None) -> list[Track]:
    needed = ("temperature", "ipf")
    tracks = []
    for path in files:
        file = open_file(path)
        for name, case in file.cases.items():
            missing = [field for field in needed if field not in case.fields]
            if missing:
                raise DataError(
                    f"{path.name}: case '{name}' has no field '{missing[0]}' (found: {', '.join(case.fields)}); "
                    f"the {task} task needs {' and '.join(needed)}; import a source that holds them"
                )
            tracks.append(Track(path, name, file, preload=preload, top=top))
    if not tracks:
        raise DataError(f"no case in {', '.join(path.name for path in files)}; expected at least one laser track")
    return tracks
