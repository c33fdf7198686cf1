"""The client for asyncio: the same surface as ``taskstream_client.client``, awaited.

Invariants: everything is decided in the scripts; here they are only run. Cancelling the task that iterates a follow
closes its connections.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from . import calls
from .cursors import CursorStore
from .errors import ClientError
from .exchange import make_service
from .follow import Reader
from .limits import Limits
from .options import make_reader
from .outcomes import result_of
from .runners import AsyncRunner
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
    Task,
    TaskEvent,
    TaskOutcome,
)

T = TypeVar("T")


class AsyncFollow(AsyncIterator[FollowItem]):
    """One followed task; the guarantees of ``Follow``. Use it with ``async with`` to close it when leaving early."""

    def __init__(self, runner: AsyncRunner, reader: Reader) -> None:
        self._runner = runner
        self._items = runner.items(reader.script())
        self.last_seq: int | None = None

    def __aiter__(self) -> AsyncFollow:
        return self

    async def __anext__(self) -> FollowItem:
        item: FollowItem = await self._items.__anext__()
        if isinstance(item, TaskEvent):
            self.last_seq = item.seq
        return item

    @property
    def outcome(self) -> TaskOutcome:
        """How the task ended. @raises ClientError aborted while the iteration has not ended"""
        outcome = self._runner.result
        if not isinstance(outcome, TaskOutcome):
            raise ClientError("aborted", "The follow has not ended")
        return outcome

    async def aclose(self) -> None:
        await self._items.aclose()  # type: ignore[attr-defined]

    async def __aenter__(self) -> AsyncFollow:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncTaskClient:
    """As ``TaskClient``; ``auth``, ``on_input_request``, ``on_notice`` and cursor stores may be coroutines."""

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

    def follow_task(
        self,
        task_id: str,
        *,
        after: int | None = None,
        cursor_store: CursorStore | None = None,
        on_events_gone: EventsGonePolicy = "fail",
        on_input_request: OnInputRequest | None = None,
    ) -> AsyncFollow:
        """``after``: exclusive cursor; default: the cursor store's, else everything that is retained."""
        reader = make_reader(
            self._service,
            task_id,
            after=after,
            cursor_store=cursor_store,
            on_events_gone=on_events_gone,
            ask=on_input_request or self._ask,
        )
        return AsyncFollow(AsyncRunner(self._tls), reader)

    async def call_tool(
        self, name: str, arguments: Json | None = None, *, idempotency_key: str | None = None
    ) -> AsyncTaskHandle:
        """Calls a tool; the handle is the same for tools that run as a task and for tools that answer at once."""
        script = calls.call_tool(self._service, self._tools, name, arguments or {}, idempotency_key, self._ask)
        called = await self._run(script)
        return AsyncTaskHandle(self, called.task_id, called.result)

    def task(self, task_id: str) -> AsyncTaskHandle:
        """A handle of a task that exists already."""
        return AsyncTaskHandle(self, calls.check_task_id(task_id), None)

    async def list_tools(self) -> list[Json]:
        return await self._run(calls.list_tools(self._service, self._tools))

    async def get_task(self, task_id: str) -> Task:
        return await self._run(calls.get_task(self._service, task_id))

    async def cancel_task(self, task_id: str) -> None:
        await self._run(calls.cancel_task(self._service, task_id))

    async def delete_task(self, task_id: str) -> None:
        """Removes a task with all its events, after cancelling it if it still runs. @raises ClientError unknown_task"""
        await self._run(calls.delete_task(self._service, task_id))

    async def steer_task(self, task_id: str, message: str, data: Json | None = None) -> None:
        """Sends the running tool a message; returns once the server keeps it, not once the tool has acted.

        @raises ClientError rpc_error (``details['reason']``: not_steerable, task_ended, limit_reached), maybe_executed
        """
        await self._run(calls.steer_task(self._service, task_id, message, data))

    async def pause_task(self, task_id: str) -> None:
        """Asks the tool to wait where it can. @raises ClientError rpc_error (``not_pausable``, ``task_ended``)"""
        await self._run(calls.pause_task(self._service, task_id))

    async def resume_task(self, task_id: str) -> None:
        """Lets a paused task go on. @raises ClientError as ``pause_task``"""
        await self._run(calls.resume_task(self._service, task_id))

    async def update_task(self, task_id: str, input_responses: Mapping[str, Json]) -> None:
        await self._run(calls.update_task(self._service, task_id, input_responses))

    async def _run(self, script: Script[T]) -> T:
        return await AsyncRunner(self._tls).run(script)

    async def _wait(self, task_id: str) -> TaskOutcome:
        reader = make_reader(
            self._service, task_id, after=None, cursor_store=None, on_events_gone="fail", ask=self._ask, poll=True
        )
        return await self._run(reader.script())


class AsyncTaskHandle:
    """A called tool. ``immediate`` is the result of a tool that answered at once; it has no ``task_id``."""

    def __init__(self, client: AsyncTaskClient, task_id: str | None, immediate: Json | None) -> None:
        self._client = client
        self.task_id = task_id
        self.immediate = immediate

    async def events(self, **options: Any) -> AsyncIterator[FollowItem]:
        """As ``follow_task``; nothing for a tool that answered at once."""
        if self.task_id is None:
            return
        async with self._client.follow_task(self.task_id, **options) as follow:
            async for item in follow:
                yield item

    async def outcome(self) -> TaskOutcome:
        """Waits for the end; does not raise for a failed or cancelled task."""
        if self.task_id is None:
            return TaskOutcome("completed", result=self.immediate)
        return await self._client._wait(self.task_id)

    async def result(self) -> Json:
        """Waits for the end. @raises ClientError task_failed (``details['error']``), task_cancelled"""
        return result_of(await self.outcome())

    async def status(self) -> Task | None:
        return None if self.task_id is None else await self._client.get_task(self.task_id)

    async def cancel(self) -> None:
        if self.task_id is not None:
            await self._client.cancel_task(self.task_id)

    async def delete(self) -> None:
        """Nothing to do for a tool that answered at once."""
        if self.task_id is not None:
            await self._client.delete_task(self.task_id)

    async def steer(self, message: str, data: Json | None = None) -> None:
        """@raises ClientError invalid_argument for a tool that answered at once, as ``pause`` and ``resume`` do"""
        await self._client.steer_task(self._running(), message, data)

    async def pause(self) -> None:
        await self._client.pause_task(self._running())

    async def resume(self) -> None:
        await self._client.resume_task(self._running())

    def _running(self) -> str:
        if self.task_id is None:
            raise calls.too_late()
        return self.task_id

    async def answer(self, input_responses: Mapping[str, Json]) -> None:
        if self.task_id is not None:
            await self._client.update_task(self.task_id, input_responses)
