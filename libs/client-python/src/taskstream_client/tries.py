"""How often a follow has tried in vain, and how long it waits before it tries again.

Invariant: every try that brings nothing is counted, and the count is bounded by ``attempts_max``.
"""

from __future__ import annotations

from .exchange import Service
from .meanings import exhausted
from .script import Random, Script, Sleep
from .types import Notice


class Retry(Exception):
    """What is in flight was given up; it is taken up again after a wait."""

    def __init__(
        self,
        cause: str,
        message: str,
        *,
        min_wait_ms: int = 0,
        blame: bool = False,
        promptly: bool = False,
        counted: bool = True,
        gap: bool = False,
    ) -> None:
        super().__init__(message)
        self.cause = cause
        self.min_wait_ms = min_wait_ms
        self.blame = blame
        self.promptly = promptly
        self.counted = counted
        self.gap = gap


class Tries:
    def __init__(self, service: Service) -> None:
        self._service = service
        self.fruitless = 0
        """Reconnects in a row without a new event."""
        self.refusals = 0
        """Endpoints in a row that do not answer as MCP endpoints."""
        self.last_byte_at_ms = 0.0
        self._opened_at_ms: float | None = None

    def opened(self, now_ms: float) -> None:
        self._opened_at_ms = self.last_byte_at_ms = now_ms
        self.refusals = 0

    def settle(self) -> None:
        """A stream that was alive for long enough forgives the tries before it."""
        opened_at_ms, self._opened_at_ms = self._opened_at_ms, None
        if opened_at_ms is not None and self.last_byte_at_ms - opened_at_ms >= self._service.limits.steady_after_ms:
            self.fruitless = 0

    def back_off(self, retry: Retry, endpoint: int, after: int | None) -> Script[None]:
        """@raises ClientError when nothing came for too many tries"""
        service, text = self._service, str(retry)
        self.settle()
        self.fruitless += 1 if retry.counted else 0
        wait_ms = 0
        if not (retry.promptly and self.fruitless <= 1):
            wait_ms = service.limits.backoff_ms(max(0, self.fruitless - 1), (yield Random()))
        wait_ms = max(wait_ms, retry.min_wait_ms)
        if retry.blame:
            yield from service.endpoint_failed(endpoint, text, wait_ms)
        if self.fruitless > service.limits.attempts_max:
            raise exhausted(retry.cause, text, retry.gap, service.limits) from retry
        url = service.endpoints[endpoint].url
        notice = Notice("reconnecting", text, cause=retry.cause, endpoint=url, after=after, wait_ms=wait_ms)
        yield from service.notify(notice)
        yield Sleep(wait_ms)
