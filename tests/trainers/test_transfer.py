"""What goes from the host to a GPU: once an epoch, one batch ahead, and never twice the data set in memory."""

import sys
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.contracts.device_watch import META, DeviceRandom, FusedAdam, MetaAutocast, host_watch
from tests.trainers.trainer_helpers import STEPS, small_config
from trainers.assets import Assets, Images, resident
from trainers.batches import augmented_batches
from trainers.data import ImageCache, augment, draw_augmentation, to_unit_range, upload_epoch
from trainers.data.augment import UPLOADED
from trainers.families import build_family
from trainers.networks.instancenorm import InstanceNorm2d, normalise
from trainers.randomness import GlobalRandom
from trainers.transfer import prefetched, upload

CPU = torch.device("cpu")


def epoch_of(images: Images) -> Iterator[tuple[Tensor, Tensor]]:
    random = GlobalRandom(1, CPU)
    random.start_epoch(1)
    return augmented_batches(images, small_config().data, random)


def test_batches_are_those_of_one_draw_after_another(assets: Assets) -> None:
    """An order, then the augmentation of each batch, from one generator: the numbers that runs have always had."""
    images, data = assets.images(small_config()), small_config().data
    random = GlobalRandom(1, CPU)
    random.start_epoch(1)
    order = random.permutation(len(images))
    made = list(epoch_of(images))
    assert len(made) == STEPS
    for number, (batch, indices) in enumerate(made):
        mine = order[number * data.batch_size : (number + 1) * data.batch_size]
        drawn = random.augmentation(data.batch_size, data)
        assert torch.equal(indices, mine)
        assert torch.equal(batch, augment(to_unit_range(images.cache.gather(mine)), drawn))


def on_meta(images: Images) -> Images:
    """The same images, resident on the meta device."""
    twin = Images(images.cache, META)
    twin._resident = resident(images.cache, META)
    return twin


def test_after_the_first_batch_an_epoch_copies_nothing(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    uploads: list[int] = []

    def counted(host: Tensor, device: torch.device) -> Tensor:
        uploads.append(len(host))
        return upload(host, device)

    for module in ("trainers.assets", "trainers.data.augment"):  # by name: a function hides the second
        monkeypatch.setattr(sys.modules[module], "upload", counted)
    made = epoch_of(on_meta(assets.images(small_config())))
    next(made)
    assert len(uploads) == 1 + len(UPLOADED)  # the order, and each kind of draw of the whole epoch
    assert [batch.device for batch, _ in made] == [META] * (STEPS - 1)
    assert len(uploads) == 1 + len(UPLOADED)


def test_augmenting_on_the_device_copies_nothing(assets: Assets) -> None:
    data = small_config().data
    parts = [draw_augmentation(8, data, torch.Generator().manual_seed(n)) for n in range(3)]
    for part, drawn in zip(upload_epoch(parts, META), parts, strict=True):
        assert torch.equal(part.flip, drawn.flip) and torch.equal(part.angle, drawn.angle)
        assert all(value.device == META for value in part.uploaded.values())
        assert part.uploaded.keys() == set(UPLOADED)
        rotated = int((drawn.angle != 0).sum())
        lengths = {"turned": rotated, "turned_by": rotated}
        assert all(len(value) == lengths.get(name, 8) for name, value in part.uploaded.items())
        assert augment(torch.zeros(8, 3, 16, 16, device=META), part).shape == (8, 3, 16, 16)


def test_uploaded_draws_do_what_the_hosts_do() -> None:
    """The copies that `upload_epoch` makes, put where the images are."""
    data = small_config(
        {"data.rotation_p": 0.5, "data.flip_p": 0.5, "data.crop_margin": 0.2, "data.contrast_p": 0.5}
    ).data
    parts = [draw_augmentation(8, data, torch.Generator().manual_seed(n)) for n in range(3)]
    images = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1

    class Elsewhere:
        """A device that is not called ``cpu``, in the host's memory."""

        type = "elsewhere"

    def to_host(host: Tensor, device: Any) -> Tensor:
        return host.clone()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules["trainers.data.augment"], "upload", to_host)
        copies = upload_epoch(parts, Elsewhere())  # type: ignore[arg-type]
    for copy, part in zip(copies, parts, strict=True):
        assert copy.uploaded.keys() == set(UPLOADED)
        assert torch.equal(augment(images, copy), augment(images, part))


