"""Arguments that a tool's schema wants mirrored in headers. 2026-07-28 Streamable HTTP §Custom Headers from Tool Parameters.

Invariant: only strings, booleans and integers on plain properties are mirrored; what is absent or null has no header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from .exchange import encode_header_value
from .types import Headers, Json

_DEPTH_MAX = 32


def mirrored_headers(tool: Json | None, arguments: Json) -> Headers:
    if tool is None:
        return {}
    headers = {}
    for name, value in _annotated(tool.get("inputSchema"), arguments, 0):
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, (str, int)):
            headers[f"Mcp-Param-{name}"] = encode_header_value(str(value))
    return headers


def _annotated(schema: Any, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or depth > _DEPTH_MAX:
        return
    for key, child in properties.items():
        inner = value.get(key) if isinstance(value, dict) else None
        name = child.get("x-mcp-header") if isinstance(child, dict) else None
        if isinstance(name, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            yield name, inner
        yield from _annotated(child, inner, depth + 1)
