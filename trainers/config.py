"""TrainConfig: everything that decides how one GAN trains, and nothing else.

Every section is frozen, keyword-only and rejects unknown keys. Every field that a space may search is a plain
number, string or bool under a dotted name such as ``optimizer.lr_g``.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, ValidationError, model_validator

from trainers.checked import Checked
from trainers.errors import UserError, first_problem, problem_text, unknown_key, unknown_name
from trainers.init_parts import InitParts
from trainers.metric_names import FID, INCEPTION_SCORE, MOST_NEIGHBOURS, NEIGHBOURS, PRDC, VALUES, measurable, metric_of

Probability = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
MOST = 10**9  # of anything that is counted: more is a slip, and what is more than 64 bits is refused far from its cause
Count = Annotated[int, Field(ge=1, le=MOST)]


def metric_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Check names of what is measured beside FID; each is kept once.

    Raises:
        UserError: one does not exist.
    """
    for name in names:
        if name not in VALUES:
            raise unknown_name("metric", name, VALUES)
    return tuple(dict.fromkeys(names))


MetricNames = Annotated[tuple[str, ...], AfterValidator(metric_names)]


def objective_name(name: str) -> str:
    """Check the name of an objective.

    Raises:
        UserError: it is nothing that is measured.
    """
    if name not in measurable():
        raise unknown_name("objective", name, measurable())
    return name


ObjectiveName = Annotated[str, AfterValidator(objective_name)]


class _Section(Checked):
    model_config = ConfigDict(validate_default=True)


class DataConfig(_Section):
    """What the networks see."""

    image_size: Literal[32, 64, 96, 128, 256] = Field(128, description="side of the square images, pixels")
    fit: Literal["pad", "stretch"] = Field(
        "pad", description="pad: keep the aspect ratio, black bars (Zalo motorbike article); stretch: fill the square"
    )
    heldout: float = Field(
        0.0, ge=0, le=0.5, description="share of the images that no training sees; FID against them is measured too"
    )
    heldout_seed: int = Field(0, ge=0, lt=2**32, description="which images are held out")
    batch_size: Count = Field(64, description="images per step over ALL ranks; must be a multiple of the ranks")
    flip_p: Probability = Field(0.5, description="probability of a horizontal flip")
    rotation_p: Probability = Field(0.3, description="probability of a rotation")
    rotation_degrees: float = Field(5.0, ge=0, le=180, description="largest rotation, degrees either way")
    crop_margin: float = Field(
        0.0, ge=0, le=1, description="share by which images are enlarged before a random crop of image_size; 0: no crop"
    )
    contrast_p: Probability = Field(0.0, description="probability of another contrast")
    contrast_low: NonNegative = Field(0.9, description="least contrast; 1 leaves an image as it is, 0 makes it grey")
    contrast_high: NonNegative = Field(1.2, description="greatest contrast (0.9 to 1.2: Zalo motorbike article)")


class NetworkConfig(_Section):
    """Which pair of networks, and how wide."""

    name: str = Field("dcgan", description="registered network pair")
    latent_dim: Count = Field(128, description="length of the latent vector z")
    base_width: Count = Field(32, description="channels that every layer's width is a multiple of; see the pair's file")
    batchnorm: bool = Field(
        True, description="false: the pair without its BatchNorm layers; a pair that has none refuses it"
    )
    dropout: float | None = Field(None, ge=0, lt=1, description="dropout in D, where the pair has any; None: its own")


class LossConfig(_Section):
    """Which objective, and its label values."""

    name: str = Field("ralsgan", description="registered loss")
    real_label: float | None = Field(
        None, description="target of D for real images, of G for fakes; None: the loss's own; unused by some losses"
    )
    fake_label: float | None = Field(None, description="target of D for fakes; None: the loss's own")
    class_weights: dict[str, NonNegative] = Field(
        {}, description="weight of each attribute's class loss against 1 for real or fake; 1 where not given"
    )


class CycleConfig(_Section):
    """Loss weights and image buffer of family cyclegan."""

    weight: NonNegative = Field(10.0, description="weight of the L1 error after a translation there and back")
    identity_weight: NonNegative = Field(
        0.0, description="weight of the L1 error when an image of the target domain is translated"
    )
    buffer_size: int = Field(
        50, ge=0, le=MOST, description="fakes of each domain kept to show D older ones (arXiv:1612.07828)"
    )


class RegularizerConfig(_Section):
    """Regularisers of D. Every part is off by default and combines with any loss."""

    spectral_norm: bool = Field(False, description="divide D's weights by their largest singular value")
    weight_clip: Positive | None = Field(None, description="D's weights stay inside +- this (WGAN); None: no clipping")
    gradient_penalty: NonNegative = Field(0.0, description="weight of (gradient norm of D - 1)^2 between real and fake")
    r1_gamma: NonNegative = Field(0.0, description="gamma/2 times the squared gradient of D at real images")
    r2_gamma: NonNegative = Field(0.0, description="gamma/2 times the squared gradient of D at fakes")
    penalty_every: Count = Field(1, description="D steps per penalty step; the weights are multiplied by it (lazy)")
    diffaugment: str = Field("", description="augments what D sees: some of color,translation,cutout; empty: nothing")


