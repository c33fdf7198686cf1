"""One request over Streamable HTTP and the messages of its response.

Invariants: a request that is given up closes its connection; a message that was cut off is never handed on; one message
is bounded; the auth hook is asked for fresh headers at most once a request, and once
for all requests that meet a 401 together.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Union

from .errors import ClientError, ShapeError, WireFault
from .health import Rest, after_failure, endpoint_order, is_resting
from .http1 import Endpoint, Response, parse_endpoint, request_bytes
from .limits import Limits
from .script import Call, Close, Connect, Now, Receive, Script, Send, Sleep
from .sse import SseParser
from .types import AuthHook, Era, Headers, Json, Notice, OnNotice
from .wire import Message, parse_message

CLIENT_INFO = {"name": "taskstream-client-python", "version": "0.1.0"}
TASKS_EXTENSION = "io.modelcontextprotocol/tasks"
HEARTBEAT = "heartbeat"
BYTES = "bytes"
EOF = "eof"
_REFRESH_LOOK_MS = 20
_NO_ERROR_BODY = frozenset((401, 403, 429))


@dataclass(frozen=True)
class Request:
    method: str
    params: Json
    name: str | None = None
    """Source of ``Mcp-Name``: a tool's name or a task's id."""
    headers: Headers = field(default_factory=dict)


@dataclass(frozen=True)
class RpcRefusal:
    """A JSON-RPC error."""

    code: int
    message: str
    data: Any = None

    @property
    def reason(self) -> str | None:
        reason = self.data.get("reason") if isinstance(self.data, dict) else None
        return reason if isinstance(reason, str) else None


@dataclass(frozen=True)
class HttpRefusal:
    """An HTTP status without a JSON-RPC error to go by."""

    status: int
    retry_after_ms: int | None


@dataclass
class Exchange:
    """A response that is being read."""

    id: int
    connection: Any
    response: Response
    parser: SseParser | None
    bytes_max: int
    ready: deque[Union[Message, str, WireFault]] = field(default_factory=deque)
    texts: deque[str] = field(default_factory=deque)
    json: bytes = b""
    text: str = ""
    """The text of the message that was read last."""


Posted = Union[Exchange, RpcRefusal, HttpRefusal]


@dataclass
class Service:
    """The endpoints of one service and how they are spoken to. Shared by everything that one client does."""

    endpoints: tuple[Endpoint, ...]
    era: Era
    limits: Limits
    headers: Headers
    auth: AuthHook | None
    on_notice: OnNotice | None
    capabilities: Json
    rests: list[Rest | None]
    """Of the endpoints, which of them failed and are tried last."""
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    """Of requests; safe to share between threads."""
    session_id: str | None = None
    initialized: bool = False
    runs_tasks: bool = False
    """2025-11-25: the server takes tools as tasks."""
    refreshing: threading.Lock = field(default_factory=threading.Lock)
    """Held by the request that asks for fresh headers; never waited for, so that it serves asyncio too."""
    refreshes: int = 0

    def best(self) -> Script[int]:
        return endpoint_order(self.rests, (yield Now()))[0]

    def notify(self, notice: Notice) -> Script[None]:
        if self.on_notice is None:
            return
        try:
            yield Call(self.on_notice, (notice,))
        except ClientError:
            raise
        except Exception as error:
            raise ClientError("callback_failed", "on_notice raised") from error

    def endpoint_failed(self, endpoint: int, message: str, wait_ms: float = 0) -> Script[None]:
        """The endpoint is tried last for a while; told when it was not before, and there is another.

        ``wait_ms``: how long the client waits before it tries again.
        """
        now_ms = yield Now()
        before = self.rests[endpoint]
        self.rests[endpoint] = after_failure(before, now_ms + wait_ms, self.limits)
        if len(self.rests) > 1 and not is_resting(before, now_ms):
            yield from self.notify(Notice("endpoint-failed", message, endpoint=self.endpoints[endpoint].url))


def make_service(
    endpoints: object,
    *,
    era: Era,
    limits: Limits | None,
    headers: Headers | None,
    auth: AuthHook | None,
    on_notice: OnNotice | None,
    capabilities: Json | None,
    asks: bool,
) -> Service:
    """@raises ClientError invalid_argument"""
    given = [endpoints] if isinstance(endpoints, str) else endpoints
    if not isinstance(given, (list, tuple)) or not given:
        raise ClientError("invalid_argument", f"endpoints: expected at least one URL, got {type(endpoints).__name__}")
    if era not in ("2026-07-28", "2025-11-25"):
        raise ClientError("invalid_argument", "era: expected 2026-07-28 or 2025-11-25")
    parsed = tuple(parse_endpoint(url, at) for at, url in enumerate(given))
    declared: dict[str, Any] = {"elicitation": {}} if asks else {}
    declared.update(capabilities or {})
    return Service(
        parsed, era, limits or Limits(), headers or {}, auth, on_notice, declared, rests=[None] * len(parsed)
    )


def encode_header_value(value: str) -> str:
    """2026-07-28 Streamable HTTP §Value Encoding: what is no plain ASCII goes as ``=?base64?…?=``."""
    looks_encoded = value.startswith("=?base64?") and value.endswith("?=")
    if re.fullmatch(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?", value) and not looks_encoded:
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode('ascii')}?="


def post(service: Service, endpoint: int, request: Request, silence_ms: int) -> Script[Posted]:
    """Sends a request and waits for the head of its response. Raises OSError, TimeoutError, WireFault, ClientError."""
    request_id = next(service.ids)
    message = {"jsonrpc": "2.0", "id": request_id, "method": request.method, "params": _params(service, request)}
    return (yield from _post(service, endpoint, request, message, request_id, silence_ms))


def send_message(service: Service, endpoint: int, message: Json, silence_ms: int) -> Script[bool]:
    """Sends a notification or a response. Whether the server took it."""
    request = Request(str(message.get("method", "")), {})
    posted = yield from _post(service, endpoint, request, message, 0, silence_ms)
    if isinstance(posted, Exchange):
        yield Close(posted.connection)
        return True
    return isinstance(posted, HttpRefusal) and posted.status == 202


def _post(
    service: Service, endpoint: int, request: Request, message: Json, request_id: int, silence_ms: int
) -> Script[Posted]:
    try:
        body = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ClientError("invalid_argument", f"{request.method}: what is sent has to be JSON: {error}") from error
    url, refreshes = service.endpoints[endpoint].url, service.refreshes
    auth = yield from _auth(service, url, refresh=False)
    exchange = yield from _send(service, endpoint, request, auth, body, request_id, silence_ms)
    if exchange.response.status == 401 and service.auth is not None:
        yield Close(exchange.connection)
        auth = yield from _fresh_auth(service, url, refreshes)
        exchange = yield from _send(service, endpoint, request, auth, body, request_id, silence_ms)
    return (yield from _classify(exchange, silence_ms))


def _fresh_auth(service: Service, url: str, refreshes: int) -> Script[Headers]:
    """Headers after a 401. ``refreshes``: how many there had been before the request that met it."""
    while not service.refreshing.acquire(blocking=False):
        yield Sleep(_REFRESH_LOOK_MS)
    try:
        if service.refreshes > refreshes:
            return (yield from _auth(service, url, refresh=False))
        yield from service.notify(Notice("auth-refreshed", "The auth hook is asked for fresh headers", endpoint=url))
        auth: Headers = yield from _auth(service, url, refresh=True)
        service.refreshes += 1
        return auth
    finally:
        service.refreshing.release()


def _auth(service: Service, url: str, *, refresh: bool) -> Script[Headers]:
    if service.auth is None:
        return {}
    try:
        auth = yield Call(service.auth, (refresh, url))
    except ClientError:
        raise
    except Exception as error:
        raise ClientError("unauthorized", "The auth hook gave no headers") from error
    if not isinstance(auth, Mapping):
        raise ClientError("unauthorized", f"The auth hook gave no headers, but {type(auth).__name__}")
    return auth


def _params(service: Service, request: Request) -> Json:
    if service.era == "2025-11-25":
        return request.params
    capabilities = service.capabilities
    extensions = capabilities.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    given = request.params.get("_meta")
    meta = {
        **(given if isinstance(given, dict) else {}),
        "io.modelcontextprotocol/protocolVersion": service.era,
        "io.modelcontextprotocol/clientInfo": CLIENT_INFO,
        "io.modelcontextprotocol/clientCapabilities": {
            **capabilities,
            "extensions": {**extensions, TASKS_EXTENSION: {}},
        },
    }
    return {**request.params, "_meta": meta}


def _headers(service: Service, request: Request, auth: Headers) -> Mapping[str, str]:
    headers = {
        **service.headers,
        **auth,
        **request.headers,
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
    }
    if service.era == "2025-11-25":
        if service.initialized:
            headers["MCP-Protocol-Version"] = service.era
        if service.session_id is not None:
            headers["Mcp-Session-Id"] = service.session_id
        return headers
    headers["MCP-Protocol-Version"] = service.era
    if request.method:
        headers["Mcp-Method"] = request.method
    if request.name is not None:
        headers["Mcp-Name"] = encode_header_value(request.name)
    return headers


def _send(
    service: Service, endpoint: int, request: Request, auth: Headers, body: bytes, request_id: int, silence_ms: int
) -> Script[Exchange]:
    where = service.endpoints[endpoint]
    data = request_bytes(where, _headers(service, request, auth), body)
    limits = service.limits
    connection = yield Connect(where, min(limits.connect_timeout_ms, silence_ms))
    response = Response(limits.head_bytes_max)
    exchange = Exchange(request_id, connection, response, None, limits.message_bytes_max)
    try:
        yield Send(connection, data, silence_ms)
        while response.headers is None:
            chunk = yield Receive(connection, silence_ms)
            if not chunk:
                raise ConnectionError("the connection was cut before the response")
            _body(exchange, response.feed(chunk))
    except Exception:
        yield Close(connection)
        raise
    return exchange


def _classify(exchange: Exchange, silence_ms: int) -> Script[Posted]:
    response = exchange.response
    if response.status == 200:
        return exchange
    retry_after_ms = _retry_after_ms(response.header("retry-after"), response.header("date"))
    plain = response.status in _NO_ERROR_BODY or response.status >= 500 or response.status == 202
    error = None if plain else (yield from _error_body(exchange, silence_ms))
    yield Close(exchange.connection)
    return error or HttpRefusal(response.status, retry_after_ms)


def _error_body(exchange: Exchange, silence_ms: int) -> Script[RpcRefusal | None]:
    """The JSON-RPC error in the body of an HTTP error, if there is one."""
    try:
        while True:
            read = yield from read_next(exchange, silence_ms)
            if read == EOF:
                return None
            if isinstance(read, Message):
                return refusal_of(read)
    except (WireFault, TimeoutError, OSError):
        return None


def refusal_of(message: Message) -> RpcRefusal | None:
    error = message.error
    return None if error is None else RpcRefusal(error["code"], error["message"], error.get("data"))


def _retry_after_ms(value: str | None, date: str | None) -> int | None:
    """Seconds, or a date, which counts from the server's own: the clock of this machine may be wrong."""
    if value is None or re.fullmatch(r"\d{1,9}", value.strip()):
        return None if value is None else int(value) * 1000
    try:
        wait = parsedate_to_datetime(value) - parsedate_to_datetime(date or "")
    except (TypeError, ValueError):
        return None
    return max(0, round(wait.total_seconds() * 1000))


