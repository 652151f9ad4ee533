"""A cluster's time in, whether somebody sits in an office out.

Separate because pipelines and upgrades both keep to the hours of those who watch them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from models.simulate.timeline import MINUTE, SITES

if TYPE_CHECKING:
    from models.simulate.cluster import Cluster

QUIET_SHARE: Final = 0.12
"""How many of the day's deploys happen at night or at weekends: hotfixes and timers."""


def is_office_time(cluster: Cluster) -> bool:
    """Tell whether somebody sits in an office: hours of the first site, Monday to Friday."""
    site = SITES[0]
    local = (cluster.now_us // MINUTE + site.offset_minutes) % (24 * 60)
    return site.is_working_day(site.day_of(cluster.now_us)) and 8 * 60 <= local < 19 * 60
