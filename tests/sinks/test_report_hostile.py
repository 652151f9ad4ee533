from __future__ import annotations

import dataclasses
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from ingest.record import InputProblem, Refused
from sinks.report import Quarantine, ReadSummary, Report, RuleInfo, render
from sinks.report.visible import marked, prose, shown, web_link

PAYLOADS = (
    "<script>document.title='pwned'</script>",
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</textarea></td></table></main><h1>owned</h1>",
    "--><script>alert(1)</script><!--",
    "<!--",
    "<![CDATA[<script>alert(1)</script>]]>",
    '"><script>alert(1)</script>',
    "'><script>alert(1)</script>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://",
    "data:text/html,<script>alert(1)</script>",
    "https://good.example@evil.example/",
    'https://evil.example/"onclick="alert(1)',
    "{{ 7 * 7 }}{% for x in [] %}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#x3c; &amp",
    "nul\x00 in <scr\x00ipt>",
    "line\r\nbreak\n\n\ttab\x0b\x0c\x85\u2028\u2029",
    "\x1b[31mred\x1b[0m \x1b]8;;https://evil.example\x07link\x1b]8;;\x07 \x9b",
    "user\u202egnp.exe \u2066isolate\u2069 \u200e\u200f\u061c",
    "ad\u200bmin \u200c\u200d\u2060\ufeff\u00ad \u3164\u2800\U000e0041",
    "lone \ud800 surrogate \udfff \ufffe \U0010ffff \ue000",
    "Z\u0351\u0352\u0353\u0354\u0355\u0356\u0357 zalgo",
    "A" * 1_048_576,
    "\u202e\x00\"<&'" * 200_000,
)
SCALARS = (
    *("@timestamp", "event.action", "event.outcome", "rule.id", "rule.name", "rule.category"),
    *("rule.description", "message", "trailwarden.finding.id", "trailwarden.severity"),
    *("orchestrator.cluster.name", "orchestrator.namespace", "orchestrator.resource.type"),
    *("orchestrator.resource.name", "user.name", "user.effective.name", "source.ip"),
    "user_agent.original",
)
LISTS = (
    *("rule.reference", "threat.technique.id", "threat.technique.name", "threat.tactic.name"),
    *("trailwarden.evidence.event_ids", "trailwarden.evidence.audit_ids"),
    *("trailwarden.evidence.values", "trailwarden.next_steps", "trailwarden.false_positives"),
    "trailwarden.severity_reasons",
)


