"""No secret of a URI is left in a text, and texts without one stay as they are."""

import io
import logging
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trainers.errors import UserError, first_line, shortened, unknown_name
from trainers.masking import MaskedFile, has_secret, is_masked, masked

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:s3cr3t@host:5432/db", "postgresql://me:***@host:5432/db"),
        ("postgresql+psycopg2://me:pa:ss@s3cr3t@host/db", "postgresql+psycopg2://me:***@host/db"),
        ("postgresql://me:s3/cr?3t#s3cr3t@host/db", "postgresql://me:***@host/db"),
        ("postgresql://me%40corp:s3cr3t%40%2F@host/db", "postgresql://me%40corp:***@host/db"),
        ("postgresql://me@server:s3cr3t@host/db", "postgresql://me@server:***@host/db"),
        ("redis://:s3cr3t@host", "redis://:***@host"),
        ("https://s3cr3t@host/x", "https://***@host/x"),
        ("s3://AKIA:s3cr3t@bucket/sweeps", "s3://AKIA:***@bucket/sweeps"),
        ("me:s3cr3t@host/db", "me:***@host/db"),  # the scheme was forgotten
        ("https://h/?token=s3cr3t&x=1&password=s3cr3t", "https://h/?token=***&x=1&password=***"),
        ("postgresql://h/d?sslmode=require&sslpassword=s3cr3t", "postgresql://h/d?sslmode=require&sslpassword=***"),
        ("mysql://h/d?pass%77ord=s3cr3t", "mysql://h/d?pass%77ord=***"),
        ("https://h/?a=1;api_key=s3cr3t#access_token=s3cr3t", "https://h/?a=1;api_key=***"),
        ("https://h/x?X-Amz-Signature=s3cr3t&sig=s3cr3t", "https://h/x?X-Amz-Signature=***&sig=***"),
        ("mssql+pyodbc:///?odbc_connect=PWD%3Ds3cr3t%3BUID%3Dme", "mssql+pyodbc:///?odbc_connect=***"),
        ("https://h/?to=postgresql%3A%2F%2Fme%3As3cr3t%40h&a=1", "https://h/?to=postgresql%3A%2F%2F***%40h&a=1"),
        ("https://h/?to=x%253A%252F%252Fme%253As3cr3t%2540h", "https://h/?to=x%253A%252F%252F***%40h"),
        ("('postgresql://me:s3cr3t@host/db', 'no')", "('postgresql://me:***@host/db', 'no')"),
        ("connect(host='h', password='s3cr3t and more', port=1)", "connect(host='h', password='***', port=1)"),
        ("connection string: host=h password=s3cr3t user=me", "connection string: host=h password=*** user=me"),
        ("{'user': 'me', 'password': 's3cr3t'}", "{'user': 'me', 'password': '***'}"),
        ("Max retries exceeded: /api?token=s3cr3t (Caused by", "Max retries exceeded: /api?token=*** (Caused by"),
        ("cannot open 'https://h/?token=s3cr3t'.", "cannot open 'https://h/?token=***'."),
        ("a=b=token=s3cr3t", "a=b=token=***"),
        ("s3://b?access_key=s3cr3t&secret_key=s3cr3t", "s3://b?access_key=***&secret_key=***"),
        ("https://h/?AccountKey=s3cr3t&user_pass=s3cr3t&jwt=s3cr3t", "https://h/?AccountKey=***&user_pass=***&jwt=***"),
    ],
)
def test_secrets_are_masked_and_the_rest_stays(text: str, shown: str) -> None:
    assert masked(text) == shown and SECRET not in shown
    assert masked(shown) == shown
    assert has_secret(text) and not has_secret(shown) and is_masked(shown)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://me@host:5432/db",
        "http://127.0.0.1:5000/#/experiments/1/runs?viewStateShareKey=4",
        "sqlite:////home/me/a@b:c.db",
        "12:30:45 INFO mlflow: http://host:5000/x asked by me@host",
        "ray::core::CoreWorker::Run()@0x7f12",
        "max_tokens=5 key=3 loss=0.1, sorted(names, key=len)",
        "loss.name: 'ralsgan', {'data.fit': 'pad'}",
        "",
    ],
)
def test_what_holds_no_secret_stays(text: str) -> None:
    assert masked(text) == text and not has_secret(text) and not is_masked(text)


PASSWORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Z", "C"]), min_size=1, max_size=30)
FORMS = ("postgresql://me:{raw}@host/db", "https://host/x?password={encoded}&a=1", "s3://key:{encoded}@bucket")
AROUND = ("{}", "MLflow does not answer at {}: no", "('{}', 1)", '"{}"', "uri={} x", "[{}]")


@given(PASSWORDS, st.sampled_from(FORMS), st.sampled_from(AROUND))
@example("pa:ss@word", FORMS[0], AROUND[0])
@example("://x:y@", FORMS[0], AROUND[2])
@example("token=", FORMS[0], AROUND[4])
def test_no_password_gets_through(password: str, form: str, around: str) -> None:
    middle = f"S3CR3T{password}S3CR3T"
    shown = masked(around.format(form.format(raw=middle, encoded=quote(middle, safe=""))))
    assert "S3CR3T" not in shown
    assert masked(shown) == shown


@given(st.text(max_size=200))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert masked(masked(text)) == masked(text)


@pytest.mark.timeout(120)  # what is quadratic takes far longer
@pytest.mark.parametrize("piece", ["a:", "x=", "'a':'", "[1:2,", "://", "%3A%2F%2F", "token=", "://a:", "'token':'"])
def test_long_lines_take_linear_time(piece: str) -> None:
    text = piece * 100_000
    assert masked(f"{text}\n").endswith("\n")
    assert masked(f"{text} me:s3cr3t@host").endswith("me:***@host")


def test_errors_show_no_secret() -> None:
    uri = f"postgresql://me:{'x' * 60}{SECRET}@host/db"
    for line in (
        first_line(RuntimeError(f"no answer from {uri}")),
        first_line(RuntimeError(f"no answer from {uri}"), 60),
        shortened(uri, 40),
        str(unknown_name("--storage", f"me:{SECRET}@host", ["journal"])),
        str(UserError(first_line(KeyError(uri), with_type=True))),
    ):
        assert SECRET not in line and "xxx" not in line and "***" in line


def test_a_masked_file_masks_prints_records_and_tracebacks(tmp_path: Path) -> None:
    uri = f"postgresql://me:{SECRET}@host/db"
    with MaskedFile(open(tmp_path / "log", "ab"), encoding="utf-8", line_buffering=True) as file:
        handler = logging.StreamHandler(file)
        log = logging.getLogger("tests.masking")
        log.addHandler(handler)
        try:
            print("printed", uri, file=file)
            try:
                raise ValueError(uri)
            except ValueError:
                log.exception("no answer from %s", uri)
        finally:
            log.removeHandler(handler)
        assert file.write(uri) == len(uri)
        assert isinstance(file, io.TextIOWrapper) and file.fileno() > 2
    text = (tmp_path / "log").read_text()
    assert SECRET not in text
    assert text.count("postgresql://me:***@host/db") >= 4 and "Traceback" in text


def test_what_a_full_disk_has_no_room_for_is_left_out() -> None:
    with MaskedFile(open("/dev/full", "ab", buffering=0), encoding="utf-8", line_buffering=True) as file:
        assert file.write("a line\n") == 7
        file.flush()
