"""What the clients for threads and for asyncio have in common: how they are set up, what a follow and a call remember.

Invariants: nothing is sent from here; whatever is asked of a service is a script of ``calls`` or of ``follow``, which the
two clients only run.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from typing import Generic, TypeVar

from . import calls
from .cursors import CursorStore
from .errors import ClientError
from .exchange import make_service
from .follow import Reader
from .limits import Limits
from .options import make_reader
from .runners import Runner
from .script import Script
from .types import (
    AuthHook,
    Era,
    EventsGonePolicy,
    FollowItem,
    Headers,
    Json,
    OnInputRequest,
    OnNotice,
    TaskEvent,
    TaskOutcome,
)

C = TypeVar("C")


class FollowBase:
    """``last_seq``: of the newest event that was taken."""

    def __init__(self, ran: Runner) -> None:
        self._ran = ran
        self.last_seq: int | None = None

    def _taken(self, item: FollowItem) -> FollowItem:
        if isinstance(item, TaskEvent):
            self.last_seq = item.seq
        return item

    @property
    def outcome(self) -> TaskOutcome:
        """How the task ended. @raises ClientError aborted while the iteration has not ended"""
        outcome = self._ran.result
        if not isinstance(outcome, TaskOutcome):
            raise ClientError("aborted", "The follow has not ended")
        return outcome


class ClientBase:
    """``endpoints``: MCP endpoints of the same service, best first. ``tls``: the context of https endpoints.

    @raises ClientError invalid_argument
    """

    def __init__(
        self,
        endpoints: str | Sequence[str],
        *,
        era: Era = "2026-07-28",
        headers: Headers | None = None,
        auth: AuthHook | None = None,
        on_input_request: OnInputRequest | None = None,
        on_notice: OnNotice | None = None,
        capabilities: Json | None = None,
        limits: Limits | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._service = make_service(
            endpoints,
            era=era,
            limits=limits,
            headers=headers,
            auth=auth,
            on_notice=on_notice,
            capabilities=capabilities,
            asks=on_input_request is not None,
        )
        self._ask = on_input_request
        self._tools = calls.Tools()
        self._tls = tls

    def _reader(
        self,
        task_id: str,
        after: int | None,
        cursor_store: CursorStore | None,
        on_events_gone: EventsGonePolicy,
        ask: OnInputRequest | None,
    ) -> Reader:
        return make_reader(
            self._service,
            task_id,
            after=after,
            cursor_store=cursor_store,
            on_events_gone=on_events_gone,
            ask=ask or self._ask,
        )

    def _waiting(self, task_id: str) -> Script[TaskOutcome]:
        """Waits for the end of a task without its events."""
        reader = make_reader(
            self._service, task_id, after=None, cursor_store=None, on_events_gone="fail", ask=self._ask, poll=True
        )
        return reader.script()


class HandleBase(Generic[C]):
    """A called tool. ``immediate`` is the result of a tool that answered at once; it has no ``task_id``."""

    def __init__(self, client: C, task_id: str | None, immediate: Json | None) -> None:
        self._client = client
        self.task_id = task_id
        self.immediate = immediate

    def _running(self) -> str:
        if self.task_id is None:
            raise calls.too_late()
        return self.task_id
