"""Cost of a WGAN-GP training step beside a plain PyTorch port: python benchmarks/wgan_step.py [--rounds 5].

The port is what one writes down for the published networks (64 × 64 images, batch 64): NCHW, fp32, eager, the
penalty by double backward, Adam; fakes for the critic are made without a graph and the critic is frozen in the
generator's turn, as the source's gradient tape does. Beside it stand the port with channels_last, and with bfloat16
too, and the losses that ``lasernet train wgan --arch dcgan`` minimises (without augmentation, which the port lacks).
All run in one process and in turns, the order of a round being the reverse of the one before; bf16 only where the
processor has instructions for it. A step is ``n_critic`` critic updates and one generator update, each timed by
itself. First, in float64, port and package must agree in every loss and gradient. Writes results/wgan_step.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from wgan_port import Port, as_port

from lasernet.models.base import Phase
from lasernet.models.wgan import Wgan
from lasernet.nn.noise import uniform

ROOT = Path(__file__).parents[1]
BATCH = 64
CRITIC_UPDATES = (1, 5)
GOAL = 0.5  # of the port's CPU time
AGREEMENT = 1e-10
VARIANTS = {
    "port": {},
    "port, channels_last": {"channels_last": True},
    "port, channels_last, bf16": {"channels_last": True, "bf16": True},
    "lasernet": {"package": True},
    "lasernet, bf16": {"package": True, "bf16": True},
}
Batch = dict[str, Tensor]
Update = Callable[[Batch], None]


def build(*, bf16: bool = False, **options: bool) -> dict[str, Update]:
    """The updates of a variant by phase."""
    model = make_variant(**options)
    rates = (4e-4, 1e-4)
    phases = zip(model.phases(), rates, strict=True)
    return {phase.name: updates(phase, model, rate, bf16=bf16) for phase, rate in phases}


def make_variant(*, package: bool = False, channels_last: bool = False) -> Port | Wgan:
    """A variant's model."""
    model = make_model(torch.float32) if package else port_of(make_model(torch.float32))
    return model.to(memory_format=torch.channels_last) if channels_last else model


def make_model(dtype: torch.dtype) -> Wgan:
    """The package's model with weights that are always the same."""
    torch.manual_seed(0)
    spec: dict[str, dict[str, Any]] = {"image": {"shape": (64, 64), "periodic": True}}
    return Wgan(spec=spec, arch="dcgan", symmetries=False).to(dtype)


def port_of(model: Wgan) -> Port:
    """The port with the same weights."""
    port = Port().to(next(model.parameters()).dtype)
    port.load_state_dict(as_port(dict(model.named_parameters())))
    return port


def updates(phase: Phase, model: nn.Module, rate: float, *, bf16: bool) -> Update:
    """One optimizer's turn."""
    optimizer = torch.optim.Adam(phase.trains.parameters(), lr=rate, betas=(0.5, 0.9))

    def update(batch: Batch) -> None:
        only_trains(phase, model)
        optimizer.zero_grad(set_to_none=True)
        with half(bf16):
            loss, _ = phase.loss(batch, None)
        loss.backward()
        optimizer.step()

    return update


def only_trains(phase: Phase, model: nn.Module) -> None:
    """Freeze what is not this phase's."""
    model.requires_grad_(False)
    phase.trains.requires_grad_(True)


def half(enabled: bool) -> AbstractContextManager[Any]:
    """Mixed precision, or not."""
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=enabled)


def make_batch(number: int, dtype: torch.dtype = torch.float32, size: int = BATCH) -> Batch:
    """Random images: the cost does not depend on what they show."""
    images = uniform(torch.arange(size) + 1000 * number, 64 * 64).view(-1, 1, 64, 64)
    return {"image": images.to(dtype), "grains": torch.ones(size), "seed": torch.arange(size) + 500 * number}


