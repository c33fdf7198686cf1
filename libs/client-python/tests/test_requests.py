"""One-shot requests against answers that are laid out one by one: what is sent again, what is not, and what is refused."""

from __future__ import annotations

import json
import unittest
from typing import Any

from taskstream_client import ClientError, Limits, calls
from taskstream_client.errors import ShapeError
from taskstream_client.exchange import Exchange, Request, Service, make_service, post
from taskstream_client.mirrored import mirrored_parameters
from taskstream_client.options import make_reader
from taskstream_client.requests import abandon
from taskstream_client.script import Script
from taskstream_client.types import AuthHook, Era, Notice, OnNotice

from .laid import BAD_GATEWAY, BUSY, CUT, TAKEN, Laid, result

UNAUTHORIZED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def service(
    era: Era = "2026-07-28",
    auth: AuthHook | None = None,
    on_notice: OnNotice | None = None,
    headers: dict[str, str] | None = None,
) -> Service:
    return make_service(
        ["http://a.example/mcp", "http://b.example/mcp"],
        era=era,
        limits=Limits(),
        headers=headers,
        auth=auth,
        on_notice=on_notice,
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

    def test_a_command_with_another_result_type_was_not_taken(self) -> None:
        with self.assertRaises(ClientError) as raised:
            Laid(result(resultType="surprise")).run(calls.cancel_task(service(), "t1"))
        self.assertEqual(raised.exception.code, "unknown_result_type")

    def test_what_is_not_json_is_refused_before_it_is_sent(self) -> None:
        for wrong in (object(), float("nan"), {1, 2}, "\ud800"):
            world = Laid()
            with self.assertRaises(ClientError) as raised:
                world.run(calls.call_tool(service(), calls.Tools(), "x", {"a": wrong}, "k", None))
            self.assertEqual((raised.exception.code, world.methods), ("invalid_argument", []))
        for headers in ({"X": "\u4e16"}, {"X": 1}, {"": "x"}):
            with self.assertRaises(ClientError) as raised:
                Laid().run(calls.pause_task(service(headers=headers), "t1"))  # type: ignore[arg-type]
            self.assertEqual(raised.exception.code, "invalid_argument")

    def test_a_server_is_given_the_time_that_it_asks_for(self) -> None:
        date = "Date: Thu, 01 Jan 1970 00:00:10 GMT"
        for headers, waited_ms in (("Retry-After: 7", 7_000), (f"{date}\r\nRetry-After: Thu, 01 Jan 1970 00:00:19 GMT", 9_000)):
            notices: list[Notice] = []
            busy = f"HTTP/1.1 503 Busy\r\n{headers}\r\nContent-Length: 0\r\n\r\n".encode()
            Laid(busy).run(calls.pause_task(service(on_notice=notices.append), "t1"))
            self.assertIn(waited_ms, [notice.wait_ms for notice in notices])
        for odd in ("soon", "Thu, 01 Jan 1970 00:00:19 GMT"):
            busy = f"HTTP/1.1 503 Busy\r\nRetry-After: {odd}\r\nContent-Length: 0\r\n\r\n".encode()
            Laid(busy).run(calls.pause_task(service(), "t1"))

    def test_in_2025_a_tool_is_a_task_where_the_server_takes_it_as_one(self) -> None:
        tool = {"name": "x", "inputSchema": {}, "execution": {"taskSupport": "optional"}}
        able: dict[str, Any] = {"tasks": {"requests": {"tools": {"call": {}}}}}
        for capabilities, as_task in ((able, True), ({"tasks": {}}, False), ({}, False)):
            opened = result(protocolVersion="2025-11-25", capabilities=capabilities)
            world = Laid(opened, TAKEN, result(tools=[tool]), result(content=[]))
            world.run(calls.call_tool(service("2025-11-25"), calls.Tools(), "x", {}, None, None))
            self.assertEqual("task" in world.messages[-1]["params"], as_task)

    def test_in_2025_a_result_is_asked_for_as_patiently_as_events(self) -> None:
        known = service("2025-11-25")
        known.session_id, known.initialized = "s", True
        over = result(taskId="t1", status="completed", createdAt="", lastUpdatedAt="", ttl=None)
        reader = make_reader(
            known, "t1", after=None, cursor_store=None, on_events_gone="fail", ask=None, poll=True
        )
        world = Laid(*[over, CUT] * 8, over, result(content=[]))
        self.assertEqual(world.run(reader.script()).result, {"content": []})

    def test_a_session_that_cannot_be_opened_now_is_opened_later(self) -> None:
        opened = result(protocolVersion="2025-11-25", capabilities={})
        world = Laid({"code": -32603, "message": "not now"}, opened, TAKEN)
        world.run(calls.pause_task(service("2025-11-25"), "t1"))
        self.assertEqual(world.methods, ["initialize", "initialize", "initialized", "pause"])

    def test_a_silent_node_does_not_hold_up_who_gives_a_request_up(self) -> None:
        known = service("2025-11-25")
        known.session_id, known.initialized = "s", True
        world = Laid()

        def give_up() -> Script[None]:
            posted = yield from post(known, 0, Request("tasks/stream", {}), 60_000)
            assert isinstance(posted, Exchange)
            world.answers = [b""]
            yield from abandon(known, 0, posted)

        world.run(give_up())
        self.assertEqual(world.methods, ["stream", "cancelled"])
        self.assertLess(world.now_ms, 3_000)


class Auth(unittest.TestCase):
    def test_a_401_asks_the_hook_once_for_fresh_headers(self) -> None:
        asked: list[tuple[bool, str]] = []

        def auth(refresh: bool, endpoint: str) -> dict[str, str]:
            asked.append((refresh, endpoint))
            return {"Authorization": "fresh" if refresh else "stale"}

        notices: list[Notice] = []
        world = Laid(UNAUTHORIZED)
        world.run(calls.pause_task(service(auth=auth, on_notice=notices.append), "t1"))
        self.assertEqual(asked, [(False, "http://a.example/mcp"), (True, "http://a.example/mcp")])
        self.assertEqual(["fresh" in head for head in world.heads], [False, True])
        self.assertEqual([notice.kind for notice in notices], ["auth-refreshed"])
        world = Laid(UNAUTHORIZED, UNAUTHORIZED)
        with self.assertRaises(ClientError) as raised:
            world.run(calls.pause_task(service(auth=auth), "t1"))
        self.assertEqual((raised.exception.code, len(world.methods)), ("unauthorized", 2))

    def test_requests_that_meet_a_401_together_ask_once(self) -> None:
        asked: list[bool] = []

        def auth(refresh: bool, endpoint: str) -> dict[str, str]:
            asked.append(refresh)
            return {}

        known = service(auth=auth)
        worlds = [Laid(UNAUTHORIZED) for _ in range(3)]
        # One step each in turn: each meets its 401 before the first one has fresh headers.
        turns = [world.steps(calls.pause_task(known, "t1")) for world in worlds]
        while turns:
            turns = [turn for turn in turns if next(turn, None) is not None]
        self.assertEqual([world.methods for world in worlds], [["pause", "pause"]] * 3)
        self.assertEqual((asked.count(True), asked.count(False)), (1, 5))

    def test_a_hook_without_headers_is_said_so(self) -> None:
        def raises(refresh: bool, endpoint: str) -> dict[str, str]:
            raise KeyError("token")

        for auth in (raises, lambda refresh, endpoint: None):
            with self.assertRaises(ClientError) as raised:
                Laid().run(calls.pause_task(service(auth=auth), "t1"))  # type: ignore[arg-type]
            self.assertEqual(raised.exception.code, "unauthorized")


REGION = {"type": "string", "x-mcp-header": "Region"}


def schema(properties: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, **more}


class Tools(unittest.TestCase):
    def test_a_tool_with_annotations_that_are_not_valid_is_left_out(self) -> None:
        notices: list[Notice] = []
        good = {"name": "good", "inputSchema": schema({"region": REGION})}
        bad = {"name": "bad", "inputSchema": schema({"region": {**REGION, "type": "number"}})}
        tools = calls.Tools()
        listed = Laid(result(tools=[bad, good])).run(calls.list_tools(service(on_notice=notices.append), tools))
        self.assertEqual(listed, [good])
        self.assertEqual([notice.kind for notice in notices], ["tool-rejected"])
        self.assertIn('"bad"', notices[0].message)
        world = Laid(result(content=[]))
        world.run(calls.call_tool(service(), tools, "good", {"region": "eu"}, None, None))
        self.assertIn("Mcp-Param-Region: eu\r\n", world.heads[0])

    def test_annotations_stand_on_plain_properties_only(self) -> None:
        deep: Any = REGION
        for _ in range(80):
            deep = schema({"a": deep})
        wrong = {
            "empty": schema({"a": {**REGION, "x-mcp-header": ""}}),
            "no token": schema({"a": {**REGION, "x-mcp-header": "a b"}}),
            "two lines": schema({"a": {**REGION, "x-mcp-header": "a\r\nb"}}),
            "no string": schema({"a": {**REGION, "x-mcp-header": 1}}),
            "twice": schema({"a": REGION, "b": {**REGION, "x-mcp-header": "REGION"}}),
            "on an object": schema({"a": {**REGION, "type": "object"}}),
            "on the root": {**schema({}), "x-mcp-header": "A"},
            "under items": schema({"a": {"type": "array", "items": REGION}}),
            "under anyOf": schema({"a": {"anyOf": [REGION]}}),
            "under a nested anyOf": schema({}, anyOf=[schema({"region": REGION})]),
            "under $defs": schema({}, **{"$defs": {"region": REGION}}),
            "too deep": deep,
        }
        for why, given in wrong.items():
            with self.subTest(why), self.assertRaises(ShapeError):
                mirrored_parameters(given)
        odd = {"type": ["boolean", "null"], "x-mcp-header": "Flag", "default": {"x-mcp-header": "data"}}
        self.assertEqual(mirrored_parameters(schema({"x-mcp-header": odd}))[0].path, ("x-mcp-header",))


if __name__ == "__main__":
    unittest.main()
