"""The follow script against a model server, from seeds: it ends with exactly the expected events, or a typed error."""

from __future__ import annotations

import unittest
from typing import Any

from taskstream_client.errors import ClientError
from taskstream_client.exchange import make_service
from taskstream_client.limits import Limits
from taskstream_client.options import make_reader
from taskstream_client.types import EventsGonePolicy, Gap, Notice, TaskEvent

from .world import Mood, World

ENDPOINTS = ["http://a.example/mcp", "http://b.example/mcp"]
SEEDS = 80


def follow(world: World, policy: EventsGonePolicy = "fail", **options: Any) -> tuple[Any, list[Notice]]:
    notices: list[Notice] = []
    service = make_service(
        ENDPOINTS,
        era="2026-07-28",
        limits=options.pop("limits", Limits()),
        headers=None,
        auth=None,
        on_notice=notices.append,
        capabilities=None,
        asks=False,
    )
    arguments: dict[str, Any] = {"after": None, "cursor_store": None, "ask": None, **options}
    reader = make_reader(service, world.task_id, on_events_gone=policy, **arguments)
    try:
        return world.run(reader.script()), notices
    except ClientError as error:
        return error, notices


def covered(items: list[Any]) -> list[int]:
    """The seqs that events and gaps stand for, in the order in which they came."""
    seqs: list[int] = []
    for item in items:
        if isinstance(item, Gap):
            seqs += range(item.first, item.last + 1)
        else:
            assert isinstance(item, TaskEvent)
            assert item.payload == {"i": item.seq}
            seqs.append(item.seq)
    return seqs


class Simulation(unittest.TestCase):
    def test_every_seed_ends_with_exactly_the_events(self) -> None:
        reconnects = 0
        for seed in range(SEEDS):
            for says_why in (True, False):
                with self.subTest(seed=seed, says_why=says_why):
                    world = World(seed, seed % 40, Mood(says_why=says_why))
                    outcome, notices = follow(world)
                    self.assertEqual(outcome.status, "completed", outcome)
                    self.assertEqual([item.seq for item in world.items], list(range(world.total)))
                    faults = {n.cause for n in notices if n.kind == "protocol-fault"}
                    self.assertLessEqual(faults, {"replayed_before_cursor", "inclusive_after"})
                    reconnects += sum(n.kind == "reconnecting" for n in notices)
        self.assertGreater(reconnects, SEEDS)

    def test_the_same_seed_gives_the_same_trace(self) -> None:
        for seed in range(50):
            traces = []
            for _ in range(2):
                world = World(seed, 30, Mood(trim=0.05))
                follow(world, "resume")
                traces.append(world.trace)
            self.assertEqual(traces[0], traces[1])
            self.assertGreater(len(traces[0]), 3)

    def test_a_trimmed_log_is_said_by_each_policy(self) -> None:
        told = {"fail": 0, "resume": 0, "restart": 0}
        for seed in range(SEEDS):
            for policy in ("fail", "resume", "restart"):
                with self.subTest(seed=seed, policy=policy):
                    world = World(seed, 30, Mood(trim=0.2))
                    outcome, _ = follow(world, policy, after=0)  # type: ignore[arg-type]
                    events = [item.seq for item in world.items if isinstance(item, TaskEvent)]
                    if isinstance(outcome, ClientError):
                        self.assertEqual((policy, outcome.code), ("fail", "events_gone"))
                        self.assertEqual(events, list(range(1, 1 + len(events))))
                        told[policy] += 1
                        continue
                    gaps = [item for item in world.items if isinstance(item, Gap)]
                    told[policy] += len(gaps)
                    if policy == "restart":
                        last = world.items[-1]
                        self.assertEqual(last.last if isinstance(last, Gap) else last.seq, 29)
                        self.assertEqual(*_after_restart(world.items))
                        continue
                    self.assertEqual(covered(world.items), list(range(1, 30)))
        self.assertTrue(all(count > 10 for count in told.values()), told)

    def test_a_server_that_is_gone_ends_in_a_typed_error(self) -> None:
        world = World(1, 5, Mood(refuse=1.0))
        outcome, notices = follow(world, limits=Limits(attempts_max=4))
        self.assertEqual((outcome.code, outcome.retryable), ("unavailable", True))
        self.assertEqual(sum(n.kind == "reconnecting" for n in notices), 4)
        self.assertEqual({n.endpoint for n in notices if n.kind == "endpoint-failed"}, set(ENDPOINTS))

    def test_a_server_that_says_busy_is_given_its_time(self) -> None:
        world = World(1, 5, Mood(http=1.0, refuse=0.0))
        outcome, notices = follow(world, limits=Limits(attempts_max=6))
        self.assertIn(outcome.code, ("rate_limited", "unavailable"))
        waits = [n.wait_ms or 0 for n in notices if n.cause == "rate_limited"]
        self.assertTrue(waits and all(wait >= 1000 for wait in waits), waits)

    def test_silence_of_a_server_without_heartbeats_is_asked_about(self) -> None:
        world = World(3, 20, Mood(stall=0.5, heartbeats=False, cut=0.0, close=0.0, http=0.0, refuse=0.0, internal=0.0))
        outcome, _ = follow(world)
        self.assertEqual(outcome.status, "completed")
        self.assertEqual([item.seq for item in world.items], list(range(20)))
        self.assertTrue(any(line.startswith("tasks/get") for line in world.trace))

    def test_a_cursor_is_saved_after_its_event_only(self) -> None:
        world = World(7, 25, Mood())
        saved: list[int] = []

        class Store:
            def load(self, task_id: str) -> int | None:
                return 4

            def save(self, task_id: str, seq: int) -> None:
                saved.append(seq)
                self_seqs = [item.seq for item in world.items]
                assert self_seqs[-1] == seq

        outcome, _ = follow(world, cursor_store=Store())
        self.assertEqual(outcome.status, "completed")
        self.assertEqual(saved, list(range(5, 25)))


def _after_restart(items: list[Any]) -> tuple[list[int], list[int]]:
    """The seqs behind the last gap, and what they have to be: one after the other."""
    at = max((i for i, item in enumerate(items) if isinstance(item, Gap)), default=-1)
    seqs = [item.seq for item in items[at + 1 :]]
    return seqs, list(range(seqs[0], seqs[0] + len(seqs))) if seqs else []


if __name__ == "__main__":
    unittest.main()
