"""Settings of analytics: those of every service, on a port of its own."""

from pydantic import Field

from oimon.config import Settings
from oimon.terms import SERVICES


class AnalyticsSettings(Settings):
    """What analytics can be told."""

    http_port: int = Field(
        SERVICES["analytics"],
        ge=0,
        le=65535,
        description="port of /healthz, /readyz, /metrics and /status",
    )
    fast: bool = Field(
        default=True,
        description="hot loops as machine code, where numba is installed (the extra fast)",
    )
