"""Whether a machine or a cluster can run a sweep: one line per thing looked at, with the cure of what is wrong."""
