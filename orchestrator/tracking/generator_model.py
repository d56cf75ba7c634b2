"""The best generator as an MLflow model: this file is copied into the model and run where it is loaded.

Where that is, this package must be installed::

    model = mlflow.pyfunc.load_model("models:/NAME@champion")
    images = model.predict(pandas.DataFrame({"number": range(16)}), params={"seed": 1, "truncation": 0.8})

An image depends on its number, the seed, the truncation and the classes alone: it is that of `gan-sweep generate`. A
generator that translates takes images instead, ``[B, S, S, 3]`` uint8, and the parameter ``direction``. Images are
``[B, S, S, 3]`` uint8 either way.
"""

from mlflow.models import set_model
from mlflow.pyfunc import PythonModel, PythonModelContext

CHECKPOINT = "checkpoint"  # name of the artifact


class GeneratorModel(PythonModel):
    """A finished generator."""

    def load_context(self, context: PythonModelContext) -> None:
        """Load the checkpoint, on a GPU where there is one."""
        import torch

        from trainers.inference import FinishedGenerator

        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._generator = FinishedGenerator.load(context.artifacts[CHECKPOINT], device, torch.float64)

    def predict(self, context, model_input, params=None):  # type: ignore[no-untyped-def]  # MLflow reads hints as a schema
        """Images ``[B, S, S, 3]`` uint8.

        Args:
            context: MLflow's.
            model_input: a table whose column ``number`` has the images' numbers; for a generator that translates,
                images ``[B, S, S, 3]`` uint8.
            params: ``seed`` and ``truncation``, and the wanted class of an attribute by its name, empty for any; for a
                generator that translates, ``direction``.

        Raises:
            UserError: there is no such class or direction.
        """
        import torch

        from trainers.data import to_unit_range

        generator, asked = self._generator, dict(params or {})
        if generator.directions:
            images = to_unit_range(torch.as_tensor(model_input).permute(0, 3, 1, 2))
            pixels = generator.translated_pixels(images, asked.get("direction") or generator.directions[0])
        else:
            seed, truncation = int(asked.pop("seed", 0)), float(asked.pop("truncation", 1.0))
            classes = {name: wanted for name, wanted in asked.items() if wanted}
            numbers = [int(number) for number in model_input["number"]]
            pixels = generator.pixels(generator.inputs(numbers, seed=seed, classes=classes, truncation=truncation))
        return pixels.permute(0, 2, 3, 1).numpy()


set_model(GeneratorModel())
