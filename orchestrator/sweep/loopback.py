"""A Ray that is started for one sweep is for this machine and this user alone."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ray._private import ray_constants

from trainers.folders import make_private

_NETWORK = ray_constants.ENABLE_RAY_CLUSTERS_ENV_VAR  # read on every system, whatever its name says


@contextlib.contextmanager
def on_loopback() -> Iterator[None]:
    """Let the Ray that is started in this block listen on 127.0.0.1 alone, and keep its token private.

    Whoever reaches Ray's ports and has its token runs code as this user. By itself Ray listens on every interface, also
    with ``_node_ip_address="127.0.0.1"``, which it replaces; on macOS and Windows it starts as here. It writes its
    token, ``~/.ray/auth_token``, for everybody to read.
    """
    token = Path.home() / ".ray" / "auth_token"
    make_private(token.parent)
    enabled, variable = ray_constants.ENABLE_RAY_CLUSTER, os.environ.get(_NETWORK)
    ray_constants.ENABLE_RAY_CLUSTER, os.environ[_NETWORK] = False, "0"  # for this process; for Ray's
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = enabled
        if variable is None:
            del os.environ[_NETWORK]
        else:
            os.environ[_NETWORK] = variable
        if token.is_file():
            token.chmod(0o600)
