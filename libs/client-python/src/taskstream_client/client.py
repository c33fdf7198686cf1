"""The client for threads: blocking calls and iterators.

Invariants: everything is decided in the scripts; here they are only run. A ``Follow`` closes its connections when it
ends, is closed or is stopped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from . import calls
from .base import ClientBase, FollowBase, HandleBase
from .cursors import CursorStore
from .follow import Reader
from .outcomes import result_of
from .runners import BlockingRunner
from .script import Script
from .types import EventsGonePolicy, FollowItem, Json, OnInputRequest, Task, TaskOutcome

T = TypeVar("T")


class Follow(FollowBase, Iterator[FollowItem]):
    """One followed task. Iterate it once: events in order of seq, each at most once, none left out without a ``Gap``.

    The iteration ends when the task has ended and its last event was given; it raises ``ClientError`` otherwise.
    """

    def __init__(self, runner: BlockingRunner, reader: Reader) -> None:
        super().__init__(runner)
        self._runner = runner
        self._items = runner.items(reader.script())

    def __iter__(self) -> Follow:
        return self

    def __next__(self) -> FollowItem:
        return self._taken(next(self._items))

    def stop(self) -> None:
        """Ends the iteration with ``aborted``, from any thread."""
        self._runner.stop()

    def close(self) -> None:
        """Leaves the follow. From the thread that iterates it."""
        self._items.close()

    def __enter__(self) -> Follow:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


class TaskClient(ClientBase):
    """The client of one service. Safe to share between threads; nothing is sent before the first call.

    ``endpoints``: MCP endpoints of the same service, best first. ``tls``: the context of https endpoints.
    @raises ClientError invalid_argument
    """

    def follow_task(
        self,
        task_id: str,
        *,
        after: int | None = None,
        cursor_store: CursorStore | None = None,
        on_events_gone: EventsGonePolicy = "fail",
        on_input_request: OnInputRequest | None = None,
    ) -> Follow:
        """``after``: exclusive cursor; default: the cursor store's, else everything that is retained."""
        reader = self._reader(task_id, after, cursor_store, on_events_gone, on_input_request)
        return Follow(BlockingRunner(self._tls), reader)

    def call_tool(
        self, name: str, arguments: Json | None = None, *, idempotency_key: str | None = None
    ) -> TaskHandle:
        """Calls a tool; the handle is the same for tools that run as a task and for tools that answer at once."""
        script = calls.call_tool(self._service, self._tools, name, arguments, idempotency_key, self._ask)
        called = self._run(script)
        return TaskHandle(self, called.task_id, called.result)

    def task(self, task_id: str) -> TaskHandle:
        """A handle of a task that exists already."""
        return TaskHandle(self, calls.check_task_id(task_id), None)

    def list_tools(self) -> list[Json]:
        return self._run(calls.list_tools(self._service, self._tools))

    def get_task(self, task_id: str) -> Task:
        return self._run(calls.get_task(self._service, task_id))

    def cancel_task(self, task_id: str) -> None:
        self._run(calls.cancel_task(self._service, task_id))

    def delete_task(self, task_id: str) -> None:
        """Removes a task with all its events, after cancelling it if it still runs. @raises ClientError unknown_task"""
        self._run(calls.delete_task(self._service, task_id))

    def steer_task(self, task_id: str, message: str, data: Json | None = None) -> None:
        """Sends the running tool a message; returns once the server keeps it, not once the tool has acted.

        @raises ClientError rpc_error (``details['reason']``: not_steerable, task_ended, limit_reached), maybe_executed
        """
        self._run(calls.steer_task(self._service, task_id, message, data))

    def pause_task(self, task_id: str) -> None:
        """Asks the tool to wait where it can. @raises ClientError rpc_error (``not_pausable``, ``task_ended``)"""
        self._run(calls.pause_task(self._service, task_id))

    def resume_task(self, task_id: str) -> None:
        """Lets a paused task go on. @raises ClientError as ``pause_task``"""
        self._run(calls.resume_task(self._service, task_id))

    def update_task(self, task_id: str, input_responses: Mapping[str, Json]) -> None:
        self._run(calls.update_task(self._service, task_id, input_responses))

    def _run(self, script: Script[T]) -> T:
        return BlockingRunner(self._tls).run(script)


class TaskHandle(HandleBase["TaskClient"]):
    """A called tool. ``immediate`` is the result of a tool that answered at once; it has no ``task_id``."""

    def events(self, **options: Any) -> Iterator[FollowItem]:
        """As ``follow_task``; nothing for a tool that answered at once."""
        return iter(()) if self.task_id is None else self._client.follow_task(self.task_id, **options)

    def outcome(self) -> TaskOutcome:
        """Waits for the end; does not raise for a failed or cancelled task."""
        if self.task_id is None:
            return TaskOutcome("completed", result=self.immediate)
        return self._client._run(self._client._waiting(self.task_id))

    def result(self) -> Json:
        """Waits for the end. @raises ClientError task_failed (``details['error']``), task_cancelled"""
        return result_of(self.outcome())

    def status(self) -> Task | None:
        return None if self.task_id is None else self._client.get_task(self.task_id)

    def cancel(self) -> None:
        if self.task_id is not None:
            self._client.cancel_task(self.task_id)

    def delete(self) -> None:
        """Nothing to do for a tool that answered at once."""
        if self.task_id is not None:
            self._client.delete_task(self.task_id)

    def steer(self, message: str, data: Json | None = None) -> None:
        """@raises ClientError invalid_argument for a tool that answered at once, as ``pause``, ``resume`` and ``answer`` do"""
        self._client.steer_task(self._running(), message, data)

    def pause(self) -> None:
        self._client.pause_task(self._running())

    def resume(self) -> None:
        self._client.resume_task(self._running())

    def answer(self, input_responses: Mapping[str, Json]) -> None:
        self._client.update_task(self._running(), input_responses)
