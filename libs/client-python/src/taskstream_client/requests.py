"""One-shot requests: send, wait for the response, try again where that is safe; the session of 2025-11-25.

Invariants: the number of tries is bounded; a request that may have been executed is repeated only if the caller said
that repeating is safe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import ClientError, ResultTypeError, ShapeError, WireFault
from .exchange import (
    CLIENT_INFO,
    EOF,
    Exchange,
    HttpRefusal,
    Request,
    RpcRefusal,
    Service,
    check_id,
    post,
    read_next,
    refusal_of,
    send_message,
)
from .meanings import meaning_of, rpc_failure
from .script import Close, Random, Script, Sleep
from .types import Json, Notice
from .wire import Message, text

_CANCEL_WAIT_MS = 2_000
OnRequest = Callable[[Message], Script[None]]
"""What to do with a request that the server sends on the response; only 2025-11-25 has these."""


def receive(exchange: Exchange, silence_ms: int, on_request: OnRequest | None = None) -> Script[Json | RpcRefusal]:
    """Reads a response to its end. Raises WireFault, TimeoutError, OSError."""
    try:
        while True:
            read = yield from read_next(exchange, silence_ms)
            if read == EOF:
                raise ConnectionError("the connection was cut before the response")
            if not isinstance(read, Message):
                continue
            if read.kind == "request" and on_request is not None:
                yield from on_request(read)
            if read.kind not in ("result", "error"):
                continue
            check_id(read, exchange)
            answer = refusal_of(read) or read.result
            break
    except Exception:
        yield Close(exchange.connection)
        raise
    yield Close(exchange.connection)
    return answer if answer is not None else {}


def request(
    service: Service,
    what: Request,
    *,
    repeatable: bool = True,
    silence_ms: int | None = None,
    attempts_max: int | None = None,
    on_request: OnRequest | None = None,
) -> Script[Json]:
    """The result. @raises ClientError"""
    limits = service.limits
    patience_ms = silence_ms or limits.request_timeout_ms
    refusals, renewed, tries = 0, False, 0
    while True:
        tries += 1
        endpoint = yield from service.best()
        executed, wait_ms, blame = True, 0, True
        try:
            yield from ensure_session(service, endpoint)
            posted = yield from post(service, endpoint, what, patience_ms)
            answer = (yield from receive(posted, patience_ms, on_request)) if isinstance(posted, Exchange) else posted
        except (OSError, TimeoutError) as error:
            message = "The server sent nothing for too long" if isinstance(error, TimeoutError) else "The connection failed"
            failure = ClientError("unavailable", message)
            executed = not isinstance(error, ConnectionRefusedError)
        except WireFault as fault:
            if fault.fault == "message_too_large":
                raise ClientError("message_too_large", str(fault)) from fault
            failure = ClientError("protocol_fault", str(fault), {"fault": fault.fault})
        else:
            if not isinstance(answer, (RpcRefusal, HttpRefusal)):
                return answer
            if _session_lost(service, answer) and not renewed:
                renewed = True
                service.session_id, service.initialized = None, False
                continue
            meaning = meaning_of(answer, limits)
            if meaning.kind == "refused" and meaning.error is not None:
                refusals += 1
                if refusals >= len(service.endpoints):
                    raise meaning.error
                yield from service.endpoint_failed(endpoint, meaning.message)
                continue
            if meaning.kind != "passing":
                if meaning.error is not None:
                    raise meaning.error
                raise rpc_failure(answer) if isinstance(answer, RpcRefusal) else ClientError("endpoint_refused", meaning.message)
            failure = ClientError(meaning.cause, meaning.message)
            wait_ms, blame = meaning.min_wait_ms, meaning.cause == "unavailable"
            executed = blame and not (isinstance(answer, HttpRefusal) and answer.status == 503)
        wait_ms = max(wait_ms, limits.backoff_ms(tries - 1, (yield Random())))
        if blame:
            yield from service.endpoint_failed(endpoint, failure.args[0], wait_ms)
        if executed and not repeatable:
            raise ClientError("maybe_executed", f"{what.method} was cut off and may have been executed") from failure
        if tries >= (attempts_max or limits.request_attempts_max):
            raise failure
        yield from service.notify(Notice("retrying-request", f"{what.method}: {failure.args[0]}", wait_ms=wait_ms))
        yield Sleep(wait_ms)


def _session_lost(service: Service, answer: RpcRefusal | HttpRefusal) -> bool:
    """2025-11-25 transports §Session Management: 404 asks for a new session."""
    lost = isinstance(answer, HttpRefusal) and answer.status == 404
    return service.era == "2025-11-25" and service.session_id is not None and lost


def ensure_session(service: Service, endpoint: int) -> Script[None]:
    """2025-11-25 lifecycle: ``initialize`` once, before anything else. Nothing for 2026-07-28."""
    if service.era != "2025-11-25" or service.initialized:
        return
    limits = service.limits
    params = {"protocolVersion": service.era, "capabilities": dict(service.capabilities), "clientInfo": CLIENT_INFO}
    posted = yield from post(service, endpoint, Request("initialize", params), limits.request_timeout_ms)
    session_id: str | None = None
    answer: Json | RpcRefusal | HttpRefusal
    if isinstance(posted, Exchange):
        session_id = posted.response.header("mcp-session-id")
        answer = yield from receive(posted, limits.request_timeout_ms)
    else:
        answer = posted
    if isinstance(answer, (RpcRefusal, HttpRefusal)):
        meaning = meaning_of(answer, limits)
        if meaning.kind == "passing":
            raise ConnectionError(meaning.message)
        raise meaning.error or (rpc_failure(answer) if isinstance(answer, RpcRefusal) else ConnectionError(meaning.message))
    initialized = answer
    version = checked(lambda: text(initialized, "protocolVersion", "initialize"))
    if version != service.era:
        raise ClientError("unsupported_protocol", f"The server answered initialize with {version[:40]}")
    service.session_id, service.initialized, service.runs_tasks = session_id, True, _runs_tasks(initialized)
    yield from send_message(
        service, endpoint, {"jsonrpc": "2.0", "method": "notifications/initialized"}, limits.request_timeout_ms
    )


def _runs_tasks(initialized: Json) -> bool:
    """2025-11-25 tasks §Capabilities: ``tasks.requests.tools.call``."""
    declared: Any = initialized.get("capabilities")
    for name in ("tasks", "requests", "tools", "call"):
        declared = declared.get(name) if isinstance(declared, dict) else None
    return isinstance(declared, dict)


def abandon(service: Service, endpoint: int, exchange: Exchange) -> Script[None]:
    """Gives a request up. In 2025-11-25 closing its connection is no cancellation, so that is said as well."""
    yield Close(exchange.connection)
    if service.era != "2025-11-25" or not service.initialized:
        return
    params = {"requestId": exchange.id, "reason": "the client gave the request up"}
    message = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    try:
        yield from send_message(service, endpoint, message, _CANCEL_WAIT_MS)
    except (OSError, WireFault):
        pass  # The node is gone, and the request with it.


def checked(parse: Callable[[], Any]) -> Any:
    """Parses an answer. @raises ClientError unknown_result_type, protocol_fault"""
    try:
        return parse()
    except ResultTypeError as error:
        raise ClientError("unknown_result_type", str(error)) from error
    except ShapeError as error:
        raise ClientError("protocol_fault", f"Malformed result: {error}", {"fault": "malformed_result"}) from error
