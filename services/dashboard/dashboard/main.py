"""The dashboard: the one service that browsers reach; it only reads."""

from dashboard.api import routes
from dashboard.config import DashboardSettings
from oimon.service import Running, Service


async def run(running: Running[DashboardSettings]) -> None:
    """Wait for the stop: the web server does the work."""
    await running.stop.wait()


service = Service(name="dashboard", settings=DashboardSettings, run=run, routes=routes)
