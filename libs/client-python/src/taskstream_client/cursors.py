"""Where cursors are kept between runs.

Invariant: a cursor is saved after the consumer is done with its event, so that after a crash an event may come again
but none is missed.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any, Protocol

from .wire import is_seq


class CursorStore(Protocol):
    """``load`` gives the seq of the last processed event, or None. In asyncio both may be coroutines."""

    def load(self, task_id: str) -> Any: ...

    def save(self, task_id: str, seq: int) -> Any: ...


class MemoryCursorStore:
    def __init__(self) -> None:
        self._cursors: dict[str, int] = {}

    def load(self, task_id: str) -> int | None:
        return self._cursors.get(task_id)

    def save(self, task_id: str, seq: int) -> None:
        self._cursors[task_id] = seq


class FileCursorStore:
    """A JSON file of cursors by task, replaced as a whole at each save; one process a file.

    ``tasks_max``: beyond it the task that was saved longest ago is forgotten. ``sync``: each save waits until it is on
    the disk, so that it survives a power cut.
    """

    def __init__(self, path: str | os.PathLike[str], *, tasks_max: int = 1000, sync: bool = False) -> None:
        self._path = Path(path)
        self._tasks_max = tasks_max
        self._sync = sync
        self._cursors: dict[str, int] | None = None

    def load(self, task_id: str) -> int | None:
        return self._all().get(task_id)

    def save(self, task_id: str, seq: int) -> None:
        cursors = self._all()
        cursors.pop(task_id, None)
        cursors[task_id] = seq
        for oldest in list(cursors)[: max(0, len(cursors) - self._tasks_max)]:
            del cursors[oldest]
        directory = self._path.parent
        directory.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=directory, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(cursors, file)
                if self._sync:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(name, self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _all(self) -> dict[str, int]:
        """@raises ValueError when the file holds something else than cursors"""
        if self._cursors is None:
            if self._path.exists() and not self._path.is_file():
                # A save would put a file in the place of a device.
                raise ValueError(f"{self._path}: expected a regular file, or none")
            try:
                value = json.loads(self._path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                value = {}
            if not isinstance(value, dict) or not all(is_seq(seq) for seq in value.values()):
                raise ValueError(f"{self._path} does not hold cursors by task: expected an object of whole numbers")
            self._cursors = value
        return self._cursors
