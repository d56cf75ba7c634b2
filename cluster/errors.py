"""Errors in what a person gave; the command line shows them like those of the other rooms."""

# The end of a sentence about a cluster of Ray that refuses.
WANTS_TOKEN = (
    "wants its token: export RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where the token is not in ~/.ray/auth_token"
)


class ClusterError(ValueError):
    """A wrong input. Its text is one line: the rule, the value given, the valid names, the nearest match."""
