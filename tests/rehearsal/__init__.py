"""A sweep on a cluster, as on a cloud, rehearsed on this machine: ``make rehearsal``."""
