"""One followed task, as a script. SEP-2694 §Resume and Replay Semantics.

Invariants: an event is emitted only if its seq is the next one; a lower one is dropped, a higher one is never passed
over: the stream is resumed from the last one that was emitted. The only way past missing events is a gap item, and only
after ``events_gone`` or without a cursor. The script ends only when the server said that the log is complete, or the task
is over and a stream with the cursor came back empty. Every wait and every number of fruitless tries is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .errors import ClientError, ResultTypeError, ShapeError, WireFault
from .exchange import (
    BYTES,
    EOF,
    HEARTBEAT,
    Exchange,
    Request,
    RpcRefusal,
    Service,
    check_id,
    post,
    read_next,
    refusal_of,
)
from .meanings import Meaning, meaning_of, rpc_failure
from .outcomes import outcome_of
from .position import Fault, Position
from .questions import Questions
from .requests import abandon, ensure_session, receive
from .script import Call, Close, Emit, Now, Script, Sleep
from .tries import Retry, Tries
from .types import TERMINAL, EventsGonePolicy, Notice, Task, TaskEvent, TaskOutcome
from .wire import (
    EVENT_NOTIFICATION,
    Message,
    StreamEnd,
    is_seq,
    parse_detailed_task,
    parse_event,
    parse_stream_end,
    remarks_on,
)

_STATUS_EVENT = "dev.taskstream.task.status"
_SETTLE_MS = 50


@dataclass(frozen=True)
class FollowOptions:
    after: int | None = None
    on_events_gone: EventsGonePolicy = "fail"
    load_cursor: Callable[[str], Any] | None = None
    save_cursor: Callable[[str, int], Any] | None = None
    poll: bool = False
    """Wait for the outcome by ``tasks/get`` alone."""


class Reader:
    """Where the reader stands in the task's event log, and how well it goes."""

    def __init__(self, service: Service, task_id: str, options: FollowOptions, questions: Questions | None) -> None:
        self._service = service
        self._limits = service.limits
        self._task_id = task_id
        self._options = options
        self._questions = questions
        self._at = Position(None)
        self._over: Task | None = None
        self._streamed = False
        self._heartbeats = False
        self._complete = False
        self._polling = options.poll
        self._endpoint = 0
        # Of the stream that is open.
        self._tries = Tries(service)
        self._told: set[str] = set()

    def script(self) -> Script[TaskOutcome]:
        """Emits events and gaps; returns how the task ended. @raises ClientError"""
        yield from self._begin()
        while True:
            try:
                if self._polling:
                    return (yield from self._poll())
                if not self._complete:
                    yield from self._stream()
                if self._complete:
                    return (yield from self._conclude())
            except Retry as retry:
                yield from self._tries.back_off(retry, self._endpoint, self._at.cursor())

    def _begin(self) -> Script[None]:
        after = self._options.after
        if after is None and self._options.load_cursor is not None:
            after = yield from self._stored(Call(self._options.load_cursor, (self._task_id,)), "read")
            if after is not None and not is_seq(after):
                raise ClientError("cursor_store_failed", "The saved cursor is not a seq: expected a non-negative integer")
        if after is not None:
            self._at = Position(after)

    # -- the stream

    def _stream(self) -> Script[None]:
        """Opens and reads one stream; returns when it has ended in a way that needs no wait."""
        after = self._at.cursor()
        self._at.opened()
        self._told.clear()
        params: dict[str, Any] = {"taskId": self._task_id, **({} if after is None else {"after": after})}
        request = Request("tasks/stream", params, name=self._task_id)
        exchange = yield from self._open(request, self._limits.silence_timeout_ms)
        self._tries.opened((yield Now()))
        self._tries.refusals = 0
        yield from self._tell("connected", "The stream is open", after=after)
        try:
            yield from self._read(exchange)
        except (WireFault, ShapeError) as fault:
            yield from abandon(self._service, self._endpoint, exchange)
            yield from self._faulted(fault)
        except TimeoutError:
            yield from abandon(self._service, self._endpoint, exchange)
            yield from self._silent()
        except OSError as error:
            yield from abandon(self._service, self._endpoint, exchange)
            raise Retry("network", "The connection failed", blame=True) from error
        except Exception:
            yield from abandon(self._service, self._endpoint, exchange)
            raise
        yield Close(exchange.connection)

    def _open(self, request: Request, silence_ms: int) -> Script[Exchange]:
        self._endpoint = endpoint = yield from self._service.best()
        try:
            yield from ensure_session(self._service, endpoint)
            posted = yield from post(self._service, endpoint, request, silence_ms)
        except TimeoutError as error:
            raise Retry("silence", "The server sent nothing for too long", blame=True) from error
        except OSError as error:
            raise Retry("network", "The connection failed", blame=True) from error
        except (WireFault, ShapeError) as fault:
            yield from self._faulted(fault)
        if isinstance(posted, Exchange):
            return posted
        meaning = meaning_of(posted, self._limits)
        if meaning.kind == "refused" and self._lost_session(meaning):
            raise Retry("refused", meaning.message, promptly=True)
        if request.method == "tasks/get" and meaning.kind in ("gone", "active", "unclear", "no-method"):
            if meaning.kind == "unclear":
                raise ClientError("unknown_task", meaning.message)
            raise rpc_failure(posted) if isinstance(posted, RpcRefusal) else ClientError("rpc_error", meaning.message)
        yield from self._refused(meaning)
        raise AssertionError("a refusal always raises")

    def _lost_session(self, meaning: Meaning) -> bool:
        """2025-11-25: HTTP 404 asks for a new session."""
        service = self._service
        lost = service.session_id is not None and meaning.error is not None and meaning.error.details["status"] == 404
        if lost:
            service.session_id, service.initialized = None, False
        return bool(lost)

    def _read(self, exchange: Exchange) -> Script[None]:
        while True:
            timeout_ms = yield from self._patience_ms()
            try:
                read = yield from read_next(exchange, timeout_ms)
            except TimeoutError:
                if (yield Now()) - self._tries.last_byte_at_ms >= self._limits.silence_timeout_ms:
                    raise
                continue
            if read == EOF:
                raise ConnectionError("the stream was cut before its result")
            if read in (HEARTBEAT, BYTES):
                yield from self._active(read == HEARTBEAT)
            elif isinstance(read, Message):
                ended = yield from self._message(exchange, read)
                if ended:
                    return

    def _patience_ms(self) -> Script[float]:
        """How long to wait for a byte; questions that are due are asked first."""
        if self._questions is not None:
            yield from self._questions.tend()
        now: float = yield Now()
        left = self._tries.last_byte_at_ms + self._limits.silence_timeout_ms - now
        return left if self._questions is None else min(left, self._questions.due_at_ms - now)

    def _active(self, heartbeat: bool) -> Script[None]:
        self._streamed = True
        self._heartbeats = self._heartbeats or heartbeat
        self._tries.last_byte_at_ms = yield Now()

    def _message(self, exchange: Exchange, message: Message) -> Script[bool]:
        if message.kind == "notification" and message.method == EVENT_NOTIFICATION:
            yield from self._event(message, exchange.text)
            return False
        yield from self._active(message.kind == "notification" and message.method == "notifications/progress")
        if message.kind == "request":
            yield from self._fault("unexpected_request", "The server sent a request on the stream")
            return False
        if message.kind == "notification":
            return False
        check_id(message, exchange)
        refusal = refusal_of(message)
        if refusal is not None:
            yield from self._refused(meaning_of(refusal, self._limits))
        result = message.result or {}
        if not result.keys() <= {"resultType", "_meta"}:
            yield from self._fault("result_not_empty", "The result of the stream is not empty")
        yield from self._end(parse_stream_end(result))
        return True

    # -- events

    def _event(self, message: Message, source: str) -> Script[None]:
        self._tries.last_byte_at_ms = yield Now()
        try:
            event = parse_event(message.params, source)
        except ShapeError as error:
            text = f"Malformed event: {error}"
            yield from self._fault("malformed_event", text)
            raise Retry("fault", text, blame=True) from error
        if event.task_id != self._task_id:
            yield from self._fault("foreign_task_event", f"Event {event.seq} belongs to another task", event.seq)
            return
        for fault, text in remarks_on(event):
            yield from self._fault(fault, text, event.seq)
        yield from self._sequence(event)

    def _sequence(self, event: TaskEvent) -> Script[None]:
        taken = self._at.take(event.seq)
        yield from self._at_fault(taken.fault)
        if taken.kind == "drop":
            return
        if taken.kind == "skip":
            raise Retry("fault", f"Event {event.seq} came out of order", gap=True)
        self._streamed, self._tries.fruitless = True, 0
        if taken.gap is not None:
            yield Emit(taken.gap)
        if self._questions is not None and event.type == _STATUS_EVENT:
            self._questions.due_soon((yield Now()) + _SETTLE_MS)
        yield Emit(event)
        if self._options.save_cursor is not None:
            yield from self._stored(Call(self._options.save_cursor, (self._task_id, event.seq)), "saved")
        # A slow consumer is no silent server.
        self._tries.last_byte_at_ms = yield Now()

    # -- ends

    def _end(self, end: StreamEnd) -> Script[None]:
        if end.reason == "terminal":
            yield from self._completed(end.next_seq)
        elif end.reason in ("draining", "rotated", "slow-reader"):
            text = f"The server ended the stream: {end.reason}"
            raise Retry(end.reason, text, blame=end.reason == "draining", promptly=True)
        elif end.reason == "expired":
            if end.status not in TERMINAL:
                raise ClientError("task_expired", "The task expired before it ended")
            yield from self._completed(None)
        elif self._over is not None:
            # The task was over before: an empty stream with the cursor shows that everything was read.
            if self._at.empty:
                yield from self._completed(None)
        else:
            yield from self._ask("closed", "The server ended the stream without a reason")

    def _completed(self, next_seq: int | None) -> Script[None]:
        taken = self._at.complete(next_seq)
        yield from self._at_fault(taken.fault)
        if taken.fault is not None:
            raise Retry("fault", taken.fault.message, gap=True)
        if taken.gap is not None:
            yield Emit(taken.gap)
        self._tries.fruitless = 0
        self._complete = True

    def _conclude(self) -> Script[TaskOutcome]:
        """Every event was emitted: how did the task end?"""
        while self._over is None:
            task = yield from self._get()
            if task.status in TERMINAL:
                self._over = task
                break
            wait_ms = self._limits.poll_wait_ms(task.poll_interval_ms)
            raise Retry("closed", f"The stream is complete, but tasks/get still says {task.status}", min_wait_ms=wait_ms)
        return (yield from self._outcome(self._over))

    def _outcome(self, task: Task) -> Script[TaskOutcome]:
        try:
            return (yield from outcome_of(self._service, task))
        except ClientError as error:
            if not error.retryable:
                raise
            raise Retry(error.code, "The result could not be fetched") from error

    # -- tasks/get

    def _get(self) -> Script[Task]:
        request = Request("tasks/get", {"taskId": self._task_id}, name=self._task_id)
        exchange = yield from self._open(request, self._limits.request_timeout_ms)
        try:
            answer = yield from receive(exchange, self._limits.request_timeout_ms)
            if isinstance(answer, RpcRefusal):
                meaning = meaning_of(answer, self._limits)
                if meaning.kind == "passing":
                    raise Retry(meaning.cause, meaning.message, blame=meaning.cause == "unavailable")
                if meaning.kind == "unclear":
                    raise ClientError("unknown_task", meaning.message)
                raise rpc_failure(answer)
            task = parse_detailed_task(answer, self._task_id, self._service.era)
        except (WireFault, ShapeError) as fault:
            yield from self._faulted(fault)
        except TimeoutError as error:
            raise Retry("silence", "The server sent nothing for too long", blame=True) from error
        except OSError as error:
            raise Retry("network", "The connection failed", blame=True) from error
        self._tries.refusals = 0
        if self._questions is not None:
            yield from self._questions.saw(task)
        return task

    def _ask(self, why: str, note: str) -> Script[None]:
        """What a stream that ended, was refused or fell silent means, by what ``tasks/get`` says."""
        self._tries.settle()
        task = yield from self._get()
        over = task.status in TERMINAL
        if over:
            self._over = task
        if why == "closed":
            if not over:
                raise Retry("closed", note)
        elif why == "refused":
            raise Retry("stream_active", note)
        else:
            raise Retry("silence", note, counted=over)

    def _poll(self) -> Script[TaskOutcome]:
        """Without ``tasks/stream``: only the outcome can be had."""
        while True:
            task = yield from self._get()
            self._tries.fruitless = 0
            if task.status in TERMINAL:
                return (yield from self._outcome(task))
            yield Sleep(self._limits.poll_wait_ms(task.poll_interval_ms))

    # -- refusals, faults, retries

    def _refused(self, meaning: Meaning) -> Script[None]:
        """Always raises, but for a refusal that only `tasks/get` can explain and for the fall back to polling."""
        kind = meaning.kind
        if kind == "gone":
            yield from self._gone(meaning)
        if kind == "active":
            raise Retry("stream_active", meaning.message)
        if kind == "unclear":
            yield from self._ask("refused", meaning.message)
        if kind == "no-method":
            if self._streamed:
                # A node of another version, while others serve it: falling back would lose events.
                raise Retry("refused", "The server has no tasks/stream", blame=True)
            self._polling = True
            yield from self._tell("fallback-polling", "The server has no tasks/stream")
            raise Retry("refused", "The server has no tasks/stream", promptly=True, counted=False)
        if kind == "passing":
            blame = meaning.cause == "unavailable"
            raise Retry(meaning.cause, meaning.message, min_wait_ms=meaning.min_wait_ms, blame=blame)
        if kind == "refused":
            self._tries.refusals += 1
            if self._tries.refusals < len(self._service.endpoints):
                raise Retry("refused", meaning.message, blame=True, promptly=True)
        raise meaning.error or ClientError("rpc_error", meaning.message)

    def _gone(self, meaning: Meaning) -> Script[None]:
        unfounded = self._at.unfounded(meaning.earliest_seq)
        if unfounded is not None:
            yield from self._at_fault(unfounded)
            raise Retry("fault", unfounded.message)
        if meaning.nameless:
            yield from self._fault("gone_without_earliest", "events_gone does not name the earliest event")
        text, policy = "The server no longer retains the events after the cursor", self._options.on_events_gone
        if policy == "fail":
            details = {"nextSeq": self._at.next, "earliestSeq": meaning.earliest_seq}
            raise ClientError("events_gone", text, details)
        self._at.move(meaning.earliest_seq, policy == "restart")
        raise Retry("events_gone", text, promptly=True)

    def _silent(self) -> Script[None]:
        text = "The server sent nothing for too long"
        if self._heartbeats:
            raise Retry("silence", text, blame=True)
        # A foreign server may have no heartbeat: its silence proves nothing as long as it answers `tasks/get`.
        yield from self._ask("silent", text)

    def _faulted(self, fault: Exception) -> Script[None]:
        """What cannot be read: the stream is given up, or the follow when it would come again."""
        if isinstance(fault, ShapeError):
            name = "unknown_result_type" if isinstance(fault, ResultTypeError) else "malformed_result"
            text = f"Malformed result: {fault}"
        else:
            name, text = getattr(fault, "fault", "malformed_message"), str(fault)
        yield from self._fault(name, text)
        if name in ("message_too_large", "unknown_result_type"):
            raise ClientError(name, text, {"fault": name}) from fault
        raise Retry("fault", text, blame=True) from fault

    def _fault(self, fault: str, message: str, seq: int | None = None) -> Script[None]:
        """Told once for each fault and stream."""
        if fault in self._told:
            return
        self._told.add(fault)
        yield from self._tell("protocol-fault", message, cause=fault, seq=seq)

    def _at_fault(self, fault: Fault | None) -> Script[None]:
        if fault is not None:
            yield from self._fault(fault.name, fault.message, fault.seq)

    def _tell(self, kind: str, message: str, **more: Any) -> Script[None]:
        url = self._service.endpoints[self._endpoint].url
        yield from self._service.notify(Notice(kind, message, endpoint=url, **more))

    def _stored(self, call: Call, done: str) -> Script[Any]:
        try:
            return (yield call)
        except ClientError:
            raise
        except Exception as error:
            raise ClientError("cursor_store_failed", f"The cursor could not be {done}") from error
