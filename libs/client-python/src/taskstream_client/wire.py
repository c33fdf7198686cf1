"""Parsing of what a server sends: JSON-RPC messages, events, tasks, results, in both eras.

Invariants: nothing from a server is used before it was parsed here; unknown members are kept; an unknown result type is
refused, never guessed at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .errors import ResultTypeError, ShapeError
from .types import InputRequest, Json, Task, TaskEvent, TaskStatus

RELATED_TASK = "io.modelcontextprotocol/related-task"
STREAM_END = "dev.taskstream/stream"
EVENT_NOTIFICATION = "notifications/tasks/event"
SEQ_MAX = 2**53 - 1

_STATUSES = ("working", "input_required", "completed", "failed", "cancelled")
_END_REASONS = ("terminal", "draining", "rotated", "slow-reader", "expired")
_RAW_HEAD = '{"jsonrpc":"2.0","method":"notifications/tasks/event","params":'


def type_name(value: object) -> str:
    """The JSON name of a value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def is_seq(value: object) -> bool:
    return type(value) is int and 0 <= value <= SEQ_MAX


def _expected(where: str, what: str, value: object) -> ShapeError:
    return ShapeError(f"{where}: expected {what}, got {type_name(value)}")


def as_object(value: object, where: str) -> Json:
    if isinstance(value, dict):
        return value
    raise _expected(where, "an object", value)


def text(of: Json, name: str, where: str) -> str:
    value = of.get(name)
    if isinstance(value, str):
        return value
    raise _expected(f"{where}.{name}", "a string", value)


def filled(of: Json, name: str, where: str) -> str:
    value = of.get(name)
    if isinstance(value, str) and value:
        return value
    raise _expected(f"{where}.{name}", "a non-empty string", value)


def whole(of: Json, name: str, where: str) -> int:
    value = of.get(name)
    if is_seq(value):
        return cast(int, value)
    raise _expected(f"{where}.{name}", "a non-negative integer", value)


def integer(of: Json, name: str, where: str) -> int:
    value = of.get(name)
    if type(value) is int:
        return value
    raise _expected(f"{where}.{name}", "an integer", value)


