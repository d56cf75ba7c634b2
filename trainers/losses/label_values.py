"""What D's outputs are regressed or classified to."""

from trainers.config import LossConfig
from trainers.errors import UserError


def label_pair(config: LossConfig, *, real: float, fake: float) -> tuple[float, float]:
    """Real and fake label of `config`; where it has None, `real` and `fake`, a loss's own.

    Raises:
        UserError: the real label is not above the fake one, which would turn D round.
    """
    real_label = real if config.real_label is None else config.real_label
    fake_label = fake if config.fake_label is None else config.fake_label
    if real_label <= fake_label:
        raise UserError(f"loss.real_label must be above loss.fake_label, got {real_label} and {fake_label}")
    return real_label, fake_label
