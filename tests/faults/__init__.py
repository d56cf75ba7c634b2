"""Everything that can die is killed in a running sweep; then what is left is looked at. See `tests.faults.run`."""
