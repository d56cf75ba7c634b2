"""A contact sheet: many small pictures with their names on one image."""

from PIL import Image, ImageDraw, ImageFont

from trainers.data.prepare.thumbnails import SIDE

COLUMNS, TILES = 10, 80
_GAP, _MARGIN, _HEAD, _CAPTION = 10, 24, 56, 18
_PAPER, _FRAME, _INK, _QUIET = (250, 250, 248), (236, 236, 232), (32, 34, 38), (120, 122, 126)


def contact_sheet(title: str, subtitle: str, pictures: list[tuple[str, Image.Image]]) -> Image.Image:
    """At most TILES pictures in rows of COLUMNS, each in the middle of a frame over its name.

    Args:
        title: in the head, large.
        subtitle: in the head, small.
        pictures: name and picture, no side longer than SIDE pixels; at least one.

    Returns:
        RGB, 1258 pixels wide for full rows.
    """
    assert 0 < len(pictures) <= TILES, len(pictures)
    columns = min(COLUMNS, max(4, len(pictures)))
    rows = -(-len(pictures) // COLUMNS)
    width = 2 * _MARGIN + columns * SIDE + (columns - 1) * _GAP
    height = _MARGIN + _HEAD + rows * (SIDE + _CAPTION + _GAP) + _MARGIN - _GAP
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    large, middle, small = (ImageFont.load_default(size) for size in (22, 14, 11))
    pen.text((_MARGIN, _MARGIN), _shortened(title, large, width - 2 * _MARGIN), _INK, large)
    pen.text((_MARGIN, _MARGIN + 29), subtitle, _QUIET, middle)
    for number, (name, picture) in enumerate(pictures):
        left = _MARGIN + number % COLUMNS * (SIDE + _GAP)
        top = _MARGIN + _HEAD + number // COLUMNS * (SIDE + _CAPTION + _GAP)
        pen.rectangle((left, top, left + SIDE - 1, top + SIDE - 1), _FRAME)
        sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + (SIDE - picture.height) // 2))
        pen.text((left, top + SIDE + 3), _shortened(name, small, SIDE), _QUIET, small)
    return sheet


def _shortened(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: float) -> str:
    """`text`, its start cut off where it is too wide: names of files differ at their ends."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength("..." + text) > width:
        text = text[1:]
    return "..." + text
