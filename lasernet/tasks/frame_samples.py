"""Answers to the items of a split in the data layout, so that they can be data again; or as figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lasernet.data.layout import create_file
from lasernet.data.sequences import FIXED_AXIS, FrameData, FrameSplit
from lasernet.errors import OptionError
from lasernet.tasks.base import Answering, Request
from lasernet.tasks.frame_figures import predictions
from lasernet.tasks.frame_volumes import copied_ids, predict_rows, stack_slices


def sample(run: Answering, open: Callable[[], FrameData], folder: Path, request: Request) -> Path:
    """Predict items and write them: HDF5 in the data layout, a figure, or a directory of figures."""
    if request.seed is not None:
        raise OptionError(f"--seed {request.seed}: this model predicts, it draws nothing; leave --seed out")
    if request.options:
        raise OptionError(f"--{next(iter(request.options))}: this model predicts, it has no sampling options")
    name = request.split or "test"
    split = open().split(name)
    rows = _rows(len(split), request.n, request.item, name)
    target = request.out if request.out is not None else folder / f"samples{run.mark and '-' + run.mark}.h5"
    if target.suffix in (".h5", ".hdf5"):
        return write_samples(run, split, rows, target, overwrite=request.out is None)
    if target.suffix not in (".png", ""):
        raise OptionError(f"--out {target}: expected a name that ends in .h5 or .png, or a directory")
    if target.suffix == ".png":
        return predictions(run, split, rows[:1], target.parent, name=target.stem)[0]
    target.mkdir(parents=True, exist_ok=True)
    predictions(run, split, rows, target)
    return target


def _rows(count: int, n: int, item: int | None, split: str) -> list[int]:
    if item is not None:
        if not 0 <= item < count:
            raise OptionError(f"--item {item}: the {split} split has items 0 to {count - 1}")
        return [item]
    if n < 1:
        raise OptionError(f"--n {n}: expected at least 1")
    return list(range(min(n, count)))


def write_samples(
    run: Answering, split: FrameSplit, rows: Sequence[int], target: Path, *, overwrite: bool = False
) -> Path:
    """Predictions in the data layout, so that they can be data again.

    Items that fill a block of frames and slices of a case become one case of the file, others one case each.
    """
    answers, ids = predict_rows(run, split, rows), copied_ids(run, split, rows)
    data = split.data
    axis = FIXED_AXIS[data.plane]
    with create_file(target, kind="laser", overwrite=overwrite) as file:
        for case, frames, positions, places in _blocks(split.items[list(rows)]):
            track = data.tracks[case]
            source = track.case
            axes = [source.x, source.y, source.z]
            axes[axis] = axes[axis][positions]
            name = data.case_names[case].replace("/", "-")
            if len(places) < len(rows):
                name += f"-frame{frames[0]:04d}-slice{positions[0]:04d}"
            writer = file.add_case(
                name,
                x=axes[0],
                y=axes[1],
                z=axes[2],
                t=source.t[frames],
                material=source.material,
                solidus=source.solidus,
                liquidus=source.liquidus,
                front=source.front,
                scan_velocity=source.scan_velocity,
                ipf_key=source.ipf_key,
                group=source.group,
                provenance={"predicted_by": run.run.model_name, "source": source.content_hash, **run.asked},
                fields=("temperature", "ipf", "mask") if ids is None else ("temperature", "ipf", "mask", "grain_id"),
            )
            for index, frame in enumerate(frames):
                temperature, ipf, _, valid = (volume.take(positions, axis=axis - 3) for volume in track.frame(frame))
                chosen = [places[(frame, position)] for position in positions]
                volume = stack_slices(answers[chosen], data.plane)
                labels = {} if ids is None else {"grain_id": stack_slices(ids[chosen, None], data.plane)[0]}
                if data.task == "temperature":
                    temperature = volume[0]
                else:
                    ipf = np.rint(255 * volume.clip(0, 1)).astype(np.uint8)
                writer.write_frame(
                    index,
                    temperature=np.where(valid, temperature, np.float32("nan")),
                    ipf=np.where(valid, ipf, np.uint8(0)),
                    mask=valid,
                    **labels,
                )
    return target


def _blocks(items: NDArray[np.void]) -> list[tuple[int, list[int], list[int], dict[tuple[int, int], int]]]:
    """(case, frames, slices, (frame, slice) → place) of items: whole blocks where the items fill them."""
    blocks: list[tuple[int, list[int], list[int], dict[tuple[int, int], int]]] = []
    for case in dict.fromkeys(items["case"].tolist()):
        places = {(int(i["frame"]), int(i["slice"])): place for place, i in enumerate(items) if i["case"] == case}
        frames, positions = (sorted(set(values)) for values in zip(*places, strict=True))
        even = len(set(np.diff(positions).tolist())) < 2 and len(set(np.diff(frames).tolist())) < 2
        if even and len(places) == len(frames) * len(positions):
            blocks.append((case, frames, positions, places))
        else:
            blocks += [(case, [frame], [place], {(frame, place): at}) for (frame, place), at in places.items()]
    return blocks
