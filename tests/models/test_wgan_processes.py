"""A WGAN trained by two processes is the one that one process trains."""

from pathlib import Path

import pytest
import torch
from toy_grains import voronoi_images

from lasernet import train, weights
from lasernet.data.image_file import write_image_set
from lasernet.run import Run


@pytest.mark.usefixtures("unjudged")
def test_one_process_equals_two_at_the_same_global_batch(home: Path) -> None:
    images = write_image_set(home / "images.h5", voronoi_images(0, number=28), periodic=True, provenance={})
    options = {"channels": 12, "critic_channels": 4, "batch_size": 5, "n_critic": 2, "device": "cpu", "epochs": 1}
    runs = [train("wgan", data=images, out=f"p{n}", num_processes=n, threads=n, **options) for n in (1, 2)]
    assert Run(runs[0]).metrics()[-1]["step"] == Run(runs[1]).metrics()[-1]["step"] == 4
    one, other = (weights.read(run / "last.safetensors")[0] for run in runs)
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, rtol=1e-4, atol=1e-6)
