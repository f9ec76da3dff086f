"""A command and what it took from the machine while it ran: `watch` records, `read_recording` reads it back."""

from kotaci.watch.processes import watch
from kotaci.watch.recording import Recording, Sample, Summary, read_recording, write_recording

__all__ = ["Recording", "Sample", "Summary", "read_recording", "watch", "write_recording"]
