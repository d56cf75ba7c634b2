"""Whether MLflow takes a write, tried in a way that leaves nothing: its deleted runs and experiments stay in the store.

In a database, a row is written and rolled back, or a table made and dropped where MLflow has none yet. On a server, an
experiment that is there gets a tag, which is then removed.
"""

import contextlib
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import sqlalchemy
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.store.db.utils import _verify_schema
from mlflow.store.tracking.dbmodels.models import SqlExperiment

from orchestrator.doctor.finding import Asked, Finding, Level
from orchestrator.results.databases import SQLITE, check_database
from orchestrator.results.places import TRACKING_DB
from orchestrator.tracking.mlflow_sink import check_tracking
from trainers.errors import first_line

_MISSING = "RESOURCE_DOES_NOT_EXIST"


def check_tracking_writes(asked: Asked) -> Iterator[Finding]:
    """A line: whether this process can write to MLflow."""
    uri = asked.tracking_uri
    where = f"SQLite beside the sweeps, tried in {asked.place}" if uri is None else uri
    try:
        if uri is None and (file := asked.place / TRACKING_DB).exists():
            _try_database(f"{SQLITE}{file}")
        elif uri is None:
            _try_file_in(asked.place)
        else:
            check_tracking(uri)
            if uri.startswith("http"):
                yield from _server(uri)
                return
            _try_database(uri)
    except Exception as error:  # the driver's, MLflow's or the file system's: all mean that nothing can be written
        cause = getattr(error, "orig", None) or error
        text, cure = f"{where}: {first_line(cause)}", "give a store that you may write to with --tracking-uri URI"
        if "out-of-date database schema" in text:
            cure = "back the database up, then: mlflow db upgrade URI"
        yield _finding(Level.FAILED, text, cure)
    else:
        yield _finding(Level.OK, f"{where}: writes work (one was tried and undone)")


def _try_database(uri: str) -> None:
    """Write to a database without leaving anything, in SQLite's case not even the file."""
    tables = check_database(uri)
    if uri.startswith(SQLITE) and not Path(uri.removeprefix(SQLITE)).exists():
        _try_file_in(Path(uri.removeprefix(SQLITE)).parent)
        return
    engine = sqlalchemy.create_engine(uri)
    try:
        if SqlExperiment.__tablename__ in tables:
            _verify_schema(engine)
            _roll_back_a_row(engine)
        else:
            _make_and_drop_a_table(engine)
    finally:
        engine.dispose()


def _try_file_in(folder: Path) -> None:
    """Write a database to a folder; locks of some network file systems fail only then."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=".gan-sweep-") as place:
        engine = sqlalchemy.create_engine(f"{SQLITE}{place}/probe.db")
        try:
            _make_and_drop_a_table(engine)
        finally:
            engine.dispose()


def _roll_back_a_row(engine: sqlalchemy.Engine) -> None:
    row = sqlalchemy.insert(SqlExperiment).values(name=_unique(), artifact_location="none")
    with closing(engine.connect()) as connection:
        connection.execute(row)
        connection.rollback()


def _make_and_drop_a_table(engine: sqlalchemy.Engine) -> None:
    table = sqlalchemy.Table(_unique(), sqlalchemy.MetaData(), sqlalchemy.Column("probe", sqlalchemy.Integer))
    table.create(engine)
    table.drop(engine)


def _server(uri: str) -> Iterator[Finding]:
    """Tag an experiment and remove the tag, after asking for the removal of a tag that is not there.

    Without that, a server that knows no such removal would be left with the tag.
    """
    client, tag = MlflowClient(tracking_uri=uri), _unique()
    found = client.search_experiments(max_results=1)
    if not found:
        text = f"{uri} answers; without an experiment there, no write was tried"
        yield _finding(Level.WARNING, text, "none is needed: the first sweep makes one")
        return
    experiment = found[0].experiment_id
    try:
        client.delete_experiment_tag(experiment, tag)
    except MlflowException as error:
        if error.error_code != _MISSING:
            raise
    try:
        client.set_experiment_tag(experiment, tag, "probe")
    except BaseException:
        with contextlib.suppress(MlflowException):  # it may be there although its answer was lost
            client.delete_experiment_tag(experiment, tag)
        raise
    client.delete_experiment_tag(experiment, tag)
    yield _finding(Level.OK, f"{uri}: writes work (a tag of experiment {found[0].name} was set and removed)")


def _unique() -> str:
    return f"gan_sweep_doctor_{uuid.uuid4().hex}"


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="tracking", level=level, text=text, cure=cure)
