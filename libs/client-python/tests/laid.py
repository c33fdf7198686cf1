"""A world whose server gives answers that are laid out one by one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .world import Connection, Mood, World

CUT = "cut"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
TAKEN = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"


@dataclass(frozen=True)
class Result:
    members: Mapping[str, Any]


def result(**members: Any) -> Result:
    return Result(members)


class Laid(World):
    """Answers each request with the next of ``answers``: bytes, CUT, a result, or a dict that is the JSON-RPC error.

    Without any left, with an empty result. ``b""`` is silence.
    """

    def __init__(self, *answers: Any) -> None:
        super().__init__(1, 1, Mood(refuse=0.0))
        self.answers = list(answers)
        self.methods: list[str] = []
        self.heads: list[str] = []
        self.messages: list[dict[str, Any]] = []

    def _serve(self, connection: Connection, data: bytes) -> None:
        head, _, body = data.partition(b"\r\n\r\n")
        message = json.loads(body)
        self.heads.append(head.decode("latin-1"))
        self.messages.append(message)
        self.methods.append(str(message.get("method", "answer")).rpartition("/")[2])
        answer = self.answers.pop(0) if self.answers else result()
        if isinstance(answer, Result):
            self._json(connection, {"jsonrpc": "2.0", "id": message.get("id"), "result": dict(answer.members)})
        elif isinstance(answer, dict):
            self._json(connection, {"jsonrpc": "2.0", "id": message.get("id"), "error": answer})
        else:
            connection.pending = [answer] if answer else []
