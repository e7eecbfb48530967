"""Every error raised on purpose, named after what the caller should do.

OimonError
├── ConfigError        stop: a setting is missing or wrong; names every one of them
├── InputError         stop: a file that a person gave cannot be read; names file, place and remedy
├── TransientError     back off and try again: an outside party is away
│   └── BusDown        Redis cannot be reached or cannot write now
├── PoisonMessage      park this entry and go on: it cannot be decoded or breaks a stated limit
└── LostOwnership      drop state and acquire again: somebody else owns the partition, or log and memory disagree
"""


class OimonError(Exception):
    """Root of the errors that OI Monitor raises on purpose."""


class ConfigError(OimonError):
    """A setting is missing or wrong."""


class InputError(OimonError):
    """A file that a person gave cannot be used.

    Args:
        path: the file as it was named.
        place: where in it ("line 12", "block 3", "the header").
        what: what was wrong and what was found.
        remedy: what to do about it.
    """

    def __init__(self, path: object, place: str, what: str, remedy: str) -> None:
        super().__init__(f"{path}: {place}: {what}. {remedy}")
        self.path, self.place, self.what, self.remedy = path, place, what, remedy


class TransientError(OimonError):
    """An outside party is away; back off and try again."""


class BusDown(TransientError):  # noqa: N818 - named after what happened, as its parent is
    """Redis cannot be reached or cannot write now."""


class PoisonMessage(OimonError):  # noqa: N818 - the bus contract's word
    """This entry cannot be used, now or later."""


class LostOwnership(OimonError):  # noqa: N818 - the bus contract's word
    """Somebody else owns the partition now, or the log and memory disagree."""


def inside(words: object) -> str:
    """Return the words of another program, or an error's, to stand inside a sentence of ours: without their full stop."""
    return str(words).rstrip(". \n")
