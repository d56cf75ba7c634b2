"""The winner as an MLflow model, of every kind of generator, loaded by MLflow alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from orchestrator.tracking.winner_model import log_winner
from tests.orchestrator.serving.served import CLASSES, DRAWING, TRANSLATING, checkpoint
from tests.orchestrator.sweep_helpers import PLAN, ended
from trainers.data import to_unit_range
from trainers.inference import FinishedGenerator


def loaded(database: str, file: Path) -> Any:
    """What MLflow makes of a checkpoint that is logged twice: the second time it is there."""
    client = MlflowClient(database)
    experiment = client.create_experiment("x", artifact_location=(file.parent / "artifacts").as_uri())
    run = client.create_run(experiment).info.run_id
    trial = replace(ended("0000", "completed", 60.0), best_epoch=3)
    first, again = (log_winner(client, experiment, run, PLAN, trial, file) for _ in range(2))
    assert first.model_id == again.model_id
    return mlflow.pyfunc.load_model(first.artifact_location)


@pytest.mark.parametrize("case", [DRAWING, CLASSES])
def test_images_of_numbers(database: str, tmp_path: Path, case: str) -> None:
    file = checkpoint(tmp_path, case)
    generator = FinishedGenerator.load(file, "cpu", torch.float64)
    classes = {attribute: names[-1] for attribute, names in generator.classes.items()}
    assert bool(classes) == (case == CLASSES)
    wanted = generator.pixels(generator.inputs([4, 7], seed=2, classes=classes, truncation=0.5))
    asked = {"seed": 2, "truncation": 0.5, **classes}
    found = loaded(database, file).predict(pd.DataFrame({"number": [4, 7]}), params=asked)
    assert found.dtype == np.uint8 and (found == wanted.permute(0, 2, 3, 1).numpy()).all()


def test_images_of_images(database: str, tmp_path: Path) -> None:
    file = checkpoint(tmp_path, TRANSLATING)
    generator = FinishedGenerator.load(file, "cpu", torch.float64)
    photos = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    model, taken = loaded(database, file), photos.permute(0, 2, 3, 1).numpy()
    made = {}
    for way in generator.directions:
        wanted = generator.translated_pixels(to_unit_range(photos), way)
        made[way] = model.predict(taken, params={"direction": way})
        assert (made[way] == wanted.permute(0, 2, 3, 1).numpy()).all()
    assert (model.predict(taken) == made[generator.directions[0]]).all(), "the first direction where none is named"
    assert len({image.tobytes() for image in made.values()}) == len(generator.directions)
