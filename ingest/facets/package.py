"""The words of a command become the package facet: which manager, what it does, which packages.

Separate because "somebody installed something" is said in thirty languages, and a rule should have
to know none of them. Managers of machines and of languages; helm and kubectl are about clusters.
Source of the sub-commands and options: the manuals of the managers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ingest.facets.shell_words import base_name, simple_commands

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Facet = dict[str, object]

INSTALL: Final = "install"
REMOVE: Final = "remove"
UPDATE: Final = "update"
DOWNLOAD: Final = "download"

MAX_PACKAGES: Final = 64
MAX_NAME: Final = 200
"""Characters of a package's name that are kept."""

_ORDER: Final = (INSTALL, DOWNLOAD, REMOVE, UPDATE)
"""Which action counts where one command line has several: `apt update && apt install nmap`."""


@dataclass(frozen=True, slots=True)
class _Manager:
    """How one manager is spoken to."""

    name: str
    actions: dict[str, str]
    """Sub-command -> action."""
    with_value: frozenset[str] = frozenset()
    """Options that take the next word."""
    version_marks: str = "="
    """What ends a package's name."""
    nothing_said: str | None = None
    """The action without a sub-command."""


def _actions(
    install: str, remove: str = "", update: str = "", download: str = ""
) -> dict[str, str]:
    said = ((INSTALL, install), (REMOVE, remove), (UPDATE, update), (DOWNLOAD, download))
    return {word: action for action, words in said for word in words.split()}


def _options(text: str) -> frozenset[str]:
    return frozenset(text.split())


_APT: Final = _Manager(
    "apt",
    _actions(
        "install reinstall build-dep",
        "remove purge autoremove autopurge",
        "update upgrade full-upgrade dist-upgrade safe-upgrade dselect-upgrade",
        "download source",
    ),
    _options("-o --option -t --target-release -c --config-file -a --host-architecture"),
    "=/:",
)
_DNF: Final = _Manager(
    "dnf",
    _actions(
        "install reinstall localinstall groupinstall builddep in rei",
        "remove erase autoremove groupremove rm",
        "update upgrade update-minimal upgrade-minimal distro-sync makecache groupupdate up",
        "download",
    ),
    _options(
        "--enablerepo --disablerepo --repo --repoid -x --exclude -c --config --installroot"
        " --releasever --setopt -d -e -R --forcearch --destdir --downloaddir --disableplugin"
    ),
    "",
)
_YUM: Final = _Manager("yum", _DNF.actions, _DNF.with_value, "")
_NPM: Final = _Manager(
    "npm",
    _actions(
        "install i in ins add ci install-test it", "uninstall un remove rm r", "update up upgrade"
    ),
    _options("--prefix -C --registry --userconfig --cache --loglevel -w --workspace --dir --cwd"),
    "@",
)
_PIP: Final = _Manager(
    "pip",
    _actions("install", "uninstall", "", "download"),
    _options(
        "-r --requirement -c --constraint -e --editable -i --index-url --extra-index-url -f"
        " --find-links -t --target --prefix --root --src --proxy --cache-dir --trusted-host"
        " --timeout --retries --platform --python-version --abi --log --no-binary --only-binary"
        " --progress-bar --python -C --config-settings -d --dest --implementation --cert -b"
    ),
    "=<>!~[;@ ",
)
_CONDA: Final = _Manager(
    "conda",
    _actions("install create", "remove uninstall", "update upgrade"),
    _options("-n --name -p --prefix -c --channel -f --file --solver"),
    "=<>!~[ ",
)

