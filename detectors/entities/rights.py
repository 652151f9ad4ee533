"""Roles and bindings, as they were at a time, become what somebody may do, and what a change gives.

Separate from the memory and from frames: a right is covered by another when wildcards, groups and
namespaces say so, which no join can tell. Changes of rights are few, and asked one at a time.

Sources: Kubernetes documentation, "Using RBAC Authorization" (wildcards, resourceNames, aggregated
ClusterRoles, default roles) and "Authenticating" (groups of service accounts, system:masters).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice, product
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import unquote

from detectors.entities.relation import JOINT, Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_RIGHTS: Final = 1_000
"""Told of one change; whoever gives more gives everything."""

ANY: Final = "*"
_SERVICE_ACCOUNT: Final = "system:serviceaccount:"
_EVERYBODY: Final = "Group/system:authenticated"
_MASTERS: Final = "Group/system:masters"
_UNKNOWN_ROLE: Final = "all-of"
"""Verb of what a role gives whose rules were never seen."""

Texts = frozenset[str]
_Atom = tuple[str, str, str, str]
_Value = TypeVar("_Value", str, tuple[str, ...])


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a role."""

    verbs: Texts
    groups: Texts
    resources: Texts
    names: Texts
    urls: Texts
    atoms: frozenset[_Atom] = field(default=frozenset(), compare=False)
    """What it gives of objects, each by itself."""
    is_wild: bool = True
    """It gives more than it lists, or anything but objects."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """One thing that may be done; ``name`` and ``namespace`` are empty where all are meant."""

    verb: str
    group: str
    resource: str
    name: str = ""
    namespace: str = ""
    is_url: bool = False

    def __str__(self) -> str:
        """Return ``verb resource[.group][/subresource][/name] [@namespace]``, as kubectl does.

        The group tells everything (``* *.*``) from everything of one product (``* *.keda.sh``).
        """
        resource, slash, below = self.resource.partition("/")
        group = f".{self.group}" if self.group else ""
        url = "/*" if self.resource == ANY else self.resource
        what = url if self.is_url else f"{resource}{group}{slash}{below}"
        name = f"/{self.name}" if self.name else ""
        return f"{self.verb} {what}{name}" + (f" @{self.namespace}" if self.namespace else "")


@dataclass(frozen=True, slots=True)
class Grant:
    """A rule that holds in a namespace, in all of them where it is empty."""

    rule: Rule
    namespace: str = ""

    def rights(self) -> Iterator[Right]:
        """Yield what is granted, in order."""
        rule = self.rule
        for verb, group, resource, name in product(
            sorted(rule.verbs),
            sorted(rule.groups),
            sorted(rule.resources),
            sorted(rule.names) or [""],
        ):
            yield Right(verb, group, resource, name, self.namespace)
        if not self.namespace:
            for verb, url in product(sorted(rule.verbs), sorted(rule.urls)):
                yield Right(verb, "", url, is_url=True)

    def covers(self, right: Right) -> bool:
        """Return whether this already gives ``right``, wildcards of both considered."""
        rule = self.rule
        if self.namespace and self.namespace != right.namespace:
            return False
        if not rule.verbs & {ANY, right.verb}:
            return False
        if right.is_url:
            return not self.namespace and any(_url_covers(url, right.resource) for url in rule.urls)
        return (
            bool(rule.groups & {ANY, right.group})
            and _resource_covered(rule.resources, right.resource)
            and (not rule.names or right.name in rule.names)
        )


_EVERYTHING: Final = Rule(
    frozenset({ANY}), frozenset({ANY}), frozenset({ANY}), frozenset(), frozenset({ANY})
)


@lru_cache(maxsize=8_192)
def rule_of(text: str) -> Rule:
    """Return the rule that ``trailwarden.rbac.rules`` writes as ``text``."""
    parts = [_names(part) for part in text.split("|")]
    parts += [frozenset()] * (5 - len(parts))
    verbs, groups, resources, names, urls = parts[:5]
    # The core group is written as nothing, alone or before the first comma.
    written = text.split("|")[1] if "|" in text else ""
    core = {""} if written == "" or written.startswith(",") else set()
    groups = groups | core if resources else groups
    is_wild = bool(urls) or any(ANY in part for part in (*verbs, *groups, *resources))
    listed = product(verbs, groups, resources, names or {""})
    atoms = frozenset(islice(listed, MOST_RIGHTS + 1))
    if len(atoms) > MOST_RIGHTS:
        # Whoever lists so much is asked one by one, and keeps no room here.
        atoms, is_wild = frozenset(), True
    return Rule(verbs, groups, resources, names, urls, atoms, is_wild)


def _names(part: str) -> Texts:
    return frozenset(unquote(name) for name in part.split(",") if name)


@dataclass(slots=True)
class Book:
    """Roles and bindings at one time, by ``Kind/namespace/name``."""

    rules: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aggregates: dict[str, tuple[str, ...]] = field(default_factory=dict)
    role_of: dict[str, str] = field(default_factory=dict)
    subjects_of: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def copy(self) -> Book:
        """Return a book that can be written in without changing this one."""
        return Book(
            dict(self.rules), dict(self.aggregates), dict(self.role_of), dict(self.subjects_of)
        )

    def note(self, relation: Relation, subject: str, what: str) -> None:
        """Take a fact into account; an empty object removes what was there."""
        texts = tuple(what.split(JOINT)) if what else ()
        if relation is Relation.BINDING_ROLE:
            _put(self.role_of, subject, what)
        elif relation is Relation.BINDING_SUBJECT:
            _put(self.subjects_of, subject, texts)
        elif relation is Relation.ROLE_RULE:
            _put(self.rules, subject, texts)
        elif relation is Relation.ROLE_AGGREGATES:
            _put(self.aggregates, subject, texts)

    def grants_of(self, subjects: Iterable[str]) -> list[Grant]:
        """Return what any of these subjects is granted by any binding."""
        wanted = set(subjects)
        found = [
            grant
            for binding, bound in self.subjects_of.items()
            if wanted.intersection(bound)
            for grant in self.grants_by(binding)
        ]
        return [*found, Grant(_EVERYTHING)] if _MASTERS in wanted else found

    def grants_by(self, binding: str) -> list[Grant]:
        """Return what a binding grants to each of its subjects."""
        _, namespace, _ = binding.split("/", 2)
        kind, _, name = self.role_of.get(binding, "").partition("/")
        role = f"{kind}/{namespace if kind == 'Role' else ''}/{name}"
        return [Grant(rule, namespace) for rule in self._rules(role)] if name else []

    def _rules(self, role: str) -> list[Rule]:
        kind, _, name = role.split("/", 2)
        if role == "ClusterRole//cluster-admin":
            return [_EVERYTHING]
        joined = [role]
        if kind == "ClusterRole":
            joined += sorted(own for own, into in self.aggregates.items() if name in into)
        texts = [text for one in joined for text in self.rules.get(one, ())]
        if not texts and role not in self.rules:
            return [_unknown(f"{kind}/{name}")]
        return [rule_of(text) for text in texts]

    def bindings_of(self, role: str) -> list[str]:
        """Return the bindings that a change of a role reaches, by aggregation too."""
        kind, namespace, name = role.split("/", 2)
        names = {name, *self.aggregates.get(role, ())}
        return sorted(
            binding
            for binding, bound in self.role_of.items()
            if bound.partition("/")[0] == kind
            and bound.partition("/")[2] in names
            and (kind == "ClusterRole" or binding.split("/", 2)[1] == namespace)
        )


@dataclass(frozen=True, slots=True)
class Gain:
    """What somebody may do since a change, and who; both sorted."""

    rights: tuple[str, ...]
    subjects: tuple[str, ...]


def gained(before: Book, after: Book, changed: str) -> Gain:
    """Return what the change of one role or binding gives, to whom.

    Parameters
        changed: ``Kind/namespace/name`` of what was written.
    """
    bindings = (
        [changed]
        if "Binding" in changed.partition("/")[0]
        else sorted({*after.bindings_of(changed), *before.bindings_of(changed)})
    )
    rights: set[str] = set()
    subjects: set[str] = set()
    for binding in bindings:
        given = after.grants_by(binding)
        for subject in after.subjects_of.get(binding, ()):
            own = before.grants_of(also(subject))
            news = list(islice(_not_covered(given, own), MOST_RIGHTS))
            rights.update(news)
            subjects |= {subject} if news else set()
    return Gain(tuple(sorted(rights)[:MOST_RIGHTS]), tuple(sorted(subjects)))


def rights_of(book: Book, identity: str, groups: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what an identity may do, sorted; ``groups`` as far as they are known."""
    grants = book.grants_of(subjects_of(identity, groups))
    found = {str(right) for grant in grants for right in islice(grant.rights(), MOST_RIGHTS)}
    return tuple(sorted(found))


