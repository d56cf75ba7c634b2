"""What a plan says of a sweep that has not begun."""

import io
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from orchestrator.display.summary import kept_text, print_plan
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.plan import Plan, make_plan
from orchestrator.plan.resources import Resources
from orchestrator.results.argument import VIA
from trainers.data.cache_report import BuildReport, SkippedFile

SPACE = {"space": "ralsgan_motorbike", "fid_extractor": "efficientnet_lite0"}


def shown(plan: Plan, *skipped: SkippedFile) -> dict[str, str]:
    """The rows of the plan, by name."""
    about = {"source": "photos", "digest": "", "image_size": 32, "fit": "pad", "cache_crc32": 0}
    cache = SimpleNamespace(report=BuildReport(**about, usable=512, skipped=skipped), path=Path("cache"))
    screen = io.StringIO()
    print_plan(Console(file=screen, width=200), plan, [cache])
    lines = (line.strip().partition("  ") for line in screen.getvalue().splitlines())
    return {name: text.strip() for name, _, text in lines}


def planned(data: Path, *settings: str, **options: object) -> Plan:
    settings = ("data.batch_size=16", *settings)
    return make_plan(LaunchOptions(**SPACE, data=data, settings=settings, **options), (2, 0))  # type: ignore[arg-type]


def test_ranges_of_what_is_searched(motorbikes: Path) -> None:
    assert shown(planned(motorbikes))["training"] == "128 px, 550 to 750 epochs, FID counts from epoch 550 on"
    assert "px, 30 epochs, FID" in shown(planned(motorbikes, "schedule.epochs=30"))["training"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((), "; on 1000 fakes at first (epoch 25);"),
        (("schedule.epochs=4",), "; on 2000 fakes at first (epoch 1);"),  # doubled before it is measured at all
        (("fid.n_fake=256",), "lowest in the window; the best 3"),
        (("fid.every=550",), "lowest in the window; the best 3"),  # the first is in the window
    ],
)
def test_the_number_of_fakes_is_that_of_the_first_measurement(
    settings: tuple[str, ...], said: str, motorbikes: Path
) -> None:
    assert said in shown(planned(motorbikes, *settings))["objective"]


def test_one_and_several(motorbikes: Path) -> None:
    plan = planned(motorbikes)
    one = "1 trial at once on this machine: 1 worker each, with no GPU and 2 CPU threads per worker"
    assert shown(plan)["where"] == one
    many = Resources(gangs=3, workers=4, cpus=1, gpus=1, threads=1, min_workers=2)
    several = "3 trials at once on h:6379: 4 workers each, at least 2, with 1 GPU and 1 CPU thread per worker"
    assert shown(replace(plan, resources=many, address="h:6379"))["where"] == several


def test_the_address_auto_is_told_in_words(motorbikes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = replace(planned(motorbikes), address="auto")
    assert shown(plan)["where"].startswith("1 trial at once on the Ray cluster of this machine: ")
    monkeypatch.setenv(VIA, "my.yaml")  # typed elsewhere: its driver runs on the cluster
    assert shown(plan)["where"].startswith("1 trial at once on the cluster my.yaml: ")


def test_a_dry_run_says_where_the_decoded_images_stay(motorbikes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(motorbikes)
    assert kept_text(plan) == f"the decoded images stay in {plan.cache_dir} on this machine for the launch"
    far = replace(plan, address="h:6379")
    assert kept_text(far) == f"{kept_text(plan)}; the cluster's other machines decode their own"
    monkeypatch.setenv(VIA, "my.yaml")
    assert f" on {socket.gethostname()}, the cluster's head, for the launch; " in kept_text(far)


def test_broken_drawings_are_there_on_purpose(motorbikes: Path) -> None:
    plan, broken = planned(motorbikes), SkippedFile(path="a.jpg", reason="truncated", detail="")
    assert "skipped files are listed in" in shown(plan, broken)["images"]
    assert "broken on purpose" in shown(replace(plan, synthetic=True), broken)["images"]
    assert "broken" not in shown(replace(plan, synthetic=True))["images"]
