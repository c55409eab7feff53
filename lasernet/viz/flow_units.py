"""Units with the prefix that leaves few digits: 0.0000023 m/s is 2.3 µm/s."""

from __future__ import annotations

import numpy as np

PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G"}


def prefixed(largest: float, unit: str) -> tuple[float, str]:
    """By what values in an SI unit are multiplied, and the unit they then have.

    Args:
        largest: value that shall have one to three digits before the point, in the unit without a prefix.
        unit: such as ``m/s`` or ``Pa``; the prefix goes before its first letter.
    """
    if not (np.isfinite(largest) and largest > 0):
        return 1.0, unit
    power = int(np.clip(3 * np.floor(np.log10(largest) / 3 + 1e-9), min(PREFIXES), max(PREFIXES)))
    return float(10.0**-power), PREFIXES[power] + unit


def percent(share: float | None, *, sign: bool = False) -> str:
    """A share in percent, three figures; a dash where it is unknown.

    Args:
        sign: whether a positive share gets a plus.
    """
    if share is None or not np.isfinite(share):
        return "–"
    shown = f"{100 * share:{'+' if sign else ''}.3g}" if abs(share) < 10 else f"{100 * share:{'+' if sign else ''}.0f}"
    return f"{shown.replace('-', '−')} %"
