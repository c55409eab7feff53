"""A film of a training: the same draws after every epoch, as frames in the run's figures."""

from __future__ import annotations

import torch

from lasernet.models.base import Model
from lasernet.run import Run

UNIT = "update"  # what the frames are numbered by


class Film:
    """Takes frames of a generative model and joins them in the end; of other models there is nothing to see."""

    def __init__(self, run: Run, model: Model) -> None:
        self.folder = run.figures / "training"
        self.animation = run.figures / "training.gif"
        self.model = model

    @torch.no_grad()
    def take(self, step: int) -> None:
        """Write the frame of an update; one that is there already, from before a stop, is made anew."""
        was_training = self.model.training
        images = self.model.eval().watch()
        self.model.train(was_training)
        if images is None:
            return
        from lasernet.viz.growth import write_frame

        self.folder.mkdir(parents=True, exist_ok=True)
        write_frame(images[:, 0].float().cpu().numpy(), self.folder, number=step, unit=UNIT)

    def join(self) -> None:
        """Make the animation of the frames that were taken."""
        if self.folder.is_dir():
            from lasernet.viz.growth import frame_files, growth_animation

            growth_animation(frame_files(self.folder, unit=UNIT), self.animation)
