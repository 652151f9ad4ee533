"""The settings in, docs/settings.md out: one row per setting.

Separate because only `make docs` and its test need it.
"""

from __future__ import annotations

import types
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic_core import PydanticUndefined

from worker.configuration import ENVIRONMENT_PREFIX, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic.fields import FieldInfo

_NAMES: Final = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "yes or no",
    Path: "path",
    SecretStr: "secret",
    types.NoneType: "none",
}

_CONTAINERS: Final = {list: "list", dict: "mapping"}
_ANYTHING: Final = dict[str, Any]

_HEAD: Final = (
    "| setting | environment | type | default | meaning |",
    "| --- | --- | --- | --- | --- |",
)

_OWN_DEFAULT: Final = {"collect.name": "the host's name"}
"""Defaults that differ from machine to machine, so that the page does not."""


def settings_page() -> str:
    """Return docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "<!-- Generated from worker/configuration.py by `make docs`. Do not edit. -->",
        "",
        "One YAML file (`--config FILE` or `TRAILWARDEN_CONFIG`) and the environment, which wins.",
        "In the file a group is a mapping: `kafka.group` is `group:` below `kafka:`. Lists and",
        "mappings in the environment are JSON. Secrets belong in files; they print as `***`.",
    ]
    for group, field in Settings.model_fields.items():
        kind = field.annotation
        is_group = isinstance(kind, type) and issubclass(kind, BaseModel)
        lines += _group(group, kind) if is_group else _alone(group, field)
    return "\n".join(lines) + "\n"


def _group(group: str, kind: Any) -> Iterator[str]:
    yield from ("", f"## {group}", "", (kind.__doc__ or "").strip().splitlines()[0], "")
    yield from _HEAD
    for name, setting in kind.model_fields.items():
        yield _row(f"{group}.{name}", setting)


def _alone(name: str, setting: FieldInfo) -> Iterator[str]:
    yield from ("", f"## {name}", "", "A list by itself, without a group: docs/site.md.", "")
    yield from _HEAD
    yield _row(name, setting)


def _row(name: str, setting: FieldInfo) -> str:
    environment = ENVIRONMENT_PREFIX + name.replace(".", "__").upper()
    cells = (
        f"`{name}`",
        f"`{environment}`",
        _type(setting.annotation) + _limits(setting),
        _OWN_DEFAULT.get(name) or _default(setting.default),
        setting.description or "",
    )
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _type(kind: Any) -> str:
    if kind == _ANYTHING or (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return "mappings"
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Literal:
        return ", ".join(f"`{part}`" for part in parts)
    names = [_type(part) for part in parts]
    if origin in {Union, types.UnionType}:
        return " or ".join(names)
    if origin in _CONTAINERS:
        return f"{_CONTAINERS[origin]} of {' to '.join(names)}"
    return _NAMES[kind]


def _limits(setting: FieldInfo) -> str:
    signs = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}
    limits = [
        f"{sign} {getattr(rule, name):,}"
        for rule in setting.metadata
        for name, sign in signs.items()
        if getattr(rule, name, None) is not None
    ]
    return f" ({', '.join(limits)})" if limits else ""


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value in ([], {}):
        return "none"
    return f"`{value}`"
