"""The two runners of scripts: blocking sockets, and asyncio streams.

Invariants: every connection that a script opened is closed when the script ends, is left or is stopped; a wait is
bounded by its command.
"""

from __future__ import annotations

import asyncio
import inspect
import random
import socket
import ssl
import threading
import time
from collections.abc import AsyncGenerator, Generator
from typing import Any, TypeVar

from .errors import ClientError
from .script import Call, Close, Command, Connect, Emit, Now, Random, Receive, Script, Send, Sleep

T = TypeVar("T")
_READ_BYTES = 64 * 1024


def _stopped() -> ClientError:
    return ClientError("aborted", "The follow was stopped by the application")


class Runner:
    """``result``: what the script returned, once it has ended."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self.result: Any = None


class BlockingRunner(Runner):
    """Runs one script in the calling thread. ``stop`` may be called from any thread."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(tls)
        self._open: set[socket.socket] = set()
        self._stop = threading.Event()
        self._lock = threading.Lock()

    def stop(self) -> None:
        self._stop.set()
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def run(self, script: Script[T]) -> T:
        for _ in self.items(script):
            pass
        result: T = self.result
        return result

    def items(self, script: Script[T]) -> Generator[Any, None, None]:
        """Yields what the script emits; what it returns is ``result`` afterwards."""
        answer: Any = None
        error: BaseException | None = None
        try:
            while True:
                try:
                    command = script.send(answer) if error is None else script.throw(error)
                except StopIteration as end:
                    self.result = end.value
                    return
                answer, error = None, None
                if isinstance(command, Emit):
                    yield command.item
                    continue
                try:
                    answer = self._perform(command)
                except Exception as raised:
                    error = _stopped() if self._stop.is_set() else raised
        finally:
            script.close()
            for connection in tuple(self._open):
                self._close(connection)

    def _perform(self, command: Command) -> Any:
        if self._stop.is_set():
            raise _stopped()
        if isinstance(command, Receive):
            command.connection.settimeout(max(0.001, command.timeout_ms / 1000))
            return command.connection.recv(_READ_BYTES)
        if isinstance(command, Send):
            command.connection.settimeout(command.timeout_ms / 1000)
            return command.connection.sendall(command.data)
        if isinstance(command, Connect):
            return self._connect(command)
        if isinstance(command, Close):
            return self._close(command.connection)
        if isinstance(command, Sleep):
            if self._stop.wait(command.ms / 1000):
                raise _stopped()
            return None
        if isinstance(command, Call):
            answer = command.function(*command.arguments)
            if inspect.iscoroutine(answer):
                answer.close()
                raise TypeError("coroutines need the asyncio client")
            return answer
        return time.monotonic() * 1000 if isinstance(command, Now) else random.random()

    def _connect(self, command: Connect) -> socket.socket:
        endpoint = command.endpoint
        connection = socket.create_connection((endpoint.host, endpoint.port), command.timeout_ms / 1000)
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if endpoint.tls:
                connection = _tls(self._tls).wrap_socket(connection, server_hostname=endpoint.host)
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._open.add(connection)
        return connection

    def _close(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)
        connection.close()


class AsyncRunner(Runner):
    """Runs one script on the running event loop. Cancelling its task stops it."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(tls)
        self._open: set[asyncio.StreamWriter] = set()

    async def run(self, script: Script[T]) -> T:
        async for _ in self.items(script):
            pass
        result: T = self.result
        return result

    async def items(self, script: Script[T]) -> AsyncGenerator[Any, None]:
        """Yields what the script emits; what it returns is ``result`` afterwards."""
        answer: Any = None
        error: BaseException | None = None
        try:
            while True:
                try:
                    command = script.send(answer) if error is None else script.throw(error)
                except StopIteration as end:
                    self.result = end.value
                    return
                answer, error = None, None
                if isinstance(command, Emit):
                    yield command.item
                    continue
                try:
                    answer = await self._perform(command)
                except Exception as raised:
                    error = raised
        finally:
            script.close()
            for writer in tuple(self._open):
                self._close(writer)

    async def _perform(self, command: Command) -> Any:
        if isinstance(command, Receive):
            reader: asyncio.StreamReader = command.connection[0]
            return await _within(reader.read(_READ_BYTES), command.timeout_ms)
        if isinstance(command, Send):
            writer: asyncio.StreamWriter = command.connection[1]
            writer.write(command.data)
            return await _within(writer.drain(), command.timeout_ms)
        if isinstance(command, Connect):
            return await self._connect(command)
        if isinstance(command, Close):
            return self._close(command.connection[1])
        if isinstance(command, Sleep):
            return await asyncio.sleep(command.ms / 1000)
        if isinstance(command, Call):
            answer = command.function(*command.arguments)
            return await answer if inspect.isawaitable(answer) else answer
        return time.monotonic() * 1000 if isinstance(command, Now) else random.random()

    async def _connect(self, command: Connect) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        endpoint = command.endpoint
        tls = _tls(self._tls) if endpoint.tls else None
        opening = asyncio.open_connection(endpoint.host, endpoint.port, ssl=tls, limit=_READ_BYTES)
        reader, writer = await _within(opening, command.timeout_ms)
        self._open.add(writer)
        return reader, writer

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.transport.abort()


async def _within(work: Any, timeout_ms: float) -> Any:
    try:
        return await asyncio.wait_for(work, max(0.001, timeout_ms / 1000))
    except asyncio.TimeoutError:
        raise TimeoutError("nothing came in time") from None


def _tls(given: ssl.SSLContext | None) -> ssl.SSLContext:
    return given or ssl.create_default_context()


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
