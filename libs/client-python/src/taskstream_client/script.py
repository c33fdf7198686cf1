"""What the logic of the client asks of the world: a script yields commands, a runner carries them out.

A script is a generator, so that one text of the logic serves threads and asyncio, and so that a test can play the world
from a seed. Invariants: a script does no I/O, reads no clock and draws no random number; a runner holds what it opened
and closes it however its script ends.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, Union

from .http1 import Endpoint

T = TypeVar("T")


@dataclass(frozen=True)
class Connect:
    """Gives a connection, an opaque value. Raises OSError; TimeoutError when it takes too long."""

    endpoint: Endpoint
    timeout_ms: int


@dataclass(frozen=True)
class Send:
    connection: Any
    data: bytes
    timeout_ms: int


@dataclass(frozen=True)
class Receive:
    """Gives bytes, ``b""`` at the end. Raises OSError; TimeoutError when nothing comes."""

    connection: Any
    timeout_ms: float


@dataclass(frozen=True)
class Close:
    connection: Any


@dataclass(frozen=True)
class Sleep:
    ms: float


@dataclass(frozen=True)
class Call:
    """Calls into the application; an awaitable is awaited where there is an event loop."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Emit:
    """Hands an item to the consumer; the script goes on when the consumer asks for the next one."""

    item: Any


@dataclass(frozen=True)
class Now:
    """Gives milliseconds of a clock that never goes back."""


@dataclass(frozen=True)
class Random:
    """Gives a number from 0 (inclusive) to 1 (exclusive)."""


Command = Union[Connect, Send, Receive, Close, Sleep, Call, Emit, Now, Random]
Script = Generator[Command, Any, T]
