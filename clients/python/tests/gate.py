"""A TCP door before a server: it can be shut, and it can cut a connection before the answer, or in the middle of it."""

from __future__ import annotations

import socket
import threading
from collections import deque
from dataclasses import dataclass
from types import TracebackType


@dataclass(frozen=True)
class Cut:
    """The connection is cut after so many bytes of the answers: with 0 after the server has begun to answer, before a byte is here."""

    after: int = 0


class Gate:
    """Lets everything through but where the next connections have something else before them (``cuts``)."""

    def __init__(self, host: str, port: int) -> None:
        self._to = (host, port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        #: What happens to the next connections, one each.
        self.cuts: deque[Cut] = deque()
        #: Connections so far.
        self.connections = 0
        #: All that clients sent.
        self.sent = bytearray()
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shut()

    def shut(self) -> None:
        """Nobody gets in, and who is in is out."""
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for one in self._open:
            _end(one)

    def reopen(self) -> None:
        """On the same port."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def requests(self, start: str) -> int:
        """How many requests began so: ``POST /v1/…``."""
        return bytes(self.sent).count(start.encode())

    def _accept(self) -> None:
        listener = self._listener
        while True:
            try:
                inside, _ = listener.accept()
            except OSError:
                return
            self.connections += 1
            cut = self.cuts.popleft() if self.cuts else None
            outside = socket.create_connection(self._to)
            self._open += [inside, outside]
            threading.Thread(target=self._ask, args=(inside, outside), daemon=True).start()
            threading.Thread(target=self._answer, args=(outside, inside, cut), daemon=True).start()

    def _ask(self, inside: socket.socket, outside: socket.socket) -> None:
        try:
            while data := inside.recv(1 << 16):
                self.sent += data
                outside.sendall(data)
        except OSError:
            pass
        _end(outside)

    def _answer(self, outside: socket.socket, inside: socket.socket, cut: Cut | None) -> None:
        left = None if cut is None else cut.after
        try:
            while data := outside.recv(1 << 16):
                if left is not None:
                    inside.sendall(data[:left])
                    left -= len(data)
                    if left <= 0:
                        break
                else:
                    inside.sendall(data)
        except OSError:
            pass
        _end(inside)
        _end(outside)


def _end(one: socket.socket) -> None:
    try:
        one.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    one.close()
