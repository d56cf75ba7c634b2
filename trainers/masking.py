"""Secrets in URIs, masked in everything that is shown, logged or written."""

import errno
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import unquote

MASK = "***"

# A user and a password before a host, with a scheme or without. As SQLAlchemy reads it, a user may hold "@"
# (``user@server``), and a password anything: the last "@" ends it. Lengths are limited so that time stays linear.
_PASSWORD = re.compile(r"(://[^\s:/]{0,256}:|(?<![^\s'\"(=\[{,<])[^\s:/@'\"]{1,256}:(?!//|:))\S{1,4096}@")
_USER_IS_TOKEN = re.compile(r"(https?://)(?![^\s/]*:)[^\s/@?#]{1,4096}@", re.IGNORECASE)
# The same inside a query: every character that matters is %-encoded, once or several times.
_ENCODED = re.compile(r"(%(?:25)*3A(?:%(?:25)*2F){2})[^\s&]{1,4096}%(?:25)*40", re.IGNORECASE)
# name=value in a query, a connection string or a call; and 'name': 'value' in a dict.
_NAME = re.compile(r"[\w.%~-]+=")
_VALUE = re.compile(r"'([^'\n]*)'(?=[\s,)\]}]|$)|\"([^\"\n]*)\"(?=[\s,)\]}]|$)|([^\s&]+)")
_ITEM = re.compile(r"(['\"])([\w.-]+)\1(\s*:\s*)(['\"])([^'\"\n]*)\4")
_SECRET = re.compile(
    r".*(password|passwd|passphrase|passcode|pwd|user_?pass|secret|token|jwt|bearer|credentials?|signature"
    r"|(api|access|secret|private|account|auth)[_-]?key([_-]?id)?)"
    r"|odbc_connect",
    re.IGNORECASE,
)
_SECRET_IN_QUERY = re.compile(r"pass|pw|auth|authorization|key|sig|sas", re.IGNORECASE)  # elsewhere they mean anything
_CLOSING = "'\")]}>,.;:"  # belong to the sentence around a URI


def masked(text: str) -> str:
    """`text` with every secret of its URIs as ``***``: passwords, tokens and keys; raw, %-encoded or in a query.

    For a URI, and for any text that may hold one, such as a library's error. Rather too much is masked than too little:
    from the first ``:`` of a URI up to its last ``@``. A blank ends a URI, so one with a blank must be refused.
    """
    if "@" in text:
        text = _PASSWORD.sub(rf"\1{MASK}@", text)
        text = _USER_IS_TOKEN.sub(rf"\1{MASK}@", text)
    if "40" in text and "%" in text:
        text = _ENCODED.sub(rf"\1{MASK}%40", text)
    if "=" in text:
        text = _without_values(text)
    return _ITEM.sub(_without_item, text)


def has_secret(uri: str) -> bool:
    """Whether `masked` would hide a part of it."""
    return masked(uri) != uri


def is_masked(uri: str) -> bool:
    """Whether a part of it has been hidden, so that nothing can be opened with it."""
    return MASK in uri


def _without_values(text: str) -> str:
    parts, done = [], 0
    for name in _NAME.finditer(text):
        before = text[max(0, name.start() - 1) : name.start()]
        if name.start() < done or not _is_secret(name[0][:-1], before):
            continue
        if (value := _VALUE.match(text, name.end())) is None:
            continue
        start, end = value.span(value.lastindex or 0)
        if value[3] is not None:
            end -= len(value[3]) - len(value[3].rstrip(_CLOSING))
        parts += [text[done:start], MASK] if end > start else []
        done = end if end > start else done
    return "".join([*parts, text[done:]])


def _is_secret(name: str, before: str) -> bool:
    plain = unquote(unquote(name))
    return bool(_SECRET.fullmatch(plain) or (before in tuple("?&;#") and _SECRET_IN_QUERY.fullmatch(plain)))


def _without_item(match: re.Match[str]) -> str:
    quote, name, colon, around, _ = match.groups()
    return f"{quote}{name}{quote}{colon}{around}{MASK}{around}" if _SECRET.fullmatch(name) else match[0]


class MaskedFile(io.TextIOWrapper):
    """A log: all that is written is masked, and what the disk has no room for is left out without an error.

    To be opened without a buffer, or what did not fit is tried again when it is closed.
    """

    def write(self, text: str, /) -> int:
        with _unless_full():
            super().write(masked(text))
        return len(text)

    def flush(self) -> None:
        with _unless_full():
            super().flush()


@contextmanager
def _unless_full() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
