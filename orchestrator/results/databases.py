"""Checks of a database's URI, and that it answers, without making it or anything in it."""

import os
from contextlib import closing
from pathlib import Path

import sqlalchemy

from trainers.errors import UserError

SQLITE = "sqlite:///"


def check_uri(uri: str, option: str) -> str:
    """`uri` as it was given with `option`. With blanks, `trainers.masking.masked` could not tell where a secret ends.

    Raises:
        UserError: it has blanks; the text does not repeat it.
    """
    if any(character.isspace() for character in uri):
        raise UserError(f"{option}: a URI has no blanks: write %20 for each")
    return uri


def check_database(url: str) -> list[str]:
    """Check that a database answers, or that SQLite's file could be made. Nothing is made.

    Args:
        url: SQLAlchemy's.

    Returns:
        The names of its tables; none where the file is still to be made.

    Raises:
        UserError: SQLite's file cannot be made.
        Exception: the driver's own, when the database does not answer.
    """
    if url.startswith(SQLITE):
        file = Path(url.removeprefix(SQLITE))
        if not os.path.lexists(file):
            if not file.parent.is_dir() or not os.access(file.parent, os.W_OK | os.X_OK):
                raise UserError(f"unable to open database file: {file.parent} is no folder that can be written")
            return []
        if not file.is_file():
            raise UserError(f"unable to open database file: {file} is no file")
    engine = sqlalchemy.create_engine(url)
    try:
        with closing(engine.connect()) as connection:
            return sqlalchemy.inspect(connection).get_table_names()
    finally:
        engine.dispose()


def read_column(url: str, table: str, column: str) -> list[str]:
    """One column of a table of a database that answers.

    Args:
        url: SQLAlchemy's.
        table, column: their names, which are put into the query as they are.
    """
    engine = sqlalchemy.create_engine(url)
    try:
        with closing(engine.connect()) as connection:
            query = f"SELECT {column} FROM {table}"
            return [str(row[0]) for row in connection.execute(sqlalchemy.text(query))]
    finally:
        engine.dispose()