@dataclass(frozen=True)
class Message:
    """One JSON-RPC message. ``kind``: result, error, notification or request."""

    kind: str
    id: Any = None
    method: str = ""
    params: Any = None
    result: Json | None = None
    error: Json | None = None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def parse_message(source: str) -> Message:
    """@raises ShapeError"""
    try:
        value = json.loads(source, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ShapeError("message: expected JSON") from None
    message = as_object(value, "message")
    if message.get("jsonrpc") != "2.0":
        raise ShapeError('message.jsonrpc: expected "2.0"')
    if "method" in message:
        method = text(message, "method", "message")
        kind = "request" if "id" in message else "notification"
        return Message(kind, id=message.get("id"), method=method, params=message.get("params"))
    if message.get("error") is not None:
        return Message("error", id=message.get("id"), error=parse_rpc_error(message["error"]))
    return Message("result", id=message.get("id"), result=as_object(message.get("result"), "message.result"))


def parse_rpc_error(value: object) -> Json:
    error = as_object(value, "error")
    integer(error, "code", "error")
    text(error, "message", "error")
    return error


def result_type(result: Json, *allowed: str) -> str:
    """Refuses a result type other than those given; a missing one means ``complete``."""
    given = result.get("resultType", "complete")
    if given in allowed:
        return cast(str, given)
    shown = json.dumps(given[:40]) if isinstance(given, str) else f"a {type_name(given)}"
    raise ResultTypeError(f"resultType: expected one of {', '.join(allowed)}, got {shown}")


@dataclass(frozen=True)
class StreamEnd:
    """Why a stream ended; each is None when the server does not say."""

    reason: str | None
    status: str | None
    next_seq: int | None


def parse_stream_end(result: Json) -> StreamEnd:
    result_type(result, "complete")
    meta = result.get("_meta")
    end = meta.get(STREAM_END) if isinstance(meta, dict) else None
    if not isinstance(end, dict):
        return StreamEnd(None, None, None)
    reason, status, next_seq = end.get("reason"), end.get("status"), end.get("nextSeq")
    return StreamEnd(
        reason if reason in _END_REASONS else None,
        status if status in _STATUSES else None,
        next_seq if is_seq(next_seq) else None,
    )


def parse_event(params: object, source: str) -> TaskEvent:
    """@raises ShapeError. ``source`` is the JSON text of the whole message."""
    envelope = as_object(params, "params")
    seq = whole(envelope, "seq", "params")
    task_id, kind = filled(envelope, "taskId", "params"), filled(envelope, "type", "params")
    payload = as_object(envelope.get("payload"), "params.payload")
    meta = envelope.get("_meta")
    return TaskEvent(seq, task_id, kind, payload, meta if isinstance(meta, dict) else {}, _raw_params(source, envelope))


def _raw_params(source: str, envelope: Json) -> str:
    if source.startswith(_RAW_HEAD) and source.endswith("}"):
        return source[len(_RAW_HEAD) : -1]
    return json.dumps(envelope, ensure_ascii=False, separators=(",", ":"))


def remarks_on(event: TaskEvent) -> list[tuple[str, str]]:
    """What is wrong with an event but harmless: pairs of fault and message."""
    remarks = []
    related = event.meta.get(RELATED_TASK)
    if not isinstance(related, dict):
        remarks.append(("missing_related_task", f"Event {event.seq} has no related-task metadata"))
    elif related.get("taskId") != event.task_id:
        message = f"Event {event.seq} has related-task metadata of another task"
        remarks.append(("wrong_related_task", message))
    if re.search(r"[./:]", event.type) is None:
        remarks.append(("unprefixed_type", f"Event {event.seq} has a type without a vendor prefix"))
    return remarks


def parse_task(source: Json, era: str) -> Task:
    """The task of a ``CreateTaskResult`` or of ``tasks/get``. 2025-11-25 names its durations without a unit."""
    legacy = era == "2025-11-25"
    ttl_name, poll_name = ("ttl", "pollInterval") if legacy else ("ttlMs", "pollIntervalMs")
    status = text(source, "status", "task")
    if status not in _STATUSES:
        raise ShapeError(f"task.status: expected one of {', '.join(_STATUSES)}")
    message = source.get("statusMessage")
    return Task(
        task_id=filled(source, "taskId", "task"),
        status=cast(TaskStatus, status),
        created_at=text(source, "createdAt", "task"),
        last_updated_at=text(source, "lastUpdatedAt", "task"),
        ttl_ms=None if source.get(ttl_name) is None else whole(source, ttl_name, "task"),
        poll_interval_ms=None if source.get(poll_name) is None else whole(source, poll_name, "task"),
        status_message=message if isinstance(message, str) else None,
    )


def parse_detailed_task(result: Json, task_id: str, era: str) -> Task:
    """The answer to ``tasks/get``."""
    if era != "2025-11-25":
        result_type(result, "complete")
    task = parse_task(result, era)
    if task.task_id != task_id:
        raise ShapeError("task.taskId: expected the task that was asked for, got another")
    if era == "2025-11-25":
        return task
    carried: dict[str, Any] = {}
    if task.status == "completed":
        carried["result"] = as_object(result.get("result"), "task.result")
    elif task.status == "failed":
        carried["error"] = _task_error(as_object(result.get("error"), "task.error"), task.status_message)
    elif task.status == "input_required":
        carried["input_requests"] = parse_input_requests(as_object(result.get("inputRequests"), "task.inputRequests"))
    return Task(**{**task.__dict__, **carried})


def _task_error(error: Json, status_message: str | None) -> Json:
    if type(error.get("code")) is int and isinstance(error.get("message"), str):
        return error
    return {"code": -32603, "message": status_message or "The task failed", "data": error}


def parse_input_requests(source: Json) -> Mapping[str, InputRequest]:
    requests = {}
    for key, entry in source.items():
        where = f"inputRequests.{key}"
        request = as_object(entry, where)
        params = request.get("params", {})
        requests[key] = InputRequest(filled(request, "method", where), as_object(params, f"{where}.params"))
    return requests


def parse_tool_result(result: Json) -> Json:
    """A tool's result; ``content`` may be left out by a server that gives structured content only."""
    content = result.get("content", [])
    if not isinstance(content, list):
        raise _expected("result.content", "an array", content)
    for at, block in enumerate(content):
        as_object(block, f"result.content.{at}")
    return {**result, "content": content}
