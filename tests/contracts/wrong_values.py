"""What is wrong for each kind of option and argument, and for each that takes a text."""

import os
from typing import Any

from orchestrator.commands.parameters import (
    FileToRead,
    FileToWrite,
    FolderToMake,
    FolderToRead,
    NameOrPath,
    Number,
    SweepsFolder,
    SweepToFind,
    Text,
    Whole,
)

LONG, HUGE = "x" * 300, "9" * 30
EMPTY, NUL, LINES = "", "a\0b", "no\nwhere"
# What `home` holds: `file.txt`, `folder`, `loop` (a link to itself), `dangling`, `pipe`, `shut` (no permission).
NOWHERE = (EMPTY, NUL, LONG, "loop", "pipe")
BELOW = ("file.txt/x", "loop/x", "/dev/null/x")
SHUT = ("shut",) if os.geteuid() else ()

WRONG_URIS = ("s3://", "s3://a b/c", "s3://key:secret@bucket/x", f"s3://{LONG}")

WRONG: dict[type[Any], tuple[str, ...]] = {
    FolderToRead: (*NOWHERE, *BELOW, *SHUT, LINES, "nowhere", "file.txt", "dangling", "/dev/null", *WRONG_URIS),
    FileToRead: (*NOWHERE, *BELOW, *SHUT, LINES, "nowhere", "folder", "dangling", "/dev/null"),
    FolderToMake: (*NOWHERE, *BELOW, "file.txt", "/dev/null", "s3://bucket/folder"),
    SweepsFolder: (*NOWHERE, *BELOW, "file.txt", "/dev/null", *WRONG_URIS),
    SweepToFind: (*NOWHERE, *BELOW, LINES, "nowhere", "dangling", "folder", *WRONG_URIS, "s3://name", "zz://a/s"),
    FileToWrite: (*NOWHERE, *BELOW, "folder", "nowhere/x", "/dev/null"),
    NameOrPath: (*NOWHERE, *BELOW, LINES, "nowhere", "nowhere.yaml", "dangling", "folder"),
    Number: (EMPTY, "nan", "NaN", "inf", "-inf", "-1", "1e400", HUGE, "many", "0x10", "1,5"),
    Whole: (EMPTY, "nan", "inf", "-inf", "-1", "1e400", HUGE, "9" * 5000, "many", "2.5"),
    Text: (EMPTY, " ", NUL),
}
# Of texts, by option, or by command and option: what is wrong for this one.
TEXTS: dict[str, tuple[str, ...]] = {
    "--name": (LONG, "a/b", "..", ".", "-x", "a b", LINES, "é"),
    "--set": (LONG, "=", "data", "data.batch_size", "data.batch_size=", "data.batch_size=nan", "data=1", "a=[", "a={}"),
    "--fid-extractor": ("inceptoin", LONG, LINES),
    "--sampler": ("tpee", LONG),
    "--scheduler": ("ahsa", LONG),
    "--storage": ("sqlit", LONG, "sqlite:////nowhere/at/all.db", "sqlite:///folder", "nonsense://x", "sqlite:///pipe"),
    "--tracking-uri": ("mlruns", LONG, "sqlite:////nowhere/at/all.db", "sqlite:///folder", "file:///tmp/x"),
    "--address": ("nowhere", "a:b", "127.0.0.1:1", f"127.0.0.1:{HUGE}", ":1", LONG),
    # `doctor` tells of a well-written address or URI at which nothing is, with exit code 1.
    "doctor --tracking-uri": ("mlruns", LONG, "file:///tmp/x"),
    "doctor --address": ("nowhere", "a:b", f"127.0.0.1:{HUGE}", "127.0.0.1:65536", ":1", LONG),
    "--time-budget": ("nan", "inf", "0", "-1", "0s", "2", "h", "2d", HUGE, f"{HUGE}h", "1e400s", "9" * 400 + "h"),
    "--fit": ("streched", LONG),
    "--animated": ("frist", LONG),
    "--label": ("bicycle",),  # without --detector
    "--drop-tag": ("red",),  # without --tags
    "--keep-checkpoints": ("none", "best ", "top", "top:0", "top:-1", "top:1.5", f"top:{HUGE}", LONG),
    "--hang-timeout": ("nan", "0", "-1", "2", "19s", HUGE, f"{HUGE}h"),
    "trial": ("0007", LONG, "..", LINES),
    "settings": ("lr", "=", "optimizer.lrg=1", "optimizer.lr_g=5", "optimizer.lr_g=nan", "optimizer.lr_g=", LONG),
}