class Structure(HTMLParser):
    """Tags and attributes only; fragments and shown text in attributes are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "i":  # our own mark around a character made visible
            kept = [
                f"{name}={value}"
                for name, value in attrs
                if name not in {"id", "content"}
                and not (name == "href" and (value or "")[:1] == "#")
            ]
            self.tags.append(" ".join([tag, *kept]))

    def handle_endtag(self, tag: str) -> None:
        if tag != "i":
            self.tags.append(f"/{tag}")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def handle_comment(self, data: str) -> None:
        self.tags.append(f"comment {data}")


def everywhere(text: str) -> Report:
    """A report with `text` wherever a string can stand."""
    finding: dict[str, object] = dict.fromkeys(SCALARS, text)
    finding |= {name: [text] for name in LISTS}
    rule = RuleInfo(text, text, text, text, (text,), text)
    # Refused names closed lists as its types; a hostile caller is not held by them.
    refused = Refused(text, text, text, 1, 2, text, text, text)  # type: ignore[arg-type]
    return Report(
        ReadSummary(files=1, records=1, events=1, clusters={text: 1, "quiet" + text: 2}),
        [finding],
        [rule],
        version=text,
        pack_hash=text,
        quarantine=Quarantine({text: 1}, [refused]),
        problems=[InputProblem(text, text)],
        title=text,
    )


def one_field(name: str, text: str) -> Report:
    plain = everywhere("plain")
    value: object = [text] if name in LISTS else text
    return dataclasses.replace(plain, findings=[{**plain.findings[0], name: value}])


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_no_payload_changes_the_structure_of_the_page(payload: str) -> None:
    html = render(everywhere(payload))
    assert Structure(html).tags == Structure(render(everywhere("plain"))).tags
    html.encode()
    assert all(char.isprintable() or char == "\n" for char in html)
    assert len(html) < 200_000


@pytest.mark.parametrize("name", [*SCALARS, *LISTS])
def test_no_field_lets_a_tag_or_a_template_through(name: str) -> None:
    payload = "\"'><script>alert(1)</script>{{ 7 * 7 }}\u202e\x00"
    page = Structure(render(one_field(name, payload)))
    assert page.tags == Structure(render(one_field(name, "other"))).tags
    assert "49" not in " ".join(page.words)


def test_the_names_of_a_finding_become_fragments_without_special_characters() -> None:
    html = render(everywhere('x" onclick="y\u202e<z>'))
    assert 'id="finding-xonclickyz"' in html
    assert 'id="rule-xonclickyz-medium"' in html


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain <b> & \"q\" 'a'", "plain &lt;b&gt; &amp; &#34;q&#34; &#39;a&#39;"),
        ("naïve 日本語 שלום", "naïve 日本語 שלום"),
        ("a\u202eb", "a<i>⟨U+202E⟩</i>b"),
        ("a\r\nb", "a<i>⟨U+000D⟩⟨U+000A⟩</i>b"),
        ("\x00\x1b[1m", "<i>⟨U+0000⟩⟨U+001B⟩</i>[1m"),
        ("ad\u200bmin\u3164", "ad<i>⟨U+200B⟩</i>min<i>⟨U+3164⟩</i>"),
        ("\ud83d", "<i>⟨U+D83D⟩</i>"),
        ("a\u00a0b\ufe0f\U000e0100", "a<i>⟨U+00A0⟩</i>b<i>⟨U+FE0F⟩⟨U+E0100⟩</i>"),
        ("⟨U+202E⟩", "⟨U+202E⟩"),
    ],
)
def test_what_acts_unseen_is_written_out(text: str, expected: str) -> None:
    assert marked(text) == expected


def test_a_long_value_is_cut_and_its_true_length_noted() -> None:
    assert marked("a" * 1_048_576, 10) == "a" * 10 + "<i> … cut, 1,048,576 characters</i>"
    assert marked("a" * 10, 10) == "a" * 10


@pytest.mark.parametrize("text", ["<" * 5_000, "\x00" * 5_000, "\u202ea" * 5_000, "&\x00" * 5_000])
def test_no_value_costs_much_more_than_its_limit(text: str) -> None:
    assert len(marked(text, 400)) < 1_000


def test_a_heap_of_accents_is_written_out_after_the_fourth() -> None:
    assert marked("e\u0301") == "e\u0301"
    assert marked("e" + "\u0301" * 6) == "e" + "\u0301" * 4 + "<i>⟨U+0301⟩⟨U+0301⟩</i>"


def test_line_breaks_of_an_authors_text_are_layout() -> None:
    assert prose("one\n  two\u202e") == "one   two<i>⟨U+202E⟩</i>"


def test_what_a_template_forgets_to_filter_is_still_safe_text_without_tags() -> None:
    assert shown("a\u202e") == "a⟨U+202E⟩"
    assert not isinstance(shown("<b>"), Markup)
    assert shown(Markup("<b>")) == "<b>"
    assert shown(7) == 7


@pytest.mark.parametrize(
    "url",
    [
        "https://kubernetes.io/docs/?a=b#c",
        "http://127.0.0.1:8080/x",
        "https://[::1]/",
        "HTTPS://a.b",
    ],
)
def test_plain_web_addresses_may_be_followed(url: str) -> None:
    assert web_link(url) == url


@pytest.mark.parametrize(
    "text",
    [
        *("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil.example", "/x"),
        *(
            "https://",
            "https:evil.example",
            "https://good@evil.example/",
            "https://a b/",
            " https://a",
        ),
        *(
            "https://a\n.b",
            "https://g\u043e\u043ed.example/",
            "https://a\\b",
            "https://[::1",
            "",
            "ftp://a/",
        ),
        "https://a/" + "x" * 600,
    ],
)
def test_anything_else_is_shown_as_text_and_not_linked(text: str) -> None:
    assert web_link(text) is None
