"""Rules that are loaded anew are used from the next batch on; refused ones change nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from detectors.sigma.errors import InvalidRulesError
from tests.worker.messages import message
from tests.worker.over_time import ALONE, MANY, Kept, Running, Topic, act, alone, start, write_rules
from worker.configuration import InvalidSettingsError, load_settings
from worker.parts import rules_of, take_rules

REFUSED = (InvalidRulesError, InvalidSettingsError)
ALONE_ID, MANY_ID = (f"00000000-0000-4000-8000-{number:012}" for number in (9, 1))
GETS = [(0.0, "get"), (1.0, "delete"), (2.0, "get"), (3.0, "get")]
MORE = [(4.0, "get"), (5.0, "create"), (6.0, "delete"), (100.0, "list")]


class Site:
    """A worker, its settings and its rules on disk; `more` are records that come later."""

    def __init__(self, folder: Path) -> None:
        self.file, self.folder, self.rules = folder / "settings.yml", folder, folder / "rules"
        write_rules(self.rules, (MANY, ALONE))
        self.settle()
        self.kept = Kept()
        self.log = [message(n, act(n, *one)) for n, one in enumerate(GETS)]
        rules = rules_of(load_settings(self.file), self.file)
        self.running: Running = start(
            Topic({0: self.log}), folder / "store", rules, self.kept, Random(1), [0]
        )
        self.read()

    def settle(self, **groups: object) -> None:
        self.file.write_text(json.dumps({"worker": {"rules": [str(self.rules)]}, **groups}))

    def read(self) -> None:
        while not self.running.source.is_done:
            self.running.step()
        self.running.worker.checkpoint()

    def renew(self) -> None:
        rules = rules_of(load_settings(self.file), self.file)
        take_rules(self.running.stages, self.running.worker.holdings, rules)

    def more(self) -> set[tuple[str, str]]:
        """Read on; return rule and time of all that was found."""
        first = len(GETS)
        self.log += [message(first + n, act(first + n, *one)) for n, one in enumerate(MORE)]
        self.read()
        return {(one["rule.id"], one["@timestamp"][17:19]) for one in self.kept.findings.values()}


OLD = {(ALONE_ID, "01"), (ALONE_ID, "06"), (MANY_ID, "04")}


def test_new_rules_are_used_from_the_next_batch_on(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.rules / "rule-1.yml").write_text(alone(8, "create"))
    site.renew()
    other = "00000000-0000-4000-8000-000000000008"
    assert site.more() == {(ALONE_ID, "01"), (other, "05"), (MANY_ID, "04")}


def test_rules_that_are_the_same_change_nothing(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.renew()
    assert site.more() == OLD


def test_what_is_committed_next_and_taken_over_is_of_the_new_rules(tmp_path: Path) -> None:
    site = Site(tmp_path)
    (site.rules / "rule-2.yml").write_text(alone(8, "create"))
    before = site.running.worker.holdings.detecting.pack
    site.renew()
    holdings = site.running.worker.holdings
    assert holdings.detecting.pack == site.running.stages.rules.hash != before
    assert holdings.detecting.new_state().over_time.plan is site.running.stages.rules.plan
    assert holdings.partitions[0].remembered.over_time.plan is site.running.stages.rules.plan


def _broken(site: Site) -> None:
    (site.rules / "rule-1.yml").write_text("title: [")


def _twice(site: Site) -> None:
    (site.rules / "rule-7.yml").write_text(ALONE)


def _unknown(site: Site) -> None:
    site.settle(nothing={"like": "this"})


def _gone(site: Site) -> None:
    site.file.unlink()


def _no_folder(site: Site) -> None:
    site.rules.rename(site.folder / "elsewhere")


def _empty(site: Site) -> None:
    for file in site.rules.iterdir():
        file.unlink()


def _not_text(site: Site) -> None:
    (site.rules / "rule-1.yml").write_bytes(b"\xff\xfe\x00")


def _exception(site: Site) -> None:
    site.settle(exceptions=[{"rule": "no such rule", "owner": "me"}])


BAD = [_broken, _twice, _unknown, _gone, _no_folder, _empty, _not_text, _exception]


@pytest.mark.parametrize("spoil", BAD)
def test_what_is_refused_leaves_the_rules_in_use(
    tmp_path: Path, spoil: Callable[[Site], None]
) -> None:
    site = Site(tmp_path)
    rules, detecting = site.running.stages.rules, site.running.worker.holdings.detecting
    spoil(site)
    with pytest.raises(REFUSED):
        site.renew()
    assert site.running.stages.rules is rules
    assert site.running.worker.holdings.detecting is detecting
    assert site.more() == OLD
