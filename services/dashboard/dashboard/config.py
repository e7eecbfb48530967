"""The dashboard's settings."""

from pydantic import Field

from oimon.config import Settings
from oimon.terms import SERVICES


class DashboardSettings(Settings):
    """What the dashboard can be told."""

    http_port: int = Field(
        SERVICES["dashboard"],
        ge=0,
        le=65535,
        description="port of the REST addresses; the next free one when taken",
    )