def subjects_of(identity: str, groups: Iterable[str] = ()) -> set[str]:
    """Return all subjects of bindings that mean an identity."""
    found = {f"User/{identity}", *(f"Group/{group}" for group in groups)}
    if identity == "system:anonymous":
        return found | {"Group/system:unauthenticated"}
    if identity.startswith(_SERVICE_ACCOUNT):
        namespace, _, name = identity.removeprefix(_SERVICE_ACCOUNT).partition(":")
        return found | also(f"ServiceAccount/{namespace}/{name}")
    return found | {_EVERYBODY}


def also(subject: str) -> set[str]:
    """Return a subject with all that it is besides: a service account's groups and user name."""
    kind, _, name = subject.partition("/")
    if kind == "ServiceAccount":
        namespace, _, own = name.partition("/")
        return {
            subject,
            f"User/{_SERVICE_ACCOUNT}{namespace}:{own}",
            "Group/system:serviceaccounts",
            f"Group/system:serviceaccounts:{namespace}",
            _EVERYBODY,
        }
    nobody = {"Group/system:unauthenticated", "User/system:anonymous"}
    return {subject} if subject in nobody else {subject, _EVERYBODY}


def _not_covered(given: list[Grant], own: list[Grant]) -> Iterator[str]:
    """Yield the rights that no grant gives already; most are told by equality alone."""
    exact: dict[str, set[_Atom]] = {}
    for grant in own:
        exact.setdefault(grant.namespace, set()).update(grant.rule.atoms)
    wild = [grant for grant in own if grant.rule.is_wild]
    nothing: set[_Atom] = set()
    everywhere = exact.get("", nothing)
    for grant in given:
        here = exact.get(grant.namespace, nothing)
        for right in grant.rights():
            what = (right.verb, right.group, right.resource)
            whole, named = (*what, ""), (*what, right.name)
            if whole in everywhere or named in everywhere or whole in here or named in here:
                continue
            if not wild or not any(one.covers(right) for one in wild):
                yield str(right)


def _resource_covered(granted: Texts, resource: str) -> bool:
    """``*`` covers everything, ``*/exec`` every exec, ``pods`` never ``pods/exec``."""
    subresource = resource.rpartition("/")[2]
    return bool(granted & {ANY, resource} or ("/" in resource and f"*/{subresource}" in granted))


def _url_covers(granted: str, url: str) -> bool:
    return granted in {ANY, url} or (granted.endswith("*") and url.startswith(granted[:-1]))


def _unknown(role: str) -> Rule:
    """Return what stands for the rules of a role that were never seen: only itself covers it."""
    nothing: Texts = frozenset()
    return Rule(frozenset({_UNKNOWN_ROLE}), frozenset({""}), frozenset({role}), nothing, nothing)


def _put(book: dict[str, _Value], key: str, value: _Value) -> None:
    if value:
        book[key] = value
    else:
        book.pop(key, None)
