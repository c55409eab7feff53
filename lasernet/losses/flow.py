"""What losses on flows share: a flow beside its truth in units of the truth, and sums of items over their size."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lasernet.errors import OptionError
from lasernet.losses.base import Batch, require_field, widened
from lasernet.nn.stencils import COMPONENTS, places


@dataclass(frozen=True)
class ScaledFlow:
    """A prediction and its truth in units in which both are of order one, so that single precision is enough.

    Attributes:
        prediction, truth: velocities in units of the truth's largest component, 0 where there is no flow,
            (B, 3, Z, Y, X).
        free: where there can be flow, bool, (B, 3, Z, Y, X): open faces, or fluid cells.
        fluid: cells, bool, (B, 1, Z, Y, X).
        spacing: in units of the item's smallest, (B, 3).
        faces: bool, (B,).
    """

    prediction: Tensor
    truth: Tensor
    free: Tensor
    fluid: Tensor
    spacing: Tensor
    faces: Tensor


def scaled_flow(loss: str, prediction: Tensor, target: Tensor, batch: Batch) -> ScaledFlow:
    """The velocities that a loss compares.

    Args:
        prediction, target: (B, 3, Z, Y, X), in any unit that both share; need not be finite where there is no flow.

    Raises:
        OptionError: if they are no velocities, or the batch does not say where and how far apart they are.
    """
    require_velocity(loss, prediction)
    faces, spacing = (require_field(loss, batch, name) for name in ("faces", "spacing"))
    free = places(batch["mask"], faces)
    truth = widened(torch.where(free, target, 0))
    unit = largest(truth)
    return ScaledFlow(
        prediction=widened(torch.where(free, prediction, 0)) / unit,
        truth=truth / unit,
        free=free,
        fluid=batch["mask"],
        spacing=spacing / spacing.amin(1, keepdim=True),
        faces=faces,
    )


def require_velocity(loss: str, prediction: Tensor) -> None:
    """Refuse a loss on velocities for a task that answers something else.

    Raises:
        OptionError: unless there are three channels.
    """
    if prediction.shape[1] != COMPONENTS:
        raise OptionError(
            f"--loss {loss} judges velocities ({COMPONENTS} channels), this task answers {prediction.shape[1]}; "
            "choose a loss for any field, as mse or nmae"
        )


def largest(values: Tensor) -> Tensor:
    """Largest absolute value of every item, to divide it by, (B, 1, …); 1 for an item that is 0 everywhere."""
    size = values.detach().abs().amax(tuple(range(1, values.ndim)), keepdim=True)
    return torch.where(size >= torch.finfo(size.dtype).tiny, size, 1)


def item_sums(values: Tensor) -> Tensor:
    """Of all cells and channels of every item, (B,)."""
    return values.flatten(1).sum(1)


def relative(totals: Tensor, sizes: Tensor) -> Tensor:
    """Mean over items of what is judged over the size of the truth, (B,) each; an item without size counts as 0."""
    return torch.where(sizes > 0, totals / torch.where(sizes > 0, sizes, 1), 0).mean()
