"""The template engine of all pages, told once to escape and to show what is in a value.

Separate from the pages because none of them may forget either.
"""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined

from detectors.attack import technique_url
from sinks.report.verdict import counted, sized, timed
from sinks.report.visible import marked, prose, shown, web_link


@cache
def environment() -> Environment:
    """Return the engine; every value passes `sinks.report.visible.shown` and is escaped."""
    made = Environment(
        loader=PackageLoader("sinks.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {
        "value": marked,
        "prose": prose,
        "web_link": web_link,
        "technique_url": technique_url,
        "counted": counted,
        "sized": sized,
        "timed": timed,
    }
    return made
