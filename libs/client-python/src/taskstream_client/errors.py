"""Every error that the client raises, as one table: code -> may the same call succeed later, and what to do next.

Invariants: callers key on ``code`` and ``retryable``, never on a message; a code is never renamed and means the same as
in the TypeScript client; ``details`` holds no secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TABLE: Mapping[str, tuple[bool, str]] = {
    "unknown_task": (False, "check the task id; the task may have expired or belong to someone else"),
    "task_expired": (False, "call the tool again; raise its time to live if this happens often"),
    "task_failed": (False, "see details['error']"),
    "task_cancelled": (False, "call the tool again if the cancellation was not intended"),
    "events_gone": (False, "set on_events_gone to 'resume' or 'restart' to go on with what is retained"),
    "cursor_ahead": (False, "start without a cursor: the saved one does not belong to this task"),
    "sequence_gap": (False, "report it to the server: it leaves out events that it should retain"),
    "protocol_fault": (False, "report it to the server, whose answers break the protocol"),
    "stream_active": (True, "end the other tasks/stream of this task on the same connection"),
    "no_progress": (True, "follow again later: the server keeps closing the stream without an event"),
    "unavailable": (True, "follow again later, or add another endpoint"),
    "rate_limited": (True, "try again later, or ask for a higher limit"),
    "unauthorized": (False, "sign in again, or check what the auth hook returns"),
    "forbidden": (False, "check the rights of the principal"),
    "endpoint_refused": (False, "check the endpoint URL: it does not answer as an MCP endpoint"),
    "missing_capability": (False, "declare what details['requiredCapabilities'] names"),
    "unsupported_protocol": (False, "choose a protocol version that the server speaks"),
    "rpc_error": (False, "see details['rpcCode']"),
    "maybe_executed": (False, "look whether it took effect before you send it again; a call with an idempotency_key is repeated safely"),
    "unknown_result_type": (False, "update the client: this result type is not known to it"),
    "input_unanswered": (False, "pass on_input_request: the tool asks a question"),
    "message_too_large": (False, "raise message_bytes_max"),
    "cursor_store_failed": (False, "check the cursor store"),
    "callback_failed": (False, "see the cause: a callback of the application raised"),
    "invalid_argument": (False, "correct the argument that the message names"),
    "aborted": (False, "follow again to go on"),
}

CLIENT_ERROR_CODES: tuple[str, ...] = tuple(_TABLE)


class ClientError(Exception):
    """An error with a stable ``code``. ``retryable`` says whether the same call may succeed later."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        retryable, what_next = _TABLE[code]
        super().__init__(f"{message}; {what_next}")
        self.code = code
        self.retryable = retryable
        self.details: Mapping[str, Any] = details or {}


class ShapeError(Exception):
    """Something from a server does not have the shape of its method. Names the field and what was expected."""


class ResultTypeError(ShapeError):
    """A result whose ``resultType`` the method cannot have."""


class WireFault(Exception):
    """A server broke the protocol below the level of methods. ``fault`` is a name of ``PROTOCOL_FAULTS``."""

    def __init__(self, fault: str, message: str) -> None:
        super().__init__(message)
        self.fault = fault
