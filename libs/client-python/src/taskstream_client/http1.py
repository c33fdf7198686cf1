"""One HTTP/1.1 exchange without I/O: the bytes of a request, and a response that is fed with bytes.

The standard library has no HTTP client for asyncio, and the follow logic is written once for both ways of doing I/O;
so heads are parsed by ``http.client`` and bodies here.

Invariants: what was cut off is never taken for whole; head and chunk lines are bounded.
"""

from __future__ import annotations

import http.client
import io
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from .errors import ClientError, WireFault

_CHUNK_LINE_BYTES_MAX = 4096


@dataclass(frozen=True)
class Endpoint:
    url: str
    host: str
    port: int
    tls: bool
    target: str
    authority: str


def parse_endpoint(url: object, at: int) -> Endpoint:
    """@raises ClientError invalid_argument"""
    try:
        parts: SplitResult = urlsplit(url) if isinstance(url, str) else urlsplit("")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if host is None or parts.scheme not in ("http", "https"):
        raise ClientError("invalid_argument", f"endpoints[{at}]: expected an http or https URL")
    if not str(url).isascii() or any(c in parts.path + parts.query + parts.netloc for c in "\r\n \t") or parts.username is not None:
        raise ClientError("invalid_argument", f"endpoints[{at}]: expected a URL in ASCII without credentials and white space")
    tls = parts.scheme == "https"
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Endpoint(str(url), host, port or (443 if tls else 80), tls, target, parts.netloc)


def request_bytes(endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST on a connection of its own. @raises ClientError invalid_argument for a header that is none"""
    lines = [f"POST {endpoint.target} HTTP/1.1", f"Host: {endpoint.authority}"]
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str) or not _fits(name, value):
            raise ClientError("invalid_argument", f"header {name!r}: expected a name and a value on one line, in Latin-1")
        lines.append(f"{name}: {value}")
    lines += [f"Content-Length: {len(body)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode("latin-1", "strict") + body


def _fits(name: str, value: str) -> bool:
    return bool(name) and not any(c in "\r\n\0" or c > "\xff" for c in name + value)


class Response:
    """A response as its bytes come: ``feed`` gives what the body has grown by, ``done`` whether it is whole."""

    def __init__(self, head_bytes_max: int) -> None:
        self.status = 0
        self.headers: http.client.HTTPMessage | None = None
        self.done = False
        self._head_bytes_max = head_bytes_max
        self._buffer = b""
        self._left: int | None = None
        self._chunked = False
        self._trailer = False

    def header(self, name: str) -> str | None:
        return None if self.headers is None else self.headers.get(name)

    def feed(self, data: bytes) -> bytes:
        """@raises WireFault wrong_content_type for what is no HTTP/1.1 response"""
        self._buffer += data
        while self.headers is None:
            if not self._take_head():
                return b""
        if self._chunked:
            return self._take_chunks()
        body, self._buffer = self._buffer, b""
        if self._left is not None:
            body = body[: self._left]
            self._left -= len(body)
            self.done = self._left == 0
        return body

    def end(self) -> bool:
        """The connection was closed by the server. Whether the body is whole."""
        if self.headers is not None and not self._chunked and self._left is None:
            self.done = True
        return self.done

    def _take_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > self._head_bytes_max:
                raise WireFault("wrong_content_type", "The head of the response is too large")
            return False
        head, self._buffer = self._buffer[: end + 4], self._buffer[end + 4 :]
        line, _, fields = head.partition(b"\r\n")
        parts = line.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise WireFault("wrong_content_type", "The server does not answer in HTTP/1.1")
        status = int(parts[1])
        if 100 <= status < 200:
            return True
        self.status = status
        try:
            self.headers = http.client.parse_headers(io.BytesIO(fields))
        except http.client.HTTPException:
            raise WireFault("wrong_content_type", "The head of the response cannot be read") from None
        self._chunked = (self.header("transfer-encoding") or "").lower().endswith("chunked")
        length = self.header("content-length")
        if not self._chunked and length is not None and length.isdigit():
            self._left = int(length)
        if status in (204, 304) or self._left == 0:
            self.done = True
        return True

    def _take_chunks(self) -> bytes:
        body = b""
        while not self.done:
            if self._left:
                piece = self._buffer[: self._left]
                self._buffer = self._buffer[len(piece) :]
                self._left -= len(piece)
                body += piece
                if self._left:
                    break
                self._left = None
                self._trailer = False
                # The line end behind the chunk is read as an empty size line.
            line, found, rest = self._buffer.partition(b"\r\n")
            if not found:
                if len(line) > _CHUNK_LINE_BYTES_MAX:
                    raise WireFault("wrong_content_type", "A chunk of the response cannot be read")
                break
            self._buffer = rest
            self._chunk_line(line)
        return body

    def _chunk_line(self, line: bytes) -> None:
        if self._trailer:
            self.done = line == b""
            return
        if line == b"":
            return
        try:
            self._left = int(line.partition(b";")[0], 16)
        except ValueError:
            raise WireFault("wrong_content_type", "A chunk of the response cannot be read") from None
        self._trailer = self._left == 0
