"""Options that are declared once, as fields of a dataclass, for every command that takes them."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from typing import Any


def with_option_groups(command: Callable[..., None]) -> Callable[..., None]:
    """The command for Typer: each parameter that is an option group becomes the options of that group, in its place.

    An option group is a dataclass whose fields are `Annotated[TYPE, typer.Option(...)]` with a default: one field is
    one option. The command itself gets the group as one object.
    """
    parameters = inspect.signature(command).parameters
    groups: dict[str, Any] = {name: one.annotation for name, one in parameters.items() if is_dataclass(one.annotation)}
    options: list[inspect.Parameter] = []
    for name, parameter in parameters.items():
        options += _options_of(groups[name]) if name in groups else [_by_name(parameter)]

    def call(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{one.name: values.pop(one.name) for one in fields(group)})
        command(**values)

    call.__name__, call.__doc__, call.__module__ = command.__name__, command.__doc__, command.__module__
    call.__annotations__ = {one.name: one.annotation for one in options}
    call.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    return call


def option_kinds(*groups: type) -> dict[str, type]:
    """The options of these groups, and of which kind the value of each is, by its default."""
    return {parameter.name: type(parameter.default) for group in groups for parameter in _options_of(group)}


def _options_of(group: Any) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    empty = inspect.Parameter.empty
    return [
        inspect.Parameter(one.name, kind, annotation=one.type, default=empty if one.default is MISSING else one.default)
        for one in fields(group)
    ]


def _by_name(parameter: inspect.Parameter) -> inspect.Parameter:
    return parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
