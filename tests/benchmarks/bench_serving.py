"""Images over HTTP under load, against making them one by one in the server's place.

Usage: python -m tests.benchmarks.bench_serving [--checkpoint FILE] [--clients 1 8 32] [--seconds 10] [--counts 1 16]

A real server process and real clients, each of which asks again as soon as it has its answer: for one PNG, and for a
grid. Without a checkpoint an untrained DCGAN of 32 px is served, which costs as much as a trained one. What it is
compared with is the same generator in this process without a server: one image at a time, drawn, made and encoded.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil
import torch

from orchestrator.results.winner import Chosen
from orchestrator.serving.encode import encode
from orchestrator.serving.model import Model
from tests.benchmarks.common import print_setting
from tests.orchestrator.serving.served import checkpoint, serving

BUSY = 503


def one_by_one(model: Model, seconds: float) -> tuple[float, float]:
    """Images/s of drawing, making and encoding one after another, and milliseconds of CPU of each."""
    generator, made = model.generator, 0
    started, busy = time.perf_counter(), time.process_time()
    while (passed := time.perf_counter() - started) < seconds:
        encode(generator.pixels(generator.inputs([0], seed=made)), "png", [])
        made += 1
    return made / passed, 1000 * (time.process_time() - busy) / made


def computing(file: Path, count: int, dtype: torch.dtype, seconds: float) -> float:
    """Images/s of the generator alone, so many at once."""
    from trainers.inference import FinishedGenerator

    generator, made = FinishedGenerator.load(file, "cpu", dtype), 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        generator.pixels(generator.inputs(range(count), seed=made))
        made += count
    return made / passed


async def load(url: str, clients: int, count: int, seconds: float) -> tuple[list[float], int, float]:
    """Seconds of each answer, how many were "busy", and the seconds that all took."""
    body = {"count": count, "format": "grid" if count > 1 else "png"}
    taken: list[float] = []
    busy, started = 0, 0.0

    async def visit(client: aiohttp.ClientSession) -> None:
        nonlocal busy
        while time.perf_counter() - started < seconds:
            asked = time.perf_counter()
            async with client.post("/v1/images", json=body) as answer:
                if answer.status == BUSY:
                    busy += 1
                    continue
                answer.raise_for_status()
                await answer.read()
            taken.append(time.perf_counter() - asked)

    # Not httpx: with 32 connections it takes 10 times the processor time, which is the server's here.
    async with aiohttp.ClientSession(url, connector=aiohttp.TCPConnector(limit=clients)) as client:
        started = time.perf_counter()
        await asyncio.gather(*(visit(client) for _ in range(clients)))
        return taken, busy, time.perf_counter() - started


def parser() -> argparse.ArgumentParser:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help="a trained one")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 16], help="images per request")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    return parser


def main() -> None:
    """Measure this process first, then the server."""
    asked = parser().parse_args()
    print_setting("torch", "fastapi", "uvicorn", "aiohttp", "pillow")
    with tempfile.TemporaryDirectory() as folder:
        file = asked.checkpoint or checkpoint(Path(folder), "adversarial", {"network.base_width": 24})
        model = Model.load(Chosen(checkpoint=file), "cpu")
        size, threads = model.generator.image_size, torch.get_num_threads()
        print(f"{model.generator.config.network.name}, {size} px, {threads} threads of torch, float64 as served")
        for count in (1, 64):
            speeds = [computing(file, count, dtype, asked.seconds / 4) for dtype in (torch.float32, torch.float64)]
            print(f"computing {count:>2} at once: float32 {speeds[0]:.0f}, float64 {speeds[1]:.0f} images/s, ", end="")
            print(f"ratio {speeds[0] / speeds[1]:.2f}")
        base, base_cpu = one_by_one(model, asked.seconds)
        print(f"one by one without a server {base:.0f} images/s, {base_cpu:.2f} ms of CPU each")
        print("images  clients  p50 ms  p95 ms  images/s  against one by one  busy  server's CPU ms per image")
        with serving(file, "--device", "cpu") as (process, url):
            server = psutil.Process(process.pid)
            for count in asked.counts:
                for clients in asked.clients:
                    before = sum(server.cpu_times()[:2])
                    taken, busy, seconds = asyncio.run(load(url, clients, count, asked.seconds))
                    rate = len(taken) * count / seconds
                    middle, late = (1000 * value for value in (statistics.median(taken), _high(taken)))
                    print(f"{count:>6}  {clients:>7}  {middle:6.1f}  {late:6.1f}  {rate:8.0f}  ", end="")
                    cpu = 1000 * (sum(server.cpu_times()[:2]) - before) / len(taken) / count
                    print(f"{rate / base:>17.2f}x  {busy:>4}  {cpu:6.2f}")


def _high(values: list[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


if __name__ == "__main__":
    main()
