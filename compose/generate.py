#!/usr/bin/env python3
# ruff: noqa: S603 - a script that an operator runs: prints, and calls openssl by path
"""Names of hosts and clusters in, the folder of credentials that compose.yaml mounts out.

Needs Python 3.9 and the `openssl` command, nothing else. What exists is never changed, so running
it again with another --cluster adds that cluster only; to renew a file, delete it and run again.

The folder has mode 0700, so nobody else on this machine gets to the files in it. The files
themselves are readable: each container has another user id, rootless engines shift all of them,
and a container sees only the files that compose.yaml mounts into it. The authority's key (ca.key)
is mounted nowhere and has mode 0600.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

CA_DAYS = 3650
DAYS = 825
"""Days that a server's certificate is valid; the most that Apple's clients take."""

SERVERS = ("kafka", "elasticsearch", "kibana", "grafana", "webhook")
"""Services with a certificate of their own; each is named as in compose.yaml."""

PASSWORDS = (
    "kafka_worker_password",
    "kafka_webhook_password",
    "kafka_inbox_password",
    "elastic_password",
    "kibana_system_password",
    "elasticsearch_worker_password",
    "elasticsearch_setup_password",
    "elasticsearch_analyst_password",
    "grafana_admin_password",
)
NAME_CHARACTERS = 200
"""Longest name of a cluster; `inbox.` and it make a topic, which has at most 249."""

READABLE = 0o444
PRIVATE = 0o600


class Credentials:
    """One folder of credentials; every method leaves what exists as it is."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, for its owner only."""
        self.folder = folder
        self.made: list[str] = []
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)

    def write(self, name: str, text: str, mode: int = READABLE) -> bool:
        """Create a file; False if it is there already."""
        path = self.folder / name
        path.parent.mkdir(mode=0o755, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
        except FileExistsError:
            return False
        with os.fdopen(handle, "w") as stream:
            stream.write(text)
        path.chmod(mode)
        self.made.append(name)
        return True

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.folder / name).read_text()

    def password(self, name: str) -> None:
        """Create a file of 256 random bits that any protocol and any shell can carry."""
        self.write(name, secrets.token_urlsafe(32))

    def authority(self) -> None:
        """Create the authority that signs every certificate here."""
        if (self.folder / "ca.crt").exists():
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            key, certificate = Path(scratch, "key"), Path(scratch, "crt")
            _openssl(
                *_new_key(key, f"/CN=Trailwarden authority {secrets.token_hex(4)}"),
                *("-x509", "-sha256", "-days", str(CA_DAYS), "-out", str(certificate)),
                *("-addext", "basicConstraints=critical,CA:TRUE,pathlen:0"),
                *("-addext", "keyUsage=critical,keyCertSign,cRLSign"),
            )
            self.write("ca.key", key.read_text(), PRIVATE)
            self.write("ca.crt", certificate.read_text())

    def certificate(self, name: str, hosts: tuple[str, ...], usage: str) -> None:
        """Create NAME.key and NAME.crt, signed by the authority, for these hosts."""
        if (self.folder / f"{name}.crt").exists():
            return
        with tempfile.TemporaryDirectory(dir=self.folder) as scratch:
            key, request = Path(scratch, "key"), Path(scratch, "csr")
            certificate, extensions = Path(scratch, "crt"), Path(scratch, "ext")
            extensions.write_text(_extensions(hosts, usage))
            _openssl(*_new_key(key, f"/CN={name}"), "-out", str(request))
            _openssl(
                *("x509", "-req", "-in", str(request), "-sha256", "-days", str(DAYS)),
                *("-CA", str(self.folder / "ca.crt"), "-CAkey", str(self.folder / "ca.key")),
                *("-set_serial", f"0x{secrets.token_hex(16)}", "-extfile", str(extensions)),
                *("-out", str(certificate)),
            )
            self.write(f"{name}.key", key.read_text())
            self.write(f"{name}.crt", certificate.read_text())

    def kibana(self) -> None:
        """Create the part of Kibana's settings that is secret."""
        keys = ("security", "encryptedSavedObjects", "reporting")
        lines = [f"xpack.{name}.encryptionKey: {secrets.token_hex(32)}\n" for name in keys]
        password = self.read("kibana_system_password")
        self.write("kibana_secrets.yml", f"elasticsearch.password: {password}\n" + "".join(lines))

    def cluster(self, name: str, webhook_host: str) -> None:
        """Create what one cluster needs to send: a token, a kubeconfig, a shipper's password."""
        token = secrets.token_urlsafe(32)
        if self.write(f"clusters/{name}.kubeconfig", self._kubeconfig(name, webhook_host, token)):
            self._add_token(f"{name} {token}\n")
        self.password(f"shippers/{name}")

    def _add_token(self, line: str) -> None:
        self.write("webhook_tokens", "")
        path = self.folder / "webhook_tokens"
        path.chmod(PRIVATE)
        with path.open("a") as stream:
            stream.write(line)
        path.chmod(READABLE)

    def _kubeconfig(self, cluster: str, host: str, token: str) -> str:
        authority = base64.b64encode(self.read("ca.crt").encode()).decode()
        return KUBECONFIG.format(cluster=cluster, host=host, token=token, authority=authority)


