"""The house style of every figure: small sans-serif type, thin lines, colors that the color-blind tell apart."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from cycler import cycler
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import ImageFont

from lasernet.atomic import atomic_path
from lasernet.errors import OptionError

DPI = 300
PAGE = 7.2  # inches: the text width of a journal page
CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")  # Okabe & Ito (2008)
INK = "#222222"
QUIET = "#8A8A8A"
MASKED, MASKED_HATCH = "#C4C4C4", "#A8A8A8"
TEMPERATURE_MAP, ERROR_MAP, DIFFERENCE_MAP, FIELD_MAP = "inferno", "Reds", "PuOr_r", "viridis"

SETTINGS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # ships with matplotlib, so figures look alike everywhere
    "font.size": 7.5,
    "axes.titlesize": 7.5,
    "axes.labelsize": 7.5,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "figure.titlesize": 8.5,
    "axes.prop_cycle": cycler(color=CYCLE),
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2.0,
    "ytick.major.pad": 2.0,
    "axes.labelpad": 2.0,
    "axes.titlepad": 3.0,
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "savefig.dpi": DPI,
    "figure.dpi": DPI,
    "image.interpolation": "nearest",
    "image.origin": "lower",
    "svg.hashsalt": "lasernet",
}

_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}

P = ParamSpec("P")
R = TypeVar("R")


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw in the house style, whatever the user's own matplotlib settings are, and leave those as they were."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.rc_context():
            matplotlib.rcdefaults()
            matplotlib.rcParams.update(SETTINGS)
            return draw(*args, **kwargs)

    return wrapper


@cache
def pixel_font(size: int) -> ImageFont.FreeTypeFont:
    """The type of the figures, so many pixels high, for pictures that are painted pixel by pixel."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), size)


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of so many inches, rounded to whole pixels, outside pyplot's bookkeeping."""
    figure = Figure(figsize=(round(width * DPI) / DPI, round(height * DPI) / DPI), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure as its suffix says (png, pdf or svg): whole or not at all, and the same bytes every time.

    Raises:
        OptionError: if the suffix is another one.
    """
    target = Path(path)
    kind = target.suffix.removeprefix(".").lower()
    if kind not in _METADATA:
        raise OptionError(f"no figure can be written as '{target.name}'; end the name in .png, .pdf or .svg")
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as temporary:
        figure.savefig(temporary, format=kind, dpi=DPI, metadata=_METADATA[kind])
    return target
