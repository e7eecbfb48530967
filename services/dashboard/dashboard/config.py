"""The dashboard's settings."""

from oimon.config import Settings, service_port


class DashboardSettings(Settings):
    """What the dashboard can be told."""

    http_port: int = service_port("dashboard")