class RegimeConfig(_Section):
    """Which update rule, and the average of G's weights that is evaluated."""

    name: str = Field("classic", description="registered regime: classic, n_critic, monitored, boosted")
    g_steps: Count = Field(1, description="G updates, each on fresh latents, where the regime updates G")
    n_critic: Count = Field(3, description="n_critic: D updates, each on its own batch, per update of G")
    monitored_ratio: NonNegative = Field(0.8, description="monitored: D is updated where d_loss > this times g_loss")
    d_updates: Literal["joint", "separate"] = Field(
        "joint", description="joint: one D update on real and fake; separate: one on real, one on fake (Keras habit)"
    )
    ema_halflife_images: Positive | None = Field(
        10_000.0, description="half-life of the moving average of G, images; None: evaluate G itself"
    )
    ema_rampup: Positive = Field(
        0.05, description="the half-life is at most this share of the images seen so far (StyleGAN2-ADA)"
    )


class InitConfig(_Section):
    """Which weights a run starts with, and which of them stay as they are."""

    checkpoint: str | None = Field(
        None, min_length=1, description="best.pt or latest.pt of another run to start from; None: fresh weights"
    )
    parts: InitParts = Field(
        "generator,discriminator,average",
        description="what is taken of the checkpoint: some of generator, discriminator, average, optimizers and "
        "progress (epochs and images go on being counted, and the regime goes on)",
    )
    freeze_d_layers: int = Field(
        0, ge=0, le=MOST, description="layers of D, from the image on, that are not trained (FreezeD, arXiv:2002.10964)"
    )

    def takes(self, part: str) -> bool:
        """Whether a run starts with this part, of `INIT_PARTS`, of a checkpoint."""
        return self.checkpoint is not None and part in self.parts.split(",")


class OptimizerConfig(_Section):
    """One optimiser for each network."""

    name: Literal["adam", "rmsprop"] = Field("adam", description="rmsprop: without momentum, smoothing 0.99")
    lr_g: Positive = Field(8e-4, description="learning rate of G")
    lr_d: Positive = Field(8e-4, description="learning rate of D")
    beta1: float = Field(0.5, ge=0, lt=1, description="adam: decay of the first moment")
    beta2: float = Field(0.999, ge=0, lt=1, description="adam: decay of the second moment")
    decay_start: float | None = Field(
        None, ge=0, lt=1, description="share of the epochs after which both rates fall linearly to 0; None: they stay"
    )
    grad_clip_norm: Positive | None = Field(None, description="largest gradient norm of a step; None: no clipping")


class NoiseConfig(_Section):
    """Random inputs."""

    latent_sigma: Positive = Field(1.0, description="standard deviation of the latent z")
    instance_sigma: NonNegative = Field(
        0.0, description="standard deviation of Gaussian noise on D's inputs at the start, in units of [-1, 1] pixels"
    )
    instance_decay: float | None = Field(
        0.5, gt=0, le=1, description="share of the epochs over which it falls linearly to 0; None: it stays"
    )
    instance_on: Literal["both", "real"] = Field(
        "both", description="both: real images and fakes get it; real: real images alone (MLDS HW4 report)"
    )


class ScheduleConfig(_Section):
    """How long a run trains, and when it writes checkpoints and samples."""

    epochs: Count = Field(750, description="passes over the data")
    window_first: Count = Field(
        550, description="first epoch of the window: the objective is the lowest FID from here to the last epoch"
    )
    checkpoint_every: Count = Field(
        25, description="most epochs between checkpoints; by time there may be more, see trainers/README.md"
    )
    samples_every: Count = Field(25, description="epochs between sample grids; epoch 1 and the last always have one")


class FidConfig(_Section):
    """How the objective is measured. Part of the metric's name, so never searched."""

    extractor: str = Field(
        "inception", description="registered feature extractor, or module:factory of a module that the user allows"
    )
    weights: str | None = Field(None, description="file with the extractor's weights; None: its own cache or package")
    n_fake: int = Field(10_000, ge=2, le=10**6, description="generated images per measurement inside the window")
    n_fake_first: int | None = Field(
        None,
        ge=2,
        le=MOST,
        description="generated images at first, doubled on the way to the window; None: n_fake everywhere",
    )
    min_diversity: float = Field(
        0.25,
        ge=0,
        le=1,
        description="a FID of fakes whose diversity is below this share of the real images' is never an objective",
    )
    objective: ObjectiveName = Field(
        "fid",
        description="which of the measured values is the run's objective; in a sweep the first of the space's "
        "objectives, which sets it",
    )
    metrics: MetricNames = Field(
        (),
        description="measured beside FID on the same images: some of kid, prdc (precision, recall, density, coverage) "
        "and, with extractor inception, inception_score",
    )
    neighbours: int = Field(
        NEIGHBOURS,
        ge=1,
        le=MOST_NEIGHBOURS,
        description="nearest neighbours (k) of a neighbourhood of prdc: 5 as in Naeem et al. 2020 (arXiv:2002.09797) "
        "and package prdc, 3 as in Kynkäänniemi et al. 2019 (arXiv:1904.06991)",
    )
    every: Count = Field(25, description="epochs between measurements; the window's first and last always have one")
    at: tuple[Count, ...] = Field(
        (), description="further epochs with a measurement; a sweep adds those at which its scheduler compares trials"
    )
    batch_size: Count = Field(100, description="images per forward of the extractor, per rank; changes speed only")

    def check_metrics(self, where: str, names: tuple[str, ...]) -> None:
        """Raise a `UserError` where one of `names`, which the key `where` asks for, cannot be measured beside FID."""
        if INCEPTION_SCORE in names and self.extractor != "inception":
            raise UserError(f"{where}: {INCEPTION_SCORE} needs fid.extractor inception, got {self.extractor}")
        if PRDC in names and (fewest := self.n_fake_first or self.n_fake) <= self.neighbours:
            key = "fid.n_fake_first" if self.n_fake_first else "fid.n_fake"
            raise UserError(f"{where}: {PRDC} needs more than {self.neighbours} fakes, got {key} {fewest}")


