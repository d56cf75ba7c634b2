"""The model card of an exported generator: README.md in the form that Hugging Face reads."""

from collections.abc import Sequence
from typing import Any

from orchestrator.display.model_snippets import snippets
from orchestrator.space.objectives import called, latents_text, number_text, spread_text, training_seeds_text
from orchestrator.space.yaml_text import dump_yaml
from trainers.inference.export import Written
from trainers.metric_names import FID, maximised, short_name

UNKNOWN = "unknown"  # the licence, where nobody says


def model_card(model: dict[str, Any], written: Sequence[Written], picture: str | None, caption: str) -> str:
    """The text of the card.

    Args:
        model: contents of ``model.json``.
        written: the files of weights.
        picture: name of the file with samples; None without one.
        caption: what it shows, or why there is none.
    """
    image = f"![{caption}]({picture})\n\n{caption}" if picture else caption
    parts = [
        f"---\n{dump_yaml(_front_matter(model))}---",
        f"# {_title(model)}",
        _summary(model),
        image,
        "## Quality",
        _quality(model),
        "## How to load it",
        "Run these in this folder.",
        *snippets(model),
        "## Inputs and outputs",
        _tensors(model),
        "## Files",
        _table(
            ("file", "format", "size", "largest difference from the checkpoint's own images"),
            [(f"`{one.name}`", one.format, f"{one.size / 1e6:.1f} MB", f"{one.difference:.1g}") for one in written],
        )
        + "\n\nDifferences are of values in [-1, 1], measured when the files were written. `model.json` holds all that"
        " this page says, for programs.",
        "## Training data",
        _data(model),
        "## Intended use",
        "Images that resemble the training images: experiments, illustrations, training data of other models where"
        " that is allowed. Edit this section before you publish the model.",
        "## Limitations",
        _limitations(model),
        "## Licence",
        _licence(model["license"]),
        "## Settings",
        f"All settings of the training run, as a config of gan-sweep {model['versions']['gan-sweep']} (torch"
        f" {model['versions']['torch']}, Python {model['versions']['python']}), exported {model['exported']}:",
        f"```yaml\n{dump_yaml(model['config'])}```",
    ]
    return "\n\n".join(parts) + "\n"


def _title(model: dict[str, Any]) -> str:
    origin = model["origin"]
    return f"{origin['sweep']}, trial {origin['trial']}" if origin["sweep"] else f"Generator {model['digest']}"


def _task(model: dict[str, Any]) -> str:
    return "image-to-image" if model["directions"] else "unconditional-image-generation"


def _front_matter(model: dict[str, Any]) -> dict[str, Any]:
    origin = model["origin"]
    found: dict[str, Any] = {
        "license": model["license"].lower(),  # as Hugging Face's own names are
        "library_name": "gan-sweep",
        "pipeline_tag": _task(model),
        "tags": ["gan", model["family"], model["config"]["network"]["name"]],
    }
    value = origin["objective"] if origin["confirmed_mean"] is None else origin["confirmed_mean"]
    if value is not None:
        dataset = {"name": f"{origin['data_images']} images, {origin['data_fingerprint'][:16]}", "type": "image-folder"}
        metric = {
            "type": short_name(origin["objective_name"]),
            "name": origin["objective_name"],
            "value": float(number_text(value, ".2f")),
        }
        result = {"task": {"type": _task(model)}, "dataset": dataset, "metrics": [metric]}
        found["model-index"] = [{"name": _title(model), "results": [result]}]
    return found


def _summary(model: dict[str, Any]) -> str:
    size, network = model["image_size"], model["config"]["network"]["name"]
    if model["directions"]:
        what = f"Translates {size} x {size} pixel images between two domains ({', '.join(model['directions'])})"
    else:
        what = f"Makes {size} x {size} pixel colour images from {model['latent_dim']} random numbers"
        if model["classes"]:
            what += " and the classes that you choose"
    how = f"the generator of a GAN (family `{model['family']}`, networks `{network}`)"
    images = model["origin"]["data_images"]
    on = f" on {images} images" if images else ""
    return f"{what}: {how}, trained for {model['epoch']} epochs{on} with gan-sweep. Weights: `{model['digest']}`."


