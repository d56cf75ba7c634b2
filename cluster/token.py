"""Ray's token on this machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_MODE = "RAY_AUTH_MODE"  # Ray sends no token unless it says so (ray 2.60)


def token_source() -> str | None:
    """Where Ray takes its token from, in its own order: a variable or a file; None: there is none."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return "$RAY_AUTH_TOKEN"
    file = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or default_token_file())
    return str(file) if file.is_file() else None


def default_token_file() -> Path:
    """Where Ray looks, and makes one, unless it is told otherwise."""
    return Path.home() / ".ray" / "auth_token"


@contextlib.contextmanager
def own_token() -> Iterator[None]:
    """Let Ray send the token that is here, where nothing else was said; Ray is imported in the block.

    Only in the block: a Ray that this process starts later asks for a token by its own rules.
    """
    if _MODE in os.environ or token_source() is None:
        yield
        return
    os.environ[_MODE] = "token"
    try:
        yield
    finally:
        del os.environ[_MODE]
