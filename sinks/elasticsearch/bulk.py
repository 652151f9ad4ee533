"""Documents in, bulk requests out; a document is forgotten only when it was answered.

Separate from what the answers mean (`sinks.elasticsearch.answers`) and from waiting: nothing here
sleeps or loops for ever. "Not now" comes back as a `Wait`; the caller goes on polling and calls
again. Sending something twice does no harm: the operation is ``create`` under an id that the record
makes, or an ``update`` to values that are absolute.
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from sinks.elasticsearch.answers import Answer, NoAnswer, item_answer, request_answer
from sinks.elasticsearch.backoff import Backoff, RequestSize, Wait
from sinks.elasticsearch.bulk_request import item_replies, send, size_bytes
from sinks.elasticsearch.index_name import out_of_range_of
from sinks.elasticsearch.transport import NotAllowedError, Reply, SetupMissingError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from elasticsearch import Elasticsearch

    from sinks.elasticsearch.documents import Document


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A document that Elasticsearch will never take. ``reason`` may repeat one of its values."""

    document: Document
    status: int
    error_type: str
    reason: str


@dataclass(slots=True)
class BulkCounts:
    """Counts since the writer began.

    ``created`` and ``repeated`` are documents answered 201 and 409, ``updated`` those whose episode
    ended, ``retried`` documents to be
    sent again, ``waits`` times that a wait was asked for, ``split`` and ``bisected`` requests that
    were halved, ``outofrange`` documents re-addressed because their day is closed.
    """

    requests: int = 0
    created: int = 0
    updated: int = 0
    repeated: int = 0
    retried: int = 0
    waits: int = 0
    split: int = 0
    bisected: int = 0
    poisoned: int = 0
    outofrange: int = 0


