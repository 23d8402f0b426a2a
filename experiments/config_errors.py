"""Turn the parser's complaint about a configuration into one line that says what to write instead."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
import typing
from collections.abc import Iterator, Sequence

from experiments.config_file import did_you_mean

UNKNOWN_KEY = re.compile(
    r"Option '(?P<option>[^']+)' is not accepted"
    r"|(?:Group '(?P<group>[^']+)'|Subcommand '[^']+') does not accept option '(?P<nested>[^']+)'"
    r"|unrecognized arguments: --(?P<argument>[^\s=]+)"
)
UNKNOWN_CLASS = re.compile(r"module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'")
WRONG_TYPE = re.compile(r"Expected a <class '(int|float|str|bool)'>")
WRONG_CHOICE = re.compile(r"Expected a typing\.Literal\[(.+)\]")
GIVEN = re.compile(r"(?:Got|Given) value: (.+)")
INSIDE_KEY = re.compile(r'Parser key "([\w.]+)"')
INSIDE_CLASS = re.compile(r"Problem with given class_path '([\w.]+)'")


def explain(message: str, options: Sequence[str]) -> str:
    """Name the unknown key (or class) of a parser's message and the nearest known one.

    Args:
        message: what jsonargparse said.
        options: the keys known outside classes, such as `trainer.max_epochs`.

    Returns:
        One line for an unknown key or class and for a value of the wrong type, else the message itself.
    """
    if missing := UNKNOWN_CLASS.search(message):
        module, wrong = missing["module"], f"{missing['module']}.{missing['name']}"
        known = [f"{module}.{name}" for name in dir(importlib.import_module(module)) if name[0].isupper()]
        return f"unknown class {wrong}: {did_you_mean(wrong, known)}"
    found = UNKNOWN_KEY.search(message)
    if not found:
        return _wrong_value(message)
    key = found["option"] or found["nested"] or found["argument"]
    if found["group"]:
        key = f"{found['group']}.{key}"
    classes = INSIDE_CLASS.findall(message)
    if not classes:
        return f"unknown key {key}: {did_you_mean(key, options)}"
    # A message about a key of a class nests: the outermost place comes first, the innermost class last.
    place = ".init_args.".join([*INSIDE_KEY.findall(message)[: len(classes)], ""])
    accepted = [place + name for name in _arguments(classes[-1])]
    return f"unknown key {place}{key} ({classes[-1]}): {did_you_mean(place + key, accepted)}"


def _wrong_value(message: str) -> str:
    """Name the key, the value given and what it may be, from a message that nests all of these."""
    given = GIVEN.search(message)  # the first is the innermost, and so the value itself
    keys, kinds = INSIDE_KEY.findall(message), WRONG_TYPE.findall(message)
    choices = [name.strip("' ") for names in WRONG_CHOICE.findall(message) for name in names.split(",")]
    if not given or not keys or not (kinds or choices):
        return message
    said = f"{'.init_args.'.join(keys)} is {given[1]!r}"
    if choices:
        return f"{said}: {did_you_mean(given[1], choices)}"
    return f"{said}; expected {' or '.join(dict.fromkeys(kinds))}"


def _arguments(class_path: str) -> Iterator[str]:
    """Yield the arguments of a class, and `argument.field` where one is a dataclass."""
    module, _, name = class_path.rpartition(".")
    cls = getattr(importlib.import_module(module), name)
    hints = typing.get_type_hints(cls.__init__)
    for argument in list(inspect.signature(cls).parameters):
        yield argument
        for kind in (hints.get(argument), *typing.get_args(hints.get(argument))):
            if dataclasses.is_dataclass(kind):
                yield from (f"{argument}.{field.name}" for field in dataclasses.fields(kind))
