"""What is tried again: an answer to a file's upload that may be another one tomorrow."""

import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import BAD_REQUEST
from mlflow.utils.request_utils import augmented_raise_for_status
from requests import ConnectionError, HTTPError, Response

from orchestrator.tracking.refusals import is_race, is_temporary


@pytest.mark.parametrize(
    ("status", "temporary"),
    [
        (400, False),
        (404, True),
        (413, False),
        (401, True),
        (403, True),
        (408, True),
        (429, True),
        (500, True),
        (503, True),
    ],
)
def test_a_file_that_is_refused_is_tried_again_where_that_may_help(status: int, temporary: bool) -> None:
    response = Response()
    response.status_code = status
    response._content = b"said by a server between"
    with pytest.raises(HTTPError) as raised:
        augmented_raise_for_status(response)
    assert is_temporary(raised.value) is temporary


def test_a_server_that_is_away_is_tried_again_and_a_file_that_is_not() -> None:
    assert is_temporary(ConnectionError("nobody listens"))
    assert not is_temporary(FileNotFoundError("samples/epoch_0001.png"))


def test_a_row_that_another_sweep_has_just_made_is_no_refusal() -> None:
    """As MLflow 3.17 says it when two sweeps tag their experiment at once (seen with SQLite on a busy machine)."""
    lost = MlflowException("(sqlite3.IntegrityError) UNIQUE constraint failed: experiment_tags.key", BAD_REQUEST)
    assert is_race(lost) and not is_temporary(lost)
    assert not is_race(MlflowException("too long", BAD_REQUEST))
