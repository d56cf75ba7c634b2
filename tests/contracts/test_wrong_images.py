"""Images that cannot be made and FIDs that cannot be measured are refused as any wrong input is."""

from pathlib import Path

import pytest

from tests.contracts.test_wrong_input import home, in_home, refused

__all__ = ["home", "in_home"]  # fixtures


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "4x8", "--count", "3"], "--count has no meaning beside --grid"),
        (["--gif"], "--gif has no meaning: it goes with --epochs or --interpolate"),
        (["--interpolate", "3", "--gif", "--mp4"], "--gif and --mp4: give one of them"),
        (["--interpolate", "3", "--format", "png"], "--format has no meaning beside --interpolate"),
        (["--epochs", "--seed", "3"], "--seed has no meaning beside --epochs"),
        (["--epochs"], "trial 0000 of s has no sample grids"),
        (["--direction", "a2b"], "--direction has no meaning: it goes with --translate"),
        (
            ["--translate", "photos", "--direction", "a2b"],
            "by the family adversarial, which does not translate: only cyclegan does",
        ),
        (["--translate", "photos", "--format", "parquet"], "unknown --format 'parquet': valid: png, webp"),
        (["--grid", "4x8", "--format", "parquet"], "valid: png, webp"),
        (["--grid", "1000x1000"], "1024 at most"),
        (["--classes", "hair=red", "--classes", "hair=blue"], "hair stands twice"),
        (["--out", "photos"], "photos is not empty"),
        (["--trial", "1"], "trial 0001 of s has no checkpoint"),
    ],
)
def test_images_that_cannot_be_made(words: list[str], message: str, home: Path) -> None:
    out = [] if "--out" in words else ["--out", "new"]
    assert message in refused(home, "generate", "s", *out, *words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["photos", "photos", "--sweep", "s"], "FID of what? give two folders"),
        (["photos", "photos", "--trial", "0000"], "--trial has no meaning without --sweep"),
        (["photos", "--sweep", "s", "--seeds", "2"], "--seeds has no meaning beside a folder"),
        (["--sweep", "s", "--direction", "a2b"], "--direction has no meaning without a folder"),
        (["--sweep", "s", "--fid-extractor", "inception"], "--fid-extractor has no meaning beside --sweep"),
        (["--sweep", "s"], "the images of s are not in /photos any more: say where with --data"),
        (["--sweep", "t"], "unknown sweep in sweeps 't'"),
        (["--sweep", "file.txt"], "--sweep file.txt is a file"),
    ],
)
def test_fid_of_nothing(words: list[str], message: str, home: Path) -> None:
    assert message in refused(home, "fid", *words)
