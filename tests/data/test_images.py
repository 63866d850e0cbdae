"""Images as whole tensors, against loops that take one image at a time."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from bottleneck_lab.config import ImageSettings
from bottleneck_lab.data import cifar
from bottleneck_lab.data import images as images_module
from bottleneck_lab.data.images import Augmentation, ImageData, Images, load_images
from bottleneck_lab.errors import LabError

Pixels = NDArray[np.uint8]


def digits(**knobs: Any) -> ImageData:
    return load_images(ImageSettings(dataset="digits", **knobs), None)


# Digits


def test_the_1797_digits_are_split_into_1197_and_the_last_600() -> None:
    data = digits()
    assert (len(data.train), len(data.held_out), data.test) == (1197, 600, None)
    published = load_digits()
    pixels = torch.cat([data.train.pixels, data.held_out.pixels])
    labels = torch.cat([data.train.labels, data.held_out.labels])
    np.testing.assert_array_equal(labels, published.target)
    # The published levels go from 0 to 16.
    np.testing.assert_array_equal(pixels.numpy()[..., 0], published.images * 15)
    assert pixels.shape == (1797, 8, 8, 1)
    assert (pixels.dtype, labels.dtype) == (torch.uint8, torch.int64)


def test_every_digit_occurs_as_often_as_its_authors_say() -> None:
    data = digits()
    labels = torch.cat([data.train.labels, data.held_out.labels])
    # optdigits.names of the UCI repository, test part.
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_checksum_tells_which_digits_they_are() -> None:
    [checksum] = digits().checksums.values()
    assert len(bytes.fromhex(checksum)) == 16
    assert digits(train_images=10).checksums == digits().checksums


def test_fewer_images_are_the_first_of_each_part() -> None:
    whole, some = digits(), digits(train_images=100, held_out_images=50)
    for part, count in (("train", 100), ("held_out", 50)):
        few, all_ = getattr(some, part), getattr(whole, part)
        assert len(few) == count
        assert torch.equal(few.pixels, all_.pixels[:count])
        assert torch.equal(few.labels, all_.labels[:count])


# Normalisation


@pytest.mark.parametrize("knobs", [{}, {"train_images": 100}, {"resolution": 16}])
def test_normalised_training_images_have_mean_0_and_deviation_1(knobs: dict[str, int]) -> None:
    data = digits(**knobs)
    pixels = data.normalised(data.train.pixels).double()
    assert pixels.mean().item() == pytest.approx(0, abs=1e-5)
    assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_mean_and_deviation_of_each_channel_are_those_of_their_formulas() -> None:
    images = image_set(50, 7, 9)
    levels = images.pixels.double()
    mean, std = images.mean_and_std()
    assert (mean.dtype, std.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(mean, levels.mean((0, 1, 2)).float(), rtol=1e-7, atol=0)
    torch.testing.assert_close(std, levels.std((0, 1, 2), correction=0).float(), rtol=1e-7, atol=0)


def test_mean_and_deviation_know_nothing_of_the_held_out_images() -> None:
    one, other = digits(held_out_images=10), digits(held_out_images=600)
    assert torch.equal(one.mean, other.mean)
    assert torch.equal(one.std, other.std)
    assert not torch.equal(digits(train_images=10).mean, one.mean)


def test_a_normalised_batch_lies_in_memory_channel_by_channel_for_each_pixel() -> None:
    pixels = torch.arange(2 * 4 * 5 * 3, dtype=torch.uint8).reshape(2, 4, 5, 3)
    images = Images(pixels, torch.zeros(2, dtype=torch.int64))
    data = ImageData(images, images, None, torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0]), {})
    batch = data.normalised(pixels)
    assert batch.shape == (2, 3, 4, 5)
    assert batch.dtype == torch.float32
    assert batch.is_contiguous(memory_format=torch.channels_last)
    assert batch[1, 2, 3, 4] == (119 - 3) / 4
    assert batch[0, 1, 0, 2] == (7 - 2) / 2


# Resolution


def triangle_weights(old: int, new: int) -> NDArray[np.float64]:
    """Bilinear resampling along one axis, widened by the scale when it shrinks the image: `[new, old]`."""
    scale = old / new
    support = max(scale, 1.0)
    weights = np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * scale
        for j in range(old):
            weights[i, j] = max(0.0, 1 - abs(j + 0.5 - centre) / support)
    return weights / weights.sum(1, keepdims=True)


@pytest.mark.parametrize("edge", [4, 5, 8, 12, 16])
def test_another_resolution_is_bilinear_resampling_with_antialiasing(edge: int) -> None:
    data, original = digits(resolution=edge), digits()
    weights = triangle_weights(8, edge)
    for part in ("train", "held_out"):
        found = getattr(data, part).pixels
        assert found.shape[1:] == (edge, edge, 1)
        assert found.dtype == torch.uint8
        levels = getattr(original, part).pixels.numpy()[..., 0].astype(float)
        expected = weights @ levels @ weights.T
        assert np.abs(found.numpy()[..., 0] - expected).max() <= 0.5 + 1e-3
        assert torch.equal(getattr(data, part).labels, getattr(original, part).labels)


def test_resampling_does_not_depend_on_how_many_images_are_resampled_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = digits(resolution=12, train_images=20)
    load_images.cache_clear()
    monkeypatch.setattr(images_module, "RESAMPLED_AT_ONCE", 7)
    pieces = digits(resolution=12, train_images=20)
    assert pieces is not whole
    assert torch.equal(pieces.train.pixels, whole.train.pixels)
    assert torch.equal(pieces.held_out.pixels, whole.held_out.pixels)


def test_the_resolution_of_the_data_set_itself_changes_nothing() -> None:
    assert torch.equal(digits(resolution=8).train.pixels, digits().train.pixels)


# Augmentation


def image_set(count: int, height: int, width: int, channels: int = 3, lowest: int = 0) -> Images:
    random = np.random.default_rng(count)
    pixels = random.integers(lowest, 256, (count, height, width, channels), dtype=np.uint8)
    return Images(torch.from_numpy(pixels), torch.zeros(count, dtype=torch.int64))


def one_by_one(images: Images, rows: list[int], padding: int, flip: bool, seed: int) -> Pixels:
    """Pad, crop and mirror, an image at a time, by the numbers that the generator draws."""
    generator = torch.Generator().manual_seed(seed)
    down, right = (
        torch.randint(0, 2 * padding + 1, (2, len(rows), 1), generator=generator).squeeze(2).tolist()
    )
    mirror = [False] * len(rows)
    if flip:
        mirror = (torch.rand(len(rows), 1, generator=generator) < 0.5).squeeze(1).tolist()
    height, width = images.pixels.shape[1:3]
    out = []
    for row, y, x, mirrored in zip(rows, down, right, mirror, strict=True):
        padded = np.pad(images.pixels[row].numpy(), ((padding, padding), (padding, padding), (0, 0)))
        crop = padded[y : y + height, x : x + width]
        out.append(crop[:, ::-1] if mirrored else crop)
    return np.stack(out)


augmentations = st.fixed_dictionaries({"padding": st.integers(0, 5), "flip": st.booleans()})


@settings(deadline=None)
@given(
    knobs=augmentations,
    rows=st.lists(st.integers(0, 9), min_size=1, max_size=20),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 1000),
)
def test_a_batch_is_padded_cropped_and_mirrored_as_one_image_at_a_time(
    knobs: dict[str, Any], rows: list[int], height: int, width: int, seed: int
) -> None:
    images = image_set(10, height, width)
    found = Augmentation(images, **knobs).batch(torch.tensor(rows), torch.Generator().manual_seed(seed))
    np.testing.assert_array_equal(found, one_by_one(images, rows, **knobs, seed=seed))
    assert found.dtype == torch.uint8


@settings(deadline=None, max_examples=30)
@given(knobs=augmentations, seed=st.integers(0, 1000))
def test_no_pixel_is_invented(knobs: dict[str, Any], seed: int) -> None:
    images = image_set(10, 6, 6, channels=1, lowest=1)
    rows = torch.arange(10)
    batch = Augmentation(images, **knobs).batch(rows, torch.Generator().manual_seed(seed))
    for before, after in zip(images.pixels.flatten(1), batch.flatten(1), strict=True):
        left = np.bincount(after, minlength=256)
        assert (left[1:] <= np.bincount(before, minlength=256)[1:]).all()
        assert knobs["padding"] > 0 or left[0] == 0


def test_without_padding_and_mirroring_images_are_left_alone() -> None:
    images = image_set(10, 6, 6)
    generator = torch.Generator().manual_seed(0)
    state = generator.get_state()
    batch = Augmentation(images, 0, False).batch(torch.tensor([7, 2]), generator)
    assert torch.equal(batch, images.pixels[[7, 2]])
    assert torch.equal(generator.get_state(), state)


def test_all_crops_and_both_sides_are_equally_likely() -> None:
    images = Images(
        torch.tensor([[[[1], [2]], [[3], [4]]]], dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)
    )
    rows = torch.zeros(18_000, dtype=torch.int64)
    batch = Augmentation(images, 1, True).batch(rows, torch.Generator().manual_seed(0))
    crops, counts = batch.flatten(1).unique(dim=0, return_counts=True)
    # Nine places and two sides give 18 different crops of this image, a thousand of each but for chance.
    assert len(crops) == 18
    assert ((counts - 1000).abs() < 5 * 1000**0.5).all()


@settings(deadline=None, max_examples=20)
@given(epoch=st.integers(0, 1000), coins=st.lists(st.booleans(), min_size=10, max_size=10))
def test_flips_that_alternate_show_the_other_side_of_every_image_in_the_next_epoch(
    epoch: int, coins: list[bool]
) -> None:
    images, rows = image_set(10, 6, 6), torch.arange(10)
    augmentation = Augmentation(images, 0, True, torch.tensor(coins))
    now, then = (augmentation.batch(rows, torch.Generator(), later) for later in (epoch, epoch + 1))
    assert torch.equal(now, then.flip(2))
    mirrored = [coin != (epoch % 2 == 1) for coin in coins]
    for image, seen, mirror in zip(images.pixels, now, mirrored, strict=True):
        assert torch.equal(seen, image.flip(1) if mirror else image)


def test_images_to_tune_on_are_the_last_of_the_training_part_and_none_of_the_held_out_part() -> None:
    usual = load_images(ImageSettings(dataset="digits", train_images=1000), None)
    tuning = load_images(ImageSettings(dataset="digits", train_images=1000, tuning_images=300), None)
    assert torch.equal(tuning.train.pixels, usual.train.pixels[:700])
    assert torch.equal(tuning.held_out.pixels, usual.train.pixels[700:])
    assert torch.equal(tuning.held_out.labels, usual.train.labels[700:])
    levels = tuning.train.pixels.double()
    assert tuning.mean.tolist() == pytest.approx([float(levels.mean())], rel=1e-6)


def test_random_labels_have_nothing_to_do_with_the_images() -> None:
    data = load_images(ImageSettings(dataset="digits"), None)
    drawn = data.with_random_labels(10, seed=1)
    agree = int((drawn.train.labels == data.train.labels).sum())
    # Of 1,197, each right with a chance of a tenth: 120, give or take five standard deviations of 10.4.
    assert 68 < agree < 172
    assert set(drawn.train.labels.tolist()) == set(range(10))
    assert drawn.held_out is data.held_out
    assert not torch.equal(drawn.train.labels, data.with_random_labels(10, seed=2).train.labels)


def test_the_same_generator_seed_gives_the_same_crops_and_another_seed_others() -> None:
    augmentation, rows = Augmentation(image_set(10, 6, 6), 2, True), torch.arange(10)
    first, again, other = (augmentation.batch(rows, torch.Generator().manual_seed(s)) for s in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_training_set_itself_is_not_changed() -> None:
    images = image_set(10, 6, 6)
    before = images.pixels.clone()
    batch = Augmentation(images, 2, True).batch(torch.arange(10), torch.Generator().manual_seed(0))
    batch.zero_()
    assert torch.equal(images.pixels, before)


# CIFAR, on miniatures


@pytest.fixture
def cifar_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """A folder of the official layout with 20 training images, 4 of them held out, and 3 test images."""

    def cifar_folder(name: str) -> Path:
        layout, random = cifar.LAYOUTS[name], np.random.default_rng(0)
        counts = dict.fromkeys(layout.training, 20 // len(layout.training)) | {layout.test: 3}
        md5 = {}
        for file, count in counts.items():
            records = random.integers(0, 256, (count, layout.record_bytes), dtype=np.uint8)
            records[:, : layout.label_bytes] = random.integers(0, layout.classes, (count, layout.label_bytes))
            records.tofile(tmp_path / file)
            md5[file] = hashlib.md5(records.tobytes()).hexdigest()
        small = replace(layout, md5=md5, training_images=20, held_out_images=4, test_images=3)
        monkeypatch.setitem(cifar.LAYOUTS, name, small)
        return tmp_path

    return cifar_folder


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_images_are_those_of_the_files_with_the_channels_last(
    cifar_folder: Callable[[str], Path], name: Any
) -> None:
    folder = cifar_folder(name)
    data, layout = load_images(ImageSettings(dataset=name), folder), cifar.LAYOUTS[name]
    assert data.test is not None
    assert (len(data.train), len(data.held_out), len(data.test)) == (16, 4, 3)
    for part in ("train", "held_out", "test"):
        source, images = cifar.read(layout, folder, part), getattr(data, part)
        assert source is not None
        np.testing.assert_array_equal(images.pixels.permute(0, 3, 1, 2), source.images)
        np.testing.assert_array_equal(images.labels, source.labels)
        assert images.pixels.is_contiguous()
    assert data.checksums == dict(layout.md5)


def test_each_colour_of_cifar_is_normalised_by_itself(cifar_folder: Callable[[str], Path]) -> None:
    data = load_images(ImageSettings(dataset="cifar10"), cifar_folder("cifar10"))
    pixels = data.normalised(data.train.pixels).double()
    torch.testing.assert_close(pixels.mean((0, 2, 3)), torch.zeros(3).double(), atol=1e-5, rtol=0)
    torch.testing.assert_close(pixels.std((0, 2, 3), correction=0), torch.ones(3).double(), atol=1e-5, rtol=0)


def test_without_the_test_file_there_are_no_test_images_and_the_rest_is_the_same(
    cifar_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder, settings = cifar_folder("cifar10"), ImageSettings(dataset="cifar10")
    whole = load_images(settings, folder)
    without = tmp_path / "without"
    without.mkdir()
    for name in cifar.CIFAR10.training:
        (without / name).write_bytes((folder / name).read_bytes())
    data = load_images(settings, without)
    assert data.test is None
    assert torch.equal(data.train.pixels, whole.train.pixels)
    assert torch.equal(data.held_out.pixels, whole.held_out.pixels)
    assert cifar.CIFAR10.test in whole.checksums
    assert cifar.CIFAR10.test not in data.checksums


def test_subsets_and_resolution_hold_for_cifar_too(cifar_folder: Callable[[str], Path]) -> None:
    settings = ImageSettings(dataset="cifar10", train_images=5, held_out_images=2, resolution=16)
    data = load_images(settings, cifar_folder("cifar10"))
    assert data.test is not None
    shapes = [tuple(part.pixels.shape) for part in (data.train, data.held_out, data.test)]
    assert shapes == [(5, 16, 16, 3), (2, 16, 16, 3), (3, 16, 16, 3)]


def test_a_damaged_file_of_cifar_is_refused_before_anything_is_trained(
    cifar_folder: Callable[[str], Path],
) -> None:
    folder = cifar_folder("cifar10")
    damaged = folder / "data_batch_3.bin"
    content = bytearray(damaged.read_bytes())
    content[2000] ^= 1
    damaged.write_bytes(content)
    with pytest.raises(LabError, match=r"data_batch_3\.bin"):
        load_images(ImageSettings(dataset="cifar10"), folder)


def test_moving_to_a_device_keeps_everything(cifar_folder: Callable[[str], Path]) -> None:
    data = load_images(ImageSettings(dataset="cifar10"), cifar_folder("cifar10"))
    moved = data.to(torch.device("meta"))
    assert moved.test is not None
    tensors = [
        t for images in (moved.train, moved.held_out, moved.test) for t in (images.pixels, images.labels)
    ]
    assert all(tensor.device.type == "meta" for tensor in (*tensors, moved.mean, moved.std))
    assert moved.checksums == data.checksums
    assert digits().to(torch.device("cpu")).test is None
