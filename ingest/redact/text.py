"""Text patterns: what looks like a credential is replaced, wherever it stands.

The second layer, behind structure. Patterns run only in Polars' linear-time engine (``(a+)+$`` on
100,000 characters: 16 ms there, hours in a backtracking one), vectorized over whole columns; only
values that hold a match are touched one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.redact.token import Redactor

_NAME: Final = (
    r"(?:pass(?:word|wd|phrase)|pwd|secret|token|jwt|(?:api|access|account|secret|private|master"
    r"|auth|signing|encryption)[_-]?key|secret[_-]?key[_-]?base|client-key-data|credential"
    r"|connection[_-]?string|session[_-]?id|cookie|[_.-](?:pass|dsn))s?"
)
_IS: Final = r"\s*(?:[=:]|%3D)\s*"
_PLAIN_IS: Final = r"\s*(?:(?:=|%3D)\s*|:\s+(?:[|>][+-]?(?:\\n|\s)\s*)?)"
_PLAIN: Final = (
    # $(...), ${...} and `...` are no values; what a shell would begin anew ends one.
    r"((?:\$[^\s\"'&,;{}\[\]\\(`|<>]|[^\s\"'&,;{}\[\]\\$`|<>])[^\s\"'&,;{}\[\]\\`|<>]{2,})"
)

_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    # kind of secret, pattern whose one group is the secret
    ("private-key", r"(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*KEY-----|$))"),
    ("jwt", r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)"),
    ("aws-key-id", r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    ("github-token", r"\b((?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{30,}))"),
    ("gitlab-token", r"\b(gl(?:pat|ptt|dt|rt)-[A-Za-z0-9_-]{20,})"),
    ("slack-token", r"\b(xox[abeprs]-[A-Za-z0-9-]{10,})"),
    ("google-key", r"\b(AIza[0-9A-Za-z_-]{35})"),
    ("stripe-key", r"\b([rs]k_live_[0-9A-Za-z]{20,})"),
    ("npm-token", r"\b(npm_[A-Za-z0-9]{36})\b"),
    ("openai-key", r"\b(sk-[A-Za-z0-9_-]{32,})"),
    ("decode-context", r"(?:byte of|bigger context) \.\.\.\|([\s\S]+?)\|\.\.\."),
    ("url-password", r"[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@\"'\[]*:([^@/\s\"'\[]+)@"),
    ("url-token", r"[A-Za-z][A-Za-z0-9+.-]*://([A-Za-z0-9_~-]{20,})@"),
    (
        "authorization",
        r"(?i)(?:^|[^\w/])(?:proxy-)?authorization(?:\\*[\"'])?\s*(?:[=:]|%3A|%3D)\s*(?:\\*[\"'])?"
        r"(?:[a-z]+(?:\s|\+|%20)+)?" + _PLAIN,
    ),
    # of few letters alone it is prose: `bearer token`, `basic authentication`
    (
        "bearer",
        r"(?i)\bbearer(?:\s|\+|%20)+([A-Za-z-]*[0-9_~+/=][\w.~+/=-]{3,}|[\w.~+/=-]{20,})",
    ),
    (
        "basic-auth",
        r"(?i)\bbasic(?:\s|\+|%20)+([A-Za-z+/]*[0-9=][A-Za-z0-9+/=]{3,}|[A-Za-z+/]{6,}=|[A-Za-z+/]{16,})",
    ),
    (
        "registry-auth",
        r"(?:\\*[\"']_?auth\\*[\"']\s*:\s*\\*[\"']|\b_auth\s*=\s*\"?)([A-Za-z0-9+/=_-]{8,})",
    ),
    ("quoted-secret", r"(?i)" + _NAME + r"[\"']?" + _IS + r'"((?:[^"\\]|\\.){3,})"'),
    ("quoted-secret", r"(?i)" + _NAME + r"(?:\\*[\"'])?" + _IS + r'\\+"([^"\\]{3,})'),
    ("quoted-secret", r"(?i)" + _NAME + r"(?:\\*[\"'])?" + _IS + r"'([^'\\\n]{3,})'"),
    (
        # a quoted name has a quoted value or a number; `"x-secrets": the object` is prose
        "named-secret",
        r"(?i)" + _NAME + r"\\*[\"']" + _IS + r"([0-9]{3,})",
    ),
    (
        # `x-secrets:v1` is an image; of YAML's block scalars the first line is taken
        "named-secret",
        r"(?i)" + _NAME + _PLAIN_IS + r"(?:\\*[\"'])?" + _PLAIN,
    ),
    (
        "named-secret",
        r"(?i)\bname\\*[\"']?\s*:\s*\\*[\"']?[\w.-]*" + _NAME + r"\\*[\"']?(?:\s|,|\\n)+"
        r"\\*[\"']?value\\*[\"']?\s*:\s*(?:\\*[\"'])?" + _PLAIN,
    ),
    ("named-secret", r"(?i)<[\w:.-]*" + _NAME + r">([^<\s]{3,})<"),
    (
        "secret-flag",
        r"(?i)(?:^|[\s+\"'=])--?[a-z-]*" + _NAME + r"(?:[\s+]+|&[\w]+=|\\*[\"']\s*,\s*)\\*[\"']?"
        r"([^\s\"'&;\[$`|<>\\-][^\s\"'&;\[`|<>\\]+)",
    ),
    (
        "curl-user",
        r"\b(?:curl|etcdctl)\b[^|;&]*?\s(?:-u|-U|--(?:proxy-)?user)[\s=]*[^\s:\"']+:([^\s\"'\[]+)",
    ),
    (
        "program-password",
        (
            r"\b(?:(?:mysql[\w]*|mariadb)\b[^|;&]*?\s-p|redis-cli\b[^|;&]*?\s-a\s+"
            r"|sshpass\s+-p\s*)([^\s\"'\[$`-][^\s\"'\[]*)"
        ),
    ),
    ("from-literal", r"--from-literal[\s=+]+[\w.-]+=([^\s\"'&\[]+)"),
)
"""Sources: the vendors' documented token shapes, RFC 7519 (JWT), RFC 7468 (PEM), RFC 6750
(bearer), RFC 3986 3.2.1 (userinfo); ``decode-context`` is what API servers before 1.23 quoted of a
body that they could not decode."""


def _ascii(pattern: str) -> str:
    r"""Give ``\w`` and ``\b`` their ASCII meaning: Unicode's takes four times as long to build."""
    return pattern.replace(r"\w", "A-Za-z0-9_").replace(r"\b", r"(?-u:\b)")


