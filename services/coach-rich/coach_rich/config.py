"""Settings of the deep coach."""

from pydantic import Field

from oimon.coach.settings import CoachSettings
from oimon.terms import SERVICES


class Config(CoachSettings):
    """What the deep coach can be told."""

    http_port: int = Field(
        SERVICES["coach-rich"],
        ge=0,
        le=65535,
        description="port of /healthz, /readyz, /metrics, /status; 0: any",
    )
    rich_model: str = Field(
        "qwen/qwen-2.5-72b-instruct", min_length=1, description="name of the model that is asked"
    )
