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
    file = _token_file()
    return str(file) if file.is_file() and file.stat().st_size else None


def why_refused() -> str:
    """The end of a sentence about a cluster that has refused this process: why, and after a colon the cure."""
    if (source := token_source()) is None:
        return f"wants its token, and there is none in {_token_file()}: copy its head's, or export RAY_AUTH_TOKEN_PATH"
    if not sends_token():
        return f"wants its token: export RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH where it is not in {source}"
    return f"refuses the token in {source}: put the one of its head there"


def sends_token() -> bool:
    """Whether Ray was told to send a token from this process."""
    return os.environ.get(_MODE, "").lower() == "token"


def _token_file() -> Path:
    return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or default_token_file())


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