class BulkWriter:
    """Keeps documents until each is answered.

    Parameters
        client: from `sinks.elasticsearch.connection.connect`: it tries nothing again by itself.
        bulk_bytes: most bytes of one request; a larger document goes alone.
        check: called before the first document goes to an index that is new to this writer; raises
            what `flush` raises, or returns a reply that says "not now". `setup_check.checker`
            makes one. None: not checked, for tests.
        random, clock: passed in; ``clock`` gives monotonic seconds.
    """

    def __init__(
        self,
        client: Elasticsearch,
        bulk_bytes: int,
        *,
        check: Callable[[], Reply | None] | None = None,
        random: Random | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counts = BulkCounts()
        self._client = client
        self._size = RequestSize(bulk_bytes)
        self._check = check
        self._clock = clock
        self._backoff = Backoff() if random is None else Backoff(random)
        self._numbers = itertools.count()
        self._pending: dict[int, Document] = {}
        self._doubtful: set[int] = set()
        self._known: set[str] = set()
        self._new: set[str] = set()
        self._created: list[str] = []
        self._poisoned: list[Poisoned] = []
        self._wait = Wait(0.0, "")
        self._wait_until = 0.0

    def add(self, document: Document) -> None:
        """Take a document; nothing is sent before `flush`."""
        self._keep(next(self._numbers), document)

    @property
    def pending(self) -> int:
        """Documents that are not answered yet."""
        return len(self._pending)

    def discard(self) -> None:
        """Forget what is pending: the partition is another worker's now."""
        self._pending.clear()
        self._doubtful.clear()

    def created(self) -> list[str]:
        """Return the ids written since last asked, and forget them.

        An id that was answered 409 after an earlier answer was lost is among them: nobody can tell
        whether this writer made it.
        """
        taken, self._created = self._created, []
        return taken

    def poisoned(self) -> list[Poisoned]:
        """Return the documents refused for good since last asked, and forget them."""
        taken, self._poisoned = self._poisoned, []
        return taken

    def flush(self) -> Wait | None:
        """Send all that is pending, and stop at the first "not now".

        Returns
            None when everything is answered; else when to call again. A call before that sends
            nothing: at full storm a worker asks once a second at most.

        Raises
            SetupMissingError, NotAllowedError: the worker must stop; what is unanswered is kept.
        """
        left_s = self._wait_until - self._clock()
        if self._pending and left_s > 0:
            return replace(self._wait, seconds=left_s)
        while self._pending:
            if refusal := self._check_new() or self._send_sized(self._next_request()):
                return self._ask_to_wait(refusal)
        return None

    def _keep(self, number: int, document: Document) -> None:
        self._pending[number] = document
        if document.index not in self._known:
            self._new.add(document.index)

    def _check_new(self) -> Reply | None:
        """See to it that an index is born from our template, never from a first document."""
        if self._new and self._check and (refusal := self._check()):
            return refusal
        self._known |= self._new
        self._new.clear()
        return None

    def _next_request(self) -> list[int]:
        """Return the oldest documents that fit into one request, one at least."""
        taken: list[int] = []
        total_bytes = 0
        for number, document in self._pending.items():
            total_bytes += size_bytes(document)
            if taken and total_bytes > self._size.limit_bytes:
                break
            taken.append(number)
        return taken

    def _send_sized(self, numbers: list[int]) -> Reply | None:
        """Send them, and learn from it how much to send at once."""
        total_bytes = sum(size_bytes(self._pending[number]) for number in numbers)
        before = len(self._pending)
        refusal = self._send(numbers)
        if refusal is None:
            self._size.succeeded()
        elif len(self._pending) == before:
            self._size.refused(total_bytes)
        return refusal

    def _send(self, first: list[int]) -> Reply | None:
        """Send one request, or its parts where it must be halved; return what says "not now"."""
        parts = [first]
        while parts:
            numbers = parts.pop()
            reply = send(self._client, [self._pending[number] for number in numbers])
            self.counts.requests += 1
            answer = request_answer(reply.status, reply.error_type)
            if answer is Answer.DONE:
                refusal = self._take(numbers, reply)
            elif answer in {Answer.TOO_LARGE, Answer.BISECT}:
                refusal = None
                parts += self._halves(numbers, answer, reply)
            else:
                if isinstance(reply.status, NoAnswer):
                    self._doubtful.update(numbers)
                refusal = self._refused(answer, reply, len(numbers))
            if refusal:
                return refusal
        return None

    def _halves(self, numbers: list[int], answer: Answer, reply: Reply) -> list[list[int]]:
        if len(numbers) == 1:
            self._poison(numbers[0], reply)
            return []
        self.counts.split += answer is Answer.TOO_LARGE
        self.counts.bisected += answer is Answer.BISECT
        middle = len(numbers) // 2
        return [numbers[middle:], numbers[:middle]]

    def _take(self, numbers: Sequence[int], reply: Reply) -> Reply | None:
        """Act on each document's own answer; return the last that says "not now"."""
        refused: dict[Answer, Reply] = {}
        for number, item in zip(numbers, item_replies(reply), strict=True):
            answer = self._answer(number, item)
            if answer in {Answer.DONE, Answer.REPEATED}:
                self._done(number, answer)
            elif answer is Answer.POISON:
                self._poison(number, item)
            elif answer is Answer.CLOSED_DAY:
                self._move(number, item)
            else:
                refused[answer] = item
                self.counts.retried += answer is Answer.NOT_NOW
        for answer in (Answer.NOT_ALLOWED, Answer.SET_UP_MISSING, Answer.NOT_NOW):
            if answer in refused:
                return self._refused(answer, refused[answer], 0)
        return None

    def _answer(self, number: int, item: Reply) -> Answer:
        """Return what an item's answer means; what is to be updated may be gone, or not there yet.

        Elasticsearch may take an update and refuse the creation before it, for want of memory. A
        conflict says of a creation that it was done, of an update that somebody else was faster.
        """
        document = self._pending[number]
        if document.is_update and item.status == HTTPStatus.CONFLICT:
            return Answer.NOT_NOW
        if not (document.is_update and item.status == HTTPStatus.NOT_FOUND):
            return item_answer(int(item.status), item.error_type)
        coming = any(one.id == document.id and not one.is_update for one in self._pending.values())
        return Answer.NOT_NOW if coming else Answer.REPEATED

    def _done(self, number: int, answer: Answer) -> None:
        document = self._pending.pop(number)
        self._backoff.succeeded()
        if document.is_update:
            self.counts.updated += answer is Answer.DONE
            self._doubtful.discard(number)
            return
        self.counts.created += answer is Answer.DONE
        self.counts.repeated += answer is Answer.REPEATED
        if answer is Answer.DONE or number in self._doubtful:
            self._created.append(document.id)
        self._doubtful.discard(number)

    def _poison(self, number: int, reply: Reply) -> None:
        document = self._pending.pop(number)
        self._doubtful.discard(number)
        self.counts.poisoned += 1
        self._poisoned.append(Poisoned(document, int(reply.status), reply.error_type, reply.reason))

    def _move(self, number: int, item: Reply) -> None:
        document = self._pending[number]
        index = out_of_range_of(document.index)
        if index == document.index:
            raise SetupMissingError(f"index {index} is closed: open it. {item.reason}")
        self.counts.outofrange += 1
        self._keep(number, replace(document, index=index))

    def _refused(self, answer: Answer, reply: Reply, retried: int) -> Reply:
        """Return a reply that says "not now", else raise what stops the worker."""
        if answer is Answer.NOT_ALLOWED:
            raise NotAllowedError(f"Elasticsearch does not let us write: {reply.reason}")
        if answer is Answer.SET_UP_MISSING:
            raise SetupMissingError(
                f"Elasticsearch is not set up for us, see `trailwarden setup`: {reply.reason}"
            )
        self.counts.retried += retried
        return reply

    def _ask_to_wait(self, refusal: Reply) -> Wait:
        self.counts.waits += 1
        seconds = self._backoff.refused(refusal.retry_after_s)
        self._wait = Wait(seconds, refusal.reason)
        self._wait_until = self._clock() + seconds
        return self._wait
