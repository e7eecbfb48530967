"""Settings of the fast coach."""

from pydantic import Field

from oimon.coach.settings import CoachSettings
from oimon.config import service_port


class Config(CoachSettings):
    """What the fast coach can be told."""

    http_port: int = service_port("coach-minimal")
    minimal_model: str = Field(
        "openai/gpt-4o-mini", min_length=1, description="name of the model that is asked"
    )
    minimal_model_every_second: bool = Field(
        default=False,
        description="ask each second, also when nothing that it would see has changed",
    )
    paper_capital: float = Field(500_000.0, gt=0, description="rupees of the paper account")
