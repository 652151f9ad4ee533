"""Executes the notebooks and writes each, with its outputs, as .ipynb and as one .html page.

    python notebooks/run.py [--out out/notebooks] [NAME...]

The notebooks are kept as text without outputs; this is how to read them without an editor. The page
holds what the notebook shows (tables, pictures, text) and no script.
"""

from __future__ import annotations

import argparse
import sys
import time
from html import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import jupytext  # type: ignore[import-untyped] # ships no types
import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parent
NAMES = ("first_look", "investigate_finding")
TIMEOUT_S = 300

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:13px}td,th{border:1px solid #d9dde2;"
    "padding:2px 8px;text-align:left;vertical-align:top;white-space:pre-wrap}"
    "pre{background:#f4f5f7;padding:.6rem;overflow:auto;font-size:12px}"
    "div.out{overflow:auto;margin:.6rem 0}"
)


def execute(path: Path, folder: Path) -> Any:
    """Return the executed notebook of a percent file; cells run in ``folder``.

    Raises
        nbclient.exceptions.CellExecutionError: a cell failed.
    """
    notebook = jupytext.read(path)
    resources = {"metadata": {"path": str(folder)}}
    # The kernel is reached through sockets in a folder of ours, so it listens on no port.
    with TemporaryDirectory(prefix="kernel-") as sockets:
        kernel = AsyncKernelManager(kernel_name="python3", transport="ipc", ip=f"{sockets}/k")
        client = NotebookClient(notebook, km=kernel, timeout=TIMEOUT_S, resources=resources)
        return client.execute(cleanup_kc=True)


def page(notebook: Any, title: str) -> str:
    """Return an executed notebook as a page."""
    body = "\n".join(part for cell in notebook.cells for part in _shown(cell))
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _shown(cell: Any) -> Iterator[str]:
    if cell.cell_type == "markdown":
        yield from map(_paragraph, cell.source.split("\n\n"))
        return
    yield f"<details><summary>code</summary><pre>{escape(cell.source)}</pre></details>"
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        text = escape(data.get("text/plain", output.get("text", "")))
        shown = data.get("image/svg+xml") or data.get("text/html") or f"<pre>{text}</pre>"
        yield f'<div class="out">{shown}</div>'


def _paragraph(text: str) -> str:
    level = len(text) - len(text.lstrip("#"))
    pieces = escape(text.lstrip("# ")).split("`")
    words = "".join(f"<code>{one}</code>" if i % 2 else one for i, one in enumerate(pieces))
    return f"<h{level}>{words}</h{level}>" if level else f"<p>{words}</p>"


def main() -> int:
    """Run the notebooks named, or all."""
    parser = argparse.ArgumentParser(description="Execute the notebooks.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--out", type=Path, default=Path("out/notebooks"), help="folder to write")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name in arguments.names or NAMES:
        begun = time.monotonic()
        notebook = execute(FOLDER / f"{name}.py", FOLDER)
        nbformat.write(  # type: ignore[no-untyped-call] # declares no types
            notebook, arguments.out / f"{name}.ipynb"
        )
        target = arguments.out / f"{name}.html"
        target.write_text(page(notebook, name.replace("_", " ")), encoding="utf-8")
        sys.stdout.write(f"{target} ({time.monotonic() - begun:.0f} s)\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
