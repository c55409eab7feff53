"""What happens inside a network, and whether its answers are distributed like the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from lasernet.errors import DataError
from lasernet.viz.panels import Plane, colorbar, headroom, panel_size, place, write_title
from lasernet.viz.style import CYCLE, DIFFERENCE_MAP, FIELD_MAP, PAGE, new_figure, save, styled

BINS = 50


@styled
def activation_figure(
    layers: Mapping[str, np.ndarray],
    path: Path | str,
    *,
    channels: int = 8,
    aspect: float | None = None,
    title: str | None = None,
) -> Path:
    """The liveliest channels of each layer, one row per layer, one color scale per row.

    Channels are ordered by standard deviation; a channel without any variation is counted as dead.

    Args:
        layers: (C, H, W) of each layer, by its name.
        channels: how many of each layer are shown.
        aspect: width over height of the slice; left out: of the layer's own cells.

    Raises:
        DataError: if there is no layer, or one has another shape.
    """
    _check(layers)
    ratio = aspect or max(layer.shape[2] / layer.shape[1] for layer in layers.values())
    columns = min(channels, 8 if ratio < 2.5 else 4 if ratio < 6 else 2)
    left, right, gap, step, between = 1.0, 0.6, 0.06, 0.14, 0.14
    width, high = panel_size(
        (1, 1), Plane(spacing=(1.0, ratio)), height=1.2, width=(PAGE - left - right) / columns - gap
    )
    chosen = {}
    for name, layer in layers.items():
        spread = layer.reshape(layer.shape[0], -1).astype(np.float64).std(axis=1)
        chosen[name] = np.argsort(-spread, kind="stable")[:channels], int((spread == 0).sum())
    rows = {name: -(-len(picked) // columns) for name, (picked, _) in chosen.items()}
    tall = {name: max(0.4, count * (step + high)) for name, count in rows.items()}
    figure = new_figure(PAGE, headroom(title) - 0.1 + sum(tall.values()) + between * len(rows))
    top = headroom(title) - 0.1
    for name, layer in layers.items():
        picked, dead = chosen[name]
        low, peak = _color_limits(layer[picked])
        panels = []
        for number, channel in enumerate(picked):
            row, column = divmod(number, columns)
            axes = place(figure, left + column * (width + gap), top + step + row * (step + high), width, high)
            drawn = axes.imshow(
                layer[channel], cmap=DIFFERENCE_MAP if low < 0 else FIELD_MAP, vmin=low, vmax=peak, aspect="auto"
            )
            axes.set(xticks=[], yticks=[])
            axes.set_title(str(int(channel)), loc="left", fontsize=6.0, pad=1.5)
            panels.append(axes)
        figure.text(
            0.08 / PAGE,
            1 - (top + step) / figure.get_size_inches()[1],
            f"{name}\n{layer.shape[0]} × {layer.shape[1]} × {layer.shape[2]}" + (f"\n{dead} dead" if dead else ""),
            va="top",
            fontsize=6.5,
        )
        colorbar(figure, drawn, panels, label="")
        top += tall[name] + between
    write_title(figure, title)
    return save(figure, path)


@styled
def channel_histograms(
    truth: np.ndarray,
    prediction: np.ndarray,
    path: Path | str,
    *,
    names: Sequence[str],
    unit: str = "",
    valid: np.ndarray | None = None,
    bins: int = BINS,
    title: str | None = None,
) -> Path:
    """How the values of each channel are distributed in truth and prediction, over valid cells only.

    Args:
        truth, prediction: (…, C, H, W), all leading axes pooled.
        names: of the C channels.
        valid: (…, H, W) bool; left out: all.
    """
    if truth.shape != prediction.shape or truth.ndim < 3 or truth.shape[-3] != len(names):
        raise DataError(
            f"truth {truth.shape} and prediction {prediction.shape} with {len(names)} channel names; "
            "expected one shape (…, C, H, W) and C names"
        )
    counted = np.ones((*truth.shape[:-3], *truth.shape[-2:]), dtype=bool) if valid is None else valid.astype(bool)
    series = {}
    for index, name in enumerate(names):
        fields = {"truth": truth[..., index, :, :], "prediction": prediction[..., index, :, :]}
        series[name] = {label: field[counted & np.isfinite(field)] for label, field in fields.items()}
    return _histograms(series, path, bins=bins, label=f"value ({unit})" if unit else "value", title=title)


@styled
def activation_histograms(
    layers: Mapping[str, np.ndarray], path: Path | str, *, bins: int = BINS, title: str | None = None
) -> Path:
    """How the activations, (C, H, W), of each layer are distributed."""
    _check(layers)
    series = {name: {"activation": layer[np.isfinite(layer)]} for name, layer in layers.items()}
    return _histograms(series, path, bins=bins, label="activation", title=title)


def _check(layers: Mapping[str, np.ndarray]) -> None:
    if not layers:
        raise DataError("no layer was given; expected at least one array (C, H, W)")
    for name, layer in layers.items():
        if layer.ndim != 3 or layer.size == 0:
            raise DataError(f"layer '{name}' has shape {layer.shape}; expected (C, H, W), without empty axes")


def _color_limits(layer: np.ndarray) -> tuple[float, float]:
    """All but the outermost half percent of the values; symmetric about 0 if they have both signs."""
    low, high = (float(bound) for bound in np.nanquantile(layer, (0.005, 0.995)))
    if low < 0:
        high = max(-low, high)
        low = -high
    return low, high if high > low else low + 1.0


def _histograms(
    series: Mapping[str, Mapping[str, np.ndarray]], path: Path | str, *, bins: int, label: str, title: str | None
) -> Path:
    count = len(series)
    columns = min(3, count)
    rows = -(-count // columns)
    left, right, bottom, gap, between, high = 0.6, 0.12, 0.42, 0.42, 0.42, 1.15
    top = headroom(title or " ")
    width = (PAGE - left - right - gap * (columns - 1)) / columns
    figure = new_figure(PAGE, top + rows * high + (rows - 1) * between + bottom)
    for number, (name, fields) in enumerate(series.items()):
        row, column = divmod(number, columns)
        axes = place(figure, left + column * (width + gap), top + row * (high + between), width, high)
        values = [field for field in fields.values() if field.size]
        low = min((float(field.min()) for field in values), default=0.0)
        peak = max((float(field.max()) for field in values), default=1.0)
        edges = np.linspace(low, peak if peak > low else low + 1.0, bins + 1)
        for index, (key, field) in enumerate(fields.items()):
            share = np.histogram(field, bins=edges)[0] / max(1, field.size)
            axes.stairs(share, edges, fill=index == 0, color=CYCLE[index], alpha=0.35 if index == 0 else 1.0, label=key)
        axes.set(yscale="log" if values else "linear", xlim=(edges[0], edges[-1]))
        axes.set_title(name, loc="left")
        axes.spines[["top", "right"]].set_visible(False)
        if column == 0:
            axes.set_ylabel("share of cells")
        if number + columns >= count:
            axes.set_xlabel(label)
        if number == 0 and len(fields) > 1:
            full = figure.get_size_inches()
            figure.legend(
                loc="upper right", bbox_to_anchor=(1 - right / full[0], 1 - 0.05 / full[1]), ncols=2, borderpad=0
            )
    write_title(figure, title)
    return save(figure, path)
