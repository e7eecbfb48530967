"""Who should own what: the same answer for every replica that sees the same (pure). Source: bus contract, section 4.

The answer is only a wish. Two replicas that see different things are safe, since leases decide.
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b


def share_out(
    members: Sequence[str], partitions: Iterable[str], holders: Mapping[str, str]
) -> dict[str, str]:
    """Return the member that should own each partition; empty when there is no member.

    None is given more than its share, the number of partitions over that of members, rounded up. A live holder keeps what it
    has up to that, so that as few partitions as possible move; the rest go by rendezvous hashing to who has room.

    Args:
        members: live replicas.
        partitions: what there is to own.
        holders: who holds what now; may name replicas that are no members.
    """
    pairs = sorted(
        ((_weight(member, partition), partition, member) for partition in set(partitions) for member in members),
        reverse=True,
    )  # fmt: skip
    share = -(-len(set(partitions)) // len(members)) if members else 0
    room = dict.fromkeys(members, share)
    owners: dict[str, str] = {}
    for is_holders_turn in (True, False):
        for _, partition, member in pairs:
            if is_holders_turn and holders.get(partition) != member:
                continue
            if partition not in owners and room[member]:
                owners[partition] = member
                room[member] -= 1
    return owners


def _weight(member: str, partition: str) -> bytes:
    return blake2b(f"{member}/{partition}".encode(), digest_size=8).digest()