class RuntimeConfig(_Section):
    """How it runs; changes speed and rounding, not the experiment."""

    precision: Literal["fp32", "bf16"] = Field("fp32", description="bf16: autocast of the forward passes")
    tf32: bool = Field(
        True, description="TF32 for float32 on GPUs that have it; never where penalties run, nor in FID's extractor"
    )
    channels_last: bool = Field(True, description="NHWC memory order of images and convolutions")
    sync_batchnorm: bool = Field(True, description="BatchNorm statistics over all ranks instead of each rank's own")


class TrainConfig(_Section):
    """Every setting of one GAN training run.

    Defaults are the Zalo motorbike article's RaLSGAN on 128 px motorbikes, but for the moving average, which it lacks.
    """

    family: str = Field("adversarial", description="registered update topology: which networks there are")
    labels: dict[str, tuple[str, ...]] | Literal["auto"] = Field(
        {},
        description="the classes of each attribute that D tells; auto: what the data has (resolved at launch)",
    )
    seed: int = Field(0, ge=0, lt=2**32, description="seed of weights, order, augmentation and latents")
    data: DataConfig = DataConfig()
    network: NetworkConfig = NetworkConfig()
    init: InitConfig = InitConfig()
    loss: LossConfig = LossConfig()
    cycle: CycleConfig = CycleConfig()
    regularizer: RegularizerConfig = RegularizerConfig()
    regime: RegimeConfig = RegimeConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    noise: NoiseConfig = NoiseConfig()
    schedule: ScheduleConfig = ScheduleConfig()
    fid: FidConfig = FidConfig()
    runtime: RuntimeConfig = RuntimeConfig()

    @model_validator(mode="after")
    def _window_inside_epochs(self) -> Self:
        if self.schedule.window_first > self.schedule.epochs:
            raise ValueError(
                f"schedule.window_first {self.schedule.window_first} is after schedule.epochs {self.schedule.epochs}"
            )
        return self

    @model_validator(mode="after")
    def _contrast_is_a_range(self) -> Self:
        if self.data.contrast_low > self.data.contrast_high:
            raise ValueError(
                f"data.contrast_low {self.data.contrast_low} is above data.contrast_high {self.data.contrast_high}"
            )
        return self

    @model_validator(mode="after")
    def _fewer_fakes_first(self) -> Self:
        if self.fid.n_fake_first is not None and self.fid.n_fake_first > self.fid.n_fake:
            raise ValueError(f"fid.n_fake_first {self.fid.n_fake_first} is more than fid.n_fake {self.fid.n_fake}")
        return self

    @model_validator(mode="after")
    def _metrics_can_be_measured(self) -> Self:
        self.fid.check_metrics("fid.metrics", self.fid.metrics)
        if (name := self.fid.objective) != FID and (needs := metric_of(name)) not in self.fid.metrics:
            raise ValueError(f"fid.objective {name} needs {needs} in fid.metrics")
        return self

    @classmethod
    def build(cls, values: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> "TrainConfig":
        """Validate nested `values` with dotted `overrides` laid over them.

        Raises:
            UserError: one line naming the key, the value and what would be valid.
        """
        merged = unflatten({**flatten(values), **(overrides or {})})
        try:
            return cls.model_validate(merged)
        except ValidationError as error:
            raise _explain(error) from None

    def flat(self) -> dict[str, Any]:
        """Every value under its dotted name: ``{"data.image_size": 128, ...}``."""
        return flatten(self.model_dump())


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` becomes ``{"a.b": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{name}."))
        else:
            flat[name] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *sections, key = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise UserError(f"{name}: {section!r} is a value, not a section")
        place[key] = dict(value) if isinstance(value, Mapping) else value
    return nested


def field_names() -> list[str]:
    """Every dotted name that a TrainConfig has."""
    return list(TrainConfig().flat())


def _explain(error: ValidationError) -> UserError:
    name, message, _ = first_problem(error)
    if error.errors()[0]["type"] == "extra_forbidden":
        return unknown_key("config key", name, field_names())
    return UserError(problem_text(error) if name else message)
