"""The view in which MLflow's page opens: in a real browser, on a real server."""

import re
from dataclasses import replace
from pathlib import Path

from orchestrator.results.verdict import SweepStatus
from orchestrator.space.load import build_space
from orchestrator.space.space import Space
from orchestrator.tracking.view import pages, view_state
from tests.browser import browser_page, needs_browser
from tests.orchestrator.sweep_helpers import PLAN, begun, close, ended, epoch, keep, keep_epochs
from tests.orchestrator.tracking.servers import Server
from tests.orchestrator.tracking.test_described import PARAMS, SPACE, grid
from tests.orchestrator.tracking.test_tracker import deliver, plan_at

RUN = re.compile(r"^\d{4} · ")


@needs_browser
def test_the_page_opens_on_what_was_searched(shared_server: Server, tmp_path: Path) -> None:
    plan = replace(plan_at(shared_server.uri), space="view", definition=SPACE)
    store = begun(tmp_path / "s", plan)
    for name, fid, objective in (("0000", 70.0, 70.0), ("0001", 60.0, 60.0), ("0002", 99.0, None)):
        trial = ended(name, "outranked" if objective is None else "completed", objective)
        trial.params, trial.confirmed = PARAMS, [61.0, 62.0] if name == "0001" else []
        keep(store, trial)
        losses = {"d_loss": 1.0, "g_loss": 2.0, "grad_norm_d": 3.0, "grad_norm_g": 4.0}
        first = replace(epoch(1, metrics=losses), samples=grid(store, name, 1))
        keep_epochs(store, name, first, epoch(3, fid=fid, objective=objective, metrics=losses))
    close(store, SweepStatus.FINISHED)
    assert deliver(store, plan) == ""

    ((what, table, charts_page),) = pages([plan], one=True)
    assert what == "s"
    with browser_page((2400, 2600), ours=False) as page:
        page.set_default_timeout(120_000)  # for several browsers on few cores
        page.goto(f"{shared_server.uri}/{table}")
        runs = page.get_by_role("link", name=RUN)
        runs.first.wait_for()
        names = [name.strip() for name in runs.all_inner_texts()]
        assert names == ["0001 · 60.0 · completed · s", "0000 · 70.0 · completed · s", "0002 · ~99.0 · outranked · s"]
        wanted = ["objective", "objective_mean", "objective_spread", "best_epoch", "fid_best", "verdict", *PARAMS]
        headers = [page.get_by_role("columnheader", name=name, exact=True).last for name in wanted]
        for header in headers:
            header.wait_for()
        places = [header.bounding_box()["x"] for header in headers]
        assert places == sorted(places)

        page.goto(f"{shared_server.uri}/{charts_page}")
        for title in ("fid_test_n2", "Parallel Coordinates", "real_vs_fake", "samples"):
            page.get_by_text(title, exact=True).first.wait_for()
        page.locator("img[src*='get-artifact']").nth(5).wait_for()  # of three trials, in two charts
        shown = " ".join(page.locator("body").inner_text().split())  # charts without data are not counted
        for section in ("FID by epoch (1)", "lowest FID (1)", "Samples of the ten best (2)", "Training (5)"):
            assert section in shown
        assert page.get_by_text("No image logged at this step").count() == 0


def test_axes_are_keys_that_every_trial_has() -> None:
    space = build_space("x", {**SPACE, "search": {**SPACE["search"], "loss.name": {"choice": ["ralsgan", "wgan"]}}})
    axes = _parallel(space)["selectedParams"]
    assert axes == ["log10_optimizer.lr_g", "optimizer.beta1", "loss.name"]
    assert _parallel(space)["selectedMetrics"] == ["fid_best"]


def _parallel(space: Space) -> dict[str, list[str]]:
    charts = view_state(PLAN, space, "", several=False)["compareRunCharts"]
    (parallel,) = (chart for chart in charts if chart["type"] == "PARALLEL")
    return parallel
