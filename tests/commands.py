"""The command line in a process that has everything imported already, to be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def start(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run the command line in a process of its own, silently."""
    os.environ.update(environment)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    from kotaci.cli import main

    sys.exit(main(list(arguments)))
