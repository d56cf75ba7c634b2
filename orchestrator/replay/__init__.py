"""Replays recorded runs: what the rules and schedulers would have done to them."""
