"""The report of a preparation: every dropped file with its reason as JSON, examples with pictures as HTML."""

import html
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trainers.atomic import write_text
from trainers.data.files import find_sidecars
from trainers.data.manifest import Manifest, write_json
from trainers.data.prepare.options import TagTable
from trainers.data.prepare.thumbnails import data_uri, forgiving, thumbnail
from trainers.data.shards import Row

REPORT_JSON, REPORT_HTML = "report.json", "report.html"
# Pictures of kept images, and per reason of dropped ones: all reasons together stay below 2 MB of HTML.
SAMPLES, EXAMPLES = 32, 24

REASONS = {
    "empty": "The file has no bytes.",
    "not_an_image": "No image format was recognised.",
    "animated": "More than one frame; --animated first keeps the first one.",
    "truncated": "The file ends before its last pixel.",
    "too_large": "More pixels than Pillow thinks safe.",
    "unreadable": "No permission, a dangling link, or not a regular file.",
    "undecodable": "Damaged, or of a kind that has no agreed look.",
    "no_object": "The detector found no object of the wanted class.",
    "several_objects": "The detector found more than one object of the wanted class.",
    "wrong_boxes": "The boxes were found in a picture of other proportions.",
    "too_small": "The shorter side, after the crop, is below --min-side.",
    "odd_aspect": "Longer side over shorter side, after the crop, is above --max-aspect.",
    "too_colourful": "The colourfulness (Hasler and Süsstrunk 2003) of the outer 10 % is above --max-colourfulness.",
    "dropped_tag": "It has a tag named by --drop-tag.",
    "duplicate": "The same bytes as another file.",
    "near_duplicate": "The same picture as another, in another size or compression; the largest is kept.",
}

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #2f6f9f; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1080px; margin: 2.5rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2.5rem 0 0; }
p { margin: .2rem 0 .8rem; } .quiet { opacity: .65; } code { font-size: .9em; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: 1.2rem 0; width: 100%; } td { padding: .25rem .8rem .25rem 0; }
td.n { text-align: right; font-variant-numeric: tabular-nums; width: 4rem; }
td.name { width: 11rem; white-space: nowrap; }
.bar { background: var(--accent); height: .7rem; border-radius: 2px; min-width: 2px; } a { color: inherit; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); gap: .9rem .7rem; }
figure { margin: 0; min-width: 0; } figcaption { font-size: .72rem; line-height: 1.3; overflow-wrap: anywhere; }
.frame { height: 116px; background: var(--soft); border-radius: 4px; display: flex; align-items: center;
  justify-content: center; margin-bottom: .3rem; font-size: .75rem; overflow: hidden; } .frame img { display: block; }
"""


def write_report(
    source: Path, destination: Path, manifest: Manifest, dropped: list[Row], samples: list[Row], tags: TagTable
) -> None:
    """Write ``report.json`` and ``report.html`` into `destination`.

    Args:
        source: the folder that the files are in; examples are decoded from there.
        destination: of the dataset.
        manifest: of the dataset.
        dropped: every file that is not in it.
        samples: some images that are in it.
        tags: of the files.
    """
    without = {"rows": len(tags.tags), "without_image": list(tags.unmatched)}
    values: dict[str, Any] = {
        "source": manifest.source,
        "files": manifest.files,
        "images": manifest.images,
        "reasons": manifest.dropped,
        "left_aside": find_sidecars(source),
        "tags": without if tags.tags else None,
        "dropped": [{"path": row.path, "reason": row.reason, "detail": row.detail} for row in dropped],
    }
    write_json(destination / REPORT_JSON, values)
    with forgiving():
        page = "".join(_page(source, manifest, dropped, samples, tags))
    write_text(destination / REPORT_HTML, page, sync=True)


def _page(source: Path, manifest: Manifest, dropped: list[Row], samples: list[Row], tags: TagTable) -> Iterable[str]:
    title = html.escape(f"Dataset from {Path(manifest.source).name or manifest.source}")
    yield f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    yield f"<h1>{title}</h1><p>{manifest.images:,} of {manifest.files:,} files are in the dataset, {manifest.size} x "
    yield f"{manifest.size} pixels; {manifest.files - manifest.images:,} are not."
    if tags.unmatched:
        yield f" {len(tags.unmatched):,} of {len(tags.tags):,} rows of tags have no image."
    yield f'</p><p class="quiet"><code>{html.escape(manifest.source)}</code></p><table>'
    yield _bar("kept", "kept", manifest.images, manifest.files)
    by_reason = sorted(manifest.dropped.items(), key=lambda item: -item[1])
    for reason, count in by_reason:
        yield _bar(reason, reason.replace("_", " "), count, manifest.files)
    yield "</table>"
    yield '<h2 id="kept">Kept</h2><p class="quiet">As they are in the dataset.</p><div class="grid">'
    yield from (_figure(row.image, row.path, "") for row in samples if row.image is not None)
    yield "</div>"
    for reason, count in by_reason:
        shown = [row for row in dropped if row.reason == reason][:EXAMPLES]
        more = f" The first {len(shown)} are shown; all are in {REPORT_JSON}." if count > len(shown) else ""
        yield f'<h2 id="{reason}">{reason.replace("_", " ").capitalize()}: {count:,}</h2>'
        yield f'<p class="quiet">{html.escape(REASONS[reason])}{more}</p><div class="grid">'
        yield from (_figure(source / row.path, row.path, row.detail) for row in shown)
        yield "</div>"
    yield "</html>\n"


def _bar(anchor: str, name: str, count: int, total: int) -> str:
    bar = f'<div class="bar" style="width:{100 * count / total:.1f}%"></div>'
    return f'<tr><td class="name"><a href="#{anchor}">{name}</a></td><td class="n">{count:,}</td><td>{bar}</td></tr>'


def _figure(picture: Path | bytes, name: str, detail: str) -> str:
    small = thumbnail(picture)
    image = '<span class="quiet">no picture</span>' if small is None else f'<img alt="" src="{data_uri(small)}">'
    below = f'<br><span class="quiet">{html.escape(detail)}</span>' if detail else ""
    return f'<figure><div class="frame">{image}</div><figcaption>{html.escape(name)}{below}</figcaption></figure>'
