"""Settings of the fast coach."""

from pydantic import Field

from oimon.coach.settings import CoachSettings
from oimon.terms import SERVICES


class Config(CoachSettings):
    """What the fast coach can be told."""

    http_port: int = Field(
        SERVICES["coach-minimal"],
        ge=0,
        le=65535,
        description="port of /healthz, /readyz, /metrics, /status; 0: any",
    )
    minimal_model: str = Field(
        "openai/gpt-4o-mini", min_length=1, description="name of the model that is asked"
    )
    minimal_model_every_second: bool = Field(
        default=False,
        description="ask each second, also when nothing that it would see has changed",
    )
    paper_capital: float = Field(500_000.0, gt=0, description="rupees of the paper account")
