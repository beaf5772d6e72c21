"""The bytes that the doctor sends and compares: made as they are read, so that size costs no memory."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

BLOCK = 64 * 1024


@dataclass(slots=True)
class Pattern:
    """Bytes that no proxy can guess or compress, made as they are read."""

    size: int
    on_progress: Callable[[int], None]
    seed: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    sent: int = 0

    def __len__(self) -> int:
        return self.size

    def read(self, size: int = -1) -> bytes:
        end = self.size if size < 0 else min(self.size, self.sent + size)
        piece = self.between(self.sent, end)
        self.sent = end
        self.on_progress(self.sent)
        return piece

    def between(self, first: int, end: int) -> bytes:
        """Return the bytes from ``first`` up to ``end``."""
        blocks = range(first // BLOCK, -(-end // BLOCK))
        whole = b"".join(hashlib.shake_128(self.seed + block.to_bytes(8)).digest(BLOCK) for block in blocks)
        return whole[first - blocks.start * BLOCK : end - blocks.start * BLOCK] if end > first else b""

    def is_digest(self, digest: str) -> bool:
        """Return whether a SHA-256, in hexadecimal, is that of all the bytes."""
        own = hashlib.sha256()
        for first in range(0, self.size, 16 * BLOCK):
            own.update(self.between(first, min(self.size, first + 16 * BLOCK)))
        return own.hexdigest() == digest
