"""``python -m tests.spec FILE``: what ``oi spec`` runs."""

import signal
import sys
from pathlib import Path

signal.signal(
    signal.SIGINT, signal.SIG_DFL
)  # oi spec, which started this, says what there is to say

from oimon.errors import OimonError  # noqa: E402 - loading takes a second
from oimon.output import written_out  # noqa: E402 - as above
from tests.spec.runner import main  # noqa: E402 - as above

if __name__ == "__main__":
    try:
        with written_out():
            sys.exit(main(Path(sys.argv[1])))
    except OimonError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