_MANAGERS: Final[dict[str, _Manager]] = {
    "apt": _APT,
    "apt-get": _APT,
    "aptitude": _APT,
    "apk": _Manager(
        "apk",
        _actions("add fix", "del", "update upgrade", "fetch"),
        _options(
            "-p --root -X --repository -t --virtual --repositories-file --keys-dir --cache-dir"
            " --arch --wait --progress-fd -o --output"
        ),
        "=<>~@",
    ),
    "yum": _YUM,
    "dnf": _DNF,
    "microdnf": _DNF,
    "tdnf": _DNF,
    "zypper": _Manager(
        "zypper",
        _actions(
            "install in source-install si install-new-recommends inr",
            "remove rm",
            "update up dist-upgrade dup refresh ref patch",
            "download",
        ),
        _options(
            "-R --root -D --reposd-dir -c --config -C --cache-dir -p --plus-repo -r --repo"
            " --from -t --type"
        ),
        "=<>",
    ),
    "pip": _PIP,
    "pipx": _Manager(
        "pipx",
        _actions("install inject run", "uninstall uninstall-all", "upgrade upgrade-all"),
        _PIP.with_value,
        _PIP.version_marks,
    ),
    "easy_install": _Manager("pip", {}, _PIP.with_value, _PIP.version_marks, INSTALL),
    "poetry": _Manager(
        "poetry", _actions("add install", "remove", "update"), version_marks="@=<>^"
    ),
    "npm": _NPM,
    "pnpm": _Manager("pnpm", _NPM.actions | {"dlx": DOWNLOAD}, _NPM.with_value, "@"),
    "yarn": _Manager("yarn", _NPM.actions, _NPM.with_value, "@", INSTALL),
    "bun": _Manager("bun", _NPM.actions, _NPM.with_value, "@"),
    "gem": _Manager(
        "gem",
        _actions("install i", "uninstall", "update", "fetch"),
        _options("-v --version -i --install-dir -n --bindir -s --source -P --trust-policy"),
        ":",
    ),
    "cargo": _Manager(
        "cargo",
        _actions("install binstall", "uninstall", "update", "fetch"),
        _options("--version --git --branch --tag --rev --path --root --index --registry -j -F"),
        "@",
    ),
    "go": _Manager("go", _actions("install get"), _options("-C -modfile -tags -ldflags"), "@"),
    "composer": _Manager(
        "composer", _actions("require install", "remove", "update"), _options("-d"), ":="
    ),
    "cpanm": _Manager("cpan", {}, _options("-l -L --mirror"), "@~", INSTALL),
    "luarocks": _Manager("luarocks", _actions("install", "remove", "", "download")),
    "conda": _CONDA,
    "mamba": _CONDA,
    "micromamba": _CONDA,
    "snap": _Manager(
        "snap", _actions("install", "remove", "refresh", "download"), _options("--channel")
    ),
    "flatpak": _Manager(
        "flatpak", _actions("install", "uninstall remove", "update"), version_marks=""
    ),
    "brew": _Manager(
        "brew",
        _actions("install reinstall", "uninstall remove rm", "update upgrade", "fetch"),
        version_marks="",
    ),
    "opkg": _Manager("opkg", _actions("install", "remove", "update upgrade", "download")),
    "nix": _Manager("nix", _actions("install"), version_marks=""),
}

_MODES: Final[dict[str, tuple[str, tuple[tuple[str, str], ...], frozenset[str]]]] = {
    "dpkg": (
        "dpkg",
        (("i", INSTALL), ("r", REMOVE), ("P", REMOVE)),
        _options("--root --instdir --admindir"),
    ),
    "rpm": (
        "rpm",
        (("q", ""), ("V", ""), ("K", ""), ("e", REMOVE), *((mode, INSTALL) for mode in "iUF")),
        _options("--root --dbpath --prefix --relocate -r -D --define -E --eval --rcfile"),
    ),
    "pacman": (
        "pacman",
        (("Q", ""), ("F", ""), ("T", ""), ("D", ""), ("S", INSTALL), ("U", INSTALL), ("R", REMOVE)),
        _options("--root -r --dbpath -b --config --cachedir --gpgdir --arch --ignore"),
    ),
    "nix-env": (
        "nix",
        (("q", ""), ("i", INSTALL), ("u", UPDATE), ("e", REMOVE)),
        _options("-f -p"),
    ),
}
"""Managers that are told by a letter: their letters, the first of a cluster's to be here counts,
and the options that take the next word."""

_LONG_MODES: Final = {
    "--install": INSTALL,
    "--unpack": INSTALL,
    "--sync": INSTALL,
    "--upgrade": INSTALL,
    "--freshen": INSTALL,
    "--remove": REMOVE,
    "--purge": REMOVE,
    "--erase": REMOVE,
    "--query": "",
    "--verify": "",
    "--import": "",
    "--configure": "",
}
_ONLY_ASKED: Final = frozenset("silgcp")
"""Letters that make of pacman's ``-S`` a question, or a cleaning of its cache."""

_SPOKEN_THROUGH: Final = {
    "uv": {"pip": "pip", "tool": "pipx", "add": "poetry", "remove": "poetry"},
    "yarn": {"global": "yarn"},
    "dnf": {"group": "dnf", "module": "dnf"},
    "yum": {"group": "yum", "module": "yum"},
    "nix": {"profile": "nix"},
}
"""Managers whose first word may be another manager's name, or a word before the sub-command."""

