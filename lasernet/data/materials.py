"""Melting ranges of the materials that a track can be made of, and what is assumed when a source does not say."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from lasernet.errors import OptionError
from lasernet.registry import suggestion
from lasernet.simulate import materials as simulated


class AssumedWarning(UserWarning):
    """A value that the source does not carry was assumed; the message names the option that sets it."""


@dataclass(frozen=True)
class Material:
    """Where a material melts.

    ``source`` says where the numbers come from.
    """

    name: str
    solidus: float  # K
    liquidus: float  # K
    source: str

    @property
    def front(self) -> tuple[float, float]:
        """The band in which the solidification front is looked for by default, K."""
        return (self.liquidus - 60.0, self.liquidus)


MATERIALS = {
    name: Material(name, known.solidus, known.liquidus, known.source) for name, known in simulated.MATERIALS.items()
}
DEFAULT_MATERIAL = "316L"
DEFAULT_TIME_STEP = 22.5e-6  # s
DEFAULT_SCAN_SPEED = 0.8  # m/s


def find_material(name: str) -> Material:
    """The material of that name, whatever its case.

    Raises:
        OptionError: if there is none; the message suggests the closest one.
    """
    for known, material in MATERIALS.items():
        if known.lower() == name.lower():
            return material
    raise OptionError(
        f"no material named '{name}'; {suggestion(name, list(MATERIALS))}; or give --t-solidus and --t-liquidus"
    )


def choose_material(name: str | None, t_solidus: float | None, t_liquidus: float | None) -> tuple[Material, bool]:
    """The material that was asked for, by name or by two temperatures in K, and whether it was assumed.

    Raises:
        OptionError: if both ways are mixed, one temperature is missing, or solidus is not below liquidus.
    """
    if t_solidus is None and t_liquidus is None:
        if name is not None:
            return find_material(name), False
        material = MATERIALS[DEFAULT_MATERIAL]
        band = f"{material.name} (solidus {material.solidus:g} K, liquidus {material.liquidus:g} K)"
        warn_assumed("material", band, "--material, or --t-solidus and --t-liquidus")
        return material, True
    if name is not None or t_solidus is None or t_liquidus is None:
        raise OptionError("expected either --material or both --t-solidus and --t-liquidus; give one of the two ways")
    if not 0 < t_solidus < t_liquidus <= 1e5:
        raise OptionError(
            f"solidus {t_solidus:g} K and liquidus {t_liquidus:g} K; expected 0 < solidus < liquidus; correct them"
        )
    return Material("custom", float(t_solidus), float(t_liquidus), "given by the user"), False


def warn_assumed(what: str, value: str, option: str) -> None:
    """Say that a value was assumed, and which option states it."""
    warnings.warn(f"{what} assumed: {value}; the source does not say; set it with {option}", AssumedWarning, 4)