def disagreement() -> dict[str, float]:
    """Largest relative difference of losses and of gradients between port and package, in float64."""
    model = make_model(torch.float64)
    port = port_of(model)
    batch = make_batch(1, torch.float64, size=4)
    found: dict[str, float] = {}
    for ours, theirs in zip(model.phases(), port.phases(), strict=True):
        losses, gradients = [], []
        for phase, network in ((ours, model), (theirs, port)):
            only_trains(phase, network)
            network.zero_grad(set_to_none=False)
            loss, _ = phase.loss(batch, None)
            loss.backward()
            losses.append(loss.detach())
            parameters = network.named_parameters()
            gradients.append({key: torch.zeros_like(p) if p.grad is None else p.grad for key, p in parameters})
        found[f"{ours.name} loss"] = relative(*losses)
        got = as_port(gradients[0])
        trained = [key for key in got if key.startswith(f"{ours.name}.")]
        # The critic's last bias is free: real and fake images move it by equal and opposite amounts.
        found[f"{ours.name} gradients"] = max(
            relative(got[key], gradients[1][key]) for key in trained if key != "critic.head.bias"
        )
    return found


def relative(a: Tensor, b: Tensor) -> float:
    """Largest difference relative to the largest value (zero against zero agrees)."""
    return float((a - b).abs().max() / b.abs().max().clamp_min(1e-30))


def measure(rounds: int, half_rounds: int, *, warm_half: bool) -> dict[str, dict[str, list[dict[str, float]]]]:
    """CPU and wall seconds of every update of every variant, in turns."""
    variants = {name: build(**options) for name, options in VARIANTS.items() if half_rounds or "bf16" not in name}
    taken = {name: {phase: [] for phase in phases} for name, phases in variants.items()}
    for number in range(rounds + 1):  # the first warms up
        names = [name for name in variants if "bf16" not in name or (0 if warm_half else 1) <= number <= half_rounds]
        for name in reversed(names) if number % 2 else names:
            for phase, update in variants[name].items():
                batch = make_batch(number)
                cpu, wall = time.process_time(), time.perf_counter()
                update(batch)
                row = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
                if number:
                    taken[name][phase].append(row)
                print(f"{name}, {phase}: {row['cpu']:.2f} s CPU, {row['wall']:.2f} s", file=sys.stderr, flush=True)
    return taken


def compare(taken: dict[str, dict[str, list[dict[str, float]]]]) -> list[dict[str, Any]]:
    """Seconds of a step and ratios to the port's step of the same round, by n_critic and variant."""
    rows = []
    for critics in CRITIC_UPDATES:
        base = steps(taken["port"], critics)
        for name, phases in taken.items():
            own = steps(phases, critics)
            row: dict[str, Any] = {"n_critic": critics, "variant": name, "rounds": len(own["cpu"])}
            for kind in ("cpu", "wall"):
                ratios = [a / b for a, b in zip(own[kind], base[kind], strict=False)]
                row[f"{kind}_seconds"] = round(median(own[kind]), 3)
                row[f"{kind}_ratio"] = round(median(ratios), 3)
                row[f"{kind}_range"] = [round(min(ratios), 3), round(max(ratios), 3)]
            rows.append(row)
    return rows


def steps(phases: dict[str, list[dict[str, float]]], critics: int) -> dict[str, list[float]]:
    """Seconds of whole steps, round by round."""
    pairs = list(zip(phases["critic"], phases["generator"], strict=True))
    return {kind: [critics * a[kind] + b[kind] for a, b in pairs] for kind in ("cpu", "wall")}


def peak(name: str) -> None:
    """Print the bytes that one update of each phase of a variant needs above the built model."""
    phases = build(**VARIANTS[name])
    batch = make_batch(0)
    torch.nn.functional.conv2d(torch.zeros(1, 8, 8, 8), torch.zeros(8, 8, 3, 3))  # load the kernels' library
    before = high_water()
    for update in phases.values():
        update(batch)
    print(high_water() - before)


