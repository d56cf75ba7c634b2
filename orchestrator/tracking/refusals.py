"""Which writes MLflow refuses for good, and which may be tried again."""

from mlflow.exceptions import MlflowException
from requests import HTTPError
from sqlalchemy.exc import DBAPIError

# Not UNAUTHENTICATED and PERMISSION_DENIED: a token expires and is renewed, rights are taken and given back.
_FOR_GOOD = {"BAD_REQUEST", "INVALID_PARAMETER_VALUE", "RESOURCE_ALREADY_EXISTS", "RESOURCE_DOES_NOT_EXIST"}

# Of files, which a server answers with a plain status. The others of these pass, as those above do.
_STATUS_FOR_GOOD = range(400, 500)
_STATUS_PASSES = (401, 403, 404, 407, 408, 423, 425, 429)


class Unreachable(Exception):
    """The server did not take a write, and nobody waits for it any longer."""


def is_temporary(error: Exception) -> bool:
    """Whether trying again can help: it cannot when the server refuses, or when our own file is missing."""
    if isinstance(error, MlflowException):
        return error.error_code not in _FOR_GOOD
    if isinstance(error, HTTPError) and error.response is not None:
        status = error.response.status_code
        return status not in _STATUS_FOR_GOOD or status in _STATUS_PASSES
    return isinstance(error, OSError | DBAPIError) and not isinstance(error, FileNotFoundError)


def is_race(error: Exception) -> bool:
    """Whether another writer has just made the same row, such as a tag of the experiment that two sweeps share.

    MLflow looks whether it is there, then adds it, and answers the second of two at once with the database's own words.
    The next try finds the row.
    """
    return isinstance(error, MlflowException) and "IntegrityError" in str(error)
