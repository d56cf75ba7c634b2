"""Schedulers: which trials are cut for others' sake."""

from orchestrator.search.schedulers.asha import CLOCK, Hyperband, build_scheduler, make_scheduler

__all__ = ["CLOCK", "Hyperband", "build_scheduler", "make_scheduler"]
