"""Predicted volumes: slices put together again, as files of the data layout, VTI, CSV and animations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lasernet.data.layout import create_file
from lasernet.data.sequences import FIXED_AXIS, IMAGE_AXES, FrameSplit
from lasernet.tasks.frame_figures import Answering
from lasernet.viz.panels import Plane

BATCH = 16


def predict_rows(run: Answering, split: FrameSplit, rows: Sequence[int]) -> NDArray[np.float32]:
    """The answers to items, (N, C, H, W), in physical units."""
    parts = [
        run.predict(split.fetch(rows[start : start + BATCH])).float().numpy() for start in range(0, len(rows), BATCH)
    ]
    return np.concatenate(parts)


def stack_slices(images: NDArray[np.float32], plane: str) -> NDArray[np.float32]:
    """All slices (S, C, rows, columns) of a plane as a volume (C, X, Y, Z)."""
    return np.moveaxis(images.transpose(0, 1, 3, 2), 0, 1 + FIXED_AXIS[plane])


def write_samples(run: Any, split: FrameSplit, rows: Sequence[int], target: Path, *, overwrite: bool = False) -> Path:
    """Predictions in the data layout, so that they can be data again.

    Items that fill a block of frames and slices of a case become one case of the file, others one case each.
    """
    answers = predict_rows(run, split, rows)
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
                provenance={"predicted_by": run.run.model_name, "source": source.content_hash},
                fields=("temperature", "ipf", "mask"),
            )
            for index, frame in enumerate(frames):
                temperature, ipf, _, valid = (volume.take(positions, axis=axis - 3) for volume in track.frame(frame))
                images = np.stack([answers[places[(frame, position)]] for position in positions])
                volume = stack_slices(images, data.plane)
                if data.task == "temperature":
                    temperature = volume[0]
                else:
                    ipf = np.rint(255 * volume.clip(0, 1)).astype(np.uint8)
                writer.write_frame(
                    index,
                    temperature=np.where(valid, temperature, np.float32("nan")),
                    ipf=np.where(valid, ipf, np.uint8(0)),
                    mask=valid,
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
