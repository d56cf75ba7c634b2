"""The target values of D's outputs."""

from trainers.config import LossConfig
from trainers.errors import UserError

LEAST_GAP = 1e-3  # between the labels; much nearer ones differ by no more than rounding


def label_pair(config: LossConfig, *, real: float, fake: float) -> tuple[float, float]:
    """Real and fake label of `config`; where one is None, the loss's own, `real` or `fake`.

    Raises:
        UserError: the real label is not clearly above the fake one, so that D would learn nothing or the opposite.
    """
    real_label = real if config.real_label is None else config.real_label
    fake_label = fake if config.fake_label is None else config.fake_label
    if real_label <= fake_label:
        raise UserError(f"loss.real_label must be above loss.fake_label, got {real_label} and {fake_label}")
    if real_label - fake_label < LEAST_GAP:
        raise UserError(
            f"loss.real_label must be at least {LEAST_GAP:g} above loss.fake_label, got {real_label} and {fake_label}"
        )
    return real_label, fake_label
