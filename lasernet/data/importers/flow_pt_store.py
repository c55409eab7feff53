"""Published sets of flows as ``.pt`` files: which tensors belong together, and the shapes they must have.

``flow_pt.import_flow_pt`` runs this file as a script in a child process with limits before it maps the tensors itself.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lasernet.data.container import MAX_CASES, Refused, limited
from lasernet.data.importers.tensor_files import FLOATS, SECONDS, load_tensors, require_tensor, tensor_shape

NAMES = ("domain", "U", "U_2d", "p", "dxyz", "permeability")
NEEDED = ("domain", "U", "dxyz")
DRIVES = ("x", "y")
LARGEST = 1e9  # of any value: far above every flow of a resin, and far below where numbers overflow
EXACT = ("float32", "float64")  # a float16 rounds micrometers to 0.1 % and permeabilities to 0
MASKS = ("bool", "uint8", "int8", "int16", "int32", "int64", *FLOATS)


@dataclass(frozen=True)
class Sample:
    """One flow as published.

    Attributes:
        fluid: (Z, Y, X) bool.
        size: of the block along x, y, z, m.
        velocity, velocity_2d: m/s, (3, Z, Y, X), component a in the centers of the cells.
        pressure: over the density, m²/s², (Z, Y, X).
        permeability: m².
    """

    fluid: NDArray[np.bool_]
    size: NDArray[np.float64]
    velocity: NDArray[np.float32]
    velocity_2d: NDArray[np.float32] | None
    pressure: NDArray[np.float64] | None
    permeability: float | None


@dataclass(frozen=True)
class Flows:
    """The flows that one folder holds, all driven along one axis; tensors still on disk.

    Attributes:
        drive: x, along the columns, or y, along the rows.
        domain: 1 in the fluid, (N, Z, 1, H, W), or with one slice for all Z.
        velocity, velocity_2d: (N, Z, 3, H, W).
        pressure: (N, Z, 1, H, W).
        size: (N, 3); ``permeability``: (N,).
    """

    drive: str
    domain: torch.Tensor
    velocity: torch.Tensor
    velocity_2d: torch.Tensor | None
    pressure: torch.Tensor | None
    size: torch.Tensor
    permeability: torch.Tensor | None

    def __len__(self) -> int:
        return len(self.velocity)

    def read(self, index: int) -> Sample:
        """Sample number ``index``.

        Raises:
            Refused: if it holds anything but finite numbers, or a mask of other values than 0 and 1.
        """
        where = f"sample {index} of {self.drive}"
        mask = self.domain[index, :, 0].numpy()
        if not np.isin(mask, (0, 1)).all():
            raise Refused(f"domain.pt holds other values than 0 and 1 in {where}; expected 1 in the fluid")
        fluid = np.broadcast_to(mask.astype(bool), (self.velocity.shape[1], *mask.shape[1:]))
        known = None if self.permeability is None else _finite(self.permeability[index], "permeability.pt", where)
        return Sample(
            fluid=fluid,
            size=_finite(self.size[index], "dxyz.pt", where).astype(np.float64),
            velocity=_vectors(self.velocity[index], "U.pt", where),
            velocity_2d=None if self.velocity_2d is None else _vectors(self.velocity_2d[index], "U_2d.pt", where),
            pressure=None
            if self.pressure is None
            else _finite(self.pressure[index, :, 0], "p.pt", where).astype(np.float64),
            permeability=None if known is None else float(known),
        )


def _vectors(values: torch.Tensor, what: str, where: str) -> NDArray[np.float32]:
    """(Z, 3, Y, X) as stored → (3, Z, Y, X)."""
    return np.moveaxis(_finite(values, what, where), 1, 0).astype(np.float32)


def _finite(values: torch.Tensor, what: str, where: str) -> NDArray[Any]:
    found: NDArray[Any] = values.numpy()
    if not (np.abs(found) <= LARGEST).all():
        raise Refused(f"{what} holds values in {where} that are not finite or above {LARGEST:g}; expected SI units")
    return found


def folders(directory: Path) -> dict[str, Path]:
    """Where the flows along x and along y lie: in folders of these names, or in the directory itself.

    A directory that is called y holds flows along y, any other flows along x.

    Raises:
        Refused: if nothing is there, or in both places.
    """
    below = {drive: directory / drive for drive in DRIVES if (directory / drive / "domain.pt").exists()}
    here = (directory / "domain.pt").exists()
    if here and below:
        raise Refused(f"'{directory.name}' holds domain.pt, and so does {'/'.join(below)}; expected one place; part it")
    if not here and not below:
        raise Refused(f"'{directory.name}' holds no domain.pt, nor its folders x and y; expected a published set")
    return below or {"y" if directory.name == "y" else "x": directory}


def files_of(folder: Path) -> dict[str, Path]:
    """The files of one folder.

    Raises:
        Refused: if one is missing that every set has.
    """
    found = {name: folder / f"{name}.pt" for name in NAMES if os.path.lexists(folder / f"{name}.pt")}
    missing = [f"{name}.pt" for name in NEEDED if name not in found]
    if missing:
        raise Refused(f"'{folder.name}' has no {' and no '.join(missing)} beside domain.pt; expected a whole set")
    return found


def load_flows(directory: Path) -> list[Flows]:
    """Map the tensors of a set and check their types, shapes and storage; reads no values.

    Raises:
        Refused: what was found, what was expected.
    """
    parts = [_load_folder(drive, folder) for drive, folder in folders(directory).items()]
    count = sum(map(len, parts))
    if count > MAX_CASES:
        raise Refused(f"the set holds {count} flows; expected at most {MAX_CASES}; save it in parts")
    return parts


def _load_folder(drive: str, folder: Path) -> Flows:
    loaded = {name: load_tensors(path) for name, path in files_of(folder).items()}

    def taken(name: str, channels: int) -> torch.Tensor:
        shape = (*grid[:-3], channels, *grid[-2:])
        require_tensor(loaded[name], f"{folder.name}/{name}.pt", FLOATS, shape)
        value: torch.Tensor = loaded[name]
        return value if len(shape) == 5 else value[:, None]

    grid = tensor_shape(loaded["U"], f"{folder.name}/U.pt", 4, 5)
    count = grid[0]
    flat = (count, 1, *grid[-2:])
    domain = loaded["domain"]
    shape = tensor_shape(domain, f"{folder.name}/domain.pt", 4, len(grid))
    require_tensor(domain, f"{folder.name}/domain.pt", MASKS, flat if len(shape) == 4 else (*grid[:2], *flat[1:]))
    require_tensor(loaded["dxyz"], f"{folder.name}/dxyz.pt", EXACT, (count, 3), repeated=True)
    known = loaded.get("permeability")
    if known is not None:
        tensor_shape(known, f"{folder.name}/permeability.pt", 1, 2)
        known = known.squeeze(-1) if known.ndim == 2 else known
        require_tensor(known, f"{folder.name}/permeability.pt", EXACT, (count,), repeated=True)
    return Flows(
        drive=drive,
        domain=domain if len(shape) == 5 else domain[:, None],
        velocity=taken("U", 3),
        velocity_2d=taken("U_2d", 3) if "U_2d" in loaded else None,
        pressure=taken("p", 1) if "p" in loaded else None,
        size=loaded["dxyz"],
        permeability=known,
    )


if __name__ == "__main__":
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    sys.exit(limited(lambda: (load_flows(Path(sys.argv[1])), None)[1], memory=int(sys.argv[2]), seconds=int(SECONDS)))
