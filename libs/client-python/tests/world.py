"""A network, a clock and a model server for scripts, all from one seed.

The server keeps a log that grows and perhaps is trimmed, and answers over real HTTP bytes, torn anywhere. What goes wrong
is drawn from the seed: refused and cut connections, stalls, clean closes with and without a reason, duplicates,
``events_gone``, 401, 429, 503 and internal errors. Invariant: a correct server; only the network and its moods are bad.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import Any, Iterable, Iterator

from taskstream_client.script import Call, Close, Connect, Emit, Now, Random, Receive, Script, Send, Sleep

RELATED = "io.modelcontextprotocol/related-task"


def event_params(task_id: str, seq: int) -> dict[str, Any]:
    meta = {RELATED: {"taskId": task_id}}
    return {"taskId": task_id, "seq": seq, "type": "com.example.step", "payload": {"i": seq}, "_meta": meta}


def frame(message: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(message, separators=(",", ":")).encode() + b"\n\n"


@dataclass
class Mood:
    """How often what goes wrong, from 0 to 1 each time that it could."""

    refuse: float = 0.1
    http: float = 0.15
    internal: float = 0.05
    cut: float = 0.15
    stall: float = 0.1
    close: float = 0.1
    duplicate: float = 0.3
    trim: float = 0.0
    says_why: bool = True
    heartbeats: bool = True


@dataclass
class Connection:
    endpoint: str
    pending: list[Any] = field(default_factory=list)


class World:
    def __init__(self, seed: int, total: int, mood: Mood, task_id: str = "t1") -> None:
        self.random = random.Random(seed)
        self.total = total
        self.mood = mood
        self.task_id = task_id
        self.visible = self.random.randrange(total + 1)
        self.earliest = 0
        self.now_ms = 0.0
        self.trace: list[str] = []
        self.items: list[Any] = []
        self.requests = 0
        self.open = 0
        self.open_max = 0

    def run(self, script: Script[Any]) -> Any:
        """Runs to the end; raises what the script raises. Items are in ``items``, what happened in ``trace``."""
        steps = self.steps(script)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    def steps(self, script: Script[Any]) -> Iterator[bool]:
        """The same, one command at a time."""
        answer: Any = None
        error: Exception | None = None
        for _ in range(200_000):
            try:
                command = script.send(answer) if error is None else script.throw(error)
            except StopIteration as end:
                return end.value
            answer, error = None, None
            try:
                answer = self._perform(command)
            except Exception as raised:
                error = raised
            yield True
        raise AssertionError("the script does not end")

    def _perform(self, command: Any) -> Any:
        if isinstance(command, Now):
            return self.now_ms
        if isinstance(command, Random):
            return self.random.random()
        if isinstance(command, Sleep):
            self.now_ms += command.ms
            self._live()
            self.trace.append(f"sleep {command.ms}")
            return None
        if isinstance(command, Emit):
            self.items.append(command.item)
            self.trace.append(f"emit {command.item}")
            return None
        if isinstance(command, Call):
            return command.function(*command.arguments)
        if isinstance(command, Connect):
            self.now_ms += self.random.randrange(20)
            self._live()
            if self.random.random() < self.mood.refuse:
                self.trace.append("refused")
                raise ConnectionRefusedError()
            self.open += 1
            self.open_max = max(self.open_max, self.open)
            return Connection(command.endpoint.url)
        if isinstance(command, Send):
            self._serve(command.connection, command.data)
            return None
        if isinstance(command, Close):
            self.open -= 1
            command.connection.pending.clear()
            return None
        assert isinstance(command, Receive)
        return self._receive(command)

    def _receive(self, command: Receive) -> bytes:
        pending = command.connection.pending
        if not pending:
            self.now_ms += command.timeout_ms
            self._live()
            raise TimeoutError()
        self.now_ms += self.random.randrange(10)
        next_ = pending.pop(0)
        if next_ == "cut":
            raise ConnectionResetError()
        if next_ == "stall":
            pending.clear()
            self.now_ms += command.timeout_ms
            raise TimeoutError()
        assert isinstance(next_, bytes)
        return next_

    def _live(self) -> None:
        """The task goes on, and its log may lose its beginning."""
        self.visible = min(self.total, self.visible + self.random.randrange(4))
        if self.random.random() < self.mood.trim:
            self.earliest = min(self.visible, self.earliest + self.random.randrange(4))

    @property
    def over(self) -> bool:
        return self.visible == self.total

    # -- the server

    def _serve(self, connection: Connection, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        assert head.startswith(b"POST /mcp HTTP/1.1\r\n"), head
        message = json.loads(body)
        self.requests += 1
        self.trace.append(f"{message['method']} {message['params'].get('after')} at {connection.endpoint}")
        mood = self.random.random()
        if mood < self.mood.http:
            status = self.random.choice(("429 Too Many Requests\r\nRetry-After: 1", "503 Unavailable", "502 Bad"))
            connection.pending = self._torn(f"HTTP/1.1 {status}\r\nContent-Length: 3\r\n\r\nno!".encode())
            return
        if mood < self.mood.http + self.mood.internal:
            error = {"code": -32603, "message": "not now", "data": {"reason": "temporarily_unavailable"}}
            self._json(connection, {"jsonrpc": "2.0", "id": message["id"], "error": error})
            return
        if message["method"] == "tasks/get":
            self._json(connection, {"jsonrpc": "2.0", "id": message["id"], "result": self._task()})
            return
        self._stream(connection, message)

    def _task(self) -> dict[str, Any]:
        self._live()
        times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
        task = {"resultType": "complete", "taskId": self.task_id, **times, "ttlMs": None, "pollIntervalMs": 100}
        if self.over:
            return {**task, "status": "completed", "result": {"content": [], "resultType": "complete"}}
        return {**task, "status": "working"}

    def _json(self, connection: Connection, message: dict[str, Any]) -> None:
        body = json.dumps(message).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        connection.pending = self._torn(head + body)

    def _stream(self, connection: Connection, message: dict[str, Any]) -> None:
        after = message["params"].get("after")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        first = self.earliest if after is None else after + 1
        if first < self.earliest:
            data = {"reason": "events_gone", "earliestSeq": self.earliest, "taskId": self.task_id}
            error = {"code": -32010, "message": "gone", "data": data}
            gone = frame({"jsonrpc": "2.0", "id": message["id"], "error": error})
            connection.pending = self._torn(head + _chunked([gone]))
            return
        if after is not None and after >= self.earliest and self.random.random() < self.mood.duplicate:
            first = self.random.randrange(self.earliest, after + 1)
        frames: list[bytes] = [b": open\n\n"] if self.mood.heartbeats else []
        end: Any = None
        seq = first
        while True:
            fate = self.random.random()
            if fate < self.mood.cut:
                end = "cut"
                break
            if fate < self.mood.cut + self.mood.stall:
                end = "stall"
                break
            # Without a reason, a stream of a task that is over says by its silence that nothing lies behind the cursor.
            may_close = self.mood.says_why or not self.over or seq > (-1 if after is None else after) + 1
            if may_close and fate < self.mood.cut + self.mood.stall + self.mood.close:
                reason = self.random.choice(("draining", "rotated", "slow-reader"))
                frames.append(self._result(message["id"], reason, seq))
                break
            if seq < self.visible:
                params = event_params(self.task_id, seq)
                frames.append(frame({"jsonrpc": "2.0", "method": "notifications/tasks/event", "params": params}))
                seq += 1
            elif self.over:
                frames.append(self._result(message["id"], "terminal", seq))
                break
            else:
                frames.append(b": alive\n\n" if self.mood.heartbeats else b"")
                self._live()
        whole = end is None
        answer: bytes = head + _chunked([f for f in frames if f], ended=whole)
        if not whole and self.random.random() < 0.5:
            answer = answer[: max(len(head), len(answer) - self.random.randrange(60))]
        connection.pending = self._torn(answer) + ([end] if end else [])

    def _result(self, request_id: int, reason: str, next_seq: int) -> bytes:
        status = "completed" if self.over else "working"
        end = {"reason": reason, "status": status, "nextSeq": next_seq}
        meta = {"_meta": {"dev.taskstream/stream": end}} if self.mood.says_why else {}
        return frame({"jsonrpc": "2.0", "id": request_id, "result": {"resultType": "complete", **meta}})

    def _torn(self, data: bytes) -> list[Any]:
        pieces: list[Any] = []
        while data:
            size = self.random.randrange(1, 400)
            pieces.append(data[:size])
            data = data[size:]
        return pieces


def _chunked(frames: Iterable[bytes], ended: bool = True) -> bytes:
    chunks = b"".join(f"{len(f):x}\r\n".encode() + f + b"\r\n" for f in frames)
    return chunks + (b"0\r\n\r\n" if ended else b"")
