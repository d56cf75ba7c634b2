"""`gan-sweep export`: a folder that others load, whose card's own code is run here."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
import pytest
import torch
import yaml
from click.testing import CliRunner, Result
from PIL import Image

from orchestrator.cli import main
from orchestrator.results.records import TrialRecord
from orchestrator.results.store import ResultsStore
from orchestrator.results.verdict import TrialOutcome
from tests.contracts.family_cases import case_config, fresh_family
from tests.orchestrator.sweep_helpers import PLAN, begun, keep, repeated
from trainers.checkpoint import Progress, save_checkpoint
from trainers.inference import FinishedGenerator, load_exported
from trainers.run_report import RunEnd

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated:FutureWarning"),
]

CONFIRMED = [61.0, 62.0, 63.0]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)
ALONE = """
import sys
for name in ("trainers", "orchestrator", "ray", "mlflow", "optuna"):
    sys.modules[name] = None  # importing it fails
import torch
"""


@pytest.fixture(autouse=True)
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sweep(case: str, **overrides: Any) -> ResultsStore:
    """A finished sweep of one trial that learnt nothing."""
    config = case_config(case, {"network.base_width": 8, **overrides})
    store = begun(Path("sweeps/s").absolute(), replace(PLAN, fingerprint="0123456789abcdef0123", n_real=798))
    trial = TrialRecord("0000", {}, total_epochs=4, started=100.0)
    trial.end(TrialOutcome(verdict=RunEnd.COMPLETED, epochs=4, objective=60.0, best_epoch=4), seconds=1.0)
    trial.confirmed = CONFIRMED
    keep(store, trial)
    family = fresh_family(config)
    with torch.no_grad():
        for name, parameter in family.generator.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(4)  # else the images are nearly grey, and any would do
    save_checkpoint(best(store), config, Progress(epoch=4), family.state_dict())
    return store


def best(store: ResultsStore) -> Path:
    return store.trials_dir / "0000" / "best.pt"


def typed(*words: str) -> Result:
    return CliRunner().invoke(main, ["export", *words])


def exported(*words: str) -> str:
    result = typed("s", "--out", "out", *words)
    assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
    return result.output


def run_alone(code: str) -> None:
    """Run code in the model's folder, in a process that has torch, and none of this project or its tools."""
    done = subprocess.run([sys.executable, "-c", ALONE + code], cwd="out", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def run_here(code: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run code in the model's folder; returns its variables."""
    variables: dict[str, Any] = {}
    with monkeypatch.context() as patch:
        patch.chdir("out")
        exec(code, variables)
    return variables


def blocks() -> dict[str, str]:
    """The card's code, by what it loads with."""
    found = BLOCK.findall(Path("out/README.md").read_text())
    kinds = {"onnxruntime": "onnx", "load_exported": "safetensors", "torch.jit": "torchscript"}
    return {next(kind for word, kind in kinds.items() if word in code): code for code in found}


@pytest.mark.parametrize("case", ["adversarial", "acgan", "cyclegan"])
def test_others_make_the_same_images(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To 1e-4, in a process that has torch alone; and the card's code runs."""
    store = sweep(case)
    formats = ["torchscript", "safetensors"] + (["onnx"] if case == "acgan" else [])
    said = exported(*(word for kind in formats for word in ("--to", kind)))
    generator = FinishedGenerator.load(best(store))
    names = generator.directions or ("model",)
    assert all(f"{name}.torchscript.pt" in said for name in names) and "next: gan-sweep serve out" in said
    inputs = torch.rand(5, 3, 32, 32) * 2 - 1 if generator.directions else generator.inputs(range(5), seed=7)
    torch.save(inputs, tmp_path / "inputs.pt")
    made = f"""
inputs = torch.load("../inputs.pt", weights_only=True)
for name in {list(names)}:
    torch.save(torch.jit.load(f"{{name}}.torchscript.pt")(inputs), f"../{{name}}.made.pt")
"""
    of_card = blocks()
    assert set(of_card) == set(formats)
    run_alone(made + of_card["torchscript"])
    for code in of_card.values():
        variables = run_here(code, monkeypatch)
        images = next(variables[name] for name in ("pixels", "translated", "images") if name in variables)
        assert tuple(images.shape) == (1 if generator.directions else 16, 3, 32, 32)
    for name in names:
        expected = generator.translated(inputs, name) if generator.directions else generator.images(inputs)
        assert expected.std() > 0.01
        again = torch.load(tmp_path / f"{name}.made.pt", weights_only=True)
        assert (again - expected).abs().max() < 1e-4
    if "onnx" in formats:
        session = onnxruntime.InferenceSession("out/model.onnx", providers=["CPUExecutionProvider"])
        (again,) = session.run(["images"], {"inputs": inputs.numpy()})
        assert (torch.from_numpy(again) - generator.images(inputs)).abs().max() < 1e-4
    assert load_exported("out").digest == generator.digest


def test_the_card_and_the_model_say_where_it_comes_from() -> None:
    keep(sweep("acgan"), *repeated("0000", 62.0, 70.0, 72.0).repeats)
    said = exported("--license", "CC-BY-4.0")
    assert "s/0000, epoch 4, 32 px, to out" in said and "license CC-BY-4.0" in said
    card = Path("out/README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "cc-by-4.0" and front["pipeline_tag"] == "unconditional-image-generation"
    metric = front["model-index"][0]["results"][0]["metrics"][0]
    assert metric == {"type": "fid", "name": "fid_test_n2", "value": 62.0}
    for text in (
        "measured again | 62.00 ± 1.00 (mean and standard deviation over 3 sets of fresh latents)",
        "60.00",
        "798",
        "0123456789abcdef0123",
    ):
        assert text in card
    assert "trained again | 71.00 ± 1.41 (mean and standard deviation over 2 training seeds)" in card
    assert "## Intended use" in card and "## Limitations" in card and "not selected, a row per hair" in card
    assert "| columns 8 to 10 | hair |" in card and "(8: red; 9: blue; 10: green)" in card
    with Image.open("out/samples.png") as picture:
        assert picture.size == (8 * 66 + 2, 3 * 66 + 2)
    model = json.loads(Path("out/model.json").read_text())
    origin = model["origin"]
    assert (origin["sweep"], origin["trial"], origin["confirmed_seeds"]) == ("s", "0000", 3)
    assert (model["classes"]["eyes"], model["latent_dim"], model["epoch"]) == (["red", "blue"], 8, 4)


def test_a_checkpoint_by_itself_says_what_it_does_not_know() -> None:
    store = sweep("adversarial", **{"fid.weights": "/somewhere/weights.pth", "init.checkpoint": "/somewhere/best.pt"})
    said = typed(str(best(store)), "--out", "out").output
    assert "license unknown (--license NAME); no FID" in said
    card = Path("out/README.md").read_text()
    assert "license: unknown" in card and "`unknown`: nobody has said" in card and "model-index" not in card
    assert card.count("Unknown: a checkpoint by itself") == 2
    assert not any("somewhere" in path.read_text() for path in map(Path, ("out/README.md", "out/model.json")))


def test_names_from_a_folder_stay_text(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = {"hair|<b>": ("a`b", "x\ny")}
    sweep("acgan", labels=labels)
    exported("--to", "torchscript", "--to", "safetensors")
    card = Path("out/README.md").read_text()
    assert "<b>" not in card.split("## Settings")[0].split("## Inputs and outputs")[1]
    for code in blocks().values():
        assert len(run_here(code, monkeypatch)) > 2


def test_a_translation_shows_the_grid_of_its_training() -> None:
    store = sweep("cyclegan")
    exported()
    assert "No samples: a translation needs images" in Path("out/README.md").read_text()
    grids = store.trials_dir / "0000" / "samples"
    grids.mkdir()
    for number in (2, 3, 5):
        Image.new("RGB", (number, 1)).save(grids / f"epoch_{number:04}.png")
    exported("--force")
    with Image.open("out/samples.png") as picture:
        assert picture.size == (3, 1)
    assert "at epoch 3." in Path("out/README.md").read_text()


def listing(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).iterdir())


def test_what_is_there_is_not_overwritten() -> None:
    sweep("adversarial")
    Path("photos").mkdir()
    Path("photos/mine.png").touch()
    for words in (["--out", "photos"], ["--out", "photos", "--force"]):
        result = typed("s", *words)
        assert result.exit_code == 2 and "photos holds other files: name a new folder" in result.stderr
    assert listing("photos") == ["mine.png"]
    exported("--to", "torchscript")
    result = typed("s", "--out", "out")
    assert result.exit_code == 2 and "holds an exported model already" in result.stderr
    Path("out/mine.txt").write_text("mine")
    exported("--force")
    assert listing("out") == ["README.md", "mine.txt", "model.json", "model.safetensors", "samples.png"]
    assert listing(".") == ["out", "photos", "sweeps"]


def test_an_empty_folder_is_filled_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a mounted disk, or the current folder."""
    store = sweep("adversarial")
    Path("empty").mkdir()
    monkeypatch.chdir("empty")
    assert typed(str(best(store)), "--out", ".").exit_code == 0
    assert listing(".") == ["README.md", "model.json", "model.safetensors", "samples.png"]


def test_what_is_wrong_is_said_before_anything_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sweep("adversarial")
    for words, message in (
        (["--to", "onx"], "unknown format of --to 'onx': did you mean onnx? valid: onnx, safetensors, torchscript"),
        (["--license", "a b"], "--license 'a b': give a short name"),
        (["--trial", "7"], "unknown trial of s '7'"),
    ):
        result = typed("s", "--out", "out", *words)
        assert result.exit_code == 2 and message in result.stderr and result.stderr.count("\n") == 1
    for kind, module in (("safetensors", "safetensors.torch"), ("onnx", "onnxscript"), ("onnx", "onnxruntime")):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            result = typed("s", "--out", "out", "--to", kind)
        package = module.split(".")[0]
        assert result.exit_code == 2 and f"{package} is not installed: pip install 'gan-sweep[export]'" in result.stderr
    assert listing(".") == ["sweeps"]
