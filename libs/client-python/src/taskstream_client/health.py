"""How an endpoint that failed gets back to its place: it is tried last for a time that doubles with each failure in a row.

Invariants: pure, the time comes in; what fails while it is tried last, or in other requests at the same moment, does not
double the time; an endpoint that did well for as long as it was tried last begins anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .limits import Limits


@dataclass(frozen=True)
class Rest:
    """From when, and how long, an endpoint is tried last."""

    from_ms: float
    rest_ms: int


def after_failure(before: Rest | None, at_ms: float, limits: Limits) -> Rest:
    """``at_ms``: when the client tries again, so that it tries another endpoint then, however long it has to wait."""
    if before is None or at_ms >= before.from_ms + 2 * before.rest_ms:
        return Rest(at_ms, limits.endpoint_rest_base_ms)
    if at_ms < before.from_ms + before.rest_ms:
        return Rest(max(before.from_ms, at_ms), before.rest_ms)
    return Rest(at_ms, min(limits.endpoint_rest_max_ms, 2 * before.rest_ms))


def is_resting(rest: Rest | None, now_ms: float) -> bool:
    return rest is not None and now_ms < rest.from_ms + rest.rest_ms


def endpoint_order(rests: Sequence[Rest | None], now_ms: float) -> list[int]:
    """Endpoint numbers, best first: in the given order, then those that rest, the one that failed longest ago first."""

    def place(at: int) -> tuple[float, int]:
        rest = rests[at]
        return (rest.from_ms if rest is not None and is_resting(rest, now_ms) else float("-inf"), at)

    return sorted(range(len(rests)), key=place)
