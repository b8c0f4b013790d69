from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ganetics._check import InputError
from ganetics.data import load
from ganetics.data.download import fetch

CONTENT = b"what is wanted" * 1000
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
PUT = "put it there by hand"


class Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def nowhere() -> str:
    """An address at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{taken.getsockname()[1]}/set.gz"


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def test_without_a_network_it_is_one_line(nowhere: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=rf"^cannot fetch {nowhere} \(\w+: [^\n]+\): {PUT}$"):
        fetch(nowhere, SHA256, put=PUT)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("dataset", "what"), [("mnist", r"the four \*-ubyte.gz files"), ("cifar10", "the folder cifar")]
)
def test_a_data_set_that_cannot_be_fetched_says_what_to_do(
    dataset: str, what: str, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"ganetics.data.{dataset}.URL", nowhere)
    with pytest.raises(InputError, match=rf"^cannot fetch [^\n]+: put {what}[^\n]*--data-dir$"):
        load(dataset, split="test")


def test_what_was_fetched_once_is_kept(server: ThreadingHTTPServer, cache: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/set.gz"
    first = fetch(url, SHA256, put=PUT)
    assert first.read_bytes() == CONTENT
    assert first.parent == cache / "downloads"
    server.shutdown()
    server.server_close()
    assert fetch(url, SHA256, put=PUT) == first


def test_another_file_is_refused_and_not_kept(server: ThreadingHTTPServer, cache: Path) -> None:
    url = f"http://127.0.0.1:{server.server_port}/set.gz"
    with pytest.raises(InputError, match=rf"^cannot fetch {url} \(ValueError: [^\n]*hash[^\n]*\): {PUT}$"):
        fetch(url, "md5:00000000000000000000000000000000", put=PUT)
    assert list((cache / "downloads").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_one_line(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("GANETICS_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match=rf"^cannot fetch [^\n]+ \(\w+: [^\n]+\): {PUT}$"):
        fetch(f"http://127.0.0.1:{server.server_port}/set.gz", SHA256, put=PUT)
