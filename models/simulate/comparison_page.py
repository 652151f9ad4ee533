"""A comparison in, a page of Markdown out.

Separate because it is words for people; the figures are made elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.simulate.comparison import Comparison, Counted

_TITLES: Final = {
    "verb": "verb",
    "resource": "resource",
    "agent": "user agent's family",
    "identity_type": "type of identity",
    "code": "response code",
    "level": "audit level",
    "stage": "stage",
}


def comparison_page(comparison: Comparison, real: str, simulated: str) -> str:
    """Write the figures of a comparison; ``real`` and ``simulated`` say what was compared."""
    compared = (
        f"Compared: {real} ({comparison.real_events:,} events, {comparison.real_identities} "
        f"identities) and {simulated} ({comparison.simulated_events:,} simulated events, "
        f"{comparison.simulated_identities} identities)."
    )
    lines = [
        compared,
        "",
        "| counted | total variation distance |",
        "| --- | ---: |",
        *(f"| {_TITLES[one.column]} | {one.distance:.3f} |" for one in comparison.counted),
        "",
        "| measured | KS statistic | real: 5 %, half, 95 % | simulated: 5 %, half, 95 % |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {one.name} | {one.statistic:.3f} | {_numbers(one.real)} | "
            f"{_numbers(one.simulated)} |"
            for one in comparison.measured
        ),
    ]
    for one in comparison.counted:
        lines += ["", *_largest(one)]
    return "\n".join(lines) + "\n"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values)  # noqa: PLR2004 - digits


def _largest(counted: Counted) -> list[str]:
    return [
        f"Furthest apart by {_TITLES[counted.column]}:",
        "",
        "| value | real, % | simulated, % |",
        "| --- | ---: | ---: |",
        *(
            f"| {_cell(one.value)} | {one.real * 100:.1f} | {one.simulated * 100:.1f} |"
            for one in counted.largest
        ),
    ]


def _cell(text: str) -> str:
    """Keep what a log says from breaking the table."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return "`" + shown.replace("|", "/").replace("`", "'")[:60] + "`"
