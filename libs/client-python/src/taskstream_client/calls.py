"""What a client asks a service besides following: tools, calls, tasks; as scripts.

Invariants: a call that may have been executed is repeated only with an idempotency key; arguments are checked before
anything is sent; a result type that is not known is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ClientError, ShapeError
from .exchange import Request, Service
from .meanings import HEADER_MISMATCH, INVALID_PARAMS
from .mirrored import Mirrored, mirrored_parameters, parameter_headers
from .questions import ask_application, question_of, respond
from .requests import checked, request
from .script import Random, Script, Sleep
from .types import Json, Notice, OnInputRequest, Task
from .wire import (
    Message,
    as_object,
    filled,
    parse_detailed_task,
    parse_input_requests,
    parse_task,
    parse_tool_result,
    result_type,
    type_name,
)

IDEMPOTENCY_KEY = "dev.taskstream/idempotencyKey"


@dataclass(frozen=True)
class Called:
    """A task, or the result of a tool that answered at once."""

    task_id: str | None
    result: Json | None


@dataclass
class Tools:
    """The tools that were listed last, by name."""

    by_name: Mapping[str, Json] | None = None
    mirrored: Mapping[str, Sequence[Mirrored]] = field(default_factory=dict)


def check_task_id(task_id: object) -> str:
    if isinstance(task_id, str) and task_id:
        return task_id
    raise ClientError("invalid_argument", f"task_id: expected a non-empty string, got {type(task_id).__name__}")


def list_tools(service: Service, tools: Tools) -> Script[list[Json]]:
    """All pages, without tools whose annotations are not valid. @raises ClientError"""
    found: list[Json] = []
    mirrored: dict[str, Sequence[Mirrored]] = {}
    cursor: str | None = None
    for _ in range(service.limits.tool_pages_max):
        result = yield from request(service, Request("tools/list", {} if cursor is None else {"cursor": cursor}))
        page, cursor = checked(lambda: _tool_page(result))
        for tool in page:
            try:
                mirrored[tool["name"]] = mirrored_parameters(tool["inputSchema"])
            except ShapeError as error:
                notice = Notice("tool-rejected", f"The tool {json.dumps(tool['name'])} is left out: {error}")
                yield from service.notify(notice)
            else:
                found.append(tool)
        if cursor is None:
            tools.by_name, tools.mirrored = {tool["name"]: tool for tool in found}, mirrored
            return found
    raise ClientError("protocol_fault", f"tools/list has more than {service.limits.tool_pages_max} pages")


def _tool_page(result: Json) -> tuple[list[Json], str | None]:
    result_type(result, "complete")
    entries, cursor = result.get("tools"), result.get("nextCursor")
    if not isinstance(entries, list):
        raise ClientError("protocol_fault", f"tools: expected an array, got {type_name(entries)}")
    for at, entry in enumerate(entries):
        tool = as_object(entry, f"tools.{at}")
        filled(tool, "name", f"tools.{at}")
        as_object(tool.get("inputSchema"), f"tools.{at}.inputSchema")
    return entries, cursor if isinstance(cursor, str) else None


def call_tool(
    service: Service,
    tools: Tools,
    name: object,
    arguments: object,
    idempotency_key: object,
    ask: OnInputRequest | None,
) -> Script[Called]:
    """@raises ClientError rpc_error, maybe_executed, input_unanswered, and those of the connection"""
    if not isinstance(name, str) or not name:
        raise ClientError("invalid_argument", f"name: expected a non-empty string, got {type(name).__name__}")
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, dict):
        raise ClientError("invalid_argument", f"arguments: expected a dict, got {type(arguments).__name__}")
    if idempotency_key is not None and not (isinstance(idempotency_key, str) and idempotency_key):
        raise ClientError("invalid_argument", "idempotency_key: expected a non-empty string")
    meta = {} if idempotency_key is None else {"_meta": {IDEMPOTENCY_KEY: idempotency_key}}
    base: dict[str, Any] = {"name": name, "arguments": arguments, **meta}
    repeatable = idempotency_key is not None
    if service.era == "2025-11-25":
        return (yield from _call_2025(service, tools, base, repeatable, ask))
    answers: dict[str, Any] = {}
    for round_ in range(service.limits.input_rounds_max):
        result = yield from _send_call(service, tools, {**base, **answers}, repeatable)
        kind = checked(lambda: result_type(result, "complete", "task", "input_required"))
        if kind == "complete":
            return Called(None, checked(lambda: parse_tool_result(result)))
        if kind == "task":
            return Called(checked(lambda: parse_task(result, service.era)).task_id, None)
        answers = yield from _answers(service, result, ask, round_)
    raise ClientError("input_unanswered", f"The tool asked more than {service.limits.input_rounds_max} rounds of questions")


def _send_call(service: Service, tools: Tools, params: dict[str, Any], repeatable: bool) -> Script[Json]:
    name, arguments = params["name"], params["arguments"]

    def send() -> Script[Json]:
        headers = parameter_headers(tools.mirrored.get(name, ()), arguments)
        what = Request("tools/call", params, name=name, headers=headers)
        return (yield from request(service, what, repeatable=repeatable, silence_ms=service.limits.call_timeout_ms))

    try:
        return (yield from send())
    except ClientError as error:
        if error.details.get("rpcCode") != HEADER_MISMATCH:
            raise
    # The tool's definition may have changed; a refused call was not executed.
    yield from list_tools(service, tools)
    return (yield from send())


def _answers(service: Service, result: Json, ask: OnInputRequest | None, round_: int) -> Script[dict[str, Any]]:
    """What the next round of a call sends along. 2026-07-28 MRTR §Client Requirements."""
    state = result.get("requestState")
    carried: dict[str, Any] = {"requestState": state} if isinstance(state, str) else {}
    requests = checked(lambda: parse_input_requests(as_object(result.get("inputRequests", {}), "result.inputRequests")))
    if not requests:
        yield Sleep(service.limits.backoff_ms(round_, (yield Random())))
        return carried
    if ask is None:
        raise ClientError("input_unanswered", "The tool asks before it answers")
    responses = {}
    for key, question in requests.items():
        responses[key] = yield from ask_application(ask, key, question)
    return {**carried, "inputResponses": responses}


def _call_2025(
    service: Service, tools: Tools, base: dict[str, Any], repeatable: bool, ask: OnInputRequest | None
) -> Script[Called]:
    """The client decides whether it becomes a task, by what the tool supports. 2025-11-25 tasks §Tool-Level Negotiation."""
    if tools.by_name is None or base["name"] not in tools.by_name:
        yield from list_tools(service, tools)
    execution = (tools.by_name or {}).get(base["name"], {}).get("execution")
    support = execution.get("taskSupport") if isinstance(execution, dict) else None
    as_task = service.runs_tasks and support in ("required", "optional")

    def on_request(message: Message) -> Script[None]:
        if ask is not None:
            answer = yield from ask_application(ask, str(message.id), question_of(message))
            yield from respond(service, message, answer, service.limits.request_timeout_ms)

    result = yield from request(
        service,
        Request("tools/call", {**base, "task": {}} if as_task else base, name=base["name"]),
        repeatable=repeatable,
        silence_ms=service.limits.call_timeout_ms,
        on_request=on_request,
    )
    task = result.get("task")
    if task is not None:
        return Called(checked(lambda: parse_task(as_object(task, "task"), service.era)).task_id, None)
    return Called(None, checked(lambda: parse_tool_result(result)))


def _task_request(
    service: Service, method: str, task_id: object, params: Json, repeatable: bool
) -> Script[Json]:
    known = check_task_id(task_id)
    try:
        what = Request(method, {"taskId": known, **params}, name=known)
        return (yield from request(service, what, repeatable=repeatable))
    except ClientError as error:
        # With nothing but the id to refuse, and no reason given, the id is what is wrong; 2025-11-25 also refuses to
        # cancel what is over.
        refused = error.details.get("rpcCode") == INVALID_PARAMS and "reason" not in error.details
        if params or (method == "tasks/cancel" and service.era == "2025-11-25") or not refused:
            raise
        raise ClientError("unknown_task", "The server does not know the task") from error


def _command(service: Service, method: str, task_id: object, params: Json, repeatable: bool = True) -> Script[None]:
    """A request that is answered with nothing but that it was taken."""
    result = yield from _task_request(service, method, task_id, params, repeatable)
    checked(lambda: result_type(result, "complete"))


def get_task(service: Service, task_id: object) -> Script[Task]:
    known = check_task_id(task_id)
    result = yield from _task_request(service, "tasks/get", known, {}, True)
    task: Task = checked(lambda: parse_detailed_task(result, known, service.era))
    return task


def cancel_task(service: Service, task_id: object) -> Script[None]:
    yield from _command(service, "tasks/cancel", task_id, {})


def delete_task(service: Service, task_id: object) -> Script[None]:
    yield from _command(service, "dev.taskstream/delete", task_id, {})


def steer_task(service: Service, task_id: object, message: object, data: object) -> Script[None]:
    """Not repeated after a lost answer, which would be a second message. @raises ClientError maybe_executed"""
    if not isinstance(message, str) or not message:
        raise ClientError("invalid_argument", f"message: expected a non-empty string, got {type(message).__name__}")
    if data is not None and not isinstance(data, dict):
        raise ClientError("invalid_argument", f"data: expected a dict, got {type(data).__name__}")
    params: dict[str, Any] = {"message": message, **({} if data is None else {"data": data})}
    yield from _command(service, "dev.taskstream/steer", task_id, params, repeatable=False)


def pause_task(service: Service, task_id: object) -> Script[None]:
    yield from _command(service, "dev.taskstream/pause", task_id, {})


def resume_task(service: Service, task_id: object) -> Script[None]:
    yield from _command(service, "dev.taskstream/resume", task_id, {})


def too_late() -> ClientError:
    return ClientError("invalid_argument", "The tool has answered: nothing runs that could take this")


def update_task(service: Service, task_id: object, input_responses: object) -> Script[None]:
    """2026-07-28 only: 2025-11-25 answers on ``tasks/result``, which ``on_input_request`` does."""
    if not isinstance(input_responses, dict):
        raise ClientError("invalid_argument", "input_responses: expected a dict of responses by key")
    yield from _command(service, "tasks/update", task_id, {"inputResponses": input_responses})
