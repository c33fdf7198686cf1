"""Endpoints that fail are tried last for a while, and return to their place."""

from __future__ import annotations

import unittest

from taskstream_client.health import Rest, after_failure, endpoint_order
from taskstream_client.limits import Limits

from .test_simulation import ENDPOINTS, follow
from .world import Connection, Mood, World

LIMITS = Limits(endpoint_rest_base_ms=100, endpoint_rest_max_ms=350)


class Health(unittest.TestCase):
    def test_the_time_doubles_with_each_failure_after_a_return_up_to_its_bound(self) -> None:
        rest: Rest | None = None
        lengths, now = [], 0.0
        for _ in range(4):
            rest = after_failure(rest, now, LIMITS)
            lengths.append(rest.rest_ms)
            now += rest.rest_ms
        self.assertEqual(lengths, [100, 200, 350, 350])

    def test_failures_at_the_same_moment_count_once(self) -> None:
        rest = after_failure(after_failure(None, 10, LIMITS), 9, LIMITS)
        self.assertEqual(rest, Rest(10, 100))
        self.assertEqual(after_failure(rest, 60, LIMITS), Rest(60, 100))

    def test_who_did_well_for_as_long_begins_anew(self) -> None:
        self.assertEqual(after_failure(Rest(0, 200), 399, LIMITS).rest_ms, 350)
        self.assertEqual(after_failure(Rest(0, 200), 400, LIMITS).rest_ms, 100)

    def test_the_order_is_the_given_one_but_for_those_that_rest(self) -> None:
        rests = [Rest(50, 100), None, Rest(20, 100), Rest(0, 100)]
        self.assertEqual(endpoint_order(rests, 60), [1, 3, 2, 0])
        self.assertEqual(endpoint_order(rests, 110), [1, 3, 2, 0])
        self.assertEqual(endpoint_order(rests, 130), [1, 2, 3, 0])
        self.assertEqual(endpoint_order(rests, 150), [0, 1, 2, 3])

    def test_a_busy_endpoint_is_left_for_another_however_long_it_wants_to_be_left(self) -> None:
        class Busy(World):
            """The first endpoint always answers 503 and asks for more time than it would be tried last."""

            def _serve(self, connection: Connection, data: bytes) -> None:
                if connection.endpoint != ENDPOINTS[0]:
                    return super()._serve(connection, data)
                self.trace.append("busy")
                connection.pending = [b"HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n"]

        world = Busy(1, 5, Mood(refuse=0, http=0, internal=0, cut=0, stall=0, close=0))
        outcome, _ = follow(world)
        self.assertEqual(outcome.status, "completed")
        self.assertEqual(world.trace.count("busy"), 1)


if __name__ == "__main__":
    unittest.main()