_DASHES: Final = "-"
_NAMES: Final = frozenset({*_MANAGERS, *_MODES, *_SPOKEN_THROUGH})


@dataclass(frozen=True, slots=True)
class _Act:
    """What one simple command has a manager do."""

    manager: str
    action: str
    packages: tuple[str, ...]


def package_facet(args: Sequence[str]) -> Facet:
    """Return the package columns of a command.

    Parameters
        args: the words of a process, the program first. What a shell, ``sudo``, ``env`` and their
            like are to run is found; what a script does is not.

    Returns
        column name -> value; empty where nothing is installed, removed, updated or downloaded.
        Credentials in addresses of packages are left out.
    """
    acts = [act for command in simple_commands(args, _NAMES) for act in _acts(command)]
    if not acts:
        return {}
    first = min(acts, key=lambda act: _ORDER.index(act.action))
    named = [name for act in acts if act.action == first.action for name in act.packages]
    packages = list(dict.fromkeys(named))[:MAX_PACKAGES]
    facet: Facet = {
        "trailwarden.package.manager": first.manager,
        "trailwarden.package.action": first.action,
    }
    return facet | {"package.name": packages} if packages else facet


def _acts(command: list[str]) -> Iterator[_Act]:
    program = base_name(command[0])
    if program not in _NAMES:
        return
    words = command[1:]
    act = _by_letter(program, words) if program in _MODES else _by_word(program, words)
    if act is not None:
        yield act


def _by_word(program: str, words: list[str]) -> _Act | None:
    """Read a manager with sub-commands, options before and behind them."""
    manager = _MANAGERS.get(program)
    operands = list(_operands(words, manager.with_value if manager else _PIP.with_value))
    through = _SPOKEN_THROUGH.get(program, {}).get(operands[0] if operands else "")
    if through is not None:
        manager = _MANAGERS[through]
        # `uv add` is a sub-command already, `uv pip install` is `pip install`.
        operands = operands if operands[0] in manager.actions else operands[1:]
    if manager is None:
        return None
    name = program if program == "uv" else manager.name
    action = manager.actions.get(operands[0]) if operands else None
    if action is not None:
        operands = operands[1:]
    elif manager.nothing_said and (not manager.actions or not operands):
        action = manager.nothing_said
    if action is None:
        return None
    if name == "flatpak" and len(operands) > 1:
        operands = operands[1:]  # the first is where it comes from
    return _Act(name, action, _names(operands, manager.version_marks))


def _by_letter(program: str, words: list[str]) -> _Act | None:
    """Read a manager that is told by an option what to do."""
    name, letters, with_value = _MODES[program]
    action: str | None
    for word in words:
        if word in _LONG_MODES:
            action = _LONG_MODES[word]
        elif word[:1] == _DASHES and word[1:2] != _DASHES:
            action = next((does for letter, does in letters if letter in word), None)
            if program == "pacman" and action == INSTALL and not _ONLY_ASKED.isdisjoint(word):
                return None
        else:
            continue
        if action is not None:
            packages = _names(list(_operands(words, with_value)), "=")
            if program == "pacman" and not packages:
                action = UPDATE
            return _Act(name, action, packages) if action else None
    return None


def _operands(words: list[str], with_value: frozenset[str]) -> Iterator[str]:
    """Yield the words that are neither options nor their values."""
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word[:1] == _DASHES:
            skip = word in with_value
        elif word:
            yield word


def _names(operands: list[str], version_marks: str) -> tuple[str, ...]:
    return tuple(name for word in operands[:MAX_PACKAGES] if (name := _name(word, version_marks)))


def _name(word: str, version_marks: str) -> str:
    """Return a package's name without its version; a path or an address is a name as well."""
    scheme, is_address, rest = word.partition("://")
    if is_address:
        host, slash, path = rest.partition("/")
        bare = f"{host.rpartition('@')[2]}{slash}{path}".partition("?")[0].partition("#")[0]
        return f"{scheme}://{bare}"[:MAX_NAME]
    if word[0] in "./~":
        return word[:MAX_NAME]
    end = len(word)
    for mark in version_marks:
        at = word.find(mark, 1)  # @scope/name begins with one
        end = min(end, at) if at > 0 else end
    return word[: min(end, MAX_NAME)]
