"""How an owned partition stands: how far behind it is, what was set aside of it, what went wrong last; for ``/status`` and ``/readyz``."""

from oimon import metrics
from oimon.bus import Entry, Held
from oimon.bus.log import Lease, Log, stamp

MAX_LAG_S = 5.0


class Standing:
    """What is known of one (role, partition), as this replica works it.

    Args:
        log: where the newest entry is looked up.
        lease: the ownership as it was granted.
    """

    def __init__(self, log: Log, lease: Lease) -> None:
        self._log = log
        self._role = lease.role
        self._partition = lease.partition
        self.is_restored = False
        """Whether the state is what the cursor says."""
        self.parked = 0
        """Entries set aside since the partition was acquired."""
        self.last_error: str | None = None
        self._lag = 0
        self._lag_s = 0.0
        self._lag_gauge = metrics.LAG.labels(self._role, self._partition)

    async def measure_lag(self, last: Entry, *, full: bool) -> None:
        """Note how much stands behind ``last``, the entry worked last; there can be more only when its batch was full."""
        newest = await self._log.newest(last.stream, last.partition) if full else last
        behind = newest is not None and newest is not last
        self._lag = max(0, newest.n - last.n) if newest is not None and behind else 0
        self._lag_s = (
            (stamp(newest.id)[0] - stamp(last.id)[0]) / 1e3
            if newest is not None and behind
            else 0.0
        )
        self._lag_gauge.set(self._lag)

    def no_lag(self) -> None:
        """Note that there was nothing to read."""
        self._lag, self._lag_s = 0, 0.0
        self._lag_gauge.set(0)

    def held(self, lease: Lease, cursor: str) -> Held:
        """Return what is known of it, for ``/status``.

        Args:
            lease: the ownership as it is now.
            cursor: id of the last entry that the state holds.
        """
        return Held(
            role=self._role,
            partition=self._partition,
            epoch=int(lease.epoch),
            cursor=cursor,
            lag=self._lag,
            lag_s=self._lag_s,
            restored=self.is_restored,
            parked=self.parked,
            last_error=self.last_error,
        )

    def problem(self) -> str | None:
        """Return why it is not worked as it should be, if so."""
        name = f"{self._role} of {self._partition}"
        if not self.is_restored:
            return f"{name} is being restored from the log"
        if self._lag_s > MAX_LAG_S:
            return f"{name} is {self._lag} entries behind, {self._lag_s:.0f} s"
        return None