def high_water() -> int:
    """The most memory that this program has held, in bytes (getrusage counts the program that started it too)."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    raise SystemExit("/proc/self/status has no VmHWM; peak memory can be measured on Linux only")


def memory(names: list[str]) -> dict[str, int]:
    """Peak bytes by variant, each in its own process."""
    found = {}
    for name in names:
        words = [sys.executable, __file__, "--peak", name]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        found[name] = int(done.stdout)
    return found


def kept(name: str) -> dict[str, int]:
    """Bytes that each phase of a variant keeps for its backward pass, weights not counted.

    They follow from shapes and types alone, so nothing is computed, and a CPU without bf16 can tell them too.
    """
    options = dict(VARIANTS[name])
    bf16 = options.pop("bf16", False)
    model: nn.Module = make_variant(**options)
    mode = FakeTensorMode()
    for module in model.modules():
        for key, parameter in module._parameters.items():
            if parameter is not None:
                module._parameters[key] = nn.Parameter(mode.from_tensor(parameter.detach()))
    seeds = SimpleNamespace(tolist=lambda: list(range(BATCH)), device=torch.device("cpu"))
    found = {}
    for phase in model.phases():
        only_trains(phase, model)
        sizes = {parameter.untyped_storage()._cdata: 0 for parameter in model.parameters()}
        alive = []  # a freed storage's number may come again

        def note(saved: Tensor, alive: list[Tensor] = alive, sizes: dict[int, int] = sizes) -> Tensor:
            alive.append(saved)
            storage = saved.untyped_storage()
            sizes.setdefault(storage._cdata, storage.nbytes())
            return saved

        with mode, torch.autograd.graph.saved_tensors_hooks(note, lambda saved: saved), half(bf16):
            batch = {"image": torch.rand(BATCH, 1, 64, 64), "grains": torch.ones(BATCH), "seed": seeds}
            loss = phase.loss(batch, None)[0]
        found[phase.name] = sum(sizes.values())
        del loss
    return found


def processor() -> dict[str, Any]:
    """What decides the speed of arithmetic here."""
    text = Path("/proc/cpuinfo").read_text(encoding="utf-8") if Path("/proc/cpuinfo").exists() else ""
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    lines = {key.strip(): value.strip() for key, value in lines.items()}
    flags = lines.get("flags", "").split()
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    return {"name": lines.get("model name", platform.processor()), **{flag: flag in flags for flag in wanted}}


def main() -> None:
    """Check, measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--half-rounds",
        type=int,
        help="rounds with bf16 [all; none where the CPU only emulates it, which takes minutes]",
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "results" / "wgan_step.json")
    parser.add_argument("--peak", choices=list(VARIANTS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if chosen.peak:
        peak(chosen.peak)
        return
    cpu = processor()
    native = cpu["avx512_bf16"] or cpu["amx_bf16"]
    half_rounds = chosen.half_rounds if chosen.half_rounds is not None else chosen.rounds * native
    checked = disagreement()
    if max(checked.values()) > AGREEMENT:
        raise SystemExit(f"port and package differ: {checked}")
    load = os.getloadavg()[0]
    rows = compare(measure(chosen.rounds, half_rounds, warm_half=native))
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
    judged = [row for row in rows if row["variant"] == "lasernet"]
    result = {
        "command": f"python benchmarks/wgan_step.py --rounds {chosen.rounds} --threads {chosen.threads}",
        "commit": commit.stdout.strip(),
        "machine": f"{os.cpu_count()} cores {platform.machine()}, no GPU, shared",
        "processor": cpu,
        "threads": chosen.threads,
        "batch": BATCH,
        "float64_disagreement": checked,
        "goal": GOAL,
        "ok": all(row["cpu_ratio"] <= GOAL for row in judged),  # other programs of a busy machine do not enter
        "rows": rows,
        "bf16": "timed" if half_rounds else "not timed: this processor has no bf16 instructions",
        "kept_bytes": {name: kept(name) for name in VARIANTS},
        "peak_bytes": memory([name for name in VARIANTS if half_rounds or "bf16" not in name]),
        "load_average": [round(load, 2), round(os.getloadavg()[0], 2)],
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }
    chosen.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for row in rows:
        low, high = row["cpu_range"]
        print(
            f"n_critic {row['n_critic']}  {row['variant']:26} {row['cpu_seconds']:7.2f} s CPU  "
            f"ratio {row['cpu_ratio']:.2f} [{low:.2f}-{high:.2f}]  wall {row['wall_ratio']:.2f}"
        )
    print(f"bf16 {result['bf16']}")
    for name, phases in result["kept_bytes"].items():
        words = ", ".join(f"{phase} {count / 2**20:.0f} MiB" for phase, count in phases.items())
        peak_words = f"; peak {result['peak_bytes'][name] / 2**20:.0f} MiB" if name in result["peak_bytes"] else ""
        print(f"memory  {name:26} kept for the backward pass: {words}{peak_words}")


if __name__ == "__main__":
    main()