PATTERNS: Final = tuple((kind, _ascii(pattern)) for kind, pattern in _PATTERNS)
r"""Fewer than Polars keeps compiled (32), each with one group; ``\w`` only within brackets."""

_ANY: Final = (
    "pass",
    "pwd",
    "secret",
    "jwt",
    "cookie",
    "dsn",
    'auth"',
    "auth\\",
    "auth'",
    "_auth",
    "connectionstring",
    "connection_string",
    "connection-string",
    "bigger context",
    "byte of",
    "token",
    "key",
    "credential",
    "authorization",
    "session",
    "eyj",
    "akia",
    "asia",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "glptt-",
    "gldt-",
    "glrt-",
    "xox",
    "aiza",
    "k_live_",
    "npm_",
    "sk-",
    "://",
    "bearer",
    "basic",
    "curl",
    "etcdctl",
    "mysql",
    "mariadb",
    "redis-cli",
    "literal",
)
"""A value that a pattern matches holds at least one of these (any case): one pass of an
Aho-Corasick automaton spares nearly all values the patterns."""

_NAMED: Final = rf"(?i){_NAME}(?:\\*[\"'])?{_IS}(?:\\*[\"'][^\"'\\]|[^\s\"'\\{{}}\[\],&;])"
"""What all patterns with a name and a value have in common."""

_JOINT: Final = "|".join(
    f"(?:{p})" for p in (_NAMED, *(p for _, p in PATTERNS if _IS not in p and _PLAIN_IS not in p))
)
"""All patterns in one automaton: most suspects of the first pass are none (``secrets``)."""

_HARMLESS: Final = frozenset(
    {"true", "false", "null", "none", "nil", "bearer", "basic", "digest", "negotiate", "token"}
)
_MARK: Final = "[redacted:"
_BEGIN, _END, _ODD = "\ufdd0", "\ufdd1", "\ufffd"
"""Two of Unicode's noncharacters, which no text has for itself, and what stands for them if so."""


def may_hold_secret(name: str) -> pl.Expr:
    """Whether a text column has a word that some pattern needs: one pass of an automaton."""
    found = pl.col(name).str.contains_any(list(_ANY), ascii_case_insensitive=True)
    return found.fill_null(value=False)


