"""Plain data (JSON, TOML) as frozen dataclasses, strictly: unknown keys, missing keys and wrong types are errors."""

import dataclasses
import types
from collections.abc import Iterable, Mapping, Sequence
from types import NoneType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS = {str: "a text", float: "a number", int: "a whole number", bool: "true or false"}


class Problem(Exception):  # noqa: N818 - turned into the reader's own error, which knows the file
    """Says which key is wrong, what it holds and what it must be.

    key: its dotted path; empty where it has none. each: all that is wrong, this one first.
    """

    def __init__(self, said: str, key: str = "", others: "Sequence[Problem]" = ()) -> None:
        super().__init__(said)
        self.key = key
        self.each = (self, *others)


def parse(kind: Any, value: Any, where: str = "", *, without: tuple[str, ...] = ()) -> Any:
    """`value` as the annotated type. where: the dotted path for the error text. without: fields that no file sets.

    Raises:
        Problem: see there.
    """
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _parse_dataclass(kind, value, where, without)
    if origin in (list, tuple):
        return _parse_sequence(kind, value, where)
    if kind is Any:
        return value
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _wrong(where, value, "an object")
        items = _each((get_args(kind)[1], item, f"{where}.{key}") for key, item in value.items())
        return dict(zip(map(str, value), items, strict=True))
    if origin is Literal:
        if value not in get_args(kind):
            raise _wrong(where, value, " or ".join(map(str, get_args(kind))))
        return value
    if origin in (Union, types.UnionType):
        other = next(one for one in get_args(kind) if one is not NoneType)
        return None if value is None else parse(other, value, where)
    accepted = (int, float) if kind is float else (kind,)
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise _wrong(where, value, _WORDS.get(kind, kind.__name__))
    return float(value) if kind is float else value


def _parse_sequence(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, list | tuple):
        raise _wrong(where, value, "a list")
    kinds = get_args(kind)
    if get_origin(kind) is list:
        return _each((kinds[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise _wrong(where, value, f"a list of {len(kinds)}")
    parts = zip(kinds, value, strict=True)
    return tuple(_each((one, item, f"{where}[{index}]") for index, (one, item) in enumerate(parts)))


def _parse_dataclass(kind: type, value: Any, where: str, without: tuple[str, ...]) -> Any:
    if not isinstance(value, dict):
        raise _wrong(where, value, "an object")
    hints = get_type_hints(kind)
    fields = {entry.name: entry for entry in dataclasses.fields(kind) if entry.name not in without}
    prefix = f"{where}." if where else ""
    unknown, known = sorted(set(value) - set(fields)), ", ".join(fields)
    wrong = [Problem(f"unknown key {prefix}{name}; known: {known}", prefix + name) for name in unknown]
    for name, entry in fields.items():
        optional = entry.default is not dataclasses.MISSING or entry.default_factory is not dataclasses.MISSING
        if name not in value and not optional:
            wrong.append(Problem(f"{prefix}{name} is missing", prefix + name))
    given = {name: item for name, item in value.items() if name in fields}
    parsed = _each(((hints[name], item, prefix + name) for name, item in given.items()), wrong)
    return kind(**dict(zip(given, parsed, strict=True)))


def _each(parts: Iterable[tuple[Any, Any, str]], wrong: Sequence[Problem] = ()) -> list[Any]:
    """Each value as its type; parts: type, value and path. wrong: what is wrong beside them.

    Raises:
        Problem: anything is wrong; with all of it.
    """
    parsed, problems = [], list(wrong)
    for kind, value, where in parts:
        try:
            parsed.append(parse(kind, value, where))
        except Problem as problem:
            problems += problem.each
    if problems:
        raise Problem(str(problems[0]), problems[0].key, problems[1:])
    return parsed


def _wrong(where: str, value: Any, expected: str) -> Problem:
    return Problem(f"{where} is {str(value)[:80]!r}; must be {expected}", where)
