"""Arguments, limits, cursor stores and error codes: what an application meets before and beside the network."""

from __future__ import annotations

import json
import os
import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

from taskstream_client import CLIENT_ERROR_CODES, PROTOCOL_FAULTS, ClientError, FileCursorStore, Limits, TaskClient, TaskHandle
from taskstream_client.exchange import encode_header_value
from taskstream_client.limits import Limits as _Limits
from taskstream_client.mirrored import mirrored_parameters, parameter_headers
from taskstream_client.position import Position
from taskstream_client.runners import BlockingRunner
from taskstream_client.script import Call, Script
from taskstream_client.types import Gap


class Surface(unittest.TestCase):
    def refused(self, what: Any, *words: str) -> None:
        with self.assertRaises(ClientError) as raised:
            what()
        self.assertEqual(raised.exception.code, "invalid_argument")
        for word in words:
            self.assertIn(word, str(raised.exception))

    def test_a_wrong_argument_is_refused_by_name(self) -> None:
        client = TaskClient("http://127.0.0.1:1/mcp")
        self.refused(lambda: TaskClient([]), "endpoints")
        self.refused(lambda: TaskClient(["ftp://x"]), "endpoints[0]")
        self.refused(lambda: TaskClient("http://x", era="1999"), "era")  # type: ignore[arg-type]
        self.refused(lambda: client.follow_task(""), "task_id")
        self.refused(lambda: client.follow_task("t", after=-1), "after")
        self.refused(lambda: client.follow_task("t", on_events_gone="panic"), "on_events_gone")  # type: ignore[arg-type]
        self.refused(lambda: client.call_tool("", {}), "name")
        self.refused(lambda: client.call_tool("x", [1]), "arguments")  # type: ignore[arg-type]
        self.refused(lambda: client.call_tool("x", {}, idempotency_key=""), "idempotency_key")
        self.refused(lambda: client.steer_task("t", ""), "message")
        self.refused(lambda: client.steer_task("t", "x", [1]), "data", "list")  # type: ignore[arg-type]
        self.refused(lambda: client.pause_task(""), "task_id")
        self.refused(lambda: client.call_tool("x", []), "arguments")  # type: ignore[arg-type]
        self.refused(lambda: TaskClient("http://x/\u4e16"), "ASCII")
        self.refused(TaskHandle(client, None, {}).pause, "has answered")
        self.refused(lambda: TaskHandle(client, None, {}).answer({}), "has answered")
        self.refused(lambda: Limits(attempts_max=0), "attempts_max", "int")
        self.refused(lambda: Limits(attempts_max=1.5), "attempts_max", "float")  # type: ignore[arg-type]

    def test_a_coroutine_is_not_left_unawaited_by_the_client_for_threads(self) -> None:
        async def save(task_id: str, seq: int) -> None: ...

        def script() -> Script[None]:
            yield Call(save, ("t", 1))

        with self.assertRaisesRegex(TypeError, "asyncio"):
            BlockingRunner(None).run(script())

    def test_codes_are_those_of_the_typescript_client(self) -> None:
        source = (Path(__file__).parents[2] / "client" / "src" / "errors.ts").read_text(encoding="utf-8")

        def listed(name: str) -> list[str]:
            found = re.search(rf"const {name}\b[^=]*= \[([^\]]*)\]", source)
            return re.findall(r"'(\w+)'", found[1] if found else "")

        codes, retryable = listed("CLIENT_ERROR_CODES"), listed("RETRYABLE")
        self.assertGreater(len(codes), 20)
        self.assertGreater(len(retryable), 2)
        ours = {code: ClientError(code, "").retryable for code in CLIENT_ERROR_CODES}
        self.assertEqual(ours, {code: code in retryable for code in ours if code in codes})

    def test_faults_are_those_of_the_typescript_client(self) -> None:
        source = (Path(__file__).parents[2] / "client" / "src" / "notices.ts").read_text(encoding="utf-8")
        listed = source.partition("PROTOCOL_FAULTS = [")[2].partition("] as const")[0]
        self.assertEqual(re.findall(r"^  '(\w+)',$", listed, re.MULTILINE), list(PROTOCOL_FAULTS))

    def test_a_backoff_doubles_within_its_bounds(self) -> None:
        limits = _Limits(backoff_base_ms=100, backoff_max_ms=1_000)
        self.assertEqual([limits.backoff_ms(n, 0.0) for n in (0, 1, 2, 9, 1000)], [50, 100, 200, 500, 500])
        self.assertEqual([limits.backoff_ms(n, 1.0) for n in (0, 1, 2, 9, 1000)], [100, 200, 400, 1_000, 1_000])

    def test_header_values_are_encoded_when_they_must_be(self) -> None:
        self.assertEqual(encode_header_value("plain name"), "plain name")
        for value in ("", " x", "\u00e9", "a\nb", "=?base64?eA==?="):
            self.assertRegex(encode_header_value(value), r"^=\?base64\?.*\?=$")

    def test_annotated_arguments_are_mirrored(self) -> None:
        tenant = {"type": "string", "x-mcp-header": "Tenant"}
        inner = {"type": "object", "properties": {"n": {"type": "integer", "x-mcp-header": "N"}}}
        tool = {"inputSchema": {"properties": {"tenant": tenant, "on": {"type": "boolean", "x-mcp-header": "On"}, "inner": inner}}}
        arguments = {"tenant": "\u00e9", "on": True, "inner": {"n": 3}}
        headers = {"Mcp-Param-Tenant": "=?base64?w6k=?=", "Mcp-Param-On": "true", "Mcp-Param-N": "3"}
        parameters = mirrored_parameters(tool["inputSchema"])
        self.assertEqual(parameter_headers(parameters, arguments), headers)
        self.assertEqual(parameter_headers(parameters, {}), {})

    def test_a_cursor_file_is_replaced_whole_and_read_again(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "deep" / "cursors.json"
            store = FileCursorStore(path)
            self.assertIsNone(store.load("t"))
            store.save("t", 3)
            store.save("u", 0)
            self.assertEqual(FileCursorStore(path).load("t"), 3)
            self.assertEqual([p.name for p in path.parent.iterdir()], ["cursors.json"])
            special = Path(directory) / "special"
            os.mkfifo(special)
            with self.assertRaises(ValueError):
                FileCursorStore(special).save("t", 1)
            self.assertTrue(special.is_fifo())
            self.assertEqual(sorted(p.name for p in Path(directory).iterdir()), ["deep", "special"])
            few = FileCursorStore(path, tasks_max=2, sync=True)
            for task_id in ("t", "v", "u"):
                few.save(task_id, 9)
            self.assertEqual(list(json.loads(path.read_text(encoding="utf-8"))), ["v", "u"])
            path.write_text(json.dumps({"t": -1}), encoding="utf-8")
            with self.assertRaises(ValueError):
                FileCursorStore(path).load("t")

    def test_positions(self) -> None:
        at = Position(None)
        at.opened()
        self.assertEqual(at.take(2).gap, Gap(0, 1, False))
        self.assertEqual((at.take(2).kind, at.take(4).kind, at.take(3).kind, at.cursor()), ("drop", "skip", "deliver", 3))
        self.assertEqual(at.complete(None).kind, "skip")
        self.assertEqual((at.take(4).kind, at.complete(5).kind), ("deliver", "deliver"))
        at.move(9, restart=True)
        self.assertEqual(at.cursor(), 8)
        self.assertEqual(at.complete(None).gap, Gap(5, 8, True))

    def test_what_is_trimmed_meanwhile_is_told_also_after_a_restart(self) -> None:
        at = Position(3)
        at.move(6, restart=True)
        self.assertEqual(at.cursor(), 5)
        at.move(9, restart=True)
        self.assertEqual(at.cursor(), 8)
        at.opened()
        self.assertEqual(at.take(9).gap, Gap(4, 8, True))

    def test_behind_a_named_earliest_event_nothing_passes_for_trimmed(self) -> None:
        for restart in (False, True):
            at = Position(3)
            at.move(6, restart)
            at.opened()
            taken = at.take(8)
            self.assertEqual((taken.kind, taken.fault and taken.fault.name), ("skip", "skipped_event"))
            self.assertEqual(at.cursor(), 5)
            self.assertEqual(at.take(6).gap, Gap(4, 5, restart))

    def test_without_a_name_for_what_is_retained_everything_is_asked_for(self) -> None:
        at = Position(3)
        at.move(6, restart=False)
        at.move(None, restart=False)
        self.assertIsNone(at.cursor())
        at.opened()
        taken = at.take(8)
        self.assertEqual((taken.kind, taken.gap), ("deliver", Gap(4, 7, False)))


if __name__ == "__main__":
    unittest.main()
