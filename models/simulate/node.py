"""A node: its name, its addresses and the identity of its kubelet.

Separate because pods, kubelets and attacks all speak of nodes, and none of them owns one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from models.simulate.record import Caller


@dataclass(slots=True)
class Node:
    """A node of a cluster."""

    name: str
    uid: bytes
    address: str
    number: int
    cluster_number: int
    caller: Caller
    """Its kubelet; replaced when the certificate or the version changes."""
    used_addresses: int = 1

    def next_pod_address(self) -> str:
        """Give the next address of the node's pod network, round and round."""
        self.used_addresses = self.used_addresses % 250 + 2
        return f"10.{64 + self.cluster_number}.{self.number}.{self.used_addresses}"
