"""A task's questions to the application, and its answers.

Invariants: each key is asked once, and its answer is sent until the server takes it; questions are asked one after the
other, between the events of the stream; a service that cannot be reached does not end the follow from here. In
2026-07-28 questions stand in ``tasks/get`` and are answered by ``tasks/update``; in 2025-11-25 they are requests on the
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
    """One answer. @raises ClientError callback_failed, invalid_argument, aborted"""
    try:
        answer = yield Call(ask, (key, question))
    except Exception as error:
        if isinstance(error, ClientError) and error.code == "aborted":
            raise
        raise ClientError("callback_failed", f"on_input_request raised for {key}") from error
    if isinstance(answer, dict):
        return answer
    text = f"the answer of on_input_request for {key}: expected an object, got {type(answer).__name__}"
    raise ClientError("invalid_argument", text)


def question_of(message: Message) -> InputRequest:
    return InputRequest(message.method, message.params if isinstance(message.params, dict) else {})


def respond(service: Service, message: Message, answer: Json, silence_ms: int) -> Script[bool]:
    """2025-11-25: answers a request that came on a response, on whatever node is best. Whether the server took it."""
    response = {"jsonrpc": "2.0", "id": message.id, "result": answer}
    taken: bool = yield from send_message(service, (yield from service.best()), response, silence_ms)
    return taken


class Questions:
    def __init__(self, service: Service, task_id: str, ask: OnInputRequest) -> None:
        self._service = service
        self._task_id = task_id
        self._ask = ask
        self._asked: set[str] = set()
        self._unsent: dict[str, Json] = {}
        """Answers that the server has not taken yet, by key."""
        self.due_at_ms = 0.0
        """When the task is to be looked at next."""

    def due_soon(self, at_ms: float) -> None:
        self.due_at_ms = min(self.due_at_ms, at_ms)

    def tend(self) -> Script[None]:
        """Looks at the task if that is due, and asks what is open."""
        if (yield Now()) >= self.due_at_ms:
            yield from self._patiently(self._look())

    def saw(self, task: Task) -> Script[None]:
        """Asks what is open in a task as it is now."""
        yield from self._patiently(self._take(task))

    def _patiently(self, script: Script[None]) -> Script[None]:
        """Whether the service is lost is for the follow to find out, which has more tries."""
        try:
            yield from script
        except ClientError as error:
            if not error.retryable:
                raise
            self.due_at_ms = (yield Now()) + self._service.limits.poll_wait_ms(None)

    def _look(self) -> Script[None]:
        limits = self._service.limits
        what = Request("tasks/get", {"taskId": self._task_id}, name=self._task_id)
        # Meanwhile the stream is not read.
        patience_ms = min(limits.request_timeout_ms, limits.silence_timeout_ms)
        result = yield from request(self._service, what, silence_ms=patience_ms, attempts_max=1)
        yield from self._take(checked(lambda: parse_detailed_task(result, self._task_id, self._service.era)))

    def _take(self, task: Task) -> Script[None]:
        if task.status == "input_required" and self._service.era == "2025-11-25":
            yield from self._listen(task)
        for key, question in (task.input_requests or {}).items():
            yield from self._answer(key, question)
            if key in self._unsent:
                params = {"taskId": self._task_id, "inputResponses": {key: self._unsent[key]}}
                yield from request(self._service, Request("tasks/update", params, name=self._task_id))
                del self._unsent[key]
        self.due_at_ms = (yield Now()) + self._service.limits.poll_wait_ms(task.poll_interval_ms)

    def _answer(self, key: str, question: InputRequest) -> Script[None]:
        if key not in self._asked:
            self._asked.add(key)
            self._unsent[key] = yield from ask_application(self._ask, key, question)

    def _listen(self, task: Task) -> Script[None]:
        """2025-11-25: takes what comes on ``tasks/result`` until it is quiet for a poll interval."""
        service, quiet_ms = self._service, self._service.limits.poll_wait_ms(task.poll_interval_ms)
        patience_ms = service.limits.request_timeout_ms

        def on_request(message: Message) -> Script[None]:
            key = str(message.id)
            yield from self._answer(key, question_of(message))
            if key in self._unsent and (yield from respond(service, message, self._unsent[key], patience_ms)):
                del self._unsent[key]

        what = Request("tasks/result", {"taskId": self._task_id}, name=self._task_id)
        try:
            posted = yield from post(service, (yield from service.best()), what, patience_ms)
            if isinstance(posted, Exchange):
                yield from receive(posted, quiet_ms, on_request)
        except (OSError, WireFault):
            pass  # Quiet, or cut: the next look at the task says what is still open.
