"""The clients themselves: both alike, nothing told of the key, answers of what is no Headrace server."""

from __future__ import annotations

import inspect
import logging
import pickle
import socket
import threading
from collections.abc import Iterator
from importlib import metadata, resources
from typing import Any

import pytest

import headrace
from headrace import AsyncClient, Client, ErrorDetail, HeadraceError, InvalidError, UnavailableError
from servers import REPOSITORY, Server

KEY = "hr_1234567890_thisIsTheSecretPart"


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, Any]:
        return {name: one for name, one in vars(kind).items() if inspect.isfunction(one) and not name.startswith("_")}

    plain, awaited = methods(Client), methods(AsyncClient)
    assert plain.keys() == awaited.keys()
    assert len(plain) == 8
    for name, one in plain.items():
        assert inspect.signature(one).parameters == inspect.signature(awaited[name]).parameters, name
        assert inspect.iscoroutinefunction(awaited[name]), name
        # What they say of themselves is the same to the word: a change of the one is one of the other.
        assert one.__doc__ and one.__doc__ == awaited[name].__doc__, name
    assert inspect.signature(Client).parameters == inspect.signature(AsyncClient).parameters


def test_the_version_is_the_products() -> None:
    import json

    assert metadata.version("headrace") == json.loads((REPOSITORY / "package.json").read_text())["version"]
    assert headrace.__version__ == metadata.version("headrace")


def test_needs_two_packages_and_is_typed() -> None:
    needed = [one for one in metadata.requires("headrace") or [] if "extra ==" not in one]
    assert sorted(one.split(">")[0] for one in needed) == ["httpx", "pyarrow"]
    assert resources.files("headrace").joinpath("py.typed").is_file()


class TestTheKey:
    def test_is_in_no_repr(self, server: Server) -> None:
        for client in (Client(server.url, KEY), AsyncClient(server.url, KEY)):
            shown = repr(client) + repr(vars(client)) + repr(client._settings.__dict__) + repr(client._driver.__dict__)
            shown += repr(client._driver._http.headers)
            assert "thisIsTheSecretPart" not in shown
            assert repr(client) == f"<{type(client).__name__} of {server.url}, with a key>"

    def test_is_in_no_error_and_no_log(self, server: Server, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        with Client(server.url, KEY, retries=0) as client, pytest.raises(HeadraceError) as caught:
            client.features("nothing", [{"s": "a"}])
        with Client("http://127.0.0.1:1", KEY, retries=0) as client, pytest.raises(HeadraceError) as lost:
            client.features("nothing", [{"s": "a"}])
        for error in (caught.value, lost.value):
            assert "thisIsTheSecretPart" not in f"{error!r} {error} {error.__dict__}"
        assert "thisIsTheSecretPart" not in caplog.text

    @pytest.mark.parametrize("key", ["", "a b", "hr_x\n", "hr_å"])
    def test_one_that_cannot_be_is_refused_and_not_shown(self, key: str) -> None:
        with pytest.raises(InvalidError) as caught:
            Client("http://127.0.0.1:1", key)
        assert key == "" or key not in str(caught.value)

    def test_is_not_pickled(self) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(Client("http://127.0.0.1:1", KEY)._settings)


@pytest.mark.parametrize(
    "url",
    ["127.0.0.1:8080", "ftp://a", "http://", "http://user:secret@a", "http://a?b=c", "http://a#b", "http://a:b", ""],
)
def test_urls_that_are_none(url: str) -> None:
    with pytest.raises(InvalidError) as caught:
        Client(url)
    assert "secret" not in str(caught.value)


def test_a_server_below_a_path(server: Server) -> None:
    with Client(f"{server.url}/below/", retries=0) as client, pytest.raises(HeadraceError) as caught:
        client.features("echo", [{"s": "a"}])
    assert "/below/v1/services/echo" in caught.value.message


@pytest.fixture
def stranger() -> Iterator[Any]:
    """Not a Headrace server: answers each connection with the bytes that it is given."""
    listener = socket.create_server(("127.0.0.1", 0))

    def start(answer: bytes) -> str:
        def serve() -> None:
            while True:
                try:
                    one, _ = listener.accept()
                except OSError:
                    return
                one.recv(1 << 16)
                one.sendall(answer)
                one.close()

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    listener.close()


def answer(status: str, body: bytes, kind: str = "text/html") -> bytes:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    return head.encode() + body


class TestAnswersOfOthers:
    def test_a_balancers_page(self, stranger: Any) -> None:
        url = stranger(answer("502 Bad Gateway", b"<h1>Bad gateway</h1>"))
        with Client(url, retries=0) as client, pytest.raises(UnavailableError) as caught:
            client.features("echo", [{"s": "a"}])
        assert caught.value.code == "HR_UNEXPECTED_ANSWER"
        assert "Bad gateway" in caught.value.message

    @pytest.mark.parametrize("body", [b"hello", b"[1]", b"{", b"\xff"], ids=str)
    def test_no_json(self, stranger: Any, body: bytes) -> None:
        with Client(stranger(answer("200 OK", body)), retries=0) as client, pytest.raises(HeadraceError) as caught:
            client.push("purchases", [{"s": "a"}])
        assert caught.value.code == "HR_UNEXPECTED_ANSWER"

    def test_no_http(self, stranger: Any) -> None:
        with Client(stranger(b"SSH-2.0-OpenSSH_9.2\r\n"), retries=0) as client, pytest.raises(HeadraceError) as caught:
            client.predict("checkout", [{"s": "a"}])
        assert caught.value.code == "HR_CONNECTION_LOST"

    def test_a_redirect_is_not_followed(self, stranger: Any) -> None:
        url = stranger(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n")
        with Client(url, KEY, retries=0) as client, pytest.raises(HeadraceError) as caught:
            client.predict("checkout", [{"s": "a"}])
        assert caught.value.status == 302


class TestErrors:
    def test_have_the_servers_words_and_the_calls_rows(self) -> None:
        error = InvalidError(
            "rows[1].a: expected x, got 3 (and 1 more)",
            code="HR_INVALID", status=400,
            errors=[ErrorDetail("rows[1].a", "expected x"), ErrorDetail("rows[0].b", "c"), ErrorDetail("rows[1].b", "d")],
        )  # fmt: skip
        assert str(error) == "HR_INVALID: rows[1].a: expected x, got 3 (and 1 more)"
        assert error.rows == [0, 1]
        moved = error.moved(100)
        assert moved.rows == [100, 101]
        assert moved.rows_done == 100
        assert str(moved) == "HR_INVALID: rows[101].a: expected x, got 3 (and 1 more)"

    def test_are_pickled_whole(self) -> None:
        # As from a process of a pool.
        error = InvalidError("x", code="HR_INVALID", status=400, errors=[ErrorDetail("rows[1]", "y")], retry_after=2)
        again = pickle.loads(pickle.dumps(error.moved(1)))
        assert type(again) is InvalidError
        assert again.__dict__ == error.__dict__
        assert str(again) == str(error)
