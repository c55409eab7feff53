"""The processes of one training: who am I, sums over all, and equal weights everywhere."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn

from lasernet.engine.settings import Training
from lasernet.errors import OptionError


def launched_processes() -> int:
    """How many processes a launcher around us started (1 without one)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def check_machine(settings: Training) -> None:
    """Refuse settings that this machine cannot fulfil, before anything is made.

    Raises:
        OptionError: for a device, a precision or a tracker that is not here.
    """
    available = _accelerators()
    if not available.get(settings.device, True):
        raise OptionError(f"--device {settings.device}: torch {torch.__version__} finds none here; use --device cpu")
    if settings.precision == "fp16" and (settings.device == "cpu" or not any(available.values())):
        raise OptionError("--precision fp16 needs a GPU; on the CPU use bf16 or fp32")
    if settings.track != "none" and importlib.util.find_spec(settings.track) is None:
        raise OptionError(
            f"--track {settings.track}: the package is not installed; pip install 'lasernet[{settings.track}]'"
        )


def _accelerators() -> dict[str, bool]:
    return {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}


class PartnerLost(Exception):
    """Another process of this training has ended; it, or the process that started it, says why."""

    exit_code = 2


@contextmanager
def _together() -> Iterator[None]:
    """A collective: it fails when a partner is gone."""
    try:
        yield
    except RuntimeError as error:
        raise PartnerLost(str(error)) from error


class Processes:
    """Accelerate's view of the devices and processes, and the few collectives that training needs.

    Gradients are summed over processes by :meth:`reduce_gradients` rather than by a DistributedDataParallel
    wrapper: a model has phases that train different parts, and items count alike in unequal shares.
    """

    def __init__(self, settings: Training) -> None:
        wanted, found = settings.num_processes, launched_processes()
        if found > 1 and wanted not in (1, found):
            raise OptionError(f"--num-processes {wanted}, but the launcher started {found}; make them equal")
        check_machine(settings)
        cpu = settings.device == "cpu" or not any(_accelerators().values())
        if found == 1:
            AcceleratorState._reset_state(reset_partial_state=True)  # an earlier training of this process may differ
        mixed = {"fp32": "no"}.get(settings.precision, settings.precision)
        self.accelerator = Accelerator(cpu=cpu, mixed_precision=mixed)
        self.count: int = self.accelerator.num_processes
        self.rank: int = self.accelerator.process_index
        self.device: torch.device = self.accelerator.device
        if self.count != max(found, 1):
            raise OptionError(f"{found} processes were started but {self.count} take part; check the launcher")

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[None]:
        """Mixed precision as asked for."""
        context: AbstractContextManager[None] = self.accelerator.autocast()
        return context

    def sum(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the processes."""
        if self.count == 1:
            return list(values)
        exact = torch.float32 if self.device.type == "mps" else torch.float64
        own = torch.tensor(list(values), dtype=exact, device=self.device)
        with _together():
            total: Tensor = self.accelerator.reduce(own, "sum")
        return [float(value) for value in total.tolist()]

    def any(self, flag: bool) -> bool:
        """Whether the flag is true in any process."""
        return self.sum([float(flag)])[0] > 0

    def share(self, text: str) -> str:
        """The main process's text, in all processes."""
        if self.count == 1:
            return text
        shared = broadcast_object_list([text])
        return str(shared[0])

    def reduce_gradients(self, module: nn.Module) -> None:
        """Replace every gradient by its sum over the processes, in one message."""
        if self.count == 1:
            return
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
        with _together():
            total = self.accelerator.reduce(flat, "sum")
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Go on when all processes are here."""
        if self.count > 1:
            with _together():
                self.accelerator.wait_for_everyone()

    def close(self) -> None:
        """Leave the group of processes; afterwards each is on its own."""
        if self.count > 1:
            self.wait()
            torch.distributed.destroy_process_group()
