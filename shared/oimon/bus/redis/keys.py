"""The names of keys. Braces put everything of one partition into one slot of a cluster. Source: bus contract, section 2."""

from functools import lru_cache

from oimon.bus import PARTITION

DEAD = "oi.dead.v1"


@lru_cache(maxsize=4096)  # the same few, with each call
def key(name: str, partition: str, role: str = "") -> str:
    """Return the key of something that belongs to a partition.

    Raises:
        ValueError: no partition has such a name.
    """
    if not PARTITION.fullmatch(partition):
        raise ValueError(f"a partition's name matches {PARTITION.pattern}, was {partition!r}")
    return f"{name}:{{{partition}}}" + (f":{role}" if role else "")


def own_key(role: str, partition: str) -> str:
    """Return the key of an ownership record."""
    return key("oi.own", partition, role)


def snapshot_key(role: str, partition: str) -> str:
    """Return the key of the state that a role keeps."""
    return key("oi.snap", partition, role)


def dead_key(role: str, partition: str) -> str:
    """Return the key of what a role or a group has set aside."""
    return key(DEAD, partition, role)


def sent_key(partition: str) -> str:
    """Return the key of what became of messages that left the house."""
    return key("oi.sent", partition)


def purse_key(purse: str, day: str) -> str:
    """Return the key of what was used of a purse on a day, ``20261126``."""
    return f"{key('oi.budget', purse)}:{day}"


def members_key(role: str) -> str:
    """Return the key of a role's live replicas."""
    return f"oi.members:{{{role}}}"


def status_key(service: str, replica: str = "all") -> str:
    """Return the key of a replica's status, or of the list of replicas that tell theirs."""
    return f"oi.status:{{{service}}}:{replica}"


def stream_of(stream_key: str) -> str:
    """Return the name of the stream that has this key."""
    return stream_key.split(":{", 1)[0]
