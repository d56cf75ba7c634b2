"""What each rule does to small trainings, half of them made to fail, that were recorded to their end.

Usage: python -m tests.benchmarks.bench_rules [--recorded FILE] [--candidates 32]
       python -m tests.benchmarks.bench_rules --record digits|PHOTOGRAPHS --folder DIR [--settings 32] [--epochs 36]

With --record the trainings run here, on one CPU core (`rule_histories.py` says which they are), and a second call with
the same folder goes on where the first was ended; --pack FILE adds them to a file such as the one in results. A
folder of photographs gives its first 1,000.

A run is good when its best FID is at most 1.5 times the best of all of its pictures, and useless above 2 times, or
where its fakes never varied. Regret is what a run loses of its own best; of a useless run nobody would miss it.
"""

import argparse
import gzip
import json
import math
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any

from orchestrator.pruning import RULES, Rule, build_rules
from orchestrator.replay.recorded import RecordedRun, Report
from orchestrator.replay.replay import HARM, Replayed, replay_run
from orchestrator.replay.tuning import tune
from tests.benchmarks.bench_search import DIGITS, write_digits
from tests.benchmarks.common import print_setting
from tests.benchmarks.rule_histories import config_of, record
from trainers.families import loss_scale
from trainers.run_report import hardly_vary

RECORDED = Path(__file__).parent / "results" / "rule_histories.json.gz"
PHOTOGRAPHS = 1000
SEEDS = {"digits": 0}  # of the settings and the trainings
OTHER_SEED = 1000  # of all other pictures
GOOD, USELESS = 1.5, 2.0  # times the best FID of all
TUNED = ("grad_explosion", "grad_vanish", "mode_collapse")  # those that logs without gradients and features cannot show


def as_run(name: str, history: dict[str, Any], planned: int) -> RecordedRun:
    """A recorded training as `replay` wants it; every epoch counts as the window."""
    reports = []
    for row in history["epochs"]:
        metrics = {key: value for key, value in row.items() if key not in ("epoch", "fid")}
        fid = row.get("fid")
        collapsed = fid is not None and hardly_vary(metrics.get("diversity"))
        reports.append(Report(row["epoch"], metrics, fid, "fid", collapsed))
    scale = loss_scale(config_of(history["params"], planned, 2))
    return RecordedRun(name, reports, planned, unit="epochs", mark="epoch", scale=scale)


def bests(runs: Sequence[RecordedRun]) -> list[float]:
    """The best FID of each run, infinite where its fakes never varied, over the lowest of all."""
    own = [run.best() for run in runs]
    lowest = min((best for best in own if not math.isnan(best)), default=math.nan)
    return [math.inf if math.isnan(best) else best / lowest for best in own]


def say(name: str, runs: Sequence[RecordedRun], rules: Sequence[Rule]) -> None:
    """What these rules together do to these runs."""
    replayed = [replay_run(run, rules) for run in runs]
    ratios = bests(runs)
    good = [one for one, ratio in zip(replayed, ratios, strict=True) if ratio <= GOOD]
    useless = [one for one, ratio in zip(replayed, ratios, strict=True) if ratio > USELESS]
    harmed = [one for one in good if one.regret > HARM]
    stopped = sum(one.stop is not None for one in replayed)
    print(
        f"  {name:<16} ends {stopped:3} of {len(runs)}, {sum(one.stop is not None for one in good):2} good of"
        f" {len(good)} ({len(harmed)} harmed), saves {share(replayed):4.0%} of all steps, {share(useless):4.0%} of"
        f" {len(useless)} useless, mean regret {mean(finite_regret(one) for one in replayed):.1%}"
    )


def share(replayed: Sequence[Replayed]) -> float:
    """Of the steps, saved."""
    return mean([one.saved for one in replayed] or [0.0])


def finite_regret(one: Replayed) -> float:
    """All of the best is lost where no FID that counts was kept."""
    return min(one.regret, 1.0)


