"""Where a melt pool freezes: the regions of a frame in which a prediction is judged.

*Molten* always comes from the grains, never from the temperature: liquid cools far below liquidus before it
freezes, and a few solid cells are hotter than liquidus.
"""

from __future__ import annotations

from torch import Tensor

ACTIVE_MARGIN = 100.0  # K above liquidus up to which a molten cell still counts as one that may freeze
REGIONS = ("all", "active", "front", "newly_solid")


def regions(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """The regions of a batch of frame prediction, from what is known after the fact.

    Args:
        batch: ``molten`` (B, L, 1, H, W) of the context; ``target_molten``, ``future_temperature`` and ``mask``
            (B, 1, H, W); ``liquidus``, ``front_low``, ``front_high`` (B,) in K.

    Returns:
        Boolean masks (B, 1, H, W) by name: ``all``, ``active``, ``front``, ``newly_solid``.
    """
    molten, mask, future = batch["molten"][:, -1], batch["mask"], batch["future_temperature"]
    return {
        "all": mask,
        "active": active(molten, batch["target_molten"], future, batch["liquidus"]) & mask,
        "front": front(future, batch["front_low"], batch["front_high"]) & mask,
        "newly_solid": newly_solid(molten, batch["target_molten"]) & mask,
    }


def newly_solid(molten: Tensor, target_molten: Tensor) -> Tensor:
    """Cells that were molten and are solid one frame later."""
    return molten & ~target_molten


def may_freeze(molten: Tensor, future_temperature: Tensor, liquidus: Tensor) -> Tensor:
    """Molten cells that will be cooler than 100 K above liquidus: known without the answer, so a model may use it.

    Args:
        molten: bool, (B, 1, H, W), at frame t.
        future_temperature: K, (B, 1, H, W), at frame t+1.
        liquidus: K, (B,).
    """
    return molten & (future_temperature < per_item(liquidus) + ACTIVE_MARGIN)


def active(molten: Tensor, target_molten: Tensor, future_temperature: Tensor, liquidus: Tensor) -> Tensor:
    """Molten cells about which a decision is made: those that freeze, and those that might have."""
    return newly_solid(molten, target_molten) | may_freeze(molten, future_temperature, liquidus)


def front(future_temperature: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Cells whose temperature at t+1 lies in the front band, its ends included; bounds in K, (B,)."""
    return (future_temperature >= per_item(low)) & (future_temperature <= per_item(high))


def per_item(values: Tensor) -> Tensor:
    """One number per item, shaped to act on images: (B,) → (B, 1, 1, 1)."""
    return values.reshape(-1, 1, 1, 1)
