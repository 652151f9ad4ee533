"""Which decoder knows a document or a line: all formats but the API server's own, in one list.

Separate so that a format is added in one place, and a format's module knows no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ingest.formats import (
    auditbeat_auditd,
    auditd,
    containerd_events,
    docker_events,
    eks_authenticator,
    falco,
    file_integrity,
    journald,
    kubearmor,
    laurel,
    login_records,
    osquery,
    syslog,
    tetragon,
    tracee,
    wazuh,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.formats.reader import Document
    from ingest.formats.seen import Around, Seen

    DecodeDocument = Callable[[Document, Around], list[Seen]]
    DecodeText = Callable[[str, Around], list[Seen]]
    DocumentFormat = tuple[Callable[[Document], bool], DecodeDocument]
    """How to tell a document of a format, and how to decode it."""

DOCUMENTS: Final[tuple[DocumentFormat, ...]] = (
    (falco.recognizes, falco.decode),
    (tetragon.recognizes, tetragon.decode),
    (tracee.recognizes, tracee.decode),
    (kubearmor.recognizes, kubearmor.decode),
    (journald.recognizes, journald.decode),
    (laurel.recognizes, laurel.decode),
    (auditbeat_auditd.recognizes, auditbeat_auditd.decode),
    (file_integrity.recognizes, file_integrity.decode),
    (wazuh.recognizes, wazuh.decode),
    (osquery.recognizes, osquery.decode),
    (docker_events.recognizes, docker_events.decode),
    (containerd_events.recognizes, containerd_events.decode),
    (login_records.recognizes, login_records.decode),
)
"""No document is of two of them."""

TEXTS: Final[tuple[tuple[Callable[[str], bool], DecodeText], ...]] = (
    (auditd.recognizes_text, auditd.decode_text),  # before syslog, which may carry its lines
    (eks_authenticator.recognizes_text, eks_authenticator.decode_text),
    (containerd_events.recognizes_text, containerd_events.decode_text),
    (syslog.recognizes_text, syslog.decode_text),
)


def known_decoder(document: Document) -> DecodeDocument | None:
    """Return the decoder of a JSON document, None if no format knows it."""
    for recognizes, decode in DOCUMENTS:
        if recognizes(document):
            return decode
    return None


def text_decoder(text: str) -> DecodeText | None:
    """Return the decoder of a line or of lines that belong together, None if no format does."""
    for recognizes, decode in TEXTS:
        if recognizes(text):
            return decode
    return None