def read_next(exchange: Exchange, timeout_ms: float) -> Script[Message | str]:
    """What comes next: a message, HEARTBEAT, BYTES, or EOF. Raises WireFault, TimeoutError, OSError."""
    if not exchange.ready and not exchange.response.done:
        chunk = yield Receive(exchange.connection, timeout_ms)
        if chunk:
            _body(exchange, exchange.response.feed(chunk))
        else:
            whole = exchange.response.end()
            exchange.response.done = True
            if exchange.parser is None and not whole:
                exchange.json = b""
        if exchange.response.done:
            _json_done(exchange)
    if exchange.ready:
        item = exchange.ready.popleft()
        if isinstance(item, WireFault):
            raise item
        if isinstance(item, Message):
            exchange.text = exchange.texts.popleft()
        return item
    return EOF if exchange.response.done else BYTES


def _body(exchange: Exchange, data: bytes) -> None:
    response = exchange.response
    if response.headers is None:
        return
    if exchange.parser is None and not exchange.json:
        media = (response.header("content-type") or "").partition(";")[0].strip().lower()
        if media == "text/event-stream":
            exchange.parser = SseParser(exchange.bytes_max)
        elif response.status == 200 and media != "application/json":
            shown = f"content type {media[:60]}" if media else "no content type"
            exchange.ready.append(WireFault("wrong_content_type", f"The server answered with {shown}"))
            return
    if exchange.parser is None:
        exchange.json += data
        if len(exchange.json) > exchange.bytes_max:
            exchange.ready.append(
                WireFault("message_too_large", f"The server sent a message of more than {exchange.bytes_max} bytes")
            )
        elif response.done:
            _json_done(exchange)
        return
    try:
        for frame in exchange.parser.feed(data):
            if frame is None:
                exchange.ready.append(HEARTBEAT)
            elif frame:
                _push(exchange, frame)
    except WireFault as fault:
        exchange.ready.append(fault)


def _json_done(exchange: Exchange) -> None:
    source, exchange.json = exchange.json, b""
    if exchange.parser is not None or not source:
        return
    try:
        _push(exchange, source.decode("utf-8"))
    except UnicodeDecodeError:
        exchange.ready.append(WireFault("invalid_utf8", "The server sent bytes that are not UTF-8"))


def _push(exchange: Exchange, source: str) -> None:
    try:
        message = parse_message(source)
    except ShapeError as error:
        exchange.ready.append(WireFault("malformed_message", f"Malformed message: {error}"))
        return
    exchange.ready.append(message)
    exchange.texts.append(source)


def check_id(message: Message, exchange: Exchange) -> None:
    """An error may come without an id."""
    if message.id == exchange.id and type(message.id) is int:
        return
    if message.kind == "error" and message.id is None:
        return
    raise WireFault("wrong_response_id", "The server answered another request than the one that was sent")