def test_resident_images_are_copied_in_parts(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part is gone before the next but one is made: the host never holds them all."""
    cache = assets.images(small_config()).cache
    alive: list[weakref.ref[Tensor]] = []
    most = 0

    def small_parts(self: ImageCache, _: int) -> Iterator[Tensor]:
        nonlocal most
        for start in range(0, len(self), 8):
            part = self.gather(torch.arange(start, min(start + 8, len(self))))
            alive.append(weakref.ref(part))
            most = max(most, sum(ref() is not None for ref in alive))
            yield part
            del part

    monkeypatch.setattr(ImageCache, "batches", small_parts)
    assert torch.equal(resident(cache, CPU), cache.gather(torch.arange(len(cache))))
    assert most <= 2 < len(alive)


def test_prefetching_is_in_order_and_one_ahead() -> None:
    asked: list[int] = []
    threads = set()
    both = threading.Event()

    def gather(request: Tensor) -> Tensor:
        asked.append(int(request))
        threads.add(threading.current_thread().name)
        if len(asked) == 2:
            both.set()
        return request * 10

    made = prefetched(gather, torch.arange(4), CPU)
    assert next(made) == 0
    assert both.wait(10) and asked == [0, 1]  # the second is on its way while the first is in use, the third is not
    assert [int(batch) for batch in made] == [10, 20, 30] and asked == [0, 1, 2, 3]
    assert all(name.startswith("prefetch") for name in threads)
    assert list(prefetched(gather, [], CPU)) == []


def test_an_epoch_that_ends_early_leaves_no_thread() -> None:
    made = prefetched(lambda request: request, torch.arange(9), CPU)
    next(made)
    made.close()
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("prefetch")]


def test_what_goes_wrong_while_prefetching_is_raised() -> None:
    def gather(request: Tensor) -> Tensor:
        if request == 1:
            raise OSError("the disk is gone")
        return request

    made = prefetched(gather, torch.arange(3), CPU)
    next(made)
    with pytest.raises(OSError, match="the disk is gone"):
        next(made)


def test_fid_samples_come_from_inputs_on_the_device(assets: Assets, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are uploaded once for a run: sampling touches no tensor of the CPU."""
    monkeypatch.setattr(torch.optim, "Adam", FusedAdam)
    monkeypatch.setattr(torch, "autocast", MetaAutocast)
    config = small_config()
    target = build_family(config, META, DeviceRandom(config.seed, META)).fid_targets(assets)["images"]
    with host_watch():
        assert target.sample(4, 8).shape == (4, 3, 32, 32)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_instance_norm_keeps_the_memory_order(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    norm = InstanceNorm2d(6, affine=True)
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2), norm.bias.normal_()
    x = (torch.randn(3, 6, 9, 7) * 3 + 20).to(dtype).contiguous(memory_format=torch.channels_last)
    x.requires_grad_()
    ours = normalise(x, norm.weight, norm.bias, norm.eps)
    assert ours.dtype == dtype and ours.is_contiguous(memory_format=torch.channels_last)
    theirs = torch.nn.functional.instance_norm(x.float(), weight=norm.weight, bias=norm.bias, eps=norm.eps)
    exact = {"rtol": 1e-5, "atol": 2e-5} if dtype == torch.float32 else {"rtol": 2**-7, "atol": 2**-7}
    torch.testing.assert_close(ours.float(), theirs, **exact)
    weights = torch.randn(3, 6, 9, 7)
    given = [torch.autograd.grad((y * weights).sum(), (x, norm.weight, norm.bias))[1:] for y in (ours.float(), theirs)]
    for mine, its in zip(*given, strict=True):
        torch.testing.assert_close(mine, its, rtol=2**-6, atol=0.2 if dtype == torch.bfloat16 else 1e-3)


def test_a_translators_activations_stay_channels_last_off_the_cpu() -> None:
    x = torch.empty(2, 6, 8, 8, device=META).to(memory_format=torch.channels_last)
    assert InstanceNorm2d(6, affine=True, device=META)(x).is_contiguous(memory_format=torch.channels_last)


def test_upload_is_the_tensor_itself_on_the_cpu() -> None:
    host = torch.arange(3)
    assert upload(host, CPU) is host
