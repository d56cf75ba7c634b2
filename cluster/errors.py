"""Errors that people caused and people can mend; the command line shows them as it shows those of the other rooms."""


class ClusterError(ValueError):
    """A wrong input. Its text is one line: the rule, the value given, the valid names, the nearest match."""
