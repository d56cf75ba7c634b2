"""Every file that this package renders passes its own validation without a finding."""

from pathlib import Path

import pytest

from cluster.clouds import CLOUDS
from cluster.gpus import load_gpus
from cluster.render import RenderOptions, render
from cluster.validate import validate
from tests.cluster.validate.test_mutations import needs_crds

TABLE = load_gpus()
CASES = [
    (cloud, gpu, gpus)
    for cloud in CLOUDS
    for gpu, gpus in sorted({(str(m.gpu), m.gpus) for m in TABLE.of(cloud)} or {(gpu, 1) for gpu in TABLE.types})
]


@pytest.mark.parametrize(("cloud", "gpu", "gpus"), CASES)
def test_a_rendered_file_passes(cloud: str, gpu: str, gpus: int, tmp_path: Path) -> None:
    needs_crds(cloud)
    for spot, image in ((True, None), (False, "ghcr.io/example/gan-sweep:0.1.0")):
        path = tmp_path / f"{cloud}.yaml"
        more = {} if cloud == "local" else {"gpus": gpus, "spot": spot}
        path.write_text(render(cloud, RenderOptions(gpu_type=gpu, image=image, **more)))
        assert [str(finding) for finding in validate(path)] == []
