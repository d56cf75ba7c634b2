"""The secret of those who may ask."""

import stat
from pathlib import Path

from trainers.errors import UserError

SHORTEST, LONGEST = 16, 1024  # characters


def read_token(file: Path) -> str:
    """The token in a file, without the blanks around it.

    Raises:
        UserError: others may read the file, or it holds no token.
    """
    with file.open("rb") as opened:
        mode = stat.S_IMODE(file.stat().st_mode)
        if mode & 0o077:
            raise UserError(f"--token-file: others may open {file} (mode {mode:03o}): chmod 600 {file}")
        content = opened.read(LONGEST + 2).decode("ascii", "replace").strip()
    if not SHORTEST <= len(content) <= LONGEST or not content.isascii() or not content.isprintable() or " " in content:
        raise UserError(
            f"--token-file: {file} holds no token: one word of {SHORTEST} to {LONGEST} ASCII characters, "
            "such as `openssl rand -hex 32` prints"
        )
    return content
