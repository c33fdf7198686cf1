"""The Python client for `players.ts`: a play a line on standard input, what became of it a line on standard output.

With ``--asyncio`` by the asyncio client, else by threads. Plays run at the same time.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from taskstream_client import AsyncTaskClient, ClientError, FollowItem, Gap, Limits, Notice, TaskClient

PLAYS_AT_ONCE_MAX = 64


class Play:
    def __init__(self, line: str) -> None:
        self.asked: dict[str, Any] = json.loads(line)
        self.seqs: list[int] = []
        self.gaps = 0
        self.told: set[str] = set()
        self.code: str | None = None
        limits = {re.sub("[A-Z]", lambda m: "_" + m[0].lower(), name): n for name, n in self.asked["limits"].items()}
        self.connection: dict[str, Any] = {
            "endpoints": self.asked["url"],
            "headers": {"authorization": self.asked["owner"]},
            "limits": Limits(**limits),
            "on_notice": self.tell,
        }
        self.follow: dict[str, Any] = {"after": self.asked.get("after"), "on_events_gone": "resume"}

    def tell(self, notice: Notice) -> None:
        if notice.kind in ("protocol-fault", "reconnecting") and notice.cause is not None:
            self.told.add(notice.cause)

    def take(self, item: FollowItem) -> None:
        if isinstance(item, Gap):
            self.gaps += 1
        else:
            self.seqs.append(item.seq)

    def say(self) -> None:
        said = {"play": self.asked["play"], "seqs": self.seqs, "gaps": self.gaps, "told": sorted(self.told)}
        # One write, so that lines of threads do not mix.
        sys.stdout.write(json.dumps({**said, **({} if self.code is None else {"code": self.code})}) + "\n")
        sys.stdout.flush()


def blocking(line: str) -> None:
    play = Play(line)
    try:
        client = TaskClient(**play.connection)
        task_id = play.asked.get("taskId") or client.call_tool("count", play.asked["call"]).task_id
        with client.follow_task(str(task_id), **play.follow) as items:
            for item in items:
                play.take(item)
            assert items.outcome is not None
    except ClientError as error:
        play.code = error.code
    play.say()


async def awaited(line: str) -> None:
    play = Play(line)
    try:
        client = AsyncTaskClient(**play.connection)
        task_id = play.asked.get("taskId") or (await client.call_tool("count", play.asked["call"])).task_id
        async with client.follow_task(str(task_id), **play.follow) as items:
            async for item in items:
                play.take(item)
            assert items.outcome is not None
    except ClientError as error:
        play.code = error.code
    play.say()


async def all_awaited() -> None:
    loop = asyncio.get_running_loop()
    plays = []
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        plays.append(asyncio.create_task(awaited(line)))
    await asyncio.gather(*plays)


def main() -> None:
    if "--asyncio" in sys.argv:
        asyncio.run(all_awaited())
        return
    with ThreadPoolExecutor(PLAYS_AT_ONCE_MAX) as pool:
        for future in [pool.submit(blocking, line) for line in sys.stdin]:
            future.result()


if __name__ == "__main__":
    main()
