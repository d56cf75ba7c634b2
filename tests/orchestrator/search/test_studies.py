"""Where a study is kept, and the errors when it cannot be opened."""

from pathlib import Path

import pytest

from orchestrator.search.studies import check_storage, open_study, read_study, resolve_storage
from tests.orchestrator.search.test_searcher import BASE, Sweep, space_with
from trainers.errors import UserError
from trainers.masking import masked


def test_storage_is_a_file_of_the_sweep_or_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert resolve_storage(None, tmp_path) == resolve_storage("journal", tmp_path) == str(tmp_path / "study.journal")
    assert resolve_storage("sqlite", tmp_path) == f"sqlite:///{tmp_path / 'study.db'}"
    assert resolve_storage("mysql://u@h/d", tmp_path) == "mysql://u@h/d"
    monkeypatch.chdir(tmp_path)
    assert resolve_storage("sqlite:///mine.db", Path("elsewhere")) == f"sqlite:///{tmp_path / 'mine.db'}"
    with pytest.raises(UserError, match=r"unknown --storage 'jornal': did you mean journal\?"):
        resolve_storage("jornal", tmp_path)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/at/all.db", "unable to open database file"),
        (
            "postgresql+psycopg2://me:secret@127.0.0.1:1/x",
            "",
        ),  # no driver here, or nobody answers: one line in any case
        ("nonsense://me:secret@h/x", "nonsense"),
    ],
)
def test_a_database_that_cannot_be_opened_is_one_line(url: str, reason: str) -> None:
    with pytest.raises(UserError, match="cannot be opened: .*" + reason) as caught:
        check_storage(url, "s")
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)
    assert masked(url).split("://")[0] in str(caught.value)


def test_a_file_that_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("not a database, but a text that is long enough to be looked at" * 9)
    with pytest.raises(UserError, match="cannot be opened: file is not a database"):
        check_storage(f"sqlite:///{tmp_path / 'study.db'}", "s")


def test_one_database_holds_many_sweeps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'all.db'}"
    check_storage(url, "s")
    Sweep(url, space_with()).suggest()
    with pytest.raises(UserError, match=r"all\.db has a study s already; choose another --name"):
        check_storage(url, "s")
    check_storage(url, "t")
    open_study(url, "t", space_with())
    assert read_study(url, "t").trials == []
    assert [trial.params for trial in read_study(url, "s").trials] == [BASE]


def test_a_journal_whose_last_line_a_full_disk_has_torn_off_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "study.journal"
    open_study(str(journal), "s", space_with({})).ask()
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"wor')
    open_study(str(journal), "s", space_with({})).ask()
    assert len(read_study(journal, "s").trials) == 2
