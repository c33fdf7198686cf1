"""One-shot requests against answers that are laid out one by one: what is sent again, and what is not."""

from __future__ import annotations

import json
import unittest
from typing import Any

from taskstream_client import ClientError, Limits, calls
from taskstream_client.exchange import Service, make_service

from .world import Connection, Mood, World

CUT = "cut"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Laid(World):
    """Answers each request with the next of ``answers``: bytes, CUT, or a dict that is the JSON-RPC error."""

    def __init__(self, *answers: Any) -> None:
        super().__init__(1, 1, Mood(refuse=0.0))
        self.answers = list(answers)
        self.methods: list[str] = []

    def _serve(self, connection: Connection, data: bytes) -> None:
        message = json.loads(data.partition(b"\r\n\r\n")[2])
        self.methods.append(message["method"].rpartition("/")[2])
        answer = self.answers.pop(0) if self.answers else {}
        if isinstance(answer, dict):
            body = {"error": answer} if answer else {"result": {"resultType": "complete"}}
            self._json(connection, {"jsonrpc": "2.0", "id": message["id"], **body})
        else:
            connection.pending = [answer]


def service() -> Service:
    return make_service(
        ["http://a.example/mcp", "http://b.example/mcp"],
        era="2026-07-28",
        limits=Limits(),
        headers=None,
        auth=None,
        on_notice=None,
        capabilities=None,
        asks=False,
    )


class Requests(unittest.TestCase):
    def test_a_pause_is_sent_again_but_no_steer(self) -> None:
        for lost in (CUT, BAD_GATEWAY):
            world = Laid(lost)
            world.run(calls.pause_task(service(), "t1"))
            self.assertEqual(world.methods, ["pause", "pause"])
            world = Laid(lost)
            with self.assertRaises(ClientError) as raised:
                world.run(calls.steer_task(service(), "t1", "left", {"n": 1}))
            self.assertEqual((raised.exception.code, world.methods), ("maybe_executed", ["steer"]))

    def test_a_steer_that_was_not_taken_is_sent_again(self) -> None:
        world = Laid(BUSY)
        world.run(calls.steer_task(service(), "t1", "left", None))
        self.assertEqual(world.methods, ["steer", "steer"])

    def test_a_refusal_with_a_reason_is_no_unknown_task(self) -> None:
        refused = {"code": -32602, "message": "no", "data": {"reason": "not_pausable"}}
        for error, code in ((refused, "rpc_error"), ({"code": -32602, "message": "no"}, "unknown_task")):
            with self.assertRaises(ClientError) as raised:
                Laid(error).run(calls.pause_task(service(), "t1"))
            self.assertEqual(raised.exception.code, code)
            self.assertEqual(raised.exception.details.get("reason"), "not_pausable" if code == "rpc_error" else None)


if __name__ == "__main__":
    unittest.main()
