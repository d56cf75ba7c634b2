"""What the rules and schedulers would have done to runs of the past."""
