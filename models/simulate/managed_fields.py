"""An object in, the `metadata.managedFields` that the API server keeps for it out.

Separate because it is a format of its own (structured-merge-diff, FieldsV1): a sixth of the bytes
of a real log.
"""

from __future__ import annotations

from typing import Any

from models.simulate.blank import hole


def managed_fields(manager: str, value: dict[str, Any]) -> list[dict[str, Any]]:
    """Return one manager's entry for all fields of an object; its time is the hole `created`."""
    return [
        {
            "manager": manager,
            "operation": "Update",
            "apiVersion": value.get("apiVersion", "v1"),
            "time": hole("created"),
            "fieldsType": "FieldsV1",
            "fieldsV1": _fields({k: v for k, v in value.items() if k in {"metadata", "spec"}}),
        }
    ]


def _fields(value: Any) -> Any:
    """Name every field of a value; items of lists go by their `name`, else the list is one."""
    if isinstance(value, dict):
        return {f"f:{key}": _fields(item) for key, item in value.items() if key != "managedFields"}
    if isinstance(value, list) and value and all(_is_named(item) for item in value):
        return {f'k:{{"name":"{item["name"]}"}}': {".": {}, **_fields(item)} for item in value}
    return {}


def _is_named(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("name"), str)
