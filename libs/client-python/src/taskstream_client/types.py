"""The public types: what an application sees. Shapes, units and guarantees are documented here, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Union

Json = Mapping[str, Any]
TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]
EventsGonePolicy = Literal["fail", "resume", "restart"]
Era = Literal["2026-07-28", "2025-11-25"]

TERMINAL: frozenset[str] = frozenset(("completed", "failed", "cancelled"))

PROTOCOL_FAULTS: tuple[str, ...] = (
    "skipped_event",
    "repeated_event",
    "inclusive_after",
    "replayed_before_cursor",
    "starts_above_zero",
    "end_before_last_event",
    "unfounded_events_gone",
    "gone_without_earliest",
    "result_not_empty",
    "missing_related_task",
    "wrong_related_task",
    "foreign_task_event",
    "unprefixed_type",
    "malformed_event",
    "malformed_message",
    "invalid_utf8",
    "message_too_large",
    "wrong_response_id",
    "unexpected_request",
    "wrong_content_type",
    "malformed_result",
    "unknown_result_type",
)
"""Names of the ways in which a server can break the protocol, each noticed by the client."""


@dataclass(frozen=True)
class TaskEvent:
    """One event of a task's log. ``(task_id, seq)`` is its identity. SEP-2694 §Task Event."""

    seq: int
    task_id: str
    type: str
    payload: Json
    meta: Json
    """``_meta`` as it came."""
    raw: str
    """The JSON text of the event's ``params``."""


@dataclass(frozen=True)
class Gap:
    """The events ``first`` to ``last`` (both included) can no longer be had.

    With ``restarted`` the history begins anew with the next event; ``last`` may then lie below ``first``.
    """

    first: int
    last: int
    restarted: bool


FollowItem = Union[TaskEvent, Gap]


@dataclass(frozen=True)
class InputRequest:
    """A question from the server, for example ``elicitation/create`` with ``message`` and ``requestedSchema``."""

    method: str
    params: Json


@dataclass(frozen=True)
class Task:
    """A task as the server describes it. Times are ISO 8601, durations milliseconds."""

    task_id: str
    status: TaskStatus
    created_at: str
    last_updated_at: str
    ttl_ms: int | None
    """None: kept without a limit."""
    poll_interval_ms: int | None = None
    status_message: str | None = None
    result: Json | None = None
    """Only when ``completed``, and in 2025-11-25 only of an outcome."""
    error: Json | None = None
    """Only when ``failed``: ``code``, ``message`` and perhaps ``data``."""
    input_requests: Mapping[str, InputRequest] | None = None
    """Only when ``input_required``: open questions by key."""


@dataclass(frozen=True)
class TaskOutcome:
    """How a task ended. ``result`` of a completed one, ``error`` of a failed one."""

    status: Literal["completed", "failed", "cancelled"]
    result: Json | None = None
    error: Json | None = None
    task: Task | None = None
    """None for a tool that answered at once."""


@dataclass(frozen=True)
class Notice:
    """What the client tells besides events. A notice never changes the outcome.

    ``kind``: ``connected``, ``reconnecting``, ``fallback-polling``, ``protocol-fault``, ``endpoint-failed``,
    ``auth-refreshed``, ``retrying-request`` or ``tool-rejected``.
    """

    kind: str
    message: str
    cause: str | None = None
    """Of ``reconnecting``: why; of ``protocol-fault``: a name of ``PROTOCOL_FAULTS``."""
    endpoint: str | None = None
    after: int | None = None
    seq: int | None = None
    wait_ms: int | None = None


OnNotice = Callable[[Notice], object]
Headers = Mapping[str, str]
AuthHook = Callable[[bool, str], Union[Headers, Awaitable[Headers]]]
"""``auth(refresh, endpoint)`` gives the headers of a request. ``refresh`` is true once after a 401."""
OnInputRequest = Callable[[str, InputRequest], Union[Json, Awaitable[Json]]]
"""``on_input_request(key, request)`` gives the response. Each key of a task is asked once."""

__all__: Sequence[str] = (
    "AuthHook",
    "Era",
    "EventsGonePolicy",
    "FollowItem",
    "Gap",
    "Headers",
    "InputRequest",
    "Json",
    "Notice",
    "OnInputRequest",
    "OnNotice",
    "PROTOCOL_FAULTS",
    "TERMINAL",
    "Task",
    "TaskEvent",
    "TaskOutcome",
    "TaskStatus",
)
