"""Where an envelope says that its records come from: a cluster and its place in a cloud.

Separate from the envelopes because the decoders of whole formats (GKE) say the same about a record
that is no envelope, and the driver reads nothing else of either.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose records these are; what is not said is None.

    ``provider`` is ``aws``, ``gcp`` or ``azure``; ``account`` the AWS account, Google project or
    Azure subscription.
    """

    cluster: str | None = None
    provider: str | None = None
    account: str | None = None
    region: str | None = None
