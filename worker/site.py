"""Settings become a site: its lists, what its namespaces are worth, its maintenance, exceptions.

Separate from the settings because collectors read those as well and must not load Polars for it.
"""

from __future__ import annotations

from datetime import UTC
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from detectors.entities.geography import DATABASES, GeographyError, opened
from detectors.sigma.compiler import read_document
from detectors.sigma.errors import InvalidRulesError, Problems
from detectors.sigma.exception_file import read_exceptions
from detectors.sigma.strict_yaml import Mapping, parse, plain
from detectors.site import DEFAULT_LISTS, HIDDEN, Criticality, Site, Window
from worker.configuration import InvalidSettingsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from detectors.entities.geography import Geography
    from detectors.exceptions import Exemption
    from detectors.severity import Named
    from detectors.sigma.strict_yaml import Node
    from worker.configuration import Settings
    from worker.detection_settings import Maintenance

_NETWORKS: Final = ("trusted_networks", "threat_networks", HIDDEN)
_ENVIRONMENT: Final = Path("environment")


def site_of(settings: Settings) -> Site:
    """Return what the settings say about the site, with defaults where they say nothing.

    Raises
        InvalidSettingsError: a value cannot be used; the message names each setting.
    """
    given = settings.site
    lists = dict(DEFAULT_LISTS) | {name: tuple(values) for name, values in given.lists.items()}
    for name, values in given.more.items():
        lists[name] = (*lists.get(name, ()), *values)
    wrong = [*_wrong_lists(lists), *_wrong_windows(given.maintenance)]
    if wrong:
        raise InvalidSettingsError("\n".join(wrong))
    geography = _geography(given.geoip)
    lists[DATABASES] = () if geography is None else (geography.version,)
    worth = {pattern: Criticality(value) for pattern, value in given.criticality.items()}
    windows = tuple(_window(one) for one in given.maintenance)
    return Site(lists, worth, windows, geography)


def _geography(file: Path | None) -> Geography | None:
    if file is None:
        return None
    try:
        return opened(file)
    except GeographyError as error:
        raise InvalidSettingsError(f"site.geoip: {error}") from error


def load_exceptions(
    settings: Settings, config: Path | None, detections: Iterable[Named], site: Site
) -> tuple[Exemption, ...]:
    """Return the exceptions of the settings and of `rules.exceptions_file`, in this order.

    Parameters
        config: the file that ``settings`` were read from, for the lines of what is wrong.
        detections: what exceptions may name.

    Raises
        InvalidRulesError: one is refused; carries every problem of both files.
    """
    known = tuple(detections)
    found: list[Exemption] = []
    errors = []
    for file, node in _nodes(settings, config):
        problems = Problems(file)
        read = node or problems.attempt(None, read_document, file)
        if read is not None:
            found += read_exceptions(read, problems, known, site.lists)
        errors += problems.in_order()
    if errors:
        raise InvalidRulesError(tuple(errors))
    return tuple(found)


def _nodes(settings: Settings, config: Path | None) -> Iterator[tuple[Path, Node | None]]:
    """Yield the file of each list of exceptions, and the list unless the file is all of it."""
    if settings.exceptions:
        document = parse(config.read_bytes()) if config else None
        node = document.get("exceptions") if isinstance(document, Mapping) else None
        if config and node and plain(node) == settings.exceptions:
            yield config, node
        else:  # the environment's, which has no lines
            yield _ENVIRONMENT, parse(orjson.dumps(settings.exceptions))
    if settings.rules.exceptions_file:
        yield settings.rules.exceptions_file, None


def _wrong_lists(lists: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for name, values in lists.items():
        if not (name.isascii() and name.isidentifier()):
            yield f"site.lists: {name!r} is no name: letters, digits and _"
        if any(not value.strip() for value in values):
            yield f"site.lists.{name}: a value is empty"
    for name in _NETWORKS:
        for value in lists[name]:
            try:
                ip_network(value)
            except ValueError as error:
                yield f"site.lists.{name}: {error}"


def _wrong_windows(windows: Iterable[Maintenance]) -> Iterator[str]:
    for at, window in enumerate(windows):
        if window.end <= window.start:
            yield f"site.maintenance.{at}: ends at {window.end} but starts at {window.start}"


def _window(given: Maintenance) -> Window:
    return Window(
        given.start.astimezone(UTC),
        given.end.astimezone(UTC),
        given.reason,
        tuple(given.clusters),
        tuple(given.rules),
    )
