"""All that needs a real GPU, in one run of at most 8 minutes on an H100: one table, one dated file.

Usage: python -m tests.gpu.run [--device cuda] [--result DIR] [--limit 480] [--tiny]

Needs torch, torchvision, numpy, scipy, pyarrow, pillow, pydantic and filelock; no Ray, Optuna, MLflow, Click or pytest.
``--device cpu --tiny`` runs the same code without a GPU, which is how the tests know that it works. "Two gangs" are two
processes that train at once, without Ray. The limit is looked at between the parts: one that hangs is not ended.
"""

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import torch

from tests.benchmarks.common import print_setting
from tests.gpu import checks, packed, shared, speed
from tests.gpu.table import TINY, Row, Sizes, table

RESULTS = Path(__file__).parent / "results"


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--result", type=Path, default=RESULTS, help="folder of the dated file")
    parser.add_argument("--limit", type=float, default=480, help="seconds after which no further part is begun")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: figures mean nothing")
    return parser


def parts(device: torch.device, sizes: Sizes, tiny: bool) -> dict[str, Callable[[], list[Row]]]:
    """What is checked, the most telling first."""
    return {
        "families": lambda: checks.families(device),
        "FID": lambda: checks.fid(device, tiny),
        "resume": lambda: checks.resume(device),
        "images/s": lambda: speed.races(device, sizes),
        "gangs": lambda: shared.gangs(device, sizes),
        "packing": lambda: [*packed.dry_step(device, sizes), *packed.mps(device, sizes)],
        "ranks": lambda: shared.ranks(device),
    }


def run(device: torch.device, sizes: Sizes, tiny: bool, limit: float) -> list[Row]:
    """The rows of every part. A part that raises is a row that failed; its traceback goes to stderr."""
    rows, started = [], time.perf_counter()
    for name, part in parts(device, sizes, tiny).items():
        before = time.perf_counter()
        if before - started > limit:
            rows.append(Row(name, "FAILED", f"not begun: {limit:g} s were over"))
            continue
        try:
            rows += part()
        except Exception as error:
            traceback.print_exc()
            rows.append(
                Row(name, "FAILED", f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}")
            )
        print(f"{name}: {time.perf_counter() - before:.0f} s", file=sys.stderr)
    return rows


def setting() -> str:
    """Date, hardware and versions."""
    text = StringIO()
    with redirect_stdout(text):
        print_setting("torch", "torchvision", "numpy")
    return f"{text.getvalue()}CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}\n"


def main() -> int:
    """Run every part, print the table and write it; 1 where something failed."""
    asked = parser().parse_args()
    if asked.device.startswith("cuda") and not torch.cuda.is_available():
        print("this machine has no GPU that torch can use: nothing was checked")
        return 0
    device = torch.device("cuda:0" if asked.device == "cuda" else asked.device)
    started = time.perf_counter()
    rows = run(device, TINY if asked.tiny else Sizes(), asked.tiny, asked.limit)
    seconds = time.perf_counter() - started
    title = f"# {device}{', tiny: figures mean nothing' if asked.tiny else ''}"
    text = f"{title}\n\n{setting()}\n{table(rows)}\n\n{seconds:.0f} s\n"
    print(text)
    asked.result.mkdir(parents=True, exist_ok=True)
    path = asked.result / f"{time.strftime('%Y-%m-%d')}-{device.type}.md"
    path.write_text(text)
    print(f"written to {path}")
    return int(any(row.status == "FAILED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