def _quality(model: dict[str, Any]) -> str:
    origin, fid = model["origin"], model["config"]["fid"]
    if origin["objective"] is None:
        return "Unknown: a checkpoint by itself does not say in which sweep it was measured."
    rows, measure = [], short_name(origin["objective_name"])
    what, up = called(measure), maximised(measure)
    if (mean := origin["confirmed_mean"]) is not None:
        spread = origin["confirmed_spread"]
        how = _how_sure(spread, latents_text(origin["confirmed_seeds"]))
        rows.append((f"{what} of this checkpoint, measured again", f"{spread_text(mean, spread)} ({how})"))
    if (mean := origin.get("training_mean")) is not None:  # exports of older versions do not say it
        spread = origin["training_spread"]
        how = _how_sure(spread, training_seeds_text(origin["training_seeds"]))
        rows.append((f"{what} of the same setting, trained again", f"{spread_text(mean, spread)} ({how})"))
    rows.append((f"{what} in training, at epoch {model['epoch']}", number_text(origin["objective"])))
    rows.append(("protocol", f"`{origin['objective_name']}`"))
    rows.append(("features", f"of `{fid['extractor']}`"))
    each = ", in each direction; the value is the mean" if model["directions"] else ""
    rows.append(("compared", f"{fid['n_fake']} generated images with {origin['data_images']} training images{each}"))
    better = "Higher" if up else "Lower"
    text = f"{better} is better. Values compare under the same protocol and the same images only"
    if measure == FID and (fid["extractor"] != "inception" or fid["n_fake"] < 10_000):
        text += ": this is not the FID of articles, which compare 10,000 or more images by Inception's features"
    return (
        f"{_table(('what', 'value'), rows)}\n\n{text}. The value in training is the "
        f"{'highest' if up else 'lowest'} of several, so it flatters."
    )


def _how_sure(spread: float | None, over: str) -> str:
    return f"{'' if spread is None else 'mean and standard deviation '}over {over}"


def _tensors(model: dict[str, Any]) -> str:
    inputs, outputs = model["inputs"], model["outputs"]
    rows = [(f"`{inputs['name']}`", _shape(inputs), inputs.get("meaning", "the columns below, side by side"))]
    for column in inputs.get("columns", ()):
        names = "; ".join(
            f"{place}: {_plain(name)}" for place, name in enumerate(column.get("classes", ()), column["first"])
        )
        where = f"columns {column['first']} to {column['last']}"
        rows.append((where, _plain(column["name"]), f"{column['meaning']}{f' ({names})' if names else ''}"))
    rows.append((f"`{outputs['name']}`", _shape(outputs), outputs["meaning"]))
    text = "" if model["directions"] else "\n\nLatents times a number below 1 give more typical images that vary less."
    return _table(("tensor", "shape", "meaning"), rows) + text


def _data(model: dict[str, Any]) -> str:
    origin = model["origin"]
    if origin["data_images"] is None:
        return "Unknown: a checkpoint by itself does not say on which images it was trained."
    of = " of the first domain" if model["directions"] else ""
    how = {"pad": "padded to squares", "stretch": "stretched to squares"}[model["config"]["data"]["fit"]]
    return (
        f"{origin['data_images']} images{of}, {how} of {model['image_size']} pixels. Their fingerprint at that size:"
        f" `{origin['data_fingerprint']}`. The images are not part of this model."
    )


def _limitations(model: dict[str, Any]) -> str:
    lines = [
        f"Images have {model['image_size']} x {model['image_size']} pixels, and show only what the training images"
        " show, with whatever these lack or have too much of.",
        "A low FID says that many images together resemble the training images. It does not say that each one is good.",
        "Whether images are copies of training images was not examined; with few training images some may be.",
    ]
    fid = model["config"]["fid"]
    if model["origin"]["objective"] is not None and fid["n_fake"] < 2048:
        lines.append(f"The FID is of {fid['n_fake']} generated images: so few make it larger and less certain.")
    return "\n".join(f"- {line}" for line in lines)


def _licence(licence: str) -> str:
    if licence == UNKNOWN:
        return (
            "`unknown`: nobody has said under which licence this model may be used, nor whether the training images "
            "allow it. `gan-sweep export --license NAME` fills it in."
        )
    return f"`{licence}`, as given to `gan-sweep export`. It was not compared with the rights to the training images."


def _shape(tensor: dict[str, Any]) -> str:
    return f"[{', '.join(str(side) for side in tensor['shape'])}], {tensor['type']}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: str) -> str:
    """A name from a folder or a file of tags, so that Markdown and HTML show it as it is."""
    escaped = "".join(f"\\{char}" if char in "\\`*_{}[]<>()#+-!|~" else char for char in text)
    return " ".join(escaped.split())
