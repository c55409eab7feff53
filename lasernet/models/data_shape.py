"""The shape of the data for which a network without sliding weights is built: frames of the context, image size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from lasernet.errors import DataError, OptionError

Spec = Mapping[str, Mapping[str, Any]]


def context_frames(spec: Spec | None) -> int:
    """How many frames a context of these data has.

    Raises:
        OptionError: if the data do not say.
    """
    return int(_known(spec, "frames"))


def image_size(spec: Spec | None) -> tuple[int, int]:
    """Rows and columns of the images of these data.

    Raises:
        OptionError: if the data do not say.
    """
    rows, columns = _known(spec, "shape")
    return int(rows), int(columns)


def _known(spec: Spec | None, part: str) -> Any:
    found = (spec or {}).get("temperature", {}).get(part)
    if found is None:
        raise OptionError(
            f"the data do not say their {part}; expected sequences of frames, of whose shape the network is built; "
            "give spec, as open_dataset(...).spec"
        )
    return found


def check_shape(frames: Tensor, expected: tuple[int, ...]) -> None:
    """Refuse frames (B, L, …) of another shape than ``expected``, which has no B.

    Raises:
        DataError: if they differ.
    """
    if tuple(frames.shape[1:]) != expected:
        found = tuple(frames.shape[1:])
        raise DataError(
            f"frames, channels and image size are {found}; this network was built for {expected}; "
            "use data of that shape, or train on these"
        )
