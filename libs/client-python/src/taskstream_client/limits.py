"""Every bound of the client: name, unit, default. Names and defaults are those of the TypeScript client.

Invariant: a limit is a positive whole number; anything else is refused by name before the first request.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

from .errors import ClientError


@dataclass(frozen=True)
class Limits:
    """Times are milliseconds."""

    attempts_max: int = 30
    """Reconnects in a row without one new event, before a follow gives up."""
    backoff_base_ms: int = 500
    """First wait before a reconnect; it doubles each time."""
    backoff_max_ms: int = 10_000
    """Longest wait before a reconnect."""
    retry_after_max_ms: int = 60_000
    """Longest wait that a server may demand with ``Retry-After``."""
    endpoint_rest_base_ms: int = 5_000
    """An endpoint that failed is tried last for this long; the time doubles with each failure in a row."""
    endpoint_rest_max_ms: int = 300_000
    """Longest time that an endpoint is tried last."""
    connect_timeout_ms: int = 10_000
    """A connection that is not made in this time is given up."""
    silence_timeout_ms: int = 45_000
    """A stream without one byte for this long is given up and resumed."""
    steady_after_ms: int = 30_000
    """A stream that stayed alive for this long counts as fruitful, even without an event."""
    request_timeout_ms: int = 60_000
    """A one-shot request without one byte for this long is given up."""
    call_timeout_ms: int = 300_000
    """The same for ``tools/call``, whose answer may take as long as the tool."""
    request_attempts_max: int = 5
    """Tries of a one-shot request that may be repeated."""
    poll_interval_ms: int = 2_000
    """Pause between ``tasks/get`` when the server names none."""
    poll_interval_min_ms: int = 100
    poll_interval_max_ms: int = 60_000
    message_bytes_max: int = 16 * 1024 * 1024
    """Largest message that is taken from a server."""
    head_bytes_max: int = 64 * 1024
    """Largest head of an HTTP response."""
    input_rounds_max: int = 10
    """Rounds of questions that one ``tools/call`` may ask before it answers."""
    tool_pages_max: int = 100
    """Pages of ``tools/list`` that are read."""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or value <= 0:
                problem = f"expected a positive whole number, got {type(value).__name__}"
                raise ClientError("invalid_argument", f"limits.{field.name}: {problem}")

    def poll_wait_ms(self, asked_ms: int | None) -> int:
        """The pause between two polls, as the server wishes within bounds."""
        wished = self.poll_interval_ms if asked_ms is None else asked_ms
        return min(self.poll_interval_max_ms, max(self.poll_interval_min_ms, wished))

    def backoff_ms(self, tries: int, random: float) -> int:
        """Exponential, between half and all of ``backoff_base_ms * 2 ** tries``. ``tries`` counts from 0."""
        full = min(self.backoff_max_ms, self.backoff_base_ms << min(tries, 30))
        return round(full / 2 + full / 2 * random)
