"""Seeds that depend on what is drawn, never on when: order, concurrency and resume change nothing."""

from __future__ import annotations

import hashlib


def derive_seed(*parts: str | int) -> int:
    """A 63-bit seed from a path such as `(seed, "rollout", step, problem.id, index)`.

    >>> derive_seed(0, "rollout", 1, "p1", 0) == derive_seed(0, "rollout", 1, "p1", 0)
    True
    >>> derive_seed(0, "rollout", 11) == derive_seed(0, "rollout1", 1)
    False
    """
    path = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    digest = hashlib.blake2b(path.encode(errors="surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def content_hash(text: str) -> str:
    """16 hexadecimal digits that name a piece of content."""
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()
