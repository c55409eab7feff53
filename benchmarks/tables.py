"""The tables of README and docs from the files in results/: python benchmarks/tables.py [--check].

A document marks the place of a table with <!-- table:NAME --> and <!-- /table:NAME -->.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import fmean, mean, stdev
from typing import Any

import front_tables
import laser_tables
import study_tables

from lasernet.viz.report import inject, markdown_table, table_names

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
Results = Mapping[str, Any]


def load(name: str) -> Results:
    """A results file."""
    content: Results = json.loads((ROOT / "results" / f"{name}.json").read_text())
    return content


def errors() -> str:
    """MSE of models (mean over seeds) and baselines on the bundled track, with what they cost."""
    found = load("laser_track")
    rows: list[dict[str, object]] = []
    for name in dict.fromkeys(row["name"] for row in found["rows"]):
        seeds = [row for row in found["rows"] if row["name"] == name]
        cost = [row["cost"] for row in seeds]
        active = [row["test"]["metrics"]["active"]["mse"] for row in seeds]
        rows.append(
            {
                "answer": f"**{name}**",
                "active": mean(active),
                "spread over seeds": f"{min(active):.4f}–{max(active):.4f}",
                **{_words(r): mean(row["test"]["metrics"][r]["mse"] for row in seeds) for r in _regions(found)},
                "validation, all": mean(row["val"]["metrics"]["all"]["mse"] for row in seeds),
                "parameters": cost[0]["parameters"],
                "CPU min": max(one["train_cpu_seconds"] for one in cost) / 60,
                "peak MiB": max(one["peak_memory_bytes"] for one in cost) / 2**20,
            }
        )
    for name, regions in found["baselines"].items():
        values = {"active": regions["active"]["mse"]}
        values |= {_words(region): regions[region]["mse"] for region in _regions(found)}
        rows.append({"answer": name, **values, "validation, all": found["baselines_val"][name]["all"]["mse"]})
    form = ".4f"
    columns: dict[str, Callable[[object], str] | str] = {"answer": str, "active": form, "spread over seeds": str}
    columns |= {_words(region): ".5f" if region == "all" else form for region in _regions(found)}
    columns |= {"validation, all": ".5f", "parameters": ",", "CPU min": ".1f", "peak MiB": ".0f"}
    return f"{markdown_table(rows, columns)}\n\n{_origin(found)}"


def skills() -> str:
    """Skill with intervals of every configuration, first seed, against the baselines that matter."""
    found = load("laser_track")
    rows = []
    for row in found["rows"]:
        if row["seed"] != found["rows"][0]["seed"]:
            continue
        for region in ("all", "active", "newly_solid"):
            skill = {name: _interval(values[region]) for name, values in row["test"]["skill"].items()}
            wanted = ("persistence", "mean-color", "nearest-solid", "calibrated-front", "calibrated-front-3d")
            rows.append({"answer": row["name"], "region": _words(region), **{name: skill[name] for name in wanted}})
    return f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\n{_origin(found)}"


def faults() -> str:
    """What happened to trainings that were killed."""
    found = load("faults")
    rows = found["rows_summary"]
    commits = ", ".join(commit[:10] for commit in found["commits"])
    text = f"`{found['command']}`, commits {commits}, {found['machine']}."
    return f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\n{text}"


def slices() -> str:
    """Milliseconds to read a plane from a warm file."""
    found = load("layout_slices")
    rows = []
    for one in (row for row in found["layout"] if "field" in row):
        row = {"field": one["field"], "chunk": " × ".join(map(str, one["chunk"])), "filter": one["filter"]}
        row |= {f"{plane} fixed, ms": one[f"h5py_{plane}_ms"]["median"] for plane in "xyz"}
        rows.append(row)
    return (
        f"{markdown_table(rows, {key: str if key in ('field', 'chunk', 'filter') else '.1f' for key in rows[0]})}\n\n"
        f"`{found['command']}`, grid {' × '.join(map(str, found['grid']))}, medians."
    )


GOALS: tuple[tuple[str, str, str, str, str], ...] = (  # words, family, value, form, goal
    ("boundary fraction, relative error", "boundary_fraction", "relative_error", "+.1%", "≤ 1 %"),
    ("boundary fraction, spread ratio", "boundary_fraction", "spread_ratio", ".3f", "0.9–1.1"),
    ("two-point correlation, RMS error / variance", "two_point", "rms_error", ".4f", "≤ 0.015"),
    ("chord length, Wasserstein-1 / mean", "chord_length", "wasserstein", ".4f", "≤ 0.010"),
    ("grains, strict: mean error", "grains_strict", "mean_error", "+.1%", "≤ 8 %"),
    ("grains, strict: KS", "grains_strict", "ks", ".3f", "≤ 0.25"),
    ("grains, tolerant: mean error", "grains_tolerant", "mean_error", "+.1%", "≤ 3 %"),
    ("neighbors per grain, Wasserstein-1", "neighbors", "wasserstein", ".3f", "≤ 0.12"),
    ("grain area, KS", "grain_area", "ks", ".3f", "≤ 0.04"),
    ("solidity, KS", "solidity", "ks", ".3f", "≤ 0.10"),
    ("coverage", "descriptor_space", "coverage", ".3f", "–"),
    ("coverage over real's", "descriptor_space", "coverage_over_real", ".3f", "≥ 0.9"),
    ("recall", "descriptor_space", "recall", ".3f", "–"),
    ("recall over real's", "descriptor_space", "recall_over_real", ".3f", "≥ 0.9"),
    ("classifier, AUC", "two_sample", "auc", ".3f", "≤ 0.75"),
    ("distance to training images over held-out's", "memorization", "ratio", ".3f", "≥ 0.97"),
    ("copies of training images", "memorization", "copies", "d", "0"),
    ("grains asked for, R²", "conditioning", "r2", ".3f", "≥ 0.9"),
    ("grains asked for, mean error", "conditioning", "mean_abs_error", ".2f", "≤ 3"),
)


def microstructures() -> str:
    """Statistics of drawn sets beside the floor that real images reach, and the goals."""
    found = load("microstructures")

    def shown(values: Mapping[str, Any], family: str, name: str, form: str) -> str:
        value = values.get(family, {}).get(name)
        return "–" if value is None else format(value, form)

    rows: list[dict[str, object]] = []
    for words, family, name, form, goal in GOALS:
        row = {"descriptor": words, "goal": goal, "real": shown(found["floor"], family, name, form)}
        row |= {one["name"]: shown(one["metrics"], family, name, form) for one in found["rows"]}
        rows.append(row)
    costs: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "minutes": lambda one: f"{one['cost']['train_seconds'] / 60:.0f}"
    }
    costs["CPU minutes"] = lambda one: f"{one['cost']['train_cpu_seconds'] / 60:.0f}"
    costs["critic updates"] = lambda one: f"{one['updates']:,}"
    costs["Spearman's ρ of critic loss and chord distance"] = _tracking
    for words, cost in costs.items():
        rows.append(
            {"descriptor": words, "goal": "–", "real": "–", **{one["name"]: cost(one) for one in found["rows"]}}
        )
    commands = "; ".join(f"{one['name']}: `{one['command']}`, seed {one['seed']}" for one in found["rows"])
    data = found["data"]
    return (
        f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\n{found['items']:,} draws against {found['items']:,} "
        f"held-out images. `{found['command']}`, commit {found['commit'][:10]}; {commands}; data "
        f"{data['file']} ({data['hash'][:12]}), split {data['split_hash'][:12]}; {found['machine']}."
    )


def _tracking(row: Mapping[str, Any]) -> str:
    found = row["rank_correlation"]["train_critic_loss"]
    return "–" if found is None or row["epochs"] < 4 else f"{found:+.2f} (n = {row['epochs']})"


def wgan_step() -> str:
    """Cost of a training step of the published networks, as a ratio to a plain port."""
    found = load("wgan_step")
    rows: list[dict[str, object]] = []
    for variant in dict.fromkeys(one["variant"] for one in found["rows"]):
        row: dict[str, object] = {"variant": variant}
        for one in (one for one in found["rows"] if one["variant"] == variant):
            low, high = one["cpu_range"]
            row[f"n_critic {one['n_critic']}, CPU s"] = f"{one['cpu_seconds']:.1f}"
            row[f"n_critic {one['n_critic']}, ratio"] = f"{one['cpu_ratio']:.2f} [{low:.2f}, {high:.2f}]"
        row["peak above the model, MiB"] = f"{found['peak_bytes'][variant] / 2**20:.0f}"
        rows.append(row)
    kept = {name: sum(parts.values()) / 2**20 for name, parts in found["kept_bytes"].items()}
    halves = {name: f"{kept[name]:.0f} → {kept[f'{name}, bf16']:.0f}" for name in ("port, channels_last", "lasernet")}
    saved = "; ".join(f"{name} {text}" for name, text in halves.items())
    return (
        f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\nMedians of {found['rows'][0]['rounds']} interleaved "
        f"rounds [range], batch {found['batch']}, {found['threads']} thread. bf16: {found['bf16']}; what the backward "
        f"passes keep shrinks with it, in MiB: {saved}. `{found['command']}`, commit {found['commit'][:10]}, "
        f"{found['machine']} ({found['processor']['name']})."
    )


TRACK_ROWS: tuple[tuple[str, str, str], ...] = (  # words, key, form
    ("hotter than liquidus: length, µm", "hot_length", ".1f"),
    ("width, µm", "hot_width", ".1f"),
    ("depth, µm", "hot_depth", ".1f"),
    ("molten: length, µm", "melt_length", ".1f"),
    ("cells that melt", "remelted_cells", ",.0f"),
    ("newly solid cells per frame", "newly_solid", ",.0f"),
    ("of them colder than liquidus − 60 K", "below_band", ".3f"),
    ("of them in the front band", "in_band", ".3f"),
    ("of them hotter than liquidus", "above_band", ".3f"),
    ("their undercooling, median, K", "undercooling_median", ".1f"),
    ("coldest liquid, K below liquidus", "liquid_undercooling", ".1f"),
    ("liquid cells below liquidus, per frame", "liquid_cold", ".0f"),
    ("solid cells above liquidus, per frame", "solid_hot", ".0f"),
    ("intercept where it froze again, along x, µm", "regrown_intercept_x", ".1f"),
    ("along y, µm", "regrown_intercept_y", ".1f"),
    ("along z, µm", "regrown_intercept_z", ".1f"),
    ("intercept in the substrate, µm", "substrate_intercept", ".1f"),
    ("grain diameter where it froze again, µm", "regrown_diameter", ".1f"),
    ("grain diameter in the substrate, µm", "substrate_diameter", ".1f"),
    ("longest over shortest axis of regrown grains", "regrown_aspect", ".2f"),
    ("cells with 4 or fewer like neighbors of 6", "rough", ".3f"),
    ("back to the grain from before", "same_as_before", ".3f"),
    ("⟨100⟩ along x where it froze again", "regrown_100_x", ".3f"),
    ("⟨100⟩ along y", "regrown_100_y", ".3f"),
    ("⟨100⟩ along z", "regrown_100_z", ".3f"),
    ("⟨100⟩ in the substrate", "substrate_100", ".3f"),
    ("⟨100⟩ along the gradient, before melting", "gradient_100_before", ".3f"),
    ("⟨100⟩ along the gradient, froze again", "gradient_100_after", ".3f"),
    ("color, mean", "color_mean", ".3f"),
    ("color, standard deviation", "color_deviation", ".3f"),
)
TRACK_WAYS = {"generated": "ratio", "same_heat": "ratio, its heat", "same_substrate": "ratio, its heat and substrate"}


def exaca_tracks() -> str:
    """Generated tracks beside ExaCA's: each track, and ratios for what was generated in three ways."""
    found = load("exaca_tracks")
    tracks = found["rows"]
    rows: list[dict[str, object]] = []
    for words, key, form in TRACK_ROWS:
        row = {one["track"]: _beside(one["exaca"][key], one["generated"][key], form) for one in tracks}
        for way, heading in TRACK_WAYS.items():
            row[heading] = _ratios([(fmean(one[way][key]), one["exaca"][key]) for one in tracks])
        rows.append({"quantity": words, **row})
    colors = {one["track"]: one["colors"] for one in tracks}
    row = {track: _beside(color["exaca"], color["generated"], ".3f") for track, color in colors.items()}
    row[TRACK_WAYS["generated"]] = _ratios([(fmean(one["generated"]), one["exaca"]) for one in colors.values()])
    rows.append({"quantity": "colors, Wasserstein-1 to those of generated tracks", **row})
    share, changed, apart = (
        [one["likeness"][key] for one in tracks] for key in ("same_grain", "same_grain_where_changed", "temperature")
    )
    data = ", ".join(f"{one['data']['file']} ({one['data']['hash'][:12]})" for one in tracks)
    absent = ", ".join(f"{one['track']} ({one['reason']})" for one in found["left_out"])
    return (
        f"{markdown_table(rows, dict.fromkeys(rows[0], str))}\n\nWith its heat no temperature differs by more than "
        f"{max(apart):.2f} K. From its substrate too, {min(share):.0%} to {max(share):.0%} of what froze again "
        f"went to the grain that it has in ExaCA's track; of what changed grain there, {min(changed):.0%} to "
        f"{max(changed):.0%}.\n\n`{found['command']}`, seeds {found['seeds'][0]} to {found['seeds'][-1]}, commit "
        f"{found['commit'][:10]}, data {data}; {found['machine']}. Left out: {absent}."
    )


