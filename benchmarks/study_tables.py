"""Tables of the loss study, from results/loss_study.json, which examples/loss_study.py made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import getitem
from statistics import fmean
from typing import Any

from laser_tables import load

from lasernet.viz.report import markdown_table


def loss_screening() -> str:
    """Every loss once, short, from the best on, and what tuning made of the chosen ones."""
    found = load("loss_study")
    rows = [{"loss": f"`{row['loss']}`", "validation, active": row["val_active_mse"]} for row in found["screening"]]
    return f"{markdown_table(rows, {'loss': str, 'validation, active': '.4f'})}\n\n{_origin('screening')}"


def loss_tuning() -> str:
    """Weights and learning rates that were tried, by loss, the best first."""
    found = load("loss_study")
    rows = [
        {"loss": f"`{row['loss']}`", "learning rate": row["lr"], "validation, active": row["val_active_mse"]}
        for row in found["tuning"]
    ]
    columns = {"loss": str, "learning rate": "g", "validation, active": ".4f"}
    return f"{markdown_table(rows, columns)}\n\n{_origin('tuning')}"


def loss_study() -> str:
    """Errors on test tracks of the tuned losses, compared with mse track by track, and how sharp they are."""
    found = load("loss_study")
    rows = []
    for row in found["rows"]:
        against = {"change": "", "p": "", "Holm": ""}
        if row["p"] is not None:
            against = {"change": f"{100 * row['change']:+.1f} %", "p": f"{row['p']:.3f}", "Holm": f"{row['holm']:.3f}"}
        rows.append(
            {
                "network": row["model"],
                "loss": f"`{row['expression']}`",
                "lr": f"{row['lr']:g}",
                "active": f"{row['active']:.4f}",
                "seeds": f"{row['lowest']:.4f}–{row['highest']:.4f}",
                **against,
                "newly solid": f"{row['newly_solid']:.4f}",
                "gradient ratio": f"{row['gradient_ratio']:.2f}",
                "coherence": f"{row['coherence']:.2f}",
                "boundary F1": f"{row['boundary_f1']:.3f}",
                "SSIM": f"{row['ssim']:.3f}",
                "late gain": f"{100 * row['late_gain']:.0f} %",
            }
        )
    for name, regions in found["baselines"].items():
        values = {"active": f"{regions['active']['mse']:.4f}", "newly solid": f"{regions['newly_solid']['mse']:.4f}"}
        rows.append({**dict.fromkeys(rows[0], ""), "network": name, **values})
    return f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\n{_origin('study')}"


def troubles() -> str:
    """What usual advice did to one training: error, blur, time and memory beside the plain one's."""
    found = load("troubles")
    plain = [row for row in found["rows"] if row["name"] == found["rows"][0]["name"]]
    rows = []
    for name in dict.fromkeys(row["name"] for row in found["rows"]):
        runs = [row for row in found["rows"] if row["name"] == name]
        trouble, _, change = name.partition(": ")
        rows.append(
            {
                "against": trouble if change else "",
                "change": f"`{change}`" if change else "none (8 epochs)",
                "active MSE, seeds": ", ".join(f"{row['metrics']['active']['mse']:.4f}" for row in runs),
                "gradient ratio": f"{_mean(runs, 'sharpness', 'metrics', 'active', 'gradient_ratio'):.2f}",
                "best epoch": ", ".join(f"{row['best_epoch']} of {row['epochs']}" for row in runs),
                "CPU time": f"{_share(runs, plain, 'train_cpu_seconds'):.2f}",
                "memory": f"{_share(runs, plain, 'peak_memory_bytes'):.2f}",
            }
        )
    table = markdown_table(rows, dict.fromkeys(rows[0], str))
    data = found["data"]
    return (
        f"{table}\n\n`{found['command']}`, commit {found['commit'][:10]}, data {data['file']} ({data['hash'][:12]}), "
        f"split {data['split_hash'][:12]}, validation items, seeds 0, 1; time and memory over those of the first row; "
        f"{found['threads']} thread, {found['machine']}."
    )


def _mean(runs: Sequence[Any], *keys: str) -> float:
    return fmean(reduce(getitem, keys, run) for run in runs)


def _share(runs: Sequence[Any], plain: Sequence[Any], key: str) -> float:
    return _mean(runs, "cost", key) / _mean(plain, "cost", key)


def _origin(stage: str) -> str:
    found = load("loss_study")
    return (
        f"`{found['command']}`, stage {stage}, commit {found['commit'][:10]}; data {found['data']['hash'][:12]} "
        f"(`{found['tracks']}`); {found['minutes']:.0f} minutes for all stages, {found['jobs']} trainings at a time; "
        f"{found['machine']}."
    )


TABLES: dict[str, Callable[[], str]] = {
    function.__name__: function for function in (loss_screening, loss_tuning, loss_study)
}
