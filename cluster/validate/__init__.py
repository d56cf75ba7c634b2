"""`gan-sweep cluster validate`: what is wrong in a cluster file, said before a machine is paid for."""

from cluster.validate.finding import Finding
from cluster.validate.run import validate

__all__ = ["Finding", "validate"]