def _beside(real: float, drawn: list[float], form: str) -> str:
    """ExaCA's number, mean and standard deviation of the generated ones, and a star if it lies beyond two of these."""
    middle, spread = fmean(drawn), stdev(drawn)
    if not float(format(spread, form).replace(",", "")):
        return f"{real:{form}} / {middle:{form}}"
    return f"{real:{form}} / {middle:{form}} ± {spread:{form}}{'*' if abs(real - middle) > 2 * spread else ''}"


def _ratios(pairs: list[tuple[float, float]]) -> str:
    """The range of quotients over tracks."""
    quotients = sorted(one / other for one, other in pairs)
    low, high = (f"{end:.2f}" if end < 10 else f"{end:.0f}" for end in (quotients[0], quotients[-1]))
    return low if low == high else f"{low}–{high}"


TABLES: dict[str, Callable[[], str]] = {
    "errors": errors,
    "skills": skills,
    "faults": faults,
    "slices": slices,
    "microstructures": microstructures,
    "wgan_step": wgan_step,
    "exaca_tracks": exaca_tracks,
    **laser_tables.TABLES,
    **study_tables.TABLES,
    "front_sources": front_tables.front_sources,
    "full_track": front_tables.full_track,
    "held_out_errors": front_tables.held_out_errors,
    "held_out_gates": front_tables.held_out_gates,
}


