"""What a pod spec asks of its node: CPUs and GPUs, as numbers that can be compared.

Separate from the pod_spec facet because quantities have a grammar of their own and come as text or
as number. Sources: Kubernetes API reference, Quantity (apimachinery pkg/api/resource); how the
scheduler sums containers: KEP-753; a limit without a request is the request, which is how GPUs are
asked for: Kubernetes documentation, "Schedule GPUs" and "Resource Management for Pods".
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from ingest.facets.body import items, mapping
from ingest.schema import POD_SPEC_PREFIX as P

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_CPU: Final = "cpu"
_GPU: Final = "/gpu"
"""How resources of GPUs end, whoever makes them: ``nvidia.com/gpu``, ``amd.com/gpu``."""

_SUFFIXES: Final = {
    "": Fraction(1),
    **{name: Fraction(1, 1_000**n) for n, name in enumerate(("m", "u", "n"), 1)},
    **{name: Fraction(1_000**n) for n, name in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{f"{name}i": Fraction(1_024**n) for n, name in enumerate("KMGTPE", 1)},
}
_LETTERS: Final = "munkMGTPEKi"
_MOST_CHARACTERS: Final = 32
_MOST_EXPONENT: Final = 99
_LARGEST: Final = 2**63 - 1
"""What is more counts as this much, as Kubernetes does."""

_REMEMBERED: Final = 4_096

Facet = dict[str, object]


def request_facet(spec: Mapping[str, Any]) -> Facet:
    """Extract the requests of a pod spec: those of its containers together.

    An init container ends before the others begin: it counts where it alone asks for more, unless
    it goes on beside them (``restartPolicy: Always``). What the pod as a whole asks for goes before
    what its containers do. None where nothing is asked for, or nothing that is a quantity.
    """
    whole = _cpu(spec)
    return {
        P + "cpu_request": _number(_of_pod(spec, _cpu) if whole is None else whole, 1_000),
        P + "gpu_request": _number(_of_pod(spec, _gpus), 1),
    }


def _of_pod(spec: Mapping[str, Any], asked: Any) -> Fraction | None:
    init = [mapping(container) for container in items(spec.get("initContainers"))]
    beside = [c for c in init if c.get("restartPolicy") == "Always"]
    before = [c for c in init if c.get("restartPolicy") != "Always"]
    together = _sum(asked(mapping(c)) for c in (*items(spec.get("containers")), *beside))
    each = [found for c in before if (found := asked(c)) is not None]
    return max(each if together is None else [*each, together], default=None)


def _sum(values: Iterable[Fraction | None]) -> Fraction | None:
    found = [value for value in values if value is not None]
    return sum(found, Fraction(0)) if found else None


def _number(value: Fraction | None, scale: int) -> int | None:
    return None if value is None else min(ceil(value * scale), _LARGEST)


def _cpu(holder: Mapping[str, Any]) -> Fraction | None:
    resources = mapping(holder.get("resources"))
    return _asked(resources, _CPU) if resources else None


def _gpus(holder: Mapping[str, Any]) -> Fraction | None:
    resources = mapping(holder.get("resources"))
    if not resources:
        return None
    named = {*mapping(resources.get("limits")), *mapping(resources.get("requests"))}
    return _sum(_asked(resources, name) for name in named if name.endswith(_GPU))


def _asked(resources: Mapping[str, Any], name: str) -> Fraction | None:
    request = mapping(resources.get("requests")).get(name)
    return quantity(mapping(resources.get("limits")).get(name) if request is None else request)


def quantity(value: object) -> Fraction | None:
    """Return a quantity, ``500m``, ``2``, ``1e3`` or a number; None for what is none, or below 0.

    >>> quantity("500m"), quantity(2), quantity("-1")
    (Fraction(1, 2), Fraction(2, 1), None)
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    if isinstance(value, int):
        return Fraction(value) if value >= 0 else None
    written = value if isinstance(value, str) else str(value)
    return _read(written) if len(written) <= _MOST_CHARACTERS else None


@lru_cache(_REMEMBERED)
def _read(written: str) -> Fraction | None:
    number = written.rstrip(_LETTERS)
    scale = _SUFFIXES.get(written[len(number) :])
    mantissa, mark, exponent = number.replace("E", "e").partition("e")
    if mark:
        scale = _power(exponent) if number == written else None
    whole, _, part = mantissa.removeprefix("+").partition(".")
    if scale is None or not _are_digits(whole + part):
        return None
    return Fraction(int(whole + part), 10 ** len(part)) * scale


def _power(exponent: str) -> Fraction | None:
    digits = exponent.removeprefix("-" if exponent.startswith("-") else "+")
    if not _are_digits(digits) or int(digits) > _MOST_EXPONENT:
        return None
    size = Fraction(10 ** int(digits))
    return 1 / size if exponent.startswith("-") else size


def _are_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
