"""Questions of a task: each is asked once, and its answer gets through a network that fails."""

from __future__ import annotations

import json
import unittest

from taskstream_client.errors import ClientError
from taskstream_client.questions import Questions
from taskstream_client.types import Era, InputRequest, Json, Task

from .laid import BUSY, CUT, TAKEN, Laid
from .test_requests import service
from .test_simulation import SEEDS, follow
from .world import Mood, World, frame


def asking(era: Era = "2026-07-28") -> tuple[Questions, Task, list[str]]:
    asked: list[str] = []

    def ask(key: str, request: InputRequest) -> Json:
        asked.append(key)
        return {"action": "accept", "content": {"name": "Ada"}}

    known = service(era)
    known.session_id, known.initialized = "s", True
    open_ = None if era == "2025-11-25" else {"k1": InputRequest("elicitation/create", {"message": "?"})}
    return Questions(known, "t1", ask), Task("t1", "input_required", "", "", None, 100, input_requests=open_), asked


class Asked(unittest.TestCase):
    def test_an_answer_is_kept_until_the_server_takes_it(self) -> None:
        questions, task, asked = asking()
        world = Laid(CUT, BUSY, CUT, BUSY, CUT)
        for _ in range(3):
            world.run(questions.saw(task))
        self.assertEqual((asked, world.methods), (["k1"], ["update"] * 6))
        self.assertEqual(len({json.dumps(message["params"]["inputResponses"]) for message in world.messages}), 1)

    def test_an_answer_that_is_refused_is_an_error(self) -> None:
        questions, task, _ = asking()
        with self.assertRaises(ClientError) as raised:
            Laid({"code": -32602, "message": "name: expected a number"}).run(questions.saw(task))
        self.assertEqual(raised.exception.code, "rpc_error")

    def test_a_callback_cannot_pass_for_the_network(self) -> None:
        def ask(key: str, request: InputRequest) -> Json:
            raise ClientError("unavailable", "another service is down")

        with self.assertRaises(ClientError) as raised:
            Laid().run(Questions(service(), "t1", ask).saw(asking()[1]))
        self.assertEqual(raised.exception.code, "callback_failed")

    def test_in_2025_an_answer_is_sent_again_when_its_question_comes_again(self) -> None:
        questions, task, asked = asking("2025-11-25")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        question = frame({"jsonrpc": "2.0", "id": "t1/k1", "method": "elicitation/create", "params": {}})
        world = Laid(head + question, BUSY, head + question, CUT, head + question, TAKEN, head + question)
        for _ in range(4):
            world.run(questions.saw(task))
        self.assertEqual(asked, ["t1/k1"])
        self.assertEqual(world.methods, ["result", "answer"] * 3 + ["result"])

    def test_a_look_that_fails_is_put_off(self) -> None:
        questions, _, _ = asking()
        world = Laid(CUT)
        world.run(questions.tend())
        self.assertEqual(world.methods, ["get"])
        self.assertGreater(questions.due_at_ms, world.now_ms)

    def test_a_follow_that_asks_is_as_patient_as_one_that_does_not(self) -> None:
        for seed in range(SEEDS // 4):
            with self.subTest(seed=seed):
                world = World(seed, 30, Mood(refuse=0.3, http=0.2, duplicate=0.0))
                outcome, _ = follow(world, ask=lambda key, request: {})
                self.assertEqual(outcome.status, "completed", outcome)
                self.assertEqual([item.seq for item in world.items], list(range(world.total)))


if __name__ == "__main__":
    unittest.main()
