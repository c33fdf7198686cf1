"""Server-Sent Events, fed with bytes. WHATWG HTML §Server-sent events, as far as MCP uses it.

Invariants: only a whole frame is handed on; a frame is bounded; bytes that are not UTF-8 are a fault, not replaced.
"""

from __future__ import annotations

from collections.abc import Iterator

from .errors import WireFault


class SseParser:
    """Gives the ``data`` of each frame, and None for each comment: a heartbeat."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._first = True

    def feed(self, chunk: bytes) -> Iterator[str | None]:
        buffer = self._rest + chunk
        start = 0
        while True:
            end, following = _line_end(buffer, start)
            if end < 0:
                break
            line = buffer[start:end]
            start = following
            if self._first:
                self._first = False
                line = line.removeprefix(b"\xef\xbb\xbf")
            if line == b"":
                if self._data:
                    yield self._take()
            elif line.startswith(b":"):
                yield None
            else:
                self._field(line)
        self._rest = buffer[start:]
        self._check(len(self._rest))

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name != b"data":
            return
        value = value.removeprefix(b" ")
        self._check(len(value))
        self._data.append(value)
        self._size += len(value) + 1

    def _check(self, more: int) -> None:
        if self._size + more > self._bytes_max:
            raise WireFault("message_too_large", f"The server sent a message of more than {self._bytes_max} bytes")

    def _take(self) -> str:
        data = b"\n".join(self._data)
        self._data, self._size = [], 0
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise WireFault("invalid_utf8", "The server sent bytes that are not UTF-8") from None


def _line_end(buffer: bytes, start: int) -> tuple[int, int]:
    """Where the line ends and where the next begins; -1 when it is not whole. CR at the very end may be half a CRLF."""
    feed = buffer.find(b"\n", start)
    carriage = buffer.find(b"\r", start, feed if feed >= 0 else len(buffer))
    if carriage < 0:
        return feed, feed + 1
    if carriage + 1 == len(buffer):
        return -1, start
    return carriage, carriage + (2 if buffer[carriage + 1 : carriage + 2] == b"\n" else 1)
