"""A client of MCP tasks and their resumable event streams: SEP-2694 on 2026-07-28 with the Tasks extension, and 2025-11-25.

``TaskClient`` for threads, ``AsyncTaskClient`` for asyncio. Standard library only.
"""

from .aio import AsyncFollow, AsyncTaskClient, AsyncTaskHandle
from .client import Follow, TaskClient, TaskHandle
from .cursors import CursorStore, FileCursorStore, MemoryCursorStore
from .errors import CLIENT_ERROR_CODES, ClientError
from .limits import Limits
from .types import (
    PROTOCOL_FAULTS,
    AuthHook,
    FollowItem,
    Gap,
    InputRequest,
    Notice,
    OnInputRequest,
    OnNotice,
    Task,
    TaskEvent,
    TaskOutcome,
)

__all__ = (
    "AsyncFollow",
    "AsyncTaskClient",
    "AsyncTaskHandle",
    "AuthHook",
    "CLIENT_ERROR_CODES",
    "ClientError",
    "CursorStore",
    "FileCursorStore",
    "Follow",
    "FollowItem",
    "Gap",
    "InputRequest",
    "Limits",
    "MemoryCursorStore",
    "Notice",
    "OnInputRequest",
    "OnNotice",
    "PROTOCOL_FAULTS",
    "Task",
    "TaskClient",
    "TaskEvent",
    "TaskHandle",
    "TaskOutcome",
)
