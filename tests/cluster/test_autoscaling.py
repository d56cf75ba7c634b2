"""What Ray's own autoscaler makes of the files: spot first, on demand when spot cannot be had, never too many."""

from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config
from ray.autoscaler.v2.instance_manager.config import AutoscalingConfig
from ray.autoscaler.v2.scheduler import ResourceDemandScheduler, SchedulingRequest
from ray.autoscaler.v2.utils import ResourceRequestUtil

from cluster.render import RenderOptions, render
from tests.cluster.golden_cases import PINS


class NoEvents:
    """Stands for the log of what the autoscaler does."""

    def log_cluster_scheduling_update(self, *_: Any, **__: Any) -> None:
        """Nothing."""


def launched(
    name: str, options: RenderOptions, wanted: dict[str, float], times: int, failed: str = ""
) -> dict[str, int]:
    """How many machines of which type the autoscaler would start for so many requests, while one type cannot be had."""
    prepared = prepare_config(yaml.safe_load(render(name, options, pins=PINS)))
    config = AutoscalingConfig(prepared, skip_content_hash=True)
    assert config.get_idle_timeout_s() == 300
    request = SchedulingRequest(
        disable_launch_config_check=True,
        node_type_configs=config.get_node_type_configs(),
        max_num_nodes=config.get_max_num_worker_nodes(),
        resource_requests=ResourceRequestUtil.group_by_count([ResourceRequestUtil.make(wanted)] * times),
        recoverable_resource_availabilities={failed: 0.0} if failed else {},
    )
    reply = ResourceDemandScheduler(event_logger=NoEvents()).schedule(request)
    return {launch.instance_type: launch.count for launch in reply.to_launch}


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_spot_first_then_on_demand(name: str) -> None:
    options, gang = RenderOptions(max_workers=3), {"GPU": 1.0, "CPU": 1.0}
    assert launched(name, options, gang, 2) == {"worker_spot": 2}
    assert launched(name, options, gang, 2, failed="worker_spot") == {"worker_on_demand": 2}
    assert launched(name, RenderOptions(max_workers=3, spot=False), gang, 2) == {"worker_on_demand": 2}


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_never_more_machines_than_said(name: str) -> None:
    options = RenderOptions(max_workers=3)
    assert sum(launched(name, options, {"GPU": 1.0}, 50).values()) == 3
    assert sum(launched(name, options, {"GPU": 1.0}, 50, failed="worker_spot").values()) == 3


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_nothing_runs_where_nothing_is_asked_for(name: str) -> None:
    assert launched(name, RenderOptions(), {"GPU": 1.0}, 0) == {}
