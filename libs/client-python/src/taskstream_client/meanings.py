"""What an error answer means, as data: one place for the wire's codes, reasons and HTTP statuses.

Invariant: nothing here looks at a message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import ClientError
from .exchange import HttpRefusal, RpcRefusal
from .limits import Limits

INVALID_PARAMS = -32602
METHOD_NOT_FOUND = -32601
INTERNAL_ERROR = -32603
EVENTS_GONE = -32010
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022


@dataclass(frozen=True)
class Meaning:
    """``kind``: gone, active, unclear, no-method, passing, refused or final.

    ``unclear`` is -32602 without a reason: an unknown task, or an active stream of a server that does not say so.
    """

    kind: str
    message: str
    cause: str = ""
    earliest_seq: int | None = None
    min_wait_ms: int = 0
    error: ClientError | None = None
    nameless: bool = False
    """Of ``gone``: the JSON-RPC error does not name the earliest event. HTTP 410 has no room for it."""


def meaning_of_rpc(refusal: RpcRefusal) -> Meaning:
    code, message, reason = refusal.code, refusal.message, refusal.reason
    data: Any = refusal.data if isinstance(refusal.data, dict) else {}
    earliest = data.get("earliestSeq")
    earliest = earliest if type(earliest) is int and earliest >= 0 else None
    if reason == "events_gone" or (code == EVENTS_GONE and earliest is not None):
        return Meaning("gone", message, earliest_seq=earliest, nameless=earliest is None)
    if reason == "stream_active":
        return Meaning("active", message, cause="stream_active")
    if reason == "cursor_ahead":
        return Meaning("final", message, error=ClientError("cursor_ahead", message))
    if reason == "limit_reached":
        return Meaning("passing", message, cause="rate_limited")
    if reason == "temporarily_unavailable" or code == INTERNAL_ERROR:
        return Meaning("passing", message, cause="unavailable")
    if code == INVALID_PARAMS:
        return Meaning("unclear", message)
    if code == METHOD_NOT_FOUND:
        return Meaning("no-method", message)
    return Meaning("final", message, error=rpc_failure(refusal))


def rpc_failure(refusal: RpcRefusal) -> ClientError:
    data = refusal.data
    details = {"rpcCode": refusal.code, **(data if isinstance(data, dict) else {} if data is None else {"data": data})}
    if refusal.code == MISSING_CAPABILITY:
        return ClientError("missing_capability", refusal.message, details)
    if refusal.code == UNSUPPORTED_VERSION:
        return ClientError("unsupported_protocol", refusal.message, details)
    return ClientError("rpc_error", f"The server answered with error {refusal.code}: {refusal.message}", details)


def meaning_of_http(refusal: HttpRefusal, limits: Limits) -> Meaning:
    status = refusal.status
    details = {"status": status}
    if status == 401:
        message = "The server asks for other credentials (HTTP 401)"
        return Meaning("final", message, error=ClientError("unauthorized", message, details))
    if status == 403:
        message = "The server forbids this (HTTP 403)"
        return Meaning("final", message, error=ClientError("forbidden", message, details))
    if status == 410:
        return Meaning("gone", "Gone (HTTP 410)")
    message = f"The server answered with HTTP {status}"
    wait_ms = min(refusal.retry_after_ms or 0, limits.retry_after_max_ms)
    if status == 429:
        return Meaning("passing", message, cause="rate_limited", min_wait_ms=wait_ms)
    if status in (408, 425) or status >= 500:
        return Meaning("passing", message, cause="unavailable", min_wait_ms=wait_ms)
    message = f"The endpoint answered with HTTP {status} and no JSON-RPC error"
    return Meaning("refused", message, error=ClientError("endpoint_refused", message, details))


def meaning_of(refusal: RpcRefusal | HttpRefusal, limits: Limits) -> Meaning:
    return meaning_of_rpc(refusal) if isinstance(refusal, RpcRefusal) else meaning_of_http(refusal, limits)


def exhausted(cause: str, message: str, gap: bool, limits: Limits) -> ClientError:
    """What a follow ends with when ``attempts_max`` reconnects in a row brought nothing."""
    text = f"{message}; gave up after {limits.attempts_max} reconnects without a new event"
    details = {"cause": cause, "attemptsMax": limits.attempts_max}
    if cause == "fault":
        return ClientError("sequence_gap" if gap else "protocol_fault", text, details)
    if cause in ("stream_active", "rate_limited"):
        return ClientError(cause, text, details)
    if cause in ("events_gone", "closed", "draining", "rotated", "slow-reader"):
        return ClientError("no_progress", text, details)
    return ClientError("unavailable", text, details)
