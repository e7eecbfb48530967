"""How many processes of each service run on this machine: ``oi up --replicas`` (pure)."""

from collections.abc import Mapping, Sequence

from oimon.errors import ConfigError

MOST = 9
"""Of one service; each is a process of some 100 MB."""


def replicas(text: str | None, services: Sequence[str]) -> Mapping[str, int]:
    """Return how many processes of each service are wanted: one, where nothing is said of it.

    Args:
        text: as ``analytics=3,coach-minimal=2``.
        services: the services that there are.

    Raises:
        ConfigError: it is not of that form, or names what is no service.
    """
    wanted = dict.fromkeys(services, 1)
    for part in filter(None, (text or "").replace(" ", "").split(",")):
        name, _, count = part.partition("=")
        if name not in wanted:
            raise ConfigError(
                f"--replicas: no service is called {name!r}; there are {', '.join(services)}"
            )
        if not (count.isascii() and count.isdigit() and 1 <= int(count) <= MOST):
            raise ConfigError(
                f"--replicas: {name} takes a number from 1 to {MOST}, as {name}=2; found {part!r}"
            )
        wanted[name] = int(count)
    return wanted


def names_of(service: str, count: int) -> Sequence[str]:
    """Return the names of a service's processes: its own, then ``-2``, ``-3`` and so on."""
    return [service, *(f"{service}-{number}" for number in range(2, count + 1))]
