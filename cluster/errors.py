"""Errors in what a person gave; the command line shows them like those of the other rooms."""


class ClusterError(ValueError):
    """A wrong input. Its text is one line: the rule, the value given, the valid names, the nearest match."""
