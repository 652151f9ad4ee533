from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from sinks.report import ReadSummary, Report, RuleInfo, render

if TYPE_CHECKING:
    from pathlib import Path

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
SCRIPT = "<script>document.title='pwned'</script>"
PAYLOAD = (
    f"</title></style>\"'>{SCRIPT}<img src=x onerror=\"document.title='pwned'\">"
    "<svg onload=\"document.title='pwned'\"></svg>"
)

pytestmark = pytest.mark.skipif(not BROWSER, reason="no Chromium on this machine")


def title_after_loading(path: Path, profile: Path) -> str:
    """Title of the page once its scripts, if any ran, have run."""
    done = subprocess.run(
        [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
            *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
            *("--disable-sync", f"--user-data-dir={profile}", "--dump-dom", path.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.partition("<title>")[2].partition("</title>")[0]


def hostile_page() -> str:
    finding: dict[str, object] = {
        "message": PAYLOAD,
        "rule.name": PAYLOAD,
        "user.name": PAYLOAD,
        "rule.reference": ["javascript:document.title='pwned'"],
        "trailwarden.evidence.values": [PAYLOAD],
    }
    return render(
        Report(
            ReadSummary(files=1, records=1, events=1, clusters={PAYLOAD: 1}),
            [finding],
            [RuleInfo(PAYLOAD, PAYLOAD, PAYLOAD, PAYLOAD)],
            version="1",
            pack_hash="h",
        )
    )


def test_no_script_of_a_hostile_value_runs(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(hostile_page(), encoding="utf-8")
    title = title_after_loading(page, tmp_path / "profile")
    assert title.startswith("1 medium finding in 1 event of cluster &lt;/title&gt;")
    assert title.endswith(": Trailwarden")


def test_the_policy_stops_a_script_that_escaping_would_have_let_through(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    page.write_text(hostile_page().replace("<main>", f"<main>{PAYLOAD}"), encoding="utf-8")
    assert title_after_loading(page, tmp_path / "profile") != "pwned"


def test_a_page_without_the_policy_would_have_run_it(tmp_path: Path) -> None:
    page = tmp_path / "bare.html"
    page.write_text(f"<title>bare</title>{SCRIPT}", encoding="utf-8")
    assert title_after_loading(page, tmp_path / "profile") == "pwned"
