"""lasernet: machine learning on the microstructure of materials.

The public names are few; each is imported when it is first used, so that ``import lasernet`` stays cheap.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

from lasernet.registry import register_loss, register_model

if TYPE_CHECKING:
    from lasernet.engine.evaluate import evaluate
    from lasernet.engine.loaded import load_run, open_dataset
    from lasernet.engine.sample import sample
    from lasernet.engine.train import train
    from lasernet.losses.base import Loss
    from lasernet.models.base import Model, Phase, count_parameters

__version__ = metadata.version("lasernet")

_HOMES = {
    "Loss": "lasernet.losses.base",
    "Model": "lasernet.models.base",
    "Phase": "lasernet.models.base",
    "count_parameters": "lasernet.models.base",
    "evaluate": "lasernet.engine.evaluate",
    "load_run": "lasernet.engine.loaded",
    "open_dataset": "lasernet.engine.loaded",
    "sample": "lasernet.engine.sample",
    "train": "lasernet.engine.train",
}

__all__ = [
    "Loss",
    "Model",
    "Phase",
    "__version__",
    "count_parameters",
    "evaluate",
    "load_run",
    "open_dataset",
    "register_loss",
    "register_model",
    "sample",
    "train",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'lasernet' has no attribute '{name}'")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return __all__
