"""Tables of the loss study, from results/loss_study.json, which examples/loss_study.py made."""

from __future__ import annotations

from collections.abc import Callable

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
