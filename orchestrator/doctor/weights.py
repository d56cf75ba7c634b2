"""The weights of the networks whose features FID compares."""

import hashlib
from collections.abc import Iterator

from orchestrator.doctor.finding import Asked, Finding, Level
from trainers.download import hub_target
from trainers.errors import UserError
from trainers.metrics import efficientnet_lite0, inception


def check_weights(asked: Asked) -> Iterator[Finding]:
    """A line per extractor. Nothing is downloaded."""
    target = hub_target(inception.URL)
    if not target.is_file():
        text = f"inception: not at {target}, so a launch would download it"
        cure = f"put {inception.URL} there, or pass --fid-weights FILE or --fid-extractor efficientnet_lite0"
        yield _finding(Level.WARNING, text, cure)
    else:
        with target.open("rb") as file:
            whole = hashlib.file_digest(file, "sha256").hexdigest() == inception.SHA256
        if whole:
            yield _finding(Level.OK, f"inception: {target}")
        else:
            yield _finding(Level.WARNING, f"inception: {target} holds other bytes", f"remove {target}")
    try:
        found = efficientnet_lite0.find_weights(None)
    except UserError as error:
        text, _, cure = str(error).rpartition(": ")
        yield _finding(Level.WARNING, f"efficientnet_lite0: {text}", cure)
    else:
        yield _finding(Level.OK, f"efficientnet_lite0: {found}")


def _finding(level: Level, text: str, cure: str = "") -> Finding:
    return Finding(name="weights", level=level, text=text, cure=cure)
