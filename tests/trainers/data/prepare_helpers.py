"""Folders to prepare, and functions that read the result."""

import hashlib
import json
import os
import struct
import zlib
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from trainers.data.prepare import Prepared, PrepareOptions, prepare
from trainers.data.synthetic.motorbikes import draw_motorbike


def bike(seed: int) -> Image.Image:
    return draw_motorbike(Random(seed))


def encoded(picture: Image.Image, fmt: str, **options: object) -> bytes:
    content = BytesIO()
    picture.save(content, fmt, **options)
    return content.getvalue()


def bomb() -> bytes:
    """A PNG that says it has 60,000 x 60,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(999))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def fill_hostile(folder: Path) -> tuple[set[str], dict[str, str]]:
    """Everything that a folder from the internet has; the good files, and the bad ones with their reasons."""
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = np.asarray(bike(3).convert("L")).astype(np.uint16) * 257
    clear = bike(5).quantize(32)
    frames = [bike(seed).resize((120, 90)) for seed in (7, 8, 9)]
    good = {
        "plain.jpg": encoded(bike(1), "JPEG", quality=90),
        "sixteen.png": encoded(Image.fromarray(deep), "PNG"),
        "cmyk.jpg": encoded(bike(4).convert("CMYK"), "JPEG", quality=90),
        "palette.png": encoded(clear, "PNG", transparency=0),
        "turned.jpg": encoded(bike(6), "JPEG", exif=exif, quality=90),
        "Motorräder/näher dran.jpg": encoded(bike(10), "JPEG", quality=90),
        "with space.webp": encoded(bike(11), "WEBP", quality=90),
        "no_suffix": encoded(bike(12), "PNG"),
        "one_frame.gif": encoded(bike(13), "GIF"),
    }
    jpeg, png = encoded(bike(14), "JPEG"), encoded(bike(15), "PNG")
    bad = {
        "cut.jpg": (jpeg[: len(jpeg) // 2], "truncated"),
        "cut.png": (png[: len(png) // 2], "truncated"),
        "empty.jpg": (b"", "empty"),
        "text.jpg": (b"404 Not Found\n", "not_an_image"),
        "moving.gif": (encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]), "animated"),
        "bomb.png": (bomb(), "too_large"),
        "copy.jpg": (good["plain.jpg"], "duplicate"),
        "small copy.jpg": (encoded(bike(1).resize((90, 68)), "JPEG", quality=60), "near_duplicate"),
        "tiny.png": (encoded(bike(16).resize((24, 18)), "PNG"), "too_small"),
        "wide.png": (encoded(bike(17).resize((900, 60)), "PNG"), "odd_aspect"),
    }
    for name, content in {**good, **{name: content for name, (content, _) in bad.items()}}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (folder / "Motorräder" / "loop").symlink_to(folder)
    (folder / "dangling.jpg").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.jpg")
    (folder / "tags.csv").write_text('plain,"red bike"\nnowhere,"blue bike"\n')
    # `copy.jpg` comes first in the alphabet: it is kept, and plain.jpg, the same bytes, is not.
    good["copy.jpg"] = good.pop("plain.jpg")
    reasons = {name: reason for name, (_, reason) in bad.items() if name != "copy.jpg"}
    reasons |= {"plain.jpg": "duplicate", "dangling.jpg": "unreadable", "pipe.jpg": "unreadable"}
    return set(good), reasons


HOSTILE_OPTIONS = PrepareOptions(size=48, min_side=40, max_aspect=4, dedupe=True)


def fill_bikes(folder: Path, count: int) -> Path:
    """Small drawn motorbikes, JPEG."""
    folder.mkdir(parents=True)
    for seed in range(count):
        bike(seed).resize((80, 60)).save(folder / f"{seed:04d}.jpg", quality=90)
    return folder


def prepared(source: Path, destination: Path, **options: object) -> Prepared:
    return prepare(source, destination, PrepareOptions(**{"size": 32, **options}))  # type: ignore[arg-type]


def rows(dataset: Path) -> dict[str, dict[str, object]]:
    """Every row of the shards by source path."""
    tables = [pq.read_table(shard).to_pylist() for shard in sorted(dataset.glob("shard-*.parquet"))]
    return {row["path"]: row for table in tables for row in table}


def dropped(dataset: Path) -> dict[str, str]:
    report = json.loads((dataset / "report.json").read_text())
    return {file["path"]: file["reason"] for file in report["dropped"]}


def contents(folder: Path) -> dict[str, str]:
    """Relative path to hash of every regular file, hidden ones too."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
