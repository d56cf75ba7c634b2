import sys
from pathlib import Path

import pytest

# pytest's importlib mode puts no test folder on the path, and spawned processes import their functions by name.
sys.path.insert(0, str(Path(__file__).parent))

from regularizer_ranks import Results, run_on_two_ranks


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """What each of two gloo processes got from the cases in `regularizer_ranks`."""
    return run_on_two_ranks(tmp_path_factory.mktemp("regularizer_ranks"))
