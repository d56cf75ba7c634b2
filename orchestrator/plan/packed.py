"""A plan whose trials share GPUs, once it is known what one takes."""

from dataclasses import replace

from orchestrator.plan.checks import buildable_pair, possible_values
from orchestrator.plan.disk import check_disk, forecast_disk
from orchestrator.plan.launch_options import LaunchOptions
from orchestrator.plan.memory import check_memory, gpu_memory, host_memory, largest_networks, memory_need
from orchestrator.plan.packing import pack, read_trials_per_gpu
from orchestrator.plan.plan import Plan
from orchestrator.plan.resources import choose_resources, machine
from orchestrator.space.space import Space
from trainers.config import TrainConfig
from trainers.dry_step import Measured
from trainers.errors import UserError

_BATCH = "data.batch_size"
# What makes a trial large, by itself or together.
_LARGE = (
    _BATCH,
    "data.image_size",
    "network.base_width",
    "network.latent_dim",
    "regularizer.gradient_penalty",
    "regularizer.r1_gamma",
    "regularizer.r2_gamma",
)


def costliest(space: Space) -> TrainConfig:
    """The config to measure: the largest networks with the largest batch, all that makes a trial large at once.

    Where all at once cannot be built, with the batch alone.
    """
    config = largest_networks(space).config
    for names in (_LARGE, (_BATCH,)):
        large = TrainConfig.build(config.model_dump(), {name: max(possible_values(space, name)) for name in names})
        try:
            buildable_pair(large)
        except UserError:
            continue
        return large
    return config


def packed(plan: Plan, options: LaunchOptions, measured: Measured, available: tuple[int, int] | None) -> Plan:
    """`plan` with as many trials per GPU as were asked for, or as fit.

    Args:
        plan: of `options`, whose ``trials_per_gpu`` is given.
        options: of the launch.
        measured: what one of its trials takes.
        available: CPUs and GPUs of the cluster; None: those of this machine.

    Raises:
        UserError: they do not fit.
    """
    assert options.trials_per_gpu is not None
    (cpus, gpus), local = available or machine(), plan.address is None
    asked = read_trials_per_gpu(options.trials_per_gpu)
    packing = pack(measured, asked, gpus=gpus, cpus=cpus, trials=plan.trials)
    plan = replace(plan, packing=packing)
    if asked is not None:
        return plan
    resources = choose_resources(
        concurrency=options.concurrency,
        workers=1,
        cpus=options.cpus_per_worker,
        gpus=None,
        available_cpus=cpus,
        available_gpus=gpus,
        local=local,
        per_gpu=packing.trials,
    )
    networks = largest_networks(plan.space)
    memory = memory_need(networks, resources)
    if local:
        check_memory(memory, networks, resources, host=host_memory(), gpu=gpu_memory())
    plan = replace(plan, resources=resources, memory=memory)
    if plan.disk is None:
        return plan
    disk = forecast_disk(plan.space, networks, resources, plan.keep_checkpoints)
    check_disk(disk, networks, plan.directory.parent, plan.keep_checkpoints)
    return replace(plan, disk=disk)