@dataclass(frozen=True, slots=True)
class Redaction:
    """A text without its credentials, and the kinds of those that it had."""

    text: str
    kinds: frozenset[str]


def redact_texts(
    values: pl.Series, redactor: Redactor, kinds: dict[int, set[str]] | None = None
) -> pl.Series:
    """Replace what looks like a credential in a text column.

    Parameters
        values: String, any length.
        kinds: filled with the kinds of secrets per row that had one.

    Returns
        String of the same length and name; the same series if nothing matched.
    """
    rows = values.to_frame("text").select(may_hold_secret("text"))["text"].arg_true()
    found = redact_suspects(values.gather(rows), redactor)
    if not found:
        return values
    if kinds is not None:
        for at, redaction in found.items():
            kinds.setdefault(rows[at], set()).update(redaction.kinds)
    return values.clone().scatter([rows[at] for at in found], [r.text for r in found.values()])


def redact_suspects(texts: pl.Series, redactor: Redactor) -> dict[int, Redaction]:
    """Return, by position, what becomes of the texts that do hold a credential.

    Parameters
        texts: those that `may_hold_secret` flags. Of all columns in one call if possible: the
            joint automaton is built up anew in every call, about 0.5 ms.
    """
    if not len(texts):
        return {}
    hits = pl.DataFrame({"at": range(len(texts)), "text": texts}).filter(
        pl.col("text").str.contains(_JOINT)
    )
    if not hits.height:
        return {}
    places, before = hits["at"].to_list(), hits["text"].to_list()
    after, kinds = list(before), [set[str]() for _ in before]
    found = hits.select(
        pl.col("text").str.contains(pattern).alias(str(number))
        for number, (_, pattern) in enumerate(PATTERNS)
    )
    for (kind, pattern), matches in zip(PATTERNS, found.iter_columns(), strict=True):
        at = matches.arg_true().to_list()
        for hit, text in zip(at, _replaced([after[h] for h in at], pattern, redactor), strict=True):
            if text != after[hit]:
                after[hit] = text
                kinds[hit].add(kind)
    return {
        at: Redaction(text, frozenset(names))
        for at, text, names in zip(places, after, kinds, strict=True)
        if names
    }


def redact_text(text: str, redactor: Redactor) -> str:
    """Redact one text; see `redact_texts`."""
    redacted: str = redact_texts(pl.Series([text]), redactor)[0]
    return redacted


def _replaced(texts: list[str], pattern: str, redactor: Redactor) -> list[str]:
    """Replace each secret that a pattern finds in values, at its place only.

    Only there: were every occurrence replaced, ``PASSWORD=/dev/tcp`` would hide a reverse shell
    behind it in the same line. Linear: the engine itself marks the places, all in one pass.
    """
    if not texts:
        return []
    clean = [text.replace(_BEGIN, _ODD).replace(_END, _ODD) for text in texts]
    marked = pl.Series(clean).str.replace_all(pattern, f"{_BEGIN}${{0}}{_END}").to_list()
    parts = [text.split(_BEGIN) for text in marked]
    matches = [piece.partition(_END)[0] for _, *pieces in parts for piece in pieces]
    secrets = pl.Series(matches, dtype=pl.String).str.extract(pattern, 1).to_list()
    found = zip(matches, secrets, strict=True)
    return [_rejoined(head, pieces, found, redactor) for head, *pieces in parts]


def _rejoined(
    head: str, pieces: list[str], found: Iterator[tuple[str, str | None]], redactor: Redactor
) -> str:
    """Put one value together again, of whose matches ``found`` has the next."""
    out = [head]
    for piece in pieces:
        match, secret = next(found)
        if secret and not _is_harmless(secret, match, out[-1][-1:]):
            before, _, after = match.rpartition(secret)
            out += [before, redactor.token(secret), after]
        else:
            out.append(match)
        out.append(piece[len(match) + 1 :])
    return "".join(out)


def _is_harmless(secret: str, match: str, preceding: str) -> bool:
    """Whether a value is a word of the language, a token already, or a count: ``tokens=5``.

    ``PWD=/home/alice``, with nothing before the name, is where a shell stands.
    """
    if secret.lower() in _HARMLESS or secret.startswith(_MARK):
        return True
    if match.startswith("PWD=/") and not (preceding.isalnum() or preceding in {"_", "-", "."}):
        return True
    return secret.isdecimal() and "pass" not in match.lower() and "pwd" not in match.lower()
