"""The filter as file conversions need it: it stops at errors, and has a name for what it does."""

import dataclasses
import hashlib
import json
import math
from functools import partial

import numpy as np

from toonfilter.runtime.bundle import find_bundle
from toonfilter.runtime.filter.filter_settings import FilterSettings
from toonfilter.runtime.filter.toon_filter import ToonFilter


def file_filter_opener(settings: FilterSettings) -> "partial[ToonFilter]":
    """Opens a `ToonFilter` that stops at errors and has time for every face; can be sent to another process."""
    patient = dataclasses.replace(settings, tracker=settings.tracker.for_files(), most_crops=math.inf)
    return partial(ToonFilter, patient)


def filter_identity(settings: FilterSettings) -> str:
    """A sha256 over everything that changes the pictures: the bundle's and the style file's content, the settings.

    Raises:
        BundleError: the style is unknown or damaged.
    """
    bundle = find_bundle(settings.style)
    plain = dataclasses.asdict(dataclasses.replace(settings, style=bundle.name))
    files = sorted(entry.sha256 for entry in bundle.files)
    rules = dataclasses.asdict(bundle.style) if bundle.style is not None else {}
    text = json.dumps([bundle.name, bundle.version, files, rules, plain], default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(value.tobytes()).hexdigest()
    return repr(value)
