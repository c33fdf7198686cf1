"""How a task that is over ended.

Invariant: both eras give the same outcome: a result with ``isError`` is ``completed``, as 2026-07-28 has it.
"""

from __future__ import annotations

from .errors import ClientError
from .exchange import Request, Service
from .requests import checked, request
from .script import Script
from .types import Json, Task, TaskOutcome
from .wire import parse_tool_result


def outcome_of(service: Service, task: Task) -> Script[TaskOutcome]:
    """2025-11-25 has results behind ``tasks/result``, asked once. @raises ClientError protocol_fault, and of a request"""
    if task.status == "cancelled":
        return TaskOutcome("cancelled", task=task)
    if service.era != "2025-11-25":
        if task.status == "completed" and task.result is not None:
            result = task.result
            return TaskOutcome("completed", result=checked(lambda: parse_tool_result(result)), task=task)
        return TaskOutcome("failed", error=task.error, task=task)
    try:
        what = Request("tasks/result", {"taskId": task.task_id}, name=task.task_id)
        result = yield from request(service, what, attempts_max=1)
    except ClientError as error:
        if task.status != "failed" or error.code != "rpc_error":
            raise
        return TaskOutcome("failed", error=_rpc_error(error, task), task=task)
    return TaskOutcome("completed", result=checked(lambda: parse_tool_result(result)), task=task)


def _rpc_error(error: ClientError, task: Task) -> Json:
    return {"code": error.details.get("rpcCode"), "message": task.status_message or str(error)}


def result_of(outcome: TaskOutcome) -> Json:
    """The result of a completed task. @raises ClientError task_failed, task_cancelled"""
    if outcome.status == "failed":
        error = outcome.error or {}
        raise ClientError("task_failed", f"The task failed: {error.get('message')}", {"error": error})
    if outcome.status == "cancelled":
        raise ClientError("task_cancelled", "The task was cancelled")
    return outcome.result or {}