def report(groups: dict[str, list[RecordedRun]], candidates: int) -> None:
    """All rules, then each alone, on each kind of pictures; then the searched limits."""
    for name, runs in groups.items():
        ended = sum(len(run.reports) < run.total for run in runs)
        print(f"{name}: {len(runs)} runs of {runs[0].total} epochs, {ended} stopped being finite")
        say("all", runs, build_rules())
        for rule in build_rules():
            say(rule.name, runs, [rule])
    runs = [run for group in groups.values() for run in group]
    for name in TUNED:
        tuned = tune(runs, {other: other == name for other in RULES}, candidates=candidates)
        (found,) = (value for value in tuned.settings.values() if value)
        limits = " ".join(f"{key}={found[key]:g}" for key in RULES[name].tunable)
        print(
            f"{name} searched: {limits} saves {tuned.seen.saved:.1%}, regret {tuned.seen.mean_regret:.2%};"
            f" held out {tuned.unseen.saved:.1%}, {tuned.unseen.mean_regret:.2%};"
            f" as shipped {tuned.before.saved:.1%}, {tuned.before.mean_regret:.2%}"
        )


def record_all(images: str, folder: Path, settings: int, epochs: int, fakes: int) -> dict[str, list[RecordedRun]]:
    """Record what is not in `folder` yet, and read it."""
    name = images if images == "digits" else Path(images).name
    pictures = folder / "pictures"
    if not pictures.exists():
        if images == "digits":
            write_digits(pictures, DIGITS)
        else:
            pictures.mkdir(parents=True)
            for photograph in sorted(path for path in Path(images).iterdir() if path.is_file())[:PHOTOGRAPHS]:
                (pictures / photograph.name).write_bytes(photograph.read_bytes())
    record(pictures, folder, settings, epochs, fakes, SEEDS.get(images, OTHER_SEED))
    return {name: [as_run(file.stem, json.loads(file.read_text()), epochs) for file in histories(folder)]}


def histories(folder: Path) -> list[Path]:
    """The files of a folder."""
    return sorted(folder.glob("[0-9]*.json"))


def pack(name: str, folder: Path, file: Path, epochs: int) -> None:
    """Add the histories of a folder to a packed file, under a name."""
    packed = json.loads(gzip.decompress(file.read_bytes())) if file.exists() else {}
    packed[name] = {"epochs": epochs, "runs": [json.loads(path.read_text()) for path in histories(folder)]}
    file.write_bytes(gzip.compress(json.dumps(packed).encode(), mtime=0))


def unpack(file: Path) -> dict[str, list[RecordedRun]]:
    """The runs of a packed file, by name."""
    packed = json.loads(gzip.decompress(file.read_bytes()))
    return {
        name: [as_run(f"{name}/{number:04d}", run, group["epochs"]) for number, run in enumerate(group["runs"])]
        for name, group in packed.items()
    }


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recorded", type=Path, default=RECORDED, help="packed histories")
    parser.add_argument("--candidates", type=int, default=32, help="settings that are tried for each searched rule")
    parser.add_argument("--record", metavar="IMAGES", help="digits, or a folder of photographs")
    parser.add_argument("--folder", type=Path, help="where to keep the histories, and to go on")
    parser.add_argument("--settings", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--fakes", type=int, default=128, help="of every FID")
    parser.add_argument("--pack", type=Path, metavar="FILE", help="add what was recorded to this file")
    return parser


def main() -> None:
    """Record or read, and report."""
    asked = parser().parse_args()
    if asked.record is None:
        groups = unpack(asked.recorded)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            folder = asked.folder or Path(scratch)
            groups = record_all(asked.record, folder, asked.settings, asked.epochs, asked.fakes)
            if asked.pack is not None:
                pack(next(iter(groups)), folder, asked.pack, asked.epochs)
    print_setting("torch")
    report(groups, asked.candidates)


if __name__ == "__main__":
    main()
