"""Options of a follow, checked once for both ways of doing I/O.

Invariant: a wrong argument is refused by name before anything is sent.
"""

from __future__ import annotations

from .calls import check_task_id
from .cursors import CursorStore
from .errors import ClientError
from .exchange import Service
from .follow import FollowOptions, Reader
from .questions import Questions
from .types import EventsGonePolicy, OnInputRequest
from .wire import is_seq


def make_reader(
    service: Service,
    task_id: object,
    *,
    after: int | None,
    cursor_store: CursorStore | None,
    on_events_gone: EventsGonePolicy,
    ask: OnInputRequest | None,
    poll: bool = False,
) -> Reader:
    """@raises ClientError invalid_argument"""
    known = check_task_id(task_id)
    if after is not None and not is_seq(after):
        raise ClientError("invalid_argument", f"after: expected a non-negative integer, got {type(after).__name__}")
    if on_events_gone not in ("fail", "resume", "restart"):
        raise ClientError("invalid_argument", "on_events_gone: expected fail, resume or restart")
    options = FollowOptions(
        after=after,
        on_events_gone=on_events_gone,
        load_cursor=None if cursor_store is None else cursor_store.load,
        save_cursor=None if cursor_store is None else cursor_store.save,
        poll=poll,
    )
    return Reader(service, known, options, None if ask is None else Questions(service, known, ask))
