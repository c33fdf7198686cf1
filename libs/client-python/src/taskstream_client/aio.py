"""The client for asyncio: the same surface as ``taskstream_client.client``, awaited.

Invariants: everything is decided in the scripts; here they are only run. Cancelling the task that iterates a follow
closes its connections.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from . import calls
from .base import ClientBase, FollowBase, HandleBase
from .cursors import CursorStore
from .follow import Reader
from .outcomes import result_of
from .runners import AsyncRunner
from .script import Script
from .types import EventsGonePolicy, FollowItem, Json, OnInputRequest, Task, TaskOutcome

T = TypeVar("T")


class AsyncFollow(FollowBase, AsyncIterator[FollowItem]):
    """One followed task; the guarantees of ``Follow``. Use it with ``async with`` to close it when leaving early."""

    def __init__(self, runner: AsyncRunner, reader: Reader) -> None:
        super().__init__(runner)
        self._items = runner.items(reader.script())

    def __aiter__(self) -> AsyncFollow:
        return self

    async def __anext__(self) -> FollowItem:
        return self._taken(await self._items.__anext__())

    async def aclose(self) -> None:
        await self._items.aclose()

    async def __aenter__(self) -> AsyncFollow:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()


class AsyncTaskClient(ClientBase):
    """As ``TaskClient``; ``auth``, ``on_input_request``, ``on_notice`` and cursor stores may be coroutines."""

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
        reader = self._reader(task_id, after, cursor_store, on_events_gone, on_input_request)
        return AsyncFollow(AsyncRunner(self._tls), reader)

    async def call_tool(
        self, name: str, arguments: Json | None = None, *, idempotency_key: str | None = None
    ) -> AsyncTaskHandle:
        """Calls a tool; the handle is the same for tools that run as a task and for tools that answer at once."""
        script = calls.call_tool(self._service, self._tools, name, arguments, idempotency_key, self._ask)
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


class AsyncTaskHandle(HandleBase["AsyncTaskClient"]):
    """A called tool. ``immediate`` is the result of a tool that answered at once; it has no ``task_id``."""

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
        return await self._client._run(self._client._waiting(self.task_id))

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
        """@raises ClientError invalid_argument for a tool that answered at once, as ``pause``, ``resume`` and ``answer`` do"""
        await self._client.steer_task(self._running(), message, data)

    async def pause(self) -> None:
        await self._client.pause_task(self._running())

    async def resume(self) -> None:
        await self._client.resume_task(self._running())

    async def answer(self, input_responses: Mapping[str, Json]) -> None:
        await self._client.update_task(self._running(), input_responses)
