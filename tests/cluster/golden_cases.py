"""The choices whose rendered files lie in golden/. `python -m tests.cluster.golden_cases` writes them anew."""

from pathlib import Path

from cluster.clouds import CLOUDS
from cluster.pins import Pins
from cluster.render import RenderOptions, render

GOLDEN = Path(__file__).parent / "golden"
PINS = Pins(python="3.11.7", ray="2.60.0", package="0.1.0")
IMAGE = "registry.example.com/gan-sweep:0.1.0-py3.11.7-ray2.60.0"
CASES = {
    "aws-a10g-spot": ("aws", RenderOptions(gpu_type="A10G", bucket="my-sweeps", security_group="sg-0123456789abcdef0")),
    "aws-h100-image": ("aws", RenderOptions(gpu_type="H100", gpus=8, spot=False, image=IMAGE, region="us-west-2")),
    "gcp-t4-spot": ("gcp", RenderOptions(gpu_type="T4", bucket="gs://my-sweeps", project="my-project")),
    "azure-a100-80gb-spot": (
        "azure",
        RenderOptions(gpu_type="A100-80GB", gpus=2, bucket="abfs://sweeps@myaccount.dfs.core.windows.net", image=IMAGE),
    ),
    "kuberay-l4-spot": ("kuberay", RenderOptions(gpu_type="L4", gpus=2, image=IMAGE, bucket="s3://my-sweeps")),
    "slurm-a100": ("slurm", RenderOptions(gpu_type="A100", gpus=4, spot=False, max_workers=2, bucket="/shared/sweeps")),
    "local-t4": ("local", RenderOptions(hosts=("10.0.0.1", "10.0.0.2", "10.0.0.3"), bucket="/shared/sweeps")),
}


def golden_file(case: str) -> Path:
    """Where the expected text of a case lies."""
    return GOLDEN / f"{case}{CLOUDS[CASES[case][0]].suffix}"


def rendered(case: str) -> str:
    """What is rendered for it now."""
    cloud, options = CASES[case]
    return render(cloud, options, pins=PINS)


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    for name in CASES:
        golden_file(name).write_text(rendered(name))
        print(golden_file(name))
