"""Text for people: what a sweep asks of its machines and its owner, before it starts."""

from collections.abc import Iterator

from orchestrator.display.waiting import duration
from orchestrator.display.winner_text import counted
from orchestrator.plan.disk import free_bytes
from orchestrator.plan.forecast import Forecast
from orchestrator.plan.head import CONTROLLER_BYTES, gang_bytes, head_bytes
from orchestrator.plan.memory import gb, gpu_memory, host_memory
from orchestrator.plan.plan import Plan
from orchestrator.plan.starting import most_epochs
from orchestrator.results.prices import money


def arithmetic_rows(plan: Plan, forecast: Forecast | None) -> dict[str, str]:
    """GPUs, ranks, memory, the head's load, disk, and the ceiling of time and money."""
    rows = {"in all": _devices(plan)}
    if plan.memory is not None:
        rows["memory"] = _memory(plan)
    rows["head"] = _head(plan)
    if plan.disk is not None:
        rows["disk"] = f"about {gb(plan.disk.total)} of {gb(free_bytes(plan.directory))} free"
    rows["at most"] = _ceiling(plan, forecast)
    if price := _price(plan):
        rows["price"] = price
    return rows


def warnings(plan: Plan, forecast: Forecast | None) -> Iterator[str]:
    """A line where the ceiling is more than a budget."""
    if forecast is None:
        return
    cost, budgets = forecast.cost, plan.budgets
    if budgets.cost is not None and cost is not None and cost > budgets.cost:
        what = f"{money(cost)} is above --max-cost {budgets.cost:g}"
    elif budgets.gpu_hours is not None and forecast.gpu_hours > budgets.gpu_hours:
        what = f"{forecast.gpu_hours:.2f} GPU hours is above --max-gpu-hours {budgets.gpu_hours:g}"
    else:
        return
    yield f"the ceiling of {what}: the sweep ends before all trials have run, unless enough of them are cut early"


def _devices(plan: Plan) -> str:
    """``4 gangs x 2 workers: 8 workers, 8 CPUs, 8 GPUs``."""
    resources = plan.resources
    ranks = resources.gangs * resources.workers
    gpus = counted(ranks * resources.gpus, "GPU") if resources.gpus else "no GPU"
    each = f"{counted(resources.gangs, 'gang')} x {counted(resources.workers, 'worker')}"
    return f"{each}: {counted(ranks, 'worker')}, {counted(ranks * resources.cpus, 'CPU')}, {gpus}"


def _memory(plan: Plan) -> str:
    assert plan.memory is not None
    need, here = plan.memory, plan.address is None
    of_host = f" of {gb(host_memory())}" if here else " of each node for each of its workers"
    text = f"at least {gb(need.host if here else need.rank)}{of_host}"
    if need.gpu:
        total = gpu_memory() if here else None
        text += f", and {gb(need.gpu)}{f' of {gb(total)}' if total is not None else ''} of each GPU's"
    controller = "" if here else f", and {gb(CONTROLLER_BYTES)} on a node of each trial for Ray Train's controller"
    return f"{text}; activations and libraries come on top{controller}"


def _head(plan: Plan) -> str:
    elsewhere = plan.address is not None
    total, each = head_bytes(plan.resources.gangs, on_cluster=elsewhere), gang_bytes(on_cluster=elsewhere)
    helpers = f"Ray Train's {'' if elsewhere else 'controller and '}cleaner, Tune's actor"
    return (
        f"about {gb(total)} of memory besides, where the driver runs: driver, broker, Ray itself, and {gb(each)} for "
        f"each trial at once ({helpers}){_too_much(total)}"
    )


def _too_much(needed: int) -> str:
    has = host_memory()
    return "" if needed <= has else f": more than its {gb(has)}: take a larger one, or lower --concurrency"


def _ceiling(plan: Plan, forecast: Forecast | None) -> str:
    again = plan.space.most_repeats
    trainings = (
        f"({counted(plan.trials, 'trial')} + {again} with fresh training seeds)"
        if again
        else counted(plan.trials, "trial")
    )
    work = f"{trainings} x {counted(most_epochs(plan.space), 'epoch')}"
    if forecast is None:
        return (
            f"{work}; how long an epoch takes is not known before the first: no sweep in {plan.directory.parent} has "
            "trained this base on these images; a launch of the same with --time-budget 10m tells"
        )
    speed = forecast.speed
    took = f"{speed.seconds:.2g}" if speed.seconds < 10 else f"{speed.seconds:.0f}"
    without = "" if speed.with_fid else ", none with FID"
    measured = f"{took} s, the mean of {counted(speed.epochs, 'epoch')} of {speed.sweep}{without}"
    cost = "" if forecast.cost is None else f"{money(forecast.cost)}, "
    gpus = f"{forecast.gpu_hours:.2f} GPU hours, " if plan.resources.gpus else ""
    return f"about {cost}{gpus}{duration(forecast.seconds)}: {work} x {measured}; cuts make it less"


def _price(plan: Plan) -> str:
    """What an hour costs while all gangs are up; empty without a price."""
    prices, resources = plan.prices, plan.resources
    gpus = resources.gangs * resources.workers * resources.gpus
    hour = prices.cost(on_gpus=gpus > 0, gpu_hours=gpus, seconds=3600)
    if hour is None:
        return ""
    head = f"{prices.head_hour:g} of the head" if prices.head_hour is not None else "the head, whose price is not known"
    parts = f"{counted(gpus, 'GPU')} x {prices.gpu_hour:g} + {head}" if gpus else head
    text = f"{money(hour)} per hour while all gangs are up: {parts}"
    if (limit := plan.budgets.time_s) is not None:
        text += f"; {money(hour * limit / 3600)} at most by --time-budget"
    return text
