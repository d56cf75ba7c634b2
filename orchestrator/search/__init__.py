"""Optuna and the schedulers: which settings are tried, which trials are cut, and what Optuna is told of them."""
