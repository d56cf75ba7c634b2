"""The view in which MLflow's page opens: columns, order and charts, kept as a tag of the experiment.

MLflow's page reads the tag ``mlflow.sharedViewState.KEY`` where its address has ``?viewStateShareKey=KEY``
(mlflow 3.17).
"""

import base64
import json
import re
import uuid
import zlib
from typing import Any

from mlflow import MlflowClient

from orchestrator.results.saved_plan import SavedPlan
from orchestrator.space.objectives import best_text, called
from orchestrator.space.space import Space
from orchestrator.tracking.described import LOG10, on_log_scale
from orchestrator.tracking.trial_pictures import BEST, SAMPLES
from trainers.metric_names import FID, maximised

ALL = "all-sweeps"  # key of the view of every sweep of a space
TAG = "mlflow.sharedViewState."
MOST_RUNS = 100  # in a chart
AS_TRAINING = "workflowType=machine_learning"  # not as GenAI
MOST_AXES = 10  # of parallel coordinates; more are not legible


def view_key(plan: SavedPlan) -> str:
    """Names a sweep's view in an address; two sweeps of one name have two."""
    return f"{plan.sweep}-{plan.unique[:8]}".rstrip("-")


def view_address(experiment_id: str, key: str, *, charts: bool = False) -> str:
    """The part of a page's address after the server."""
    mode = "&compareRunsMode=CHART" if charts else ""
    return f"#/experiments/{experiment_id}/runs?{AS_TRAINING}&viewStateShareKey={key}{mode}"


def write_views(client: MlflowClient, experiment_id: str, parent: str, plan: SavedPlan, space: Space) -> None:
    """Keep two views: of this sweep's trials, and of the trials of all sweeps of the space."""
    alone, everything = f"tags.`mlflow.parentRunId` = '{parent}'", "tags.`gan_sweep.trial` != 'none'"
    for key, search in ((view_key(plan), alone), (ALL, everything)):
        state = json.dumps(view_state(plan, space, search, several=key == ALL), separators=(",", ":"))
        packed = base64.b64encode(zlib.compress(state.encode(), 9)).decode()
        client.set_experiment_tag(experiment_id, f"{TAG}{key}", f"deflate;{packed}")


def view_state(plan: SavedPlan, space: Space, search: str, *, several: bool) -> dict[str, Any]:
    """The state of MLflow's runs page.

    Args:
        plan: of a sweep.
        space: of the sweep.
        search: which runs are shown, in MLflow's search language.
        several: whether they are of several sweeps.
    """
    fids, axes, measure = _names(plan.objective, space), _axes(space), plan.objectives[0]
    lowest = "fid_best" if measure == FID else "objective"  # before the window there is no objective
    repeated = space.confirm.train_seeds > 0 or several
    seeds = ("seeds_mean", "seeds_spread", "seeds_n") if repeated else ()
    metrics = (*seeds, "objective", "objective_mean", "objective_spread", "best_epoch", "fid_best")
    widths = {"tags.`sweep`": 104} if several else {}
    widths |= {f"metrics.`{name}`": 104 for name in metrics} | {"tags.`verdict`": 104}
    widths |= {f"params.`{name}`": 104 for name in space.search}
    return {
        "searchFilter": search,
        "orderByKey": f"metrics.`{'seeds_mean' if space.confirm.train_seeds else 'objective'}`",
        "orderByAsc": not maximised(measure),
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(widths),
        "columnOrder": list(widths),
        "columnWidths": widths,
        "runsExpanded": {},
        "runsPinned": [],
        "runsHidden": [],
        "runsVisibilityMap": {},
        "runsHiddenMode": "SHOW_ALL",
        "runListHidden": False,
        "viewMaximized": False,
        "isAccordionReordered": True,
        "hideEmptyCharts": True,
        "autoRefreshEnabled": True,
        "useGroupedValuesInCharts": True,
        "groupBy": None,
        "groupsExpanded": {},
        "globalLineChartConfig": {"xAxisKey": "step", "lineSmoothness": 0, "selectedXAxisMetricKey": ""},
        "chartsSearchFilter": "",
        "compareRunSections": [
            _section("fid", f"{called(measure)} by epoch", columns=1, height=420),
            _section("search", f"Searched values and {best_text(measure)}", columns=1, height=420),
            _section("pictures", "Samples of the ten best", columns=1, height=1000),
            _section("training", "Training", columns=2, height=320),
        ],
        "compareRunCharts": [
            _lines("fid", fids),
            _chart("search", "PARALLEL", selectedParams=axes, selectedMetrics=[lowest], showAllRuns=True),
            _chart("pictures", "IMAGE", imageKeys=[BEST], step=0, showRunParams=False),
            _chart("pictures", "IMAGE", imageKeys=[SAMPLES], step=_first_grid(space), showRunParams=False),
            *(_lines("training", [name]) for name in ("d_loss", "g_loss", "grad_norm_d", "grad_norm_g")),
            _lines("training", fids, xAxisKey="metric", selectedXAxisMetricKey="images_seen", useGlobalXaxisKey=False),
        ],
    }