def _regions(found: Results) -> list[str]:
    return [region for region in found["rows"][0]["test"]["metrics"] if region != "active"]


def _words(region: str) -> str:
    return region.replace("_", " ")


def _interval(values: Mapping[str, float | None]) -> str:
    numbers = [values[key] for key in ("mse", "low", "high")]
    middle, low, high = ("–" if number is None else f"{number:.2f}" for number in numbers)
    return f"{middle} [{low}, {high}]"


def _origin(found: Results) -> str:
    seeds = ", ".join(map(str, dict.fromkeys(row["seed"] for row in found["rows"])))
    note, data = found["intervals"], found["data"]
    hashes = ", ".join(f"{row['config_hash'][:8]}" for row in found["rows"] if row["seed"] == found["rows"][0]["seed"])
    return (
        f"`{found['command']}`, commit {found['commit'][:10]}, data {data['file']} ({data['hash'][:12]}), "
        f"split {data['split_hash'][:12]}, configurations {hashes}, seeds {seeds}; "
        f"intervals: {note['resamples']} resamples of {note['count']} blocks ({note['unit']}), {note['scope']}; "
        f"{found['threads']} thread, {found['machine']}; "
        f"tuning before: {found['tuning_hours']} core hours on training and validation frames."
    )


def fill(document: str) -> str:
    """The document with its tables as the results say."""
    for name in table_names(document):
        document = inject(document, name, TABLES[name]())
    return document


def main() -> int:
    """Write the tables, or with --check tell whether any document differs."""
    stale = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        if fill(text) != text:
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(fill(text), encoding="utf-8")
    print("\n".join(stale))
    return int(bool(stale) and "--check" in sys.argv)


if __name__ == "__main__":
    sys.exit(main())