KUBECONFIG = """\
# For kube-apiserver --audit-webhook-config-file, see docs/collect.md.
apiVersion: v1
kind: Config
clusters:
  - name: trailwarden
    cluster:
      server: https://{host}:8443/audit
      certificate-authority-data: {authority}
users:
  - name: {cluster}
    user:
      token: {token}
contexts:
  - name: trailwarden
    context: {{cluster: trailwarden, user: {cluster}}}
current-context: trailwarden
"""


def _new_key(key: Path, subject: str) -> tuple[str, ...]:
    curve = "ec_paramgen_curve:prime256v1"
    options = ("req", "-new", "-newkey", "ec", "-pkeyopt", curve, "-nodes")
    return (*options, "-keyout", str(key), "-subj", subject)


def _extensions(hosts: tuple[str, ...], usage: str) -> str:
    names = ",".join(f"{'IP' if _is_address(host) else 'DNS'}:{host}" for host in hosts)
    return (
        "basicConstraints=critical,CA:FALSE\n"
        "keyUsage=critical,digitalSignature\n"
        f"extendedKeyUsage={usage}\n"
        "subjectKeyIdentifier=hash\n"
        "authorityKeyIdentifier=keyid\n"
        f"subjectAltName={names}\n"
    )


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()


def _openssl(*arguments: str) -> None:
    command = shutil.which("openssl")
    if command is None:
        sys.exit("generate.py: the command `openssl` is needed")
    done = subprocess.run([command, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"generate.py: openssl {arguments[0]}: {done.stderr.strip()}")


def generate(folder: Path, hosts: list[str], clusters: list[str]) -> list[str]:
    """Create all credentials that are missing.

    Returns
        names of the files that were made.
    """
    made = Credentials(folder)
    made.authority()
    for name in SERVERS:
        # Kafka and Elasticsearch nodes are each other's clients as well.
        made.certificate(name, (name, "localhost", "127.0.0.1", *hosts), "serverAuth,clientAuth")
    made.certificate("setup", ("setup",), "clientAuth")
    made.write("kafka.pem", made.read("kafka.key") + made.read("kafka.crt"))
    made.write("kafka_cluster_id", _cluster_id())
    for name in PASSWORDS:
        made.password(name)
    made.kibana()
    made.write("redaction_key", secrets.token_hex(32))
    (folder / "shippers").mkdir(mode=0o755, exist_ok=True)
    for cluster in clusters:
        made.cluster(cluster, hosts[0] if hosts else "localhost")
    return made.made


def _cluster_id() -> str:
    """Return a random id in the form that Kafka's own `random-uuid` has (no leading dash)."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not text.startswith("-"):
            return text


def _name(text: str) -> str:
    """Return a cluster's name that can be part of a topic, a user and a file name.

    The webhook takes the same names, see ingest/collectors/webhook_auth.py.
    """
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    edges = text[:1] + text[-1:]
    if not text or ".." in text or text.strip(letters + "-._") or edges.strip(letters):
        raise argparse.ArgumentTypeError(
            f"{text!r}: letters, digits, '.', '-' and '_' only; first and last a letter or digit"
        )
    if len(text) > NAME_CHARACTERS:
        raise argparse.ArgumentTypeError(f"{text!r}: longer than {NAME_CHARACTERS} characters")
    return text


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "secrets")
    parser.add_argument(
        "--host", action="append", default=[], help="name or address others reach this machine by"
    )
    parser.add_argument(
        "--cluster", action="append", default=[], type=_name, help="cluster that will send here"
    )
    chosen = parser.parse_args()
    if not chosen.cluster and not (chosen.out / "webhook_tokens").exists():
        parser.error("name at least one --cluster: without a token nobody can send anything")
    made = generate(chosen.out, chosen.host, chosen.cluster)
    for name in made:
        print(f"made {chosen.out / name}")
    if not made:
        print(f"nothing to do: {chosen.out} is complete")


if __name__ == "__main__":
    main()
