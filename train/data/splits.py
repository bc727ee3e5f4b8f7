"""Splitting by identity: no person is in both training and validation pictures."""

import hashlib
from collections.abc import Iterable
from typing import Literal

Split = Literal["train", "validation"]


def split_of(identity: str) -> Split:
    """Return the split of a person (or of a cluster of look-alikes): one identity in ten is for validation.

    Depends on the text alone, so that adding pictures moves nobody to the other side.
    """
    number = int(hashlib.sha256(identity.encode()).hexdigest(), 16)
    return "validation" if number % 10 == 0 else "train"


def shared_identities(train: Iterable[str], validation: Iterable[str]) -> set[str]:
    """Return the identities that are on both sides; empty for a split as it should be."""
    return set(train) & set(validation)
