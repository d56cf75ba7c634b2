import pytest

from tests.trainers.regularizers.regularizer_ranks import Results, run_on_two_ranks


@pytest.fixture(scope="session")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Results]:
    """What each of two gloo processes got from the cases in `regularizer_ranks`."""
    return run_on_two_ranks(tmp_path_factory.mktemp("regularizer_ranks"))
