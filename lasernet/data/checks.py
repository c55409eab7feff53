"""One line of ``data verify``: what was found, what was expected, and whether they agree."""

from __future__ import annotations


def check(name: str, value: object, reference: object, tolerance: float | None) -> dict[str, object]:
    """{"name", "value", "reference", "tolerance", "ok"}.

    Numbers agree within ``tolerance``; with tolerance None, and for hashes and texts, they agree exactly.
    """
    if isinstance(value, (int, float)) and isinstance(reference, (int, float)) and tolerance is not None:
        ok = abs(value - reference) <= tolerance
    else:
        ok = value == reference
    return {"name": name, "value": value, "reference": reference, "tolerance": tolerance, "ok": ok}
