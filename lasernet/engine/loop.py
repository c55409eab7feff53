"""The one training loop: supervised models, autoencoders, diffusion and GANs are phases of an update."""

from __future__ import annotations

import math
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lasernet.data.base import Batch, Data
from lasernet.engine.checkpoint import Average, pack_checkpoint, pack_weights, restore_checkpoint
from lasernet.engine.film import Film
from lasernet.engine.loading import Batches, Rows, epoch_order, in_order, item_seeds, share_of, stream, to_device
from lasernet.engine.parallel import Processes
from lasernet.engine.progress import Progress, Reporter
from lasernet.engine.schedule import lr_factor
from lasernet.engine.settings import Training
from lasernet.engine.signals import Stopped, StopRequest
from lasernet.errors import Diverged
from lasernet.losses.base import Criterion
from lasernet.models.base import Model, Phase
from lasernet.run import BEST, LAST, Run

CHECKPOINT_SECONDS = 30.0  # between checkpoints at the ends of epochs


class Loop:
    """Trains a model into a run; everything that must survive a stop is in ``progress`` or in tensors.

    Args:
        data: the opened data, with ``split(name)``.
    """

    def __init__(
        self,
        run: Run,
        model: Model,
        criterion: Criterion | None,
        data: Data,
        settings: Training,
        *,
        processes: Processes,
        stop: StopRequest,
        reporter: Reporter,
    ) -> None:
        self.run, self.model, self.criterion, self.settings = run, model, criterion, settings
        self.processes, self.stop, self.reporter = processes, stop, reporter
        self.train_split, self.val_split = data.split("train"), data.split("val")
        self.phases = model.phases()
        self.learnable = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.optimizers = [processes.accelerator.prepare(self._optimizer(phase)) for phase in self.phases]
        self.average = Average(model, settings.ema) if settings.ema else None
        self.progress = Progress()
        self.film = Film(run, model)
        self.rows: list[dict[str, Any]] = []
        self.best: bytes | None = None
        batches = math.ceil(len(self.train_split) / settings.batch_size)
        self.steps_per_epoch = math.ceil(batches / settings.accumulate)
        self.steps = settings.epochs * self.steps_per_epoch if self.phases else 0
        if settings.max_steps:
            self.steps = min(self.steps, settings.max_steps)
        self._session, self._saved = (time.monotonic(), time.process_time()), time.monotonic()

    # -- the loop ----------------------------------------------------------------------------

    def restore(self, files: dict[str, bytes]) -> None:
        """Go back to a checkpoint."""
        restore_checkpoint(self, files)

    def train(self) -> None:
        """Train to the end, with a checkpoint when a signal asks to stop.

        Raises:
            Stopped: after that checkpoint.
            Diverged: if a loss or a weight is not finite; nothing of it is saved.
        """
        self.stop.deferred = True
        self._session, self._saved = (time.monotonic(), time.process_time()), time.monotonic()
        if self.progress.step == 0:
            self._take_frame()
        try:
            updates: Iterator[list[Batch]] = iter(())
            while True:
                if self._epoch_ends() and self.progress.judged != self.progress.step:
                    self._finish_epoch()
                if self._done():
                    break
                batches = next(updates, None)
                if batches is None:
                    updates = self._updates()
                    batches = next(updates)
                self._update(batches)
                self._look_for_stop()
                if self.settings.checkpoint_every and self.progress.step % self.settings.checkpoint_every == 0:
                    self.save()
        except Stopped:
            self.save()
            raise
        finally:
            self.stop.deferred = False
        self.save()

    def _done(self) -> bool:
        patience = self.settings.early_stopping
        return self.progress.step >= self.steps or bool(patience and self.progress.worse_epochs >= patience)

    def _epoch_ends(self) -> bool:
        step = self.progress.step
        return step >= self.steps or (step > 0 and step % self.steps_per_epoch == 0)

    def _look_for_stop(self) -> None:
        if self.processes.any(self.stop.signum is not None):
            raise Stopped(self.stop.signum or 15)

    # -- one update --------------------------------------------------------------------------

    def _updates(self) -> Iterator[list[Batch]]:
        """The batches of the running epoch from the current step on, grouped by update."""
        epoch, done = divmod(self.progress.step, self.steps_per_epoch)
        order = epoch_order(
            len(self.train_split), batch_size=self.settings.batch_size, seed=self.settings.seed, epoch=epoch
        )
        every = self.settings.accumulate
        groups = [order[start : start + every] for start in range(0, len(order), every)][done:]
        self._sizes = [[len(rows) for rows in group] for group in groups]
        mine = [[self._share(rows) for rows in group] for group in groups]
        batches = stream(self.train_split, [rows for group in mine for rows in group], workers=self.settings.workers)
        for group in mine:
            yield [to_device(next(batches), self.processes.device) for _ in group]

    def _share(self, rows: Rows) -> Rows:
        return share_of(rows, rank=self.processes.rank, processes=self.processes.count)

    def _update(self, batches: list[Batch]) -> None:
        step = self.progress.step
        sizes = self._sizes.pop(0)
        self.model.train()
        for index, (phase, optimizer) in enumerate(zip(self.phases, self.optimizers, strict=True)):
            if (step + 1) % phase.every:
                continue
            for group in optimizer.param_groups:
                group["lr"] = self._lr(phase, step)
            self._only_trains(phase)
            optimizer.zero_grad(set_to_none=True)
            seeds = item_seeds(self.settings.seed, step, index, sum(sizes))
            for turn, (batch, size) in enumerate(zip(batches, sizes, strict=True)):
                seed = np.random.SeedSequence((self.settings.seed, step, index, turn, self.processes.rank))
                torch.manual_seed(int(seed.generate_state(1, np.uint64)[0] >> 1))
                first = sum(sizes[:turn])
                batch["seed"] = torch.tensor(self._share(seeds[first : first + size]))
                mine = len(range(self.processes.rank, size, self.processes.count))
                self._backward(phase, batch, mine, mine / sum(sizes))
            self.processes.reduce_gradients(phase.trains)
            self._apply(phase, optimizer)
        self._only_trains(None)
        if self.average is not None:
            self.average.update(self.model, self.progress.step)
        self.progress.step += 1
        self.reporter.step(self.progress.step)

    def _backward(self, phase: Phase, batch: Batch, items: int, weight: float) -> None:
        with self.processes.autocast():
            loss, terms = phase.loss(batch, self.criterion)
        columns = {"loss": loss.detach(), **terms}
        values = torch.stack([value.detach().float().reshape(()) for value in columns.values()]).tolist()
        if not math.isfinite(values[0]):
            self._diverged(f"the {phase.name} loss is {values[0]}", batch)
        self.processes.accelerator.backward(loss * weight)
        prefix = "train" if len(self.phases) == 1 else f"train_{phase.name}"
        for name, value in zip(columns, values, strict=True):
            self.progress.add(f"{prefix}_{name}", value, items)

    def _apply(self, phase: Phase, optimizer: Any) -> None:
        parameters = [parameter for parameter in phase.trains.parameters() if parameter.grad is not None]
        limit = self.settings.clip or float("inf")
        norm = self.processes.accelerator.clip_grad_norm_(parameters, limit)
        if self.settings.precision != "fp16" and not math.isfinite(float(norm)):
            self._diverged(f"the gradient norm of the {phase.name} phase is {float(norm)}", None)
        optimizer.step()

    def _diverged(self, what: str, batch: Batch | None) -> None:
        bad = [
            name for name, value in (batch or {}).items() if value.is_floating_point() and not value.isfinite().all()
        ]
        epoch = self.progress.step // self.steps_per_epoch + 1
        cause = f"the data are not finite in '{bad[0]}'" if bad else "the data are finite"
        raise Diverged(
            f"{what} in update {self.progress.step + 1}, epoch {epoch}; {cause}; "
            "lower --lr, set --clip, or use --precision fp32; the checkpoints hold the finite weights before it"
        )

    def _only_trains(self, phase: Phase | None) -> None:
        """Let only what a phase trains collect gradients; None: all that was trainable."""
        if len(self.phases) < 2:
            return
        allowed = {id(parameter) for parameter in (phase.trains if phase else self.model).parameters()}
        for parameter in self.learnable:
            parameter.requires_grad_(id(parameter) in allowed)

    def _optimizer(self, phase: Phase) -> torch.optim.Optimizer:
        kinds: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        kind = kinds[self.settings.optimizer]
        parameters = [parameter for parameter in phase.trains.parameters() if parameter.requires_grad]
        betas = (self.settings.beta1, self.settings.beta2)
        return kind(parameters, lr=self.settings.lr, betas=betas, weight_decay=self.settings.weight_decay)

    def _lr(self, phase: Phase, step: int) -> float:
        """Learning rate of a phase for an update, from its number alone."""
        if phase.schedule is not None:
            factor = phase.schedule(step / max(1, self.steps))
        else:
            factor = lr_factor(
                self.settings,
                step=step,
                steps=self.steps,
                steps_per_epoch=self.steps_per_epoch,
                halvings=self.progress.halvings,
            )
        return self.settings.lr * phase.lr * factor

    # -- the end of an epoch -----------------------------------------------------------------

    def _finish_epoch(self) -> None:
        progress = self.progress
        epoch = math.ceil(progress.step / self.steps_per_epoch)
        last_lr = self._lr(self.phases[0], progress.step - 1) if self.phases else 0.0
        row: dict[str, Any] = {"epoch": epoch, "step": progress.step, "lr": last_lr}
        row |= self._means(progress.sums, progress.items)
        row |= self._validate()
        if not math.isfinite(row.get("val_loss", 0.0)):
            self._diverged(f"the validation loss is {row['val_loss']}", None)
        better = progress.judge(row.get("val_loss"), epoch, patience=self.settings.plateau_patience)
        progress.judged = progress.step
        progress.sums, progress.items = {}, {}
        self._clock()
        row |= {"seconds": round(progress.seconds, 3), "peak_memory_bytes": peak_memory(self.processes.device)}
        row["cpu_seconds"] = round(self.processes.sum([progress.cpu_seconds])[0], 3)
        self.rows.append(row)
        if self.processes.is_main:
            if better:
                self._refuse_unfinite()
                self.best = pack_weights(self)
                self.run.write_weights(BEST, self.best)
            self.run.write_metrics(self.rows)
            self.processes.accelerator.log(row, step=progress.step)
        self._take_frame()
        self.reporter.epoch(row, self.settings.epochs)
        if not self.settings.checkpoint_every and time.monotonic() - self._saved > CHECKPOINT_SECONDS:
            self.save()

    def _take_frame(self) -> None:
        if self.processes.is_main:
            with self.average.applied(self.model) if self.average else nullcontext():
                self.film.take(self.progress.step)

    def _means(self, sums: dict[str, float], items: dict[str, float]) -> dict[str, float]:
        names = sorted(sums)
        totals = self.processes.sum([sums[name] for name in names] + [items[name] for name in names])
        return {name: totals[i] / max(1.0, totals[len(names) + i]) for i, name in enumerate(names)}

    @torch.no_grad()
    def _validate(self) -> dict[str, float]:
        """Mean loss and terms over the validation items, with the averaged weights where they are kept."""
        found = Progress()
        self.model.eval()
        with self.average.applied(self.model) if self.average else nullcontext():
            whole = self.model.validate(
                Batches(self.val_split, batch_size=self.settings.batch_size, device=self.processes.device)
            )
        if whole is not None:
            return {f"val_{name}": value for name, value in whole.items()}
        rows = in_order(len(self.val_split), batch_size=self.settings.batch_size)
        batches = stream(self.val_split, [self._share(part) for part in rows], workers=0)
        with self.average.applied(self.model) if self.average else nullcontext():
            for part, batch in zip(rows, batches, strict=True):
                self._look_for_stop()
                with self.processes.autocast():
                    loss, terms = self._judge_batch(to_device(batch, self.processes.device))
                mine = len(range(self.processes.rank, len(part), self.processes.count))
                for name, value in {"loss": loss, **terms}.items():
                    found.add(f"val_{name}", float(value), mine)
        return self._means(found.sums, found.items)

    def _judge_batch(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self.model.loss(batch, self.criterion)

    # -- saving ------------------------------------------------------------------------------

    def save(self) -> None:
        """Write a checkpoint of this very moment; only finite weights are ever saved."""
        self._clock()
        sums, items = dict(self.progress.sums), dict(self.progress.items)
        cpu_seconds = self.processes.sum([self.progress.cpu_seconds])[0]
        if self.processes.count > 1:  # the main process keeps the sums of all
            names = sorted(sums)
            totals = self.processes.sum([sums[name] for name in names] + [items[name] for name in names])
            sums = dict(zip(names, totals, strict=False))
            items = dict(zip(names, totals[len(names) :], strict=True))
        if self.processes.is_main:
            self._refuse_unfinite()
            self.run.save_state(self.progress.step, pack_checkpoint(self, sums, items, cpu_seconds))
            self.run.write_weights(LAST, pack_weights(self))
        self.processes.wait()  # who leaves after a signal may end the others
        self._saved = time.monotonic()

    def _refuse_unfinite(self) -> None:
        for name, value in self.model.named_parameters():
            if not value.isfinite().all():
                self._diverged(f"weight '{name}' is not finite", None)

    def _clock(self) -> None:
        wall, cpu = time.monotonic(), time.process_time()
        self.progress.seconds += wall - self._session[0]
        self.progress.cpu_seconds += cpu - self._session[1]
        self._session = (wall, cpu)


def peak_memory(device: torch.device) -> int:
    """The most memory held so far, in bytes: of the GPU where there is one, else of this process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
