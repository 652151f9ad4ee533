"""A folder of community Sigma rules becomes what can be used of it, and why the rest cannot.

Nothing is translated here: a file compiles as it is written, with Sigma's own field names, or it is
refused with the compiler's reasons. So a rule that is used means what it means to every correct
Sigma engine. Separate from the compiler, which refuses a folder as a whole: whoever brings rules
from elsewhere wants those that work, and a list of the others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from detectors.sigma.compiler import CASES_SUFFIXES, SUFFIXES, load_pack
from detectors.sigma.errors import START, InvalidRulesError, RefusedError, RuleError
from detectors.sigma.fields import column_named
from detectors.sigma.rule_file import read_bytes
from detectors.sigma.strict_yaml import Mapping, Node, Scalar, Sequence, parse_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from detectors.site import Site

PROVENANCE: Final = "# Imported from "
"""How the line begins that an imported file gets before its own first one."""

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


class OverwriteError(Exception):
    """A file is where an imported rule would go, and was not imported itself."""


@dataclass(frozen=True, slots=True)
class CommunityFile:
    """One file, what it says about itself, and what became of it."""

    file: Path
    title: str | None
    id: str | None
    author: str | None
    license: str | None
    product: str | None
    fields: dict[str, str]
    """Names of fields that its detections use, as they are written, and the columns they mean."""
    unknown_fields: tuple[str, ...]
    problems: tuple[RuleError, ...]
    """Why it is refused; none: it compiles."""


def read_community(folder: Path, site: Site) -> tuple[CommunityFile, ...]:
    """Return the rule files below ``folder``, sorted, each with all that is wrong with it.

    A correlation whose base is refused is refused for that. Costs one load of the folder for each
    link of the longest such chain.
    """
    files = sorted(file for file in folder.rglob("*") if _is_rule_file(file))
    refused = _refused(files, site)
    return tuple(_described(file, tuple(refused.get(file, ()))) for file in files)


def imported_text(file: Path, folder: Path) -> bytes:
    """Return a file's text unchanged, behind one comment line that says where it came from."""
    data = file.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    name = f"{folder.resolve().name}/{file.relative_to(folder).as_posix()}"
    shown = "".join(c if c.isprintable() else "?" for c in name)
    line = f"{PROVENANCE}{shown}, sha256 {digest}\n".encode(errors="replace")
    if data.startswith(_BYTE_ORDER_MARK):  # it may stand nowhere but in front
        return _BYTE_ORDER_MARK + line + data.removeprefix(_BYTE_ORDER_MARK)
    return line + data


def write_imported(found: CommunityFile, folder: Path, out: Path) -> Path:
    """Write one file below ``out``, where it stood below ``folder``; return where.

    Raises ``OverwriteError`` where a file is that was not imported, ``OSError`` where it cannot be
    written.
    """
    target = out / found.file.relative_to(folder)
    if target.exists() and not _is_imported(target):
        raise OverwriteError(f"{target} is there already and was not imported")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(imported_text(found.file, folder))
    return target


def _is_imported(target: Path) -> bool:
    begun = target.read_bytes().removeprefix(_BYTE_ORDER_MARK)
    return begun.startswith(PROVENANCE.encode())


def _is_rule_file(file: Path) -> bool:
    named = file.suffix in SUFFIXES and not file.name.endswith(CASES_SUFFIXES)
    return named and file.is_file()


def _refused(files: list[Path], site: Site) -> dict[Path, list[RuleError]]:
    """Return the problems of each file that does not compile, alone or with the others."""
    refused: dict[Path, list[RuleError]] = {}
    left = files
    while left:
        try:
            load_pack(left, site)
        except InvalidRulesError as invalid:
            for error in invalid.errors:
                refused.setdefault(error.file, []).append(error)
            left = [file for file in left if file not in refused]
        else:
            break
    return refused


def _described(file: Path, problems: tuple[RuleError, ...]) -> CommunityFile:
    documents = [node for node in _documents(file) if isinstance(node, Mapping)]
    about = _main(documents)
    names = dict.fromkeys(name for one in documents for name in _fields(one.get("detection")))
    columns = {name: _column(name) for name in names}
    products = dict.fromkeys(filter(None, map(_product, documents)))
    return CommunityFile(
        file=file,
        title=_text(about, "title"),
        id=_text(about, "id"),
        author=_text(about, "author"),
        license=_text(about, "license"),
        product=", ".join(products) or None,
        fields={name: column for name, column in columns.items() if column},
        unknown_fields=tuple(name for name, column in columns.items() if not column),
        problems=problems,
    )


def _main(documents: list[Mapping]) -> Mapping | None:
    """Return the document that speaks for the file: the correlation that has an id, else the first.

    Correlations that only serve it may leave the id out.
    """
    joining = [one for one in documents if "correlation" in one.entries and "id" in one.entries]
    return next(iter((*joining, *documents)), None)


def _documents(file: Path) -> list[Node]:
    try:
        return parse_all(read_bytes(file))
    except RefusedError:
        return []  # it is among the problems


def _product(document: Mapping) -> str | None:
    source = document.get("logsource")
    return _text(source, "product") if isinstance(source, Mapping) else None


def _text(mapping: Mapping | None, key: str) -> str | None:
    node = mapping.get(key) if mapping else None
    return node.text.strip() if isinstance(node, Scalar) and node.value is not None else None


def _fields(node: Node | None) -> Iterator[str]:
    """Yield the names of the fields of all selections, without modifiers."""
    if isinstance(node, Mapping):
        for key, entry in node.entries.items():
            if isinstance(entry.value, Mapping | Sequence):
                yield from _of_selection(key, entry.value)


def _of_selection(name: str, node: Node) -> Iterator[str]:
    if name == "condition":
        return
    for part in node.items if isinstance(node, Sequence) else (node,):
        if isinstance(part, Mapping):
            yield from (key.partition("|")[0] for key in part.entries if key.partition("|")[0])


def _column(name: str) -> str | None:
    try:
        return column_named(name, START).name
    except RefusedError:
        return None
