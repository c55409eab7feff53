"""The processes of one training: who am I, sums over all, and equal weights everywhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

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


class Processes:
    """Accelerate's view of the devices and processes, and the few collectives that training needs.

    Gradients are summed over processes by :meth:`reduce_gradients` rather than by a DistributedDataParallel
    wrapper: a model has phases that train different parts, and items count alike in unequal shares.
    """

    def __init__(self, settings: Training) -> None:
        wanted, found = settings.num_processes, launched_processes()
        if found > 1 and wanted not in (1, found):
            raise OptionError(f"--num-processes {wanted}, but the launcher started {found}; make them equal")
        device = settings.device
        available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not available.get(device, True):
            raise OptionError(f"--device {device}: torch {torch.__version__} finds none here; use --device cpu")
        cpu = device == "cpu" or not any(available.values())
        if settings.precision == "fp16" and cpu:
            raise OptionError("--precision fp16 needs a GPU; on the CPU use bf16 or fp32")
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
        total: Tensor = self.accelerator.reduce(torch.tensor(list(values), dtype=exact, device=self.device), "sum")
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
        total = self.accelerator.reduce(flat, "sum")
        for gradient, part in zip(gradients, total.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def close(self) -> None:
        """Leave the group of processes; afterwards each is on its own."""
        if self.count > 1:
            self.accelerator.wait_for_everyone()
            torch.distributed.destroy_process_group()
