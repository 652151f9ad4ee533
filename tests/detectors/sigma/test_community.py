"""Community rules compile and mean what they say, or are refused with a reason; none is wrong."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from detectors.case_check import has_cases, outcomes_of, subject_of, with_own_cases
from detectors.sigma.community import (
    OverwriteError,
    imported_text,
    read_community,
    write_imported,
)
from detectors.sigma.compiler import load_pack
from detectors.sigma.correlation import CorrelationType
from detectors.sigma.modifiers import _COMPANIONS
from detectors.site import Site

FOLDER = Path(__file__).parent / "community"
REFUSED = Path(__file__).parent / "community_refused"
PACK = load_pack([FOLDER])
SUBJECTS = {one.file.stem: one for one in with_own_cases(PACK)}

REASONS = {
    "aggregation": ["aggregations after '|' are not supported"],
    "alias": ["anchor '&s' is not allowed"],
    "base64_of_contains": ["modifier 'base64' cannot follow 'contains'"],
    "base_is_refused": ["there is no rule with name or id"],
    "collection": ["rule collections ('action') are not supported"],
    "contradiction": ["the condition contradicts itself"],
    "duplicate_key": ["key 'verb' is already on line"],
    "filter": ["Sigma filters are not supported"],
    "impossible_hour": ["the hour of @timestamp is never equal to 24"],
    "keywords": ["keywords without a field", "keywords without a field"],
    "lookaround": ["look-around"],
    "no_id": ["a rule needs 'id'"],
    "no_product": ["product must be one of"],
    "not_yaml": ["not YAML"],
    "number_as_text": ["holds a number and is never 'forbidden'"],
    "timeframe": ["'timeframe' belongs to correlations"],
    "two_rules": ["a file holds one rule"],
    "unknown_field": ["unknown field 'requestObject.spec.hostFooBar'", "did you mean 'verb'?"],
    "unknown_list": ["domain_admins"],
    "unknown_modifier": ["unknown modifier 'fuzzy'"],
    "unknown_selection": ["unknown selection 'filter_main'"],
    "unused_selection": ["selection 'other' is not used"],
    "windows": ["product must be one of", "unknown field 'EventID'"],
}


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_rule_that_compiles_matches_what_it_must_and_nothing_else(name: str) -> None:
    assert has_cases(SUBJECTS[name])
    subject = subject_of(SUBJECTS[name], PACK, Site(), FOLDER / "bases")
    assert {case.expected for case in subject.cases} == {True, False}
    assert [one.case.name for one in outcomes_of(subject) if not one.is_good] == []


def test_the_rules_use_every_modifier_and_every_type_of_sigma() -> None:
    assert len(SUBJECTS) >= 25
    text = "".join(one.file.read_text() for one in SUBJECTS.values())
    assert [name for name in _COMPANIONS if f"|{name}" not in text] == []
    ours = {CorrelationType.FIRST_SEEN, CorrelationType.ABSENCE}
    assert {one.type for one in PACK.correlations} == set(CorrelationType) - ours


@pytest.mark.parametrize("name", REASONS)
def test_a_rule_that_does_not_compile_says_every_reason(name: str) -> None:
    (found,) = [one for one in read_community(REFUSED, Site()) if one.file.stem == name]
    messages = [error.message for error in found.problems]
    assert len(messages) == len(REASONS[name]), messages
    for wanted, message in zip(REASONS[name], messages, strict=True):
        assert wanted in message


def test_every_refused_file_has_its_reason_here() -> None:
    assert {one.file.stem for one in read_community(REFUSED, Site())} == set(REASONS)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    folder = tmp_path / "theirs"
    shutil.copytree(REFUSED, folder / "bad")
    shutil.copytree(FOLDER, folder / "good")
    return folder


def test_what_is_wrong_does_not_hold_up_the_rest(mixed: Path) -> None:
    found = read_community(mixed, Site())
    assert {one.file.stem for one in found if not one.problems} == set(SUBJECTS)
    assert [one.file for one in found] == sorted(one.file for one in found)


def test_a_correlation_goes_with_its_base(mixed: Path) -> None:
    """Its base is in a file that is refused: alone it would join nothing."""
    (found,) = [one for one in read_community(mixed, Site()) if one.file.stem == "base_is_refused"]
    (problem,) = found.problems
    assert "there is no rule" in problem.message


def test_it_is_told_which_fields_mean_which_columns() -> None:
    found = {one.file.stem: one for one in read_community(FOLDER, Site())}
    assert found["numbers"].fields == {"responseStatus.code": "http.response.status_code"}
    assert found["aliases"].title == "Somebody Impersonated Who Then Acts"
    assert found["chain"].title == "Refusals Then A Secret"
    refused = {one.file.stem: one for one in read_community(REFUSED, Site())}
    assert refused["unknown_field"].unknown_fields == (
        "requestObject.spec.hostFooBar",
        "verbs",
    )
    assert refused["windows"].product == "windows"


def test_author_and_licence_are_kept() -> None:
    found = {one.file.stem: one for one in read_community(FOLDER, Site())}
    assert found["verb_of_pods_exec"].license == "DRL-1.1"
    assert found["cased"].license is None
    assert found["cased"].author == "Rule Writers"
    (rule,) = load_pack([FOLDER / "verb_of_pods_exec.yml"]).rules
    assert (rule.author, rule.license) == ("Rule Writers", "DRL-1.1")


def test_an_imported_file_is_the_same_text_behind_a_line_that_says_where_from(
    tmp_path: Path,
) -> None:
    for found in read_community(FOLDER, Site()):
        target = write_imported(found, FOLDER, tmp_path)
        line, _, rest = target.read_bytes().partition(b"\n")
        assert line.startswith(b"# Imported from community/" + target.name.encode() + b", sha256 ")
        assert rest == found.file.read_bytes()
    imported = load_pack([tmp_path])
    assert [one.id for one in imported.reporting] == [one.id for one in PACK.reporting]


def test_importing_again_writes_over_what_was_imported_and_nothing_else(tmp_path: Path) -> None:
    found = read_community(FOLDER, Site())[0]
    target = write_imported(found, FOLDER, tmp_path)
    assert write_imported(found, FOLDER, tmp_path) == target
    target.write_text("title: somebody's own\n")
    with pytest.raises(OverwriteError):
        write_imported(found, FOLDER, tmp_path)
    assert target.read_text() == "title: somebody's own\n"


def test_a_byte_order_mark_stays_in_front(tmp_path: Path) -> None:
    file = tmp_path / "theirs" / "marked.yml"
    file.parent.mkdir()
    text = (FOLDER / "cased.yml").read_bytes()
    file.write_bytes(b"\xef\xbb\xbf" + text)
    out = tmp_path / "out.yml"
    out.write_bytes(imported_text(file, file.parent))
    assert out.read_bytes().startswith(b"\xef\xbb\xbf# Imported from theirs/marked.yml")
    assert load_pack([out]).rules[0].title == "Name In Capitals"


def test_a_name_cannot_break_out_of_its_comment(tmp_path: Path) -> None:
    file = tmp_path / "theirs" / "a\nb.yml"
    file.parent.mkdir()
    file.write_bytes((FOLDER / "cased.yml").read_bytes())
    assert (
        imported_text(file, file.parent).splitlines()[0].startswith(b"# Imported from theirs/a?b")
    )
