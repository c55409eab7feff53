"""Learning rate over training, as a function of the progress alone, so that resuming needs no history."""

from __future__ import annotations

import math

from lasernet.engine.settings import Training


def lr_factor(settings: Training, *, step: int, steps: int, steps_per_epoch: int, halvings: int) -> float:
    """The multiple of ``--lr`` for the update number ``step`` (from 0) of ``steps``.

    Args:
        halvings: how often the plateau schedule has halved the rate so far.

    Cosine: half a cosine to 0 over all updates. Warm restarts: cosine cycles whose length doubles, per epoch
    (Loshchilov & Hutter 2017). Exponential: ``decay`` per epoch.
    """
    if step < settings.warmup_steps:
        return (step + 1) / settings.warmup_steps
    epoch = step / steps_per_epoch
    if settings.schedule == "cosine":
        span = max(1, steps - settings.warmup_steps)
        return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - settings.warmup_steps) / span)))
    if settings.schedule == "warm-restarts":
        cycle = int(math.log2(epoch / settings.restart_epochs + 1))
        start = settings.restart_epochs * (2**cycle - 1)
        return 0.5 * (1 + math.cos(math.pi * (epoch - start) / (settings.restart_epochs * 2**cycle)))
    if settings.schedule == "exponential":
        return float(settings.decay ** int(epoch))
    if settings.schedule == "plateau":
        return float(0.5**halvings)
    return 1.0
