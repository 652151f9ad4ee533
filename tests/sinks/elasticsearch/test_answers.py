"""Every row of the design's table "Answers from Elasticsearch", and each alternative in a row."""

from __future__ import annotations

import pytest

from sinks.elasticsearch.answers import Answer, NoAnswer, item_answer, request_answer

REJECTED = "es_rejected_execution_exception"
BLOCKED = "cluster_block_exception"
SECURITY = "security_exception"


@pytest.mark.parametrize(
    ("status", "error_type", "answer"),
    [
        (200, "", Answer.DONE),
        # not now
        (429, REJECTED, Answer.NOT_NOW),
        (429, "", Answer.NOT_NOW),
        (502, "", Answer.NOT_NOW),
        (503, "", Answer.NOT_NOW),
        (504, "", Answer.NOT_NOW),
        (503, BLOCKED, Answer.NOT_NOW),
        (403, BLOCKED, Answer.NOT_NOW),
        (500, "", Answer.NOT_NOW),
        (408, "", Answer.NOT_NOW),
        *((kind, "", Answer.NOT_NOW) for kind in NoAnswer),
        # too large, or one document poisons the request
        (413, "", Answer.TOO_LARGE),
        (400, "action_request_validation_exception", Answer.BISECT),
        (400, "parse_exception", Answer.BISECT),
        (400, "", Answer.BISECT),
        # stop
        (401, SECURITY, Answer.NOT_ALLOWED),
        (403, SECURITY, Answer.NOT_ALLOWED),
        (401, "", Answer.NOT_ALLOWED),
        (404, "index_not_found_exception", Answer.SET_UP_MISSING),
        (400, "media_type_header_exception", Answer.SET_UP_MISSING),
        (404, "", Answer.SET_UP_MISSING),
        (405, "", Answer.SET_UP_MISSING),
        (301, "", Answer.SET_UP_MISSING),
    ],
)
def test_what_an_answer_to_a_request_means(
    status: int | NoAnswer, error_type: str, answer: Answer
) -> None:
    assert request_answer(status, error_type) is answer


@pytest.mark.parametrize(
    ("status", "error_type", "answer"),
    [
        (201, "", Answer.DONE),
        (200, "", Answer.DONE),
        (409, "version_conflict_engine_exception", Answer.REPEATED),
        # not now: indexing pressure, the disk's flood stage, a block, a shard that is away
        (429, REJECTED, Answer.NOT_NOW),
        (429, BLOCKED, Answer.NOT_NOW),
        (403, BLOCKED, Answer.NOT_NOW),
        (503, "unavailable_shards_exception", Answer.NOT_NOW),
        (503, "process_cluster_event_timeout_exception", Answer.NOT_NOW),
        (500, "io_exception", Answer.NOT_NOW),
        (400, "validation_exception", Answer.NOT_NOW),
        # poison
        (400, "document_parsing_exception", Answer.POISON),
        (400, "mapper_parsing_exception", Answer.POISON),
        (400, "illegal_argument_exception", Answer.POISON),
        (404, "shard_not_found_exception", Answer.POISON),
        (413, "", Answer.POISON),
        # stop
        (404, "index_not_found_exception", Answer.SET_UP_MISSING),
        (400, "invalid_index_name_exception", Answer.SET_UP_MISSING),
        (401, SECURITY, Answer.NOT_ALLOWED),
        (403, SECURITY, Answer.NOT_ALLOWED),
        # the day is closed
        (400, "index_closed_exception", Answer.CLOSED_DAY),
    ],
)
def test_what_an_answer_to_a_document_means(status: int, error_type: str, answer: Answer) -> None:
    assert item_answer(status, error_type) is answer


def test_every_meaning_is_reached() -> None:
    statuses = (*range(200, 600), *NoAnswer)
    types = ("", "index_not_found_exception", "index_closed_exception")
    numbers = [status for status in statuses if isinstance(status, int)]
    whole = {request_answer(status, kind) for status in statuses for kind in types}
    single = {item_answer(status, kind) for status in numbers for kind in types}
    assert whole | single == set(Answer)
