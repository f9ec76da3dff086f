"""How payloads and logs become bytes: without secrets, digested, compressed; and back."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zstandard

from kotaci.model import BadInput
from kotaci.redaction import may_hold_secret, redact_json, redact_parts

_READ_BYTES = 2**20


@dataclass(frozen=True)
class Packed:
    """A log as it is kept: compressed, with the digest and size of its text and the number of secrets replaced."""

    digest: bytes
    n_bytes: int
    n_redacted: int
    stored: bytes


def pack_log(body: bytes | Path) -> Packed:
    """Return a log as it is kept; of a file only parts are held at a time. Raises BadInput for one not readable."""
    chunks = iter([body]) if isinstance(body, bytes) else _read_chunks(body)
    sum_of, n_bytes, n_redacted, stored = _digester(), 0, 0, list[bytes]()
    compressor = zstandard.ZstdCompressor().compressobj()
    for part, n_found in redact_parts(chunks):
        sum_of.update(part)
        n_bytes += len(part)
        n_redacted += n_found
        stored.append(compressor.compress(part))
    stored.append(compressor.flush())
    return Packed(sum_of.digest(), n_bytes, n_redacted, b"".join(stored))


def _read_chunks(file: Path) -> Iterator[bytes]:
    try:
        with file.open("rb") as opened:
            while chunk := opened.read(_READ_BYTES):
                yield chunk
    except OSError as error:
        raise BadInput(file, f"cannot be read ({error.strerror})", "run the same again") from error


def unpacked(body: bytes) -> bytes:
    """Return what was compressed. Raises ZstdError where it is torn or damaged."""
    if zstandard.frame_content_size(body) >= 0:
        return zstandard.decompress(body)
    # A log that was written in parts does not say its size.
    decompressor = zstandard.ZstdDecompressor().decompressobj()
    raw = decompressor.decompress(body)
    if not decompressor.eof:
        raise zstandard.ZstdError("the body ends too early")
    return raw


def is_whole(body: bytes, digest: bytes) -> bool:
    """Tell whether the compressed body is that of the digest; it is never held uncompressed as a whole."""
    sum_of, decompressor = _digester(), zstandard.ZstdDecompressor().decompressobj()
    try:
        for start in range(0, len(body), _READ_BYTES // 16):
            sum_of.update(decompressor.decompress(body[start : start + _READ_BYTES // 16]))
    except zstandard.ZstdError:
        return False
    return decompressor.eof and sum_of.digest() == digest


def encode(body: Any) -> tuple[bytes, int]:
    """Return the JSON value as bytes without secrets, equal for equal values, and how many secrets there were."""
    raw = to_bytes(body)
    if not may_hold_secret(raw):
        return raw, 0
    clean, n_redacted = redact_json(body)
    return to_bytes(clean), n_redacted


def to_bytes(body: Any) -> bytes:
    """Return the JSON value as bytes, equal for equal values."""
    return json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def digest_of(raw: bytes) -> bytes:
    """Return the digest by which the store tells that something changed."""
    return hashlib.blake2b(raw, digest_size=16).digest()


def _digester() -> Any:
    return hashlib.blake2b(digest_size=16)
