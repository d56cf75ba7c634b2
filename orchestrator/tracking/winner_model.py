"""Logs the winner's generator as an MLflow model, and registers it. Both may be repeated: nothing is made twice."""

import logging
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from mlflow import MlflowClient, pyfunc
from mlflow.entities import LoggedModel, LoggedModelOutput
from mlflow.entities.logged_model_status import LoggedModelStatus
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

from orchestrator.results.records import TrialRecord
from orchestrator.results.saved_plan import SavedPlan
from trainers.checkpoint import Progress, load_checkpoint, save_checkpoint
from trainers.config import TrainConfig
from trainers.families import find_family

logging.getLogger(pyfunc.__name__).setLevel(logging.WARNING)  # it tells that it checks the example
warnings.filterwarnings("ignore", ".*Add type hints to the `predict` method", UserWarning)  # the signature is given

MODEL_TAG = "gan_sweep.model"  # which checkpoint of which trial of which sweep
CHAMPION = "champion"
CODE = Path(__file__).with_name("generator_model.py")


def log_winner(
    client: MlflowClient, experiment_id: str, run: str, plan: SavedPlan, trial: TrialRecord, checkpoint: Path
) -> LoggedModel:
    """Log the generator of a trial's best epoch as a model of its run, unless it is there; returns the model.

    Raises:
        UserError: the checkpoint is damaged.
    """
    mark = f"{plan.unique or plan.sweep}-{trial.trial_id}-{trial.best_epoch}"
    for found in client.search_logged_models([experiment_id], f"tags.`{MODEL_TAG}` = '{mark}'"):
        if found.status == LoggedModelStatus.READY:
            return found
        client.delete_logged_model(found.model_id)  # whoever made it has died meanwhile
    content = load_checkpoint(checkpoint)
    config = TrainConfig.build(content["config"])
    model = client.create_logged_model(experiment_id, "generator", run, {MODEL_TAG: mark}, model_type="generator")
    with tempfile.TemporaryDirectory() as scratch:
        weights = content["family"].get("average", content["family"]["generator"])
        alone = Path(scratch) / "generator.pt"  # without D and the optimisers
        save_checkpoint(alone, config, Progress(**content["progress"]), {"generator": weights})
        pyfunc.save_model(
            Path(scratch) / "model",
            python_model=str(CODE),
            artifacts={"checkpoint": str(alone)},
            signature=signature_of(config),
            input_example=(example_of(config), {}),
            pip_requirements=[f"gan-sweep=={version('gan-sweep')}"],
            mlflow_model=Model(
                artifact_path=model.artifact_location, model_uuid=model.model_id, run_id=run, model_id=model.model_id
            ),
        )
        client.log_model_artifacts(model.model_id, str(Path(scratch) / "model"))
    client.log_outputs(run, [LoggedModelOutput(model.model_id, trial.best_epoch or 0)])
    return client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)


def register(client: MlflowClient, name: str, model: LoggedModel, run: str) -> None:
    """Make a logged model a version of the registered model `name`, unless it is one, and that version its champion."""
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = model.artifact_location  # for ``models:/ID`` the client would look in the store of its environment
    there = [one for one in client.search_model_versions(f"name = '{name}'") if one.source == source]
    made = there[0] if there else client.create_model_version(name, source, run, model_id=model.model_id)
    client.set_registered_model_alias(name, CHAMPION, made.version)


def signature_of(config: TrainConfig) -> ModelSignature:
    """What `GeneratorModel` takes and gives."""
    family, size = find_family(config), config.data.image_size
    images = Schema([TensorSpec(np.dtype(np.uint8), (-1, size, size, 3))])
    if family.directions:
        asked = [ParamSpec("direction", DataType.string, family.directions[0])]
        return ModelSignature(images, images, ParamSchema(asked))
    asked = [ParamSpec("seed", DataType.long, 0), ParamSpec("truncation", DataType.double, 1.0)]
    asked += [ParamSpec(attribute, DataType.string, "") for attribute in family.classes(config)]
    return ModelSignature(Schema([ColSpec(DataType.long, "number")]), images, ParamSchema(asked))


def example_of(config: TrainConfig) -> pd.DataFrame | np.ndarray:
    """The first four images; of a generator that translates, a black one."""
    size = config.data.image_size
    if find_family(config).directions:
        return np.zeros((1, size, size, 3), np.uint8)
    return pd.DataFrame({"number": range(4)})
