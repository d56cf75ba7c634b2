"""Optuna and the schedulers: which settings are tried, which trials are cut, and what is reported to Optuna."""
