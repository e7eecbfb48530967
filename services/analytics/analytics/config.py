"""Settings of analytics: those of every service, on a port of its own."""

from pydantic import Field

from oimon.config import Settings, service_port


class AnalyticsSettings(Settings):
    """What analytics can be told."""

    http_port: int = service_port("analytics")
    fast: bool = Field(
        default=True,
        description="hot loops as machine code, where numba is installed (the extra fast)",
    )
