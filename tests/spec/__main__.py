"""``python -m tests.spec FILE``: what ``oi spec`` runs."""

import sys
from pathlib import Path

from oimon.errors import OimonError
from oimon.output import written_out
from tests.spec.runner import main

if __name__ == "__main__":
    try:
        with written_out():
            sys.exit(main(Path(sys.argv[1])))
    except OimonError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
