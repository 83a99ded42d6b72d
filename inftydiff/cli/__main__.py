"""``python -m inftydiff.cli`` is ``inftydiff``."""

import sys

from inftydiff.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
