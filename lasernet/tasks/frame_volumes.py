"""Predicted volumes: slices put together again, as VTI, CSV and animations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.sequences import FIXED_AXIS, IMAGE_AXES, FrameSplit
from lasernet.tasks.base import Answering
from lasernet.viz.panels import Plane

BATCH = 16


def predict_rows(run: Answering, split: FrameSplit, rows: Sequence[int]) -> NDArray[np.float32]:
    """The answers to items, (N, C, H, W), in physical units."""
    parts = [
        run.predict(split.fetch(rows[start : start + BATCH])).float().numpy() for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def stack_slices(images: NDArray[Any], plane: str) -> NDArray[Any]:
    """All slices (S, C, rows, columns) of a plane as a volume (C, X, Y, Z)."""
    return np.moveaxis(images.transpose(0, 1, 3, 2), 0, 1 + FIXED_AXIS[plane])


def copied_ids(run: Answering, split: FrameSplit, rows: Sequence[int]) -> NDArray[np.int32] | None:
    """Grain ids of sharp answers, (N, rows, columns), 0 where molten; None where they cannot be known.

    They can if the model says which cell each cell is a copy of, nothing was done to its colors, and the file has ids.
    """
    tracks = {int(case): split.data.tracks[case] for case in np.unique(split.items["case"][list(rows)])}
    known = all("grain_id" in track.case.fields for track in tracks.values())
    if not (known and run.asked == {"sharp": True} and run.model.sources is not None):
        return None
    found = []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        for row, source in zip(part, run.model.sources(split.fetch(part)).cpu().numpy(), strict=True):
            case, position, frame = (int(value) for value in split.items[row])
            labels = np.moveaxis(tracks[case].labels(frame - 1), FIXED_AXIS[split.data.plane], 0)
            place = position + source[0].clip(-position, len(labels) - 1 - position)
            ids = labels.swapaxes(1, 2)[place, source[1], source[2]]  # images have rows from the second axis
            found.append(np.where(source[1] < 0, 0, ids))
    return np.stack(found).astype(np.int32)


def write_vti(run: Answering, split: FrameSplit, anchor: np.void, folder: Path) -> list[Path]:
    """Truth, prediction and error of one frame's volume for ParaView."""
    from lasernet.viz.vtk import write_vti as write

    volume, track, frame = _frame_volume(run, split, anchor)
    temperature, ipf, molten, valid = track.frame(frame)
    truth = temperature[None] if split.data.task == "temperature" else ipf.astype(np.float32) / 255
    fields = {
        "prediction": volume,
        "truth": truth,
        "squared_error": np.square(volume - truth).mean(0),
        "temperature": temperature,
        "molten": molten,
        "valid": valid,
    }
    case = track.case
    origin = (float(case.x[0]), float(case.y[0]), float(case.z[0]))
    spacing = (track.spacing["x"], track.spacing["y"], track.spacing["z"])
    return [write(folder / f"{_stem(split, anchor)}.vti", fields, origin=origin, spacing=spacing)]


def write_csv(run: Answering, split: FrameSplit, anchor: np.void, folder: Path) -> list[Path]:
    """The predicted volume of one frame as a point cloud that ``data import`` reads."""
    from lasernet.viz.points import write_csv as write

    volume, track, frame = _frame_volume(run, split, anchor)
    temperature, ipf, _, valid = track.frame(frame)
    colors = ipf.astype(np.float32) / 255
    if split.data.task == "temperature":
        temperature = volume[0]
    else:
        colors = volume.clip(0, 1)
    case = track.case
    path = folder / f"{_stem(split, anchor)}.csv"
    return [write(path, x=case.x, y=case.y, z=case.z, temperature=temperature, ipf=colors, valid=valid)]


def write_gif(run: Answering, split: FrameSplit, anchor: np.void, folder: Path) -> list[Path]:
    """One slice through time: truth in every frame, and the prediction where there is one."""
    from lasernet.viz.animate import slice_animation

    data = split.data
    case, position = int(anchor["case"]), int(anchor["slice"])
    track = data.tracks[case]
    items = split.items
    rows = np.flatnonzero((items["case"] == case) & (items["slice"] == position))
    answers = dict(zip(items["frame"][rows].tolist(), predict_rows(run, split, rows.tolist()), strict=True))
    views = [track.view(frame, data.plane, position) for frame in range(track.case.shape[0])]
    temperature = np.stack([view[0][0] for view in views])
    truth = (
        temperature[:, None] if data.task == "temperature" else np.stack([view[1] for view in views]) / np.float32(255)
    )
    rows_axis, columns_axis = IMAGE_AXES[data.plane]
    plane = Plane(
        spacing=(track.spacing[rows_axis], track.spacing[columns_axis]),
        origin=(float(getattr(track.case, rows_axis)[0]), float(getattr(track.case, columns_axis)[0])),
        axes=(rows_axis, columns_axis),
    )
    path = folder / f"animation-{data.case_names[case].replace('/', '-')}-s{position:03d}.gif"
    return [
        slice_animation(
            truth,
            [answers.get(frame) for frame in range(len(views))],
            path,
            plane=plane,
            times=track.case.t,
            temperature=temperature,
            liquidus=track.case.liquidus,
            valid=np.stack([view[3][0] for view in views]),
        )
    ]


def _frame_volume(run: Answering, split: FrameSplit, anchor: np.void) -> tuple[NDArray[np.float32], Any, int]:
    """The predicted volume (C, X, Y, Z) of the anchor's case and frame, its track, and the frame."""
    items, data = split.items, split.data
    case, frame = int(anchor["case"]), int(anchor["frame"])
    rows = np.flatnonzero((items["case"] == case) & (items["frame"] == frame))
    order = rows[np.argsort(items["slice"][rows])].tolist()
    return stack_slices(predict_rows(run, split, order), data.plane), data.tracks[case], frame


def _stem(split: FrameSplit, anchor: np.void) -> str:
    return f"prediction-{split.data.case_names[int(anchor['case'])].replace('/', '-')}-t{int(anchor['frame']):03d}"


VOLUMES = {"gif": write_gif, "vti": write_vti, "csv": write_csv}
