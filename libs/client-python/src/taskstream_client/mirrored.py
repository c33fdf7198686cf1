"""Arguments that a tool's schema wants mirrored in headers. 2026-07-28 Streamable HTTP §Custom Headers from Tool Parameters.

Invariants: only strings, booleans and integers on plain properties are mirrored; a schema with any other annotation is
refused as a whole; what is absent or null has no header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import ShapeError
from .exchange import encode_header_value
from .types import Headers, Json
from .wire import SEQ_MAX

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_DEPTH_MAX = 64
_DATA_KEYWORDS = frozenset(("default", "const", "enum", "examples"))
"""Keywords whose values are data, not schemas."""
_MAP_KEYWORDS = frozenset(("properties", "patternProperties", "$defs", "definitions", "dependentSchemas"))
"""Keywords whose values are maps from names to schemas."""


@dataclass(frozen=True)
class Mirrored:
    """A parameter with a header: where it lies in the arguments, and the header's name."""

    path: tuple[str, ...]
    header: str


def mirrored_parameters(schema: Json) -> tuple[Mirrored, ...]:
    """@raises ShapeError for an annotation that is not valid"""
    found = tuple(_annotated(schema, (), 0))
    names = [parameter.header.lower() for parameter in found]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise ShapeError(f"the header {found[at].header} is used twice")
    return found


def _annotated(node: Any, path: tuple[str, ...] | None, depth: int) -> Iterator[Mirrored]:
    """``path`` is None where no annotation is allowed."""
    if depth > _DEPTH_MAX:
        raise ShapeError(f"the schema is deeper than {_DEPTH_MAX} levels")
    if isinstance(node, list):
        for child in node:
            yield from _annotated(child, None, depth + 1)
    if not isinstance(node, dict):
        return
    if "x-mcp-header" in node:
        yield _parameter(node, path)
    for key, value in node.items():
        if key in _DATA_KEYWORDS:
            continue
        if key not in _MAP_KEYWORDS or not isinstance(value, dict):
            yield from _annotated(value, None, depth + 1)
            continue
        for name, child in value.items():
            inner = (*path, name) if path is not None and key == "properties" else None
            yield from _annotated(child, inner, depth + 1)


def _parameter(node: Mapping[str, Any], path: tuple[str, ...] | None) -> Mirrored:
    name, kinds = node["x-mcp-header"], node.get("type")
    if not isinstance(name, str) or not _TOKEN.fullmatch(name):
        raise ShapeError("an x-mcp-header is not a header name")
    if not path:
        raise ShapeError(f"x-mcp-header {name} is not on a plain property")
    plain = [kind for kind in (kinds if isinstance(kinds, list) else [kinds]) if kind != "null"]
    if len(plain) != 1 or plain[0] not in ("string", "integer", "boolean"):
        raise ShapeError(f"x-mcp-header {name} is on a property that is not a string, an integer or a boolean")
    return Mirrored(path, f"Mcp-Param-{name}")


def parameter_headers(parameters: Sequence[Mirrored], arguments: Json) -> Headers:
    headers = {}
    for parameter in parameters:
        value: Any = arguments
        for key in parameter.path:
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool):
            value = "true" if value else "false"
        if isinstance(value, str) or (isinstance(value, int) and abs(value) <= SEQ_MAX):
            headers[parameter.header] = encode_header_value(str(value))
    return headers
