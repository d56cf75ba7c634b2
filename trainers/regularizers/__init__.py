"""Regularisers of D, each off by default and free to combine with any loss.

`penalty` adds R1, R2 and the gradient penalty to D's loss; `diff_augment` augments what D sees; `apply_spectral_norm`
and `clip_weights` bound D's weights.
"""

from trainers.regularizers.clip import clip_weights
from trainers.regularizers.diffaugment import check_policy, diff_augment
from trainers.regularizers.penalties import full_precision, penalised, penalty
from trainers.regularizers.spectral_norm import apply_spectral_norm

__all__ = [
    "apply_spectral_norm",
    "check_policy",
    "clip_weights",
    "diff_augment",
    "full_precision",
    "penalised",
    "penalty",
]
