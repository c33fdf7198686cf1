"""Where a reader stands in a task's event log: which event has to come next, and what is known to be lost.

Invariants: pure; an event is taken only if its seq is the next one, or the one that the server named as the earliest, or
while no place in the log is claimed; a gap is stated exactly once, with the first event or the end behind it.
"""

from __future__ import annotations

from dataclasses import dataclass

from .types import Gap


@dataclass(frozen=True)
class Fault:
    """A way in which the server broke the protocol, by its name in ``PROTOCOL_FAULTS``."""

    name: str
    message: str
    seq: int | None = None


@dataclass(frozen=True)
class Taken:
    """What becomes of an event. ``kind``: deliver, drop, or skip for one that lies behind a hole."""

    kind: str
    gap: Gap | None = None
    fault: Fault | None = None


class Position:
    def __init__(self, after: int | None) -> None:
        self.next = 0 if after is None else after + 1
        """The seq that has to come next; while ``floating``, the lowest one that is still wanted."""
        self.floating = after is None
        """No place is claimed yet: the first event may have any seq from ``next`` on."""
        self._lost_below = 0
        self._restarted_from: int | None = None
        self._seen_end = 0
        # Of the stream that is open.
        self._fresh = 0
        self._after: int | None = None
        self._newest: int | None = None

    def cursor(self) -> int | None:
        """The exclusive cursor of the next stream; None asks for everything that is retained."""
        if not self.floating:
            return self.next - 1
        # With the earliest event as the server named it, so that what is trimmed meanwhile is told of.
        return None if self._lost_below == 0 else self._lost_below - 1

    def opened(self) -> None:
        self._after, self._newest, self._fresh = self.cursor(), None, 0

    @property
    def empty(self) -> bool:
        """Nothing new came on the stream, and nothing says that it ended before the cursor."""
        return self._fresh == 0 and (self._newest is None or self._newest == self.next - 1)

    def take(self, seq: int) -> Taken:
        newest, self._newest = self._newest, seq if self._newest is None else max(seq, self._newest)
        self._seen_end = max(self._seen_end, seq + 1)
        if seq < self.next:
            return Taken("drop", fault=self._duplicate(seq, newest))
        # Once the server has named the earliest event, that one has to come.
        wanted = self._lost_below if self.floating else self.next
        if seq > wanted and (not self.floating or wanted > 0):
            return Taken("skip", fault=Fault("skipped_event", f"Event {seq} came where {wanted} had to come", seq))
        gap, fault = self._gap_before(seq)
        self.next, self.floating, self._lost_below, self._restarted_from = seq + 1, False, 0, None
        self._fresh += 1
        return Taken("deliver", gap, fault)

    def _duplicate(self, seq: int, newest: int | None) -> Fault | None:
        if newest is not None and seq <= newest:
            return Fault("repeated_event", f"Event {seq} came again on the same stream", seq)
        if self._after is None or seq > self._after:
            return None
        name = "inclusive_after" if seq == self._after else "replayed_before_cursor"
        return Fault(name, f"Event {seq} came although after was {self._after}", seq)

    def _gap_before(self, seq: int) -> tuple[Gap | None, Fault | None]:
        if not self.floating:
            return None, None
        if self._restarted_from is not None:
            return Gap(self._restarted_from, seq - 1, True), None
        if seq <= self.next:
            return None, None
        gap = Gap(self.next, seq - 1, False)
        if self._lost_below > 0 or self.next > 0:
            return gap, None
        text = f"The first event has seq {seq}: what came before was trimmed, or the server does not number from 0"
        return gap, Fault("starts_above_zero", text, seq)

    def unfounded(self, earliest_seq: int | None) -> Fault | None:
        """``events_gone`` for a cursor that the server's own ``earliestSeq`` says is retained."""
        if self.floating or earliest_seq is None or earliest_seq > self.next:
            return None
        text = f"events_gone after {self.next - 1}, although the earliest retained event is {earliest_seq}"
        return Fault("unfounded_events_gone", text)

    def move(self, earliest_seq: int | None, restart: bool) -> None:
        """Gives the place up after ``events_gone``: goes on with what is retained, or begins the history anew."""
        # Without a name for what is retained, everything is asked for.
        self._lost_below = 0 if earliest_seq is None else max(self._lost_below, earliest_seq)
        if restart:
            self._restarted_from = self.next if self._restarted_from is None else self._restarted_from
            self.next = 0
        self.floating = True

    def complete(self, next_seq: int | None) -> Taken:
        """The server says that every event was read, and perhaps where the log ends."""
        end = max(next_seq or 0, self._seen_end)
        if not self.floating:
            if end <= self.next:
                return Taken("deliver")
            text = f"The stream ended as complete before event {self.next}, although the log reaches to {end - 1}"
            return Taken("skip", fault=Fault("end_before_last_event", text, self.next))
        first = self.next if self._restarted_from is None else self._restarted_from
        last = max(end, self._lost_below) - 1
        return Taken("deliver", Gap(first, last, self._restarted_from is not None) if last >= first else None)
