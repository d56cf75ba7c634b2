"""What Tune is told of a trial."""

WORST_FID = 1e6  # what Tune is told of a trial without a finite FID: ASHA never stops on NaN
