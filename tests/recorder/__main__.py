"""`python -m tests.recorder --out kotaci/sample/history.tar.xz --truths kotaci/sample/truths.json`."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from .bundle import write_bundle
from .history import write_history
from .record import read_recordings, record_all, write_recordings
from .truths import to_truths

SEED = 20260825


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.recorder", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the archive to write")
    parser.add_argument("--truths", type=Path, required=True, help="the planted truths, as JSON")
    parser.add_argument("--recordings", type=Path, help="read recordings from here if it exists, else keep them here")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2, help="cargo's build jobs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kvstore-recorder-") as scratch:
        if options.recordings and options.recordings.exists():
            recordings = read_recordings(options.recordings)
        else:
            recordings = record_all(Path(scratch) / "record", jobs=options.jobs)
            if options.recordings:
                write_recordings(recordings, options.recordings)
        history = write_history(recordings, Path(scratch) / "history", seed=options.seed)
        truths = to_truths(history, seed=options.seed)
        write_bundle(history, options.out)
    options.truths.write_text(json.dumps(truths, indent=1, ensure_ascii=False) + "\n")
    print(f"{options.out}: {options.out.stat().st_size:,} bytes; {truths['counts']}")


if __name__ == "__main__":
    main()
