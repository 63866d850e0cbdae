"""CIFAR in the binary layout, on miniatures: the official layouts with a few random images in each file."""

import gzip
import hashlib
import io
import os
import socket
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

import bottleneck_lab
from bottleneck_lab.data.cifar import CIFAR10, CIFAR100, LAYOUTS, CifarLayout, fetch, find, read, verify
from bottleneck_lab.errors import LabError

REAL = os.environ.get("BOTTLENECK_LAB_DATA")

Files = dict[str, bytes]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("BOTTLENECK_LAB_DATA", raising=False)
    monkeypatch.setenv("BOTTLENECK_LAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "cache"


def miniature(layout: CifarLayout) -> tuple[CifarLayout, Files]:
    """20 training images, 4 of them held out, and 3 test images; checksums where the original has them."""
    random = np.random.default_rng(0)
    in_a_file = {name: 20 // len(layout.training) for name in layout.training} | {layout.test: 3}
    files = {}
    for name, images in in_a_file.items():
        records = random.integers(0, 256, (images, layout.record_bytes), dtype=np.uint8)
        records[:, : layout.label_bytes] = random.integers(0, layout.classes, (images, layout.label_bytes))
        files[name] = records.tobytes()
    md5 = {name: hashlib.md5(files[name]).hexdigest() for name in layout.md5}
    return replace(layout, md5=md5, training_images=20, held_out_images=4, test_images=3), files


@pytest.fixture(params=LAYOUTS)
def mini(request: pytest.FixtureRequest) -> tuple[CifarLayout, Files]:
    return miniature(LAYOUTS[request.param])


def write(files: Files, folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


class Server(ThreadingHTTPServer):
    """Serves the files of one folder, and remembers what it was asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=folder))

    def offer(self, layout: CifarLayout, members: Files) -> CifarLayout:
        """Put an archive with these members there, and return the layout that knows it."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
            for name, content in members.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        content = buffer.getvalue()
        (self.folder / layout.archive).write_bytes(content)
        return replace(
            layout,
            archive_md5=hashlib.md5(content).hexdigest(),
            archive_bytes=len(content),
            sources=(f"http://127.0.0.1:{self.server_port}/{layout.archive}",),
        )


class Handler(SimpleHTTPRequestHandler):
    def log_request(self, *args: object) -> None:
        assert isinstance(self.server, Server)
        self.server.requests.append(self.path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "server").mkdir()
    with Server(tmp_path / "server") as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def offered(server: Server, mini: tuple[CifarLayout, Files]) -> tuple[CifarLayout, Files]:
    layout, files = mini
    return server.offer(layout, {f"{layout.folder}/{name}": files[name] for name in files}), files


# What the files are


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_every_source_of_the_official_archives_is_encrypted_on_its_way(layout: CifarLayout) -> None:
    assert all(source.startswith("https://") for source in layout.sources)
    assert all(source.endswith(f"/{layout.archive}") for source in layout.sources)


def test_an_official_batch_of_cifar10_is_30_730_000_bytes() -> None:
    assert CIFAR10.record_bytes * CIFAR10.training_images // len(CIFAR10.training) == 30_730_000


def test_the_training_file_of_cifar100_is_153_700_000_bytes() -> None:
    assert CIFAR100.record_bytes * CIFAR100.training_images // len(CIFAR100.training) == 153_700_000


def test_importing_costs_neither_torch_nor_the_network_libraries() -> None:
    code = "import sys, bottleneck_lab.data.cifar; print(*sys.modules)"
    root = Path(bottleneck_lab.__file__).parents[1]
    modules = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert not {"torch", "requests", "filelock", "platformdirs"} & set(modules.stdout.split())


# Reading


def test_a_record_is_its_labels_and_then_red_green_and_blue_row_by_row(
    mini: tuple[CifarLayout, Files], tmp_path: Path
) -> None:
    layout, files = mini
    test = read(layout, write(files, tmp_path / "data"), "test")
    assert test is not None
    for image, label, record in zip(
        test.images, test.labels, np.split(to_bytes(files[layout.test]), 3), strict=True
    ):
        pixels = record[layout.label_bytes :]
        assert label == record[layout.label_bytes - 1]
        assert image[0, 0, 1] == pixels[1]
        assert image[0, 1, 0] == pixels[32]
        assert image[1, 0, 0] == pixels[1024]
        assert image[2, 31, 31] == pixels[3071]


def to_bytes(content: bytes) -> np.ndarray:
    return np.frombuffer(content, np.uint8)


def test_train_and_held_out_images_are_all_training_images_in_order(
    mini: tuple[CifarLayout, Files], tmp_path: Path
) -> None:
    layout, files = mini
    folder = write(files, tmp_path / "data")
    train, held_out = read(layout, folder, "train"), read(layout, folder, "held_out")
    assert train is not None
    assert held_out is not None
    records = to_bytes(b"".join(files[name] for name in layout.training)).reshape(20, layout.record_bytes)
    images = records[:, layout.label_bytes :].reshape(20, 3, 32, 32)
    np.testing.assert_array_equal(train.images, images[:16])
    np.testing.assert_array_equal(held_out.images, images[16:])
    np.testing.assert_array_equal(train.labels, records[:16, layout.label_bytes - 1])
    np.testing.assert_array_equal(held_out.labels, records[16:, layout.label_bytes - 1])
    assert (train.images.dtype, train.labels.dtype) == (np.uint8, np.int64)


def test_batch_5_of_cifar10_is_the_one_held_out(tmp_path: Path) -> None:
    layout, files = miniature(CIFAR10)
    folder = write({"data_batch_5.bin": files["data_batch_5.bin"]}, tmp_path / "data")
    held_out = read(layout, folder, "held_out")
    assert held_out is not None
    assert held_out.images.tobytes() == b"".join(
        record[1:].tobytes() for record in np.split(to_bytes(files["data_batch_5.bin"]), 4)
    )


def test_without_the_test_file_there_are_no_test_images(
    mini: tuple[CifarLayout, Files], tmp_path: Path
) -> None:
    layout, files = mini
    del files[layout.test]
    assert read(layout, write(files, tmp_path / "data"), "test") is None


def cut_short(path: Path, layout: CifarLayout) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def one_record_short(path: Path, layout: CifarLayout) -> None:
    path.write_bytes(path.read_bytes()[: -layout.record_bytes])


def label_out_of_range(path: Path, layout: CifarLayout) -> None:
    content = bytearray(path.read_bytes())
    content[layout.record_bytes + layout.label_bytes - 1] = layout.classes
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut_short, "bytes, not"),
        (one_record_short, "bytes, not"),
        (label_out_of_range, "record 1 has label"),
        (lambda path, layout: path.unlink(), "it is missing"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong_and_what_to_do(
    mini: tuple[CifarLayout, Files],
    tmp_path: Path,
    damage: Callable[[Path, CifarLayout], None],
    reason: str,
) -> None:
    layout, files = mini
    folder = write(files, tmp_path / "data")
    damage(folder / layout.training[-1], layout)
    for look in (partial(read, part="held_out"), verify):
        with pytest.raises(LabError) as failure:
            look(layout, folder)
        assert str(failure.value).startswith(f"{folder / layout.training[-1]} is not the official file: ")
        assert reason in str(failure.value)
        assert f"bottleneck-lab data fetch {layout.name}" in str(failure.value)


# Verifying


def test_verify_returns_the_checksum_of_every_file(mini: tuple[CifarLayout, Files], tmp_path: Path) -> None:
    layout, files = mini
    checksums = verify(layout, write(files, tmp_path / "data"))
    assert checksums == {name: hashlib.md5(files[name]).hexdigest() for name in files}


def test_verify_does_without_the_test_file(mini: tuple[CifarLayout, Files], tmp_path: Path) -> None:
    layout, files = mini
    del files[layout.test]
    assert set(verify(layout, write(files, tmp_path / "data"))) == set(layout.training)


def test_one_wrong_bit_of_cifar10_is_found(tmp_path: Path) -> None:
    layout, files = miniature(CIFAR10)
    folder = write(files, tmp_path / "data")
    flip(folder / "data_batch_3.bin", 1000)
    with pytest.raises(LabError, match=r"data_batch_3\.bin is not the official file: its md5 is"):
        verify(layout, folder)


def test_one_wrong_bit_of_cifar100_is_found_only_where_we_unpacked_it_ourselves(
    server: Server, tmp_path: Path
) -> None:
    layout, files = miniature(CIFAR100)
    elsewhere = write(files, tmp_path / "data")
    flip(elsewhere / "train.bin", 1000)
    verify(layout, elsewhere)

    fetched = fetch(server.offer(layout, files))
    flip(fetched / "train.bin", 1000)
    with pytest.raises(LabError, match=r"train\.bin is not the official file: its md5 is"):
        verify(layout, fetched)


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"train.bin": 3}'])
def test_checksums_that_cannot_be_read_are_as_good_as_none(
    mini: tuple[CifarLayout, Files], tmp_path: Path, content: bytes
) -> None:
    layout, files = mini
    folder = write(files, tmp_path / "data")
    checked = verify(layout, folder)
    (folder / "bottleneck-lab-md5.json").write_bytes(content)
    assert verify(layout, folder) == checked


@pytest.mark.parametrize("content", [b"no archive", b"\x1f\x8b" + b"z" * 100, b""])
def test_what_has_the_right_checksum_and_is_no_archive_is_refused_and_removed(
    server: Server, cache: Path, content: bytes
) -> None:
    layout = server.offer(CIFAR100, {})
    (server.folder / layout.archive).write_bytes(content or gzip.compress(b"")[:-4])
    content = (server.folder / layout.archive).read_bytes()
    layout = replace(layout, archive_md5=hashlib.md5(content).hexdigest(), archive_bytes=len(content))
    with pytest.raises(LabError, match="CIFAR-100: what was downloaded cannot be unpacked"):
        fetch(layout)
    assert not (cache / f"{layout.archive}.part").exists()


# Finding


def test_places_are_searched_in_order_and_one_without_the_files_is_passed_over(
    mini: tuple[CifarLayout, Files], tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, files = mini
    given, named = tmp_path / "given", tmp_path / "named"
    monkeypatch.setenv("BOTTLENECK_LAB_DATA", str(named))
    assert find(layout, given) is None
    for place in (cache, named, given):
        folder = write(files, place / layout.folder)
        assert find(layout, given) == folder


def test_a_place_may_be_the_folder_itself_or_the_one_around_it(
    mini: tuple[CifarLayout, Files], tmp_path: Path
) -> None:
    layout, files = mini
    folder = write(files, tmp_path / "around" / layout.folder)
    assert find(layout, folder) == find(layout, tmp_path / "around") == folder


def test_the_test_file_may_be_missing_but_no_training_file(
    mini: tuple[CifarLayout, Files], tmp_path: Path
) -> None:
    layout, files = mini
    folder = write(files, tmp_path / "data")
    (folder / layout.test).unlink()
    assert find(layout, folder) == folder
    (folder / layout.training[-1]).unlink()
    assert find(layout, folder) is None


# Fetching


def test_fetching_puts_the_files_where_find_looks(offered: tuple[CifarLayout, Files], cache: Path) -> None:
    layout, files = offered
    folder = fetch(layout)
    assert folder == cache / layout.folder == find(layout)
    assert {name: (folder / name).read_bytes() for name in files} == files


def test_fetching_leaves_no_archive_behind(offered: tuple[CifarLayout, Files], cache: Path) -> None:
    layout, _ = offered
    fetch(layout)
    assert {path.name for path in cache.iterdir()} - {f"{layout.archive}.lock"} == {layout.folder}


def test_what_was_fetched_is_not_fetched_again(offered: tuple[CifarLayout, Files], server: Server) -> None:
    layout, _ = offered
    assert fetch(layout) == fetch(layout)
    assert len(server.requests) == 1


@pytest.mark.parametrize("damage", [partial(flip, position=1000), Path.unlink])
def test_a_damaged_or_missing_file_in_the_cache_is_repaired_by_fetching(
    offered: tuple[CifarLayout, Files], damage: Callable[[Path], None]
) -> None:
    layout, files = offered
    folder = fetch(layout)
    damage(folder / layout.test)
    fetch(layout)
    assert (folder / layout.test).read_bytes() == files[layout.test]


def test_an_archive_that_arrived_but_was_never_unpacked_is_used(
    offered: tuple[CifarLayout, Files], server: Server, cache: Path
) -> None:
    layout, _ = offered
    cache.mkdir()
    (cache / f"{layout.archive}.part").write_bytes((server.folder / layout.archive).read_bytes())
    fetch(layout)
    assert server.requests == []


def test_nothing_in_an_archive_is_written_outside_the_cache(
    server: Server, mini: tuple[CifarLayout, Files], tmp_path: Path, cache: Path
) -> None:
    layout, files = mini
    before = set(tmp_path.iterdir())
    outside = {"../../outside": b"", str(tmp_path / "absolute"): b"", "unknown": b""}
    disguised = {f"../../{name}": content for name, content in files.items()}
    folder = fetch(server.offer(layout, outside | disguised))
    assert set(tmp_path.iterdir()) == before | {cache}
    assert {path.name for path in folder.iterdir()} == {*files, "bottleneck-lab-md5.json"}


def test_of_two_at_once_one_downloads_and_the_other_waits(
    offered: tuple[CifarLayout, Files], server: Server
) -> None:
    layout, _ = offered
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(fetch, [layout, layout])
    assert first == second
    assert len(server.requests) == 1


def test_waiting_for_another_process_ends_at_the_deadline(
    offered: tuple[CifarLayout, Files], cache: Path
) -> None:
    layout, _ = offered
    cache.mkdir()
    with FileLock(cache / f"{layout.archive}.lock"), pytest.raises(LabError, match="Another process"):
        fetch(layout, deadline_s=0.2)


def test_the_deadline_holds_against_a_server_that_says_nothing(mini: tuple[CifarLayout, Files]) -> None:
    layout, _ = mini
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = f"http://127.0.0.1:{silent.getsockname()[1]}/{layout.archive}"
        with pytest.raises(LabError, match=r"silent or too slow|the time was up"):
            fetch(layout, deadline_s=0.5, sources=[source])
    assert time.monotonic() - start < 3


def test_a_failure_lists_the_sources_and_says_what_to_do(
    offered: tuple[CifarLayout, Files], server: Server
) -> None:
    layout, _ = offered
    source = f"http://127.0.0.1:{server.server_port}/nothing-here"
    with pytest.raises(LabError) as failure:
        fetch(layout, sources=[source])
    assert f"\n  {source}: HTTP 404 File not found\n" in str(failure.value)
    for way_out in (f"bottleneck-lab data fetch {layout.name}", "--data-dir", "BOTTLENECK_LAB_DATA"):
        assert way_out in str(failure.value)


def test_a_cache_that_cannot_be_written_is_named(offered: tuple[CifarLayout, Files], cache: Path) -> None:
    layout, _ = offered
    cache.write_text("a file where the folder should be", encoding="utf-8")
    with pytest.raises(LabError, match="BOTTLENECK_LAB_CACHE") as failure:
        fetch(layout)
    assert str(cache) in str(failure.value)


# The official files, where they are at hand


@pytest.mark.skipif(REAL is None, reason="BOTTLENECK_LAB_DATA names no folder with the official files")
def test_the_official_training_images_have_5000_of_each_class_and_the_published_means() -> None:
    assert REAL is not None
    folder = find(CIFAR10, Path(REAL))
    assert folder is not None
    verify(CIFAR10, folder)
    train, held_out = read(CIFAR10, folder, "train"), read(CIFAR10, folder, "held_out")
    assert train is not None
    assert held_out is not None
    labels = np.concatenate([train.labels, held_out.labels])
    np.testing.assert_array_equal(np.bincount(labels), np.full(10, 5000))
    means = (4 * train.images.mean((0, 2, 3)) + held_out.images.mean((0, 2, 3))) / 5 / 255
    np.testing.assert_allclose(means, [0.4914, 0.4822, 0.4465], atol=5e-5)
