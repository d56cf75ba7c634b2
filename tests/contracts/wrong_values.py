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
    "--set": (
        *(LONG, "=", "data", "data.batch_size", "data.batch_size=", "data.batch_size=nan", "data=1", "a=[", "a={}"),
        *(
            "init.checkpoint=nowhere.pt",
            "init.checkpoint=file.txt",
            "init.checkpoint=s3://a/b.pt",
            "init.checkpoint=''",
        ),
        *("init.checkpoint=pipe", "init.checkpoint=loop", "init.checkpoint=folder", f"init.checkpoint={LONG}"),
        *("init.parts=generater", "init.parts=optimizers", "init.freeze_d_layers=-1", "init.freeze_d_layers=99"),
    ),
    "--fid-extractor": ("inceptoin", LONG, LINES),
    "--sampler": ("tpee", LONG),
    "--scheduler": ("ahsa", LONG),
    "--storage": ("sqlit", LONG, "sqlite:////nowhere/at/all.db", "sqlite:///folder", "nonsense://x", "sqlite:///pipe"),
    "--tracking-uri": ("mlruns", LONG, "sqlite:////nowhere/at/all.db", "sqlite:///folder", "file:///tmp/x"),
    "--register": ("a/b", "a:b", LONG, LINES, "-x"),
    "--host": ("256.1.1.1", "192.0.2.1", "a b", LONG, LINES, "é.invalid"),
    "--address": ("nowhere", "a:b", "127.0.0.1:1", f"127.0.0.1:{HUGE}", ":1", LONG),
    # `doctor` tells of a well-written address or URI at which nothing is, with exit code 1.
    "doctor --tracking-uri": ("mlruns", LONG, "file:///tmp/x"),
    "doctor --address": ("nowhere", "a:b", f"127.0.0.1:{HUGE}", "127.0.0.1:65536", ":1", LONG),
    "--time-budget": ("nan", "inf", "0", "-1", "0s", "2", "h", "2d", HUGE, f"{HUGE}h", "1e400s", "9" * 400 + "h"),
    "--trials-per-gpu": ("0", "-1", "1.5", "49", "many", "Auto", "2 ", "²", HUGE, LONG),
    "--fit": ("streched", LONG),
    "--animated": ("frist", LONG),
    "--label": ("bicycle",),  # without --detector
    "--drop-tag": ("red",),  # without --tags
    "--keep-checkpoints": ("none", "best ", "top", "top:0", "top:-1", "top:1.5", f"top:{HUGE}", LONG),
    "--release-after": ("nan", "0", "-1", "2", "19s", HUGE, f"{HUGE}h"),
    "--hang-timeout": ("nan", "0", "-1", "2", "19s", HUGE, f"{HUGE}h"),
    "extend --trials": ("0007", "best,best", ",", "bets", LONG, LINES),
    "--trials": (),
    "--trial": ("0007", "7", "-1", "bets", LONG, "..", LINES),
    "--format": ("jpg", "tabel", LONG, LINES),
    "--cluster": ("http://127.0.0.1:1", "ftp://127.0.0.1", LONG, LINES),
    "cloud": ("awz", LONG, LINES),
    "--gpu-type": ("T5", LONG, LINES),
    "--region": ("us-esat-1", "East US", LONG, LINES),
    "--image": ("python", "python:latest", "x:1-ray2.59.0", "a b", LINES),
    "--bucket": ("gs://other", "a b", LINES),
    "cluster render --name": ("A", "a_b", "-x", "a b", LONG, LINES),
    "--project": ("a b", LINES),
    "--security-group": ("a b", LINES),
    "cluster render --host": ("a b", LINES),
    "--ssh-user": ("a b", LINES),
    "--classes": ("hair", "=", "hair=", "=red", "hair=red", LONG, LINES),
    "--grid": ("4", "x", "4x", "0x4", "-1x4", "4x4x4", f"4x{HUGE}", "4x³", LONG, LINES),
    "--direction": ("a2b", LONG, LINES),
    "--device": ("gpu", "cuda:99", "cpu:1", "meta", LONG, LINES),
    "--metrics": ("kdi", "kid,", "kid, prdc", "KID", LONG, LINES),
    "--to": ("onx", LONG, LINES, "onnx,safetensors"),
    "--license": ("a b", "-x", LONG, LINES, "é"),
    "trial": ("0007", LONG, "..", LINES),
    "settings": ("lr", "=", "optimizer.lrg=1", "optimizer.lr_g=5", "optimizer.lr_g=nan", "optimizer.lr_g=", LONG),
}
