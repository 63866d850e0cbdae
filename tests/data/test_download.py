"""Downloads against a server on this machine that behaves like the worst of the internet."""

import hashlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random

import pytest

from bottleneck_lab.data.download import download, md5_of
from bottleneck_lab.errors import LabError

CONTENT = Random(0).randbytes(300_000)
SIZE = len(CONTENT)
MD5 = hashlib.md5(CONTENT).hexdigest()

Behaviour = Callable[["Handler", int], None]  # gets the position from which the client wants to continue


class Handler(BaseHTTPRequestHandler):
    server: "Server"

    def do_GET(self) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        position = int(asked[1]) if asked else 0
        self.server.requests.append((self.path, position))
        self.server.behaviours[self.path](self, position)

    def announce(self, position: int, size: int = SIZE, content_type: str = "application/gzip") -> None:
        self.send_response(206 if position else 200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(size - position))
        if position:
            self.send_header("Content-Range", f"bytes {position}-{size - 1}/{size}")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.behaviours: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, int]] = []
        self.closing = threading.Event()

    def url(self, behaviour: Behaviour) -> str:
        path = f"/{len(self.behaviours)}/{behaviour.__name__}"
        self.behaviours[path] = behaviour
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *args: object) -> None:
        """The client has hung up, as it may."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.tar.gz.part"


def whole(handler: Handler, position: int) -> None:
    handler.announce(position)
    handler.wfile.write(CONTENT[position:])


def without_ranges(handler: Handler, position: int) -> None:
    whole(handler, 0)


def cut_off(handler: Handler, position: int) -> None:
    handler.announce(position)
    handler.wfile.write(CONTENT[position : position + 100_000])


def cut_off_without_ranges(handler: Handler, position: int) -> None:
    cut_off(handler, 0)


def slow(handler: Handler, position: int) -> None:
    handler.announce(position)
    for start in range(position, SIZE, 20_000):
        handler.wfile.write(CONTENT[start : start + 20_000])
        time.sleep(0.1)


def stalled_midway(handler: Handler, position: int) -> None:
    cut_off(handler, position)
    handler.server.closing.wait()


def missing(handler: Handler, position: int) -> None:
    handler.send_error(404)


def web_page(handler: Handler, position: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "text/html; charset=utf-8")
    handler.end_headers()
    handler.wfile.write(b"<h1>Please log in</h1>")


def another_size(handler: Handler, position: int) -> None:
    handler.announce(0, size=SIZE - 1)
    handler.wfile.write(CONTENT[1:])


def another_content(handler: Handler, position: int) -> None:
    handler.announce(position)
    handler.wfile.write(CONTENT[::-1][position:])


def another_content_cut_off(handler: Handler, position: int) -> None:
    handler.announce(position)
    handler.wfile.write(CONTENT[::-1][position : position + 100_000])


def endless(handler: Handler, position: int) -> None:
    handler.send_response(200)
    handler.end_headers()
    while not handler.server.closing.is_set():
        handler.wfile.write(bytes(10_000))


def another_range(handler: Handler, position: int) -> None:
    handler.announce(position + 1)
    handler.wfile.write(CONTENT[position + 1 :])


def gzip_encoded(handler: Handler, position: int) -> None:
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.send_header("Content-Length", str(SIZE))
    handler.end_headers()
    handler.wfile.write(CONTENT)


def moved(handler: Handler, position: int) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.server.url(whole))
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def unreachable() -> str:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return f"http://127.0.0.1:{closed.getsockname()[1]}/unreachable"


@pytest.mark.parametrize("source", [whole, without_ranges, slow, moved, gzip_encoded])
def test_a_good_source_gives_the_file_byte_for_byte(server: Server, path: Path, source: Behaviour) -> None:
    download([server.url(source)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("source", [whole, moved, slow])
def test_what_is_there_is_not_asked_for_again(server: Server, path: Path, source: Behaviour) -> None:
    path.write_bytes(CONTENT[:123_456])
    download([server.url(source)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT
    assert {position for _, position in server.requests} == {123_456}


def test_a_finished_file_is_not_asked_for_at_all(server: Server, path: Path) -> None:
    path.write_bytes(CONTENT)
    download([server.url(whole)], path, size=SIZE, md5=MD5)
    assert server.requests == []


@pytest.mark.parametrize("rubbish", [bytes(SIZE), bytes(SIZE + 1)])
def test_a_file_of_full_length_with_wrong_content_is_replaced(
    server: Server, path: Path, rubbish: bytes
) -> None:
    path.write_bytes(rubbish)
    download([server.url(whole)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT


def test_a_server_that_ignores_ranges_starts_over(server: Server, path: Path) -> None:
    path.write_bytes(CONTENT[:123_456])
    seen: list[int] = []
    download(
        [server.url(without_ranges)], path, size=SIZE, md5=MD5, progress=lambda done, _: seen.append(done)
    )
    assert path.read_bytes() == CONTENT
    assert seen[0] < 123_456


def test_starting_over_loses_nothing_when_it_breaks_off_earlier_than_before(
    server: Server, path: Path
) -> None:
    path.write_bytes(CONTENT[:200_000])
    with pytest.raises(LabError, match=r"broke off at 0\.1 of 0.3 MB"):
        download([server.url(cut_off_without_ranges)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT[:200_000]


def test_the_next_source_continues_where_one_broke_off(server: Server, path: Path) -> None:
    first, second = server.url(cut_off), server.url(whole)
    download([first, second], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT
    assert [position for _, position in server.requests] == [0, 100_000]


def test_a_lone_source_that_breaks_off_is_continued(server: Server, path: Path) -> None:
    download([server.url(cut_off)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT
    assert [position for _, position in server.requests] == [0, 100_000, 200_000]


def test_the_next_call_continues_where_one_ran_out_of_time(server: Server, path: Path) -> None:
    url = server.url(stalled_midway)
    with pytest.raises(LabError, match="broke off at"):
        download([url], path, size=SIZE, md5=MD5, until=time.monotonic() + 1)
    kept = path.stat().st_size
    assert 0 < kept <= 100_000
    download([server.url(whole)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT
    assert server.requests[-1][1] == kept


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (missing, "HTTP 404 Not Found"),
        (web_page, "wrong content (a web page)"),
        (another_size, "wrong content (299999 bytes instead of 300000)"),
        (another_content, "wrong content (its md5 differs)"),
        (endless, "wrong content (its md5 differs)"),
    ],
)
def test_a_bad_source_is_named_with_its_reason_and_leaves_nothing(
    server: Server, path: Path, source: Behaviour, reason: str
) -> None:
    url = server.url(source)
    with pytest.raises(LabError) as failure:
        download([url], path, size=SIZE, md5=MD5)
    assert str(failure.value) == f"  {url}: {reason}"
    assert not path.exists()


@pytest.mark.parametrize("source", [missing, web_page, another_size, another_range])
def test_a_source_that_is_refused_at_once_leaves_what_is_there(
    server: Server, path: Path, source: Behaviour
) -> None:
    path.write_bytes(CONTENT[:123_456])
    with pytest.raises(LabError):
        download([server.url(source)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT[:123_456]


@pytest.mark.parametrize("source", [missing, web_page, another_size, another_content, endless])
def test_a_bad_source_does_not_stop_the_next(server: Server, path: Path, source: Behaviour) -> None:
    download([server.url(source), server.url(whole)], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT


def test_wrong_bytes_from_one_source_do_not_condemn_the_next(server: Server, path: Path) -> None:
    bad, good = server.url(another_content_cut_off), server.url(whole)
    download([bad, good], path, size=SIZE, md5=MD5)
    assert path.read_bytes() == CONTENT


def test_an_unreachable_source_is_named_with_what_the_system_says(path: Path) -> None:
    url = unreachable()
    with pytest.raises(LabError, match=re.escape(f"  {url}: not reached (")) as failure:
        download([url], path, size=SIZE, md5=MD5)
    assert str(failure.value).endswith("refused)")


def test_every_source_has_its_own_line(server: Server, path: Path) -> None:
    sources = [server.url(missing), server.url(web_page), unreachable()]
    with pytest.raises(LabError) as failure:
        download(sources, path, size=SIZE, md5=MD5)
    lines = str(failure.value).splitlines()
    assert [line.split(": ")[0].strip() for line in lines] == sources


def test_without_a_deadline_a_stall_is_left_for_the_next_source(server: Server, path: Path) -> None:
    download([server.url(stalled_midway), server.url(whole)], path, size=SIZE, md5=MD5, stall_s=0.5)
    assert path.read_bytes() == CONTENT


def test_a_silent_source_leaves_time_for_the_one_after_it(server: Server, path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/silent"
        download([url, server.url(whole)], path, size=SIZE, md5=MD5, until=time.monotonic() + 3)
    assert path.read_bytes() == CONTENT


def test_the_deadline_holds_against_servers_that_accept_and_say_nothing(path: Path) -> None:
    start = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(LabError, match=r"silent or too slow|the time was up"):
            download([f"{url}/1", f"{url}/2"], path, size=SIZE, md5=MD5, until=start + 0.5)
    assert 0.4 < time.monotonic() - start < 2


def test_the_deadline_holds_against_a_source_that_never_stops_coming(server: Server, path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(LabError, match="the time was up"):
        download([server.url(slow), server.url(whole)], path, size=SIZE, md5=MD5, until=start + 1)
    assert time.monotonic() - start < 3
    assert path.read_bytes() == CONTENT[: path.stat().st_size]


def test_the_deadline_holds_against_a_name_server_that_never_answers(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def hang(*args: object, **options: object) -> None:
        asked.set()
        answer.wait(10)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    start = time.monotonic()
    with pytest.raises(LabError, match=r"silent or too slow|the time was up"):
        download(["http://mirror.invalid/file"], path, size=SIZE, md5=MD5, until=start + 0.5)
    assert time.monotonic() - start < 2
    assert asked.is_set()
    answer.set()


def test_progress_rises_to_the_whole_size(server: Server, path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    download(
        [server.url(whole)], path, size=SIZE, md5=MD5, progress=lambda done, total: seen.append((done, total))
    )
    assert len(seen) > 1
    assert seen == sorted(seen)
    assert seen[-1] == (SIZE, SIZE)


def test_interrupting_keeps_what_has_arrived(server: Server, path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done > 50_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download([server.url(whole)], path, size=SIZE, md5=MD5, progress=interrupt)
    assert path.read_bytes() == CONTENT[: path.stat().st_size]
    assert path.stat().st_size > 50_000


def test_the_md5_of_nothing_is_the_one_in_rfc_1321(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert md5_of(tmp_path / "empty") == "d41d8cd98f00b204e9800998ecf8427e"
