"""``python3 -m taskstream_client follow <taskId> --url <url>``: a task's events on standard output.

With ``--ndjson`` one line per event, the JSON text of its params, and a last line ``{"outcome": …}``. Notices go to
standard error with ``-v``. Exit codes: 0 done, whatever the task's outcome; 1 the follow failed; 2 wrong usage.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from typing import Any

from .aio import AsyncTaskClient
from .client import TaskClient
from .cursors import FileCursorStore
from .errors import ClientError
from .limits import Limits
from .types import FollowItem, Gap, Notice, TaskOutcome


def main(argv: list[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    limits = {name: getattr(options, name) for name in _LIMITS if getattr(options, name) is not None}
    try:
        connection: dict[str, Any] = {
            "endpoints": options.url,
            "era": options.era,
            "headers": dict(_header(text) for text in options.header),
            "limits": Limits(**limits),
            "on_notice": _say if options.verbose else None,
        }
        follow: dict[str, Any] = {
            "after": options.after,
            "cursor_store": FileCursorStore(options.cursor_file) if options.cursor_file else None,
            "on_events_gone": options.on_events_gone,
        }
        if options.asyncio:
            outcome = asyncio.run(_follow_async(options, connection, follow))
        else:
            outcome = _follow(options, connection, follow)
    except ClientError as error:
        print(json.dumps({"error": {"code": error.code, "message": str(error)}}), file=sys.stderr)
        return 2 if error.code == "invalid_argument" else 1
    _print({"outcome": {"status": outcome.status, "result": outcome.result, "error": outcome.error}})
    return 0


_LIMITS = ("silence_timeout_ms", "attempts_max", "backoff_base_ms", "backoff_max_ms", "request_timeout_ms")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="taskstream_client", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    follow = commands.add_parser("follow", help="follow the events of a task until it ends")
    follow.add_argument("task_id", metavar="taskId")
    follow.add_argument("--url", action="append", required=True, help="MCP endpoint; repeat it for more")
    follow.add_argument("--era", default="2026-07-28", choices=("2026-07-28", "2025-11-25"))
    follow.add_argument("--after", type=int, help="leave out events up to this seq")
    follow.add_argument("--cursor-file", help="keep the position there, and go on from it")
    follow.add_argument("--on-events-gone", default="fail", choices=("fail", "resume", "restart"))
    follow.add_argument("--header", action="append", default=[], metavar="NAME: VALUE")
    follow.add_argument("--ndjson", action="store_true", help="one JSON line per event, and the outcome")
    follow.add_argument("--asyncio", action="store_true", help="use the asyncio client")
    follow.add_argument("-v", "--verbose", action="store_true", help="notices on standard error")
    for name in _LIMITS:
        follow.add_argument(f"--{name.replace('_', '-')}", type=int, help=argparse.SUPPRESS)
    return parser


def _header(text: str) -> tuple[str, str]:
    name, found, value = text.partition(":")
    if not found:
        raise ClientError("invalid_argument", "header: expected NAME: VALUE")
    return name.strip(), value.strip()


def _follow(options: argparse.Namespace, connection: dict[str, Any], follow: dict[str, Any]) -> TaskOutcome:
    with TaskClient(**connection).follow_task(options.task_id, **follow) as items:
        for item in items:
            _show(item, options.ndjson)
        return items.outcome


async def _follow_async(options: argparse.Namespace, connection: dict[str, Any], follow: dict[str, Any]) -> TaskOutcome:
    async with AsyncTaskClient(**connection).follow_task(options.task_id, **follow) as items:
        async for item in items:
            _show(item, options.ndjson)
        return items.outcome


def _show(item: FollowItem, ndjson: bool) -> None:
    if isinstance(item, Gap):
        _print({"gap": {"from": item.first, "to": item.last, "restarted": item.restarted}})
    elif ndjson:
        print(item.raw, flush=True)
    else:
        # Payloads are untrusted: escaped JSON cannot move the cursor of a terminal.
        print(f"{item.seq} {json.dumps(item.type)} {json.dumps(item.payload)}", flush=True)


def _print(value: Any) -> None:
    print(json.dumps(value), flush=True)


def _say(notice: Notice) -> None:
    known = {key: value for key, value in notice.__dict__.items() if value is not None}
    print(json.dumps(known), file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
