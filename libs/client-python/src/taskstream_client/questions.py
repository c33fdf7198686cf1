"""A task's questions to the application, and its answers.

Invariants: each key is asked once; questions are asked one after the other, between the events of the stream. In
2026-07-28 they stand in ``tasks/get`` and are answered by ``tasks/update``; in 2025-11-25 they are requests on the
response of ``tasks/result``, answered by a POST each.
"""

from __future__ import annotations

from .errors import ClientError, WireFault
from .exchange import Exchange, Request, Service, post, send_message
from .requests import checked, receive, request
from .script import Call, Now, Script
from .types import InputRequest, Json, OnInputRequest, Task
from .wire import Message, parse_detailed_task


def ask_application(ask: OnInputRequest, key: str, question: InputRequest) -> Script[Json]:
    """One answer. @raises ClientError callback_failed, invalid_argument"""
    try:
        answer = yield Call(ask, (key, question))
    except ClientError:
        raise
    except Exception as error:
        raise ClientError("callback_failed", f"on_input_request raised for {key}") from error
    if isinstance(answer, dict):
        return answer
    text = f"the answer of on_input_request for {key}: expected an object, got {type(answer).__name__}"
    raise ClientError("invalid_argument", text)


def answer_request(service: Service, ask: OnInputRequest, message: Message, silence_ms: int) -> Script[None]:
    """2025-11-25: answers a request that came on a response, on whatever node is best."""
    params = message.params if isinstance(message.params, dict) else {}
    answer = yield from ask_application(ask, str(message.id), InputRequest(message.method, params))
    response = {"jsonrpc": "2.0", "id": message.id, "result": answer}
    yield from send_message(service, (yield from service.best()), response, silence_ms)


class Questions:
    def __init__(self, service: Service, task_id: str, ask: OnInputRequest) -> None:
        self._service = service
        self._task_id = task_id
        self._ask = ask
        self._seen: set[str] = set()
        self.due_at_ms = 0.0
        """When the task is to be looked at next."""

    def due_soon(self, at_ms: float) -> None:
        self.due_at_ms = min(self.due_at_ms, at_ms)

    def tend(self) -> Script[None]:
        """Looks at the task if that is due, and asks what is open."""
        if (yield Now()) < self.due_at_ms:
            return
        what = Request("tasks/get", {"taskId": self._task_id}, name=self._task_id)
        result = yield from request(self._service, what)
        task = checked(lambda: parse_detailed_task(result, self._task_id, self._service.era))
        yield from self.saw(task)

    def saw(self, task: Task) -> Script[None]:
        """Asks what is open in a task as it is now."""
        if task.status == "input_required" and self._service.era == "2025-11-25":
            yield from self._listen(task)
        for key, question in (task.input_requests or {}).items():
            if key in self._seen:
                continue
            self._seen.add(key)
            answer = yield from ask_application(self._ask, key, question)
            params = {"taskId": self._task_id, "inputResponses": {key: answer}}
            yield from request(self._service, Request("tasks/update", params, name=self._task_id))
        self.due_at_ms = (yield Now()) + self._service.limits.poll_wait_ms(task.poll_interval_ms)

    def _listen(self, task: Task) -> Script[None]:
        """2025-11-25: takes what comes on ``tasks/result`` until it is quiet for a poll interval."""
        service, quiet_ms = self._service, self._service.limits.poll_wait_ms(task.poll_interval_ms)

        def on_request(message: Message) -> Script[None]:
            key = str(message.id)
            if key not in self._seen:
                self._seen.add(key)
                yield from answer_request(service, self._ask, message, service.limits.request_timeout_ms)

        what = Request("tasks/result", {"taskId": self._task_id}, name=self._task_id)
        try:
            posted = yield from post(service, (yield from service.best()), what, service.limits.request_timeout_ms)
            if isinstance(posted, Exchange):
                yield from receive(posted, quiet_ms, on_request)
        except (OSError, WireFault):
            pass  # Quiet, or cut: the next look at the task says what is still open.
