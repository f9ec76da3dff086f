"""`python -m kotaci`, the same as the command `kotaci`."""

import sys

from kotaci.cli import main

if __name__ == "__main__":
    sys.exit(main())