def _axes(space: Space) -> list[str]:
    """Searched keys that every trial has: MLflow leaves out runs without one of a chart's keys."""
    log = on_log_scale(space)
    names = [name for name, domain in space.search.items() if not domain.when]
    return [f"{LOG10}{name}" if name in log else name for name in names][:MOST_AXES]


def _first_grid(space: Space) -> int:
    """The first epoch after the very first at which all trials that are cut by the scheduler have a sample grid."""
    every = space.base.schedule.samples_every
    return every if every <= space.scheduler.grace_epochs else 1


def _names(objective: str, space: Space) -> list[str]:
    """The objective by every protocol that a trial has on its way: there may be fewer fakes at first."""
    first, full = space.base.fid.n_fake_first or space.base.fid.n_fake, space.base.fid.n_fake
    fewer = (first << step for step in range(full.bit_length()) if first << step < full)
    return [objective, *(re.sub(r"_n\d+", f"_n{count}", objective) for count in fewer)]


def _section(key: str, name: str, *, columns: int, height: int) -> dict[str, Any]:
    flags = {"display": True, "isReordered": False, "deleted": False, "isGenerated": False}
    return {"uuid": key, "name": name, "columns": columns, "cardHeight": height, **flags}


def _chart(section: str, kind: str, **more: Any) -> dict[str, Any]:
    flags = {"runsCountToCompare": MOST_RUNS, "deleted": False, "isGenerated": False}
    return {"uuid": str(uuid.uuid4()), "type": kind, "metricSectionId": section, **flags, **more}


def _lines(section: str, metrics: list[str], **axis: Any) -> dict[str, Any]:
    looks = {"scaleType": "linear", "xAxisScaleType": "linear", "lineSmoothness": 0, "displayPoints": True, "range": {}}
    x = axis or {"xAxisKey": "step"}
    return _chart(section, "LINE", metricKey=metrics[0], selectedMetricKeys=metrics, **looks, **x)


def pages(plans: list[SavedPlan], *, one: bool) -> list[tuple[str, str, str]]:
    """What is shown, and the addresses of its table and charts after the server, a row per space.

    Args:
        plans: of sweeps in one store.
        one: whether a sweep is shown alone; if not, all sweeps of its space.

    Raises:
        UserError: MLflow does not answer.
    """
    client, found = MlflowClient(plans[0].tracking_uri), []
    for space in dict.fromkeys(plan.space for plan in plans):
        sweeps = [plan for plan in plans if plan.space == space]
        what = ", ".join(plan.sweep for plan in sweeps)
        experiment = client.get_experiment_by_name(space)
        key = view_key(sweeps[0]) if one else ALL
        if experiment is None:
            continue
        if f"{TAG}{key}" not in experiment.tags:  # an older version wrote it
            found.append((what, f"#/experiments/{experiment.experiment_id}/runs?{AS_TRAINING}", ""))
            continue
        table, charts = (view_address(experiment.experiment_id, key, charts=mode) for mode in (False, True))
        found.append((what, table, charts))
    return found or [(", ".join(plan.sweep for plan in plans), "", "")]
