"""A job's log, text in, structure out; nothing here reads a disk, a network or a clock."""

from kotaci.logs.failure import explain as explain
from kotaci.logs.signatures import signature as signature
