"""Settings of the deep coach."""

from pydantic import Field

from oimon.coach.settings import CoachSettings
from oimon.config import service_port


class Config(CoachSettings):
    """What the deep coach can be told."""

    http_port: int = service_port("coach-rich")
    rich_model: str = Field(
        "qwen/qwen-2.5-72b-instruct", min_length=1, description="name of the model that is asked"
    )
