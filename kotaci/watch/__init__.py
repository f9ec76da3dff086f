"""A command and what it took from the machine while it ran: `processes` records, `recording` reads it back."""

from kotaci.watch.recording import (
    Recording,
    Sample,
    Summary,
    is_recording,
    parse_recording,
    read_recording,
    write_recording,
)

__all__ = [
    "Recording",
    "Sample",
    "Summary",
    "is_recording",
    "parse_recording",
    "read_recording",
    "write_recording",
]
