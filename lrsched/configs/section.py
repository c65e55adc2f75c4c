"""`Section`: a mapping of a configuration, read key by key with refusals that name the key."""

from __future__ import annotations

import contextlib
import enum
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from lrsched._core.checks import FLAG, MAX_VALUE, Kind, Refusal, choice
from lrsched._core.controller import Controller
from lrsched._core.number_kinds import integer, number
from lrsched._core.schedule import Schedule
from lrsched.configs.entries import (
    Unavailable,
    as_list,
    as_number,
    entries_or_reasons,
    is_list,
    join_path,
    underscored,
)

Result = Schedule | Controller  # of a scheduler that follows the count, or a metric

REQUIRED: Any = object()  # the default of a key that must be there

# What a configuration may leave out, and a call of `from_config` gives instead.
CONTEXT: Mapping[str, Kind] = {
    "learning_rate": number(">= 0"),
    "total_steps": integer(1, "steps"),
    "warmup_steps": integer(0, "steps"),
    "steps_per_epoch": number(">= 1e-18"),
    "batch_size": number(">= 1e-18"),
    "tokens_per_step": number(">= 1e-18"),
}


ARGUMENT = re.compile(rf"\b({'|'.join(CONTEXT)})=\.\.\.")


def arguments_in(refusal: str) -> list[str]:
    """The arguments that a refusal asks for.

    >>> arguments_in("from_config: DeepSpeed: total_num_steps is 'auto'; give total_steps=...")
    ['total_steps']
    """
    return ARGUMENT.findall(refusal)


class Format(NamedTuple):
    """A format of another library.

    Attributes:
        name: what `format=` takes.
        title: what messages call it.
        recognises: whether a mapping is a configuration of this format, by its keys.
        read: makes the schedule or the controller of one. What is not in the configuration it takes
            from `Section.context`, or leaves as durations in epochs, examples, tokens or shares of
            the run, which `from_config` resolves.
        parts: the names of what the configuration schedules beside the learning rate, such as
            "momentum". `Section.part` is one of them, or "lr".
    """

    name: str
    title: str
    recognises: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Section], Result]
    parts: tuple[str, ...] = ()


class Section:
    """A mapping of a configuration with its path, and with what the call gave as context.

    Numbers may be text, as YAML 1.1 reads `1e-4`. A key whose value is None counts as left out. One
    whose value is "auto" (DeepSpeed's word, and Accelerate's) must be in the context: its default
    is not taken. A member of an `Enum` counts as its value.
    """

    def __init__(
        self,
        entries: Mapping[str, Any],
        title: str,
        context: Mapping[str, Any],
        part: str = "lr",
        path: str = "",
    ) -> None:
        self.entries = entries
        self.title = title
        self.context = context
        self.part = part
        self.path = path
        self._read: set[str] = set()
        self._refusal = Refusal(f"from_config: {title}")

    def __contains__(self, key: str) -> bool:
        """Whether the key is there with a value."""
        return self._get(key) is not None

    def is_auto(self, key: str) -> bool:
        """Whether the value of a key is "auto"."""
        return bool(self._get(key) == "auto")

    def number(
        self, key: str, *bounds: str, default: Any = REQUIRED, context: str | None = None
    ) -> Any:
        """A finite number within bounds, such as ">= 0"."""
        return self._checked(key, number(*bounds), default, context)

    def integer(
        self, key: str, least: int = 0, default: Any = REQUIRED, context: str | None = None
    ) -> Any:
        """An integer of `least` or more; a float with a whole value counts as one."""
        return self._checked(key, integer(least, "steps"), default, context)

    def amount(
        self, key: str, least: int = 0, default: Any = REQUIRED, context: str | None = None
    ) -> Any:
        """An integer of `least` or more, up to 1e18: a number of tokens or of examples."""
        return self._checked(key, _amount(least), default, context)

    def flag(self, key: str, default: Any = REQUIRED) -> Any:
        """True or False."""
        return self._checked(key, FLAG, default, None)

    def choice(self, key: str, options: Sequence[str], default: Any = REQUIRED) -> Any:
        """One of a few names."""
        return self._checked(key, choice(*options), default, None)

    def text(self, key: str, default: Any = REQUIRED) -> Any:
        """A string."""
        return self._checked(key, _TEXT, default, None)

    def numbers(self, key: str, *bounds: str, default: Any = REQUIRED) -> Any:
        """A list of numbers within bounds, or text such as "[30, 60]" or "30,60"; as a tuple."""
        return self._items(key, number(*bounds), default)

    def integers(self, key: str, least: int = 0, default: Any = REQUIRED) -> Any:
        """A list of integers of `least` or more, as a tuple."""
        return self._items(key, integer(least, "steps"), default)

    def amounts(self, key: str, least: int = 0, default: Any = REQUIRED) -> Any:
        """A list of integers of `least` or more, up to 1e18, as a tuple."""
        return self._items(key, _amount(least), default)

    def value(self, key: str, default: Any = REQUIRED) -> Any:
        """The value of a key as it stands."""
        value = self._get(key)
        return self._default(key, value, default, None) if _is_open(value) else value

    def section(self, key: str, default: Any = REQUIRED, as_json: bool = False) -> Any:
        """The mapping under a key; with `default={}`, an empty one where the key is left out.

        Dotted keys such as `optimizer.lr` count as the mapping under `optimizer`. With `as_json`
        the mapping may also be text, the JSON of an object.
        """
        dotted = entries_or_reasons(self.entries, self.path, f"{key}.")
        value = self.value(key, dotted or default)
        if dotted and value is not dotted:
            name, other = next(iter(dotted.items()))
            self.refuse(f"{key}.{name}", f"inside {key}, as that is there, too", other)
        if as_json and isinstance(value, str):
            import json

            with contextlib.suppress(ValueError):
                value = json.loads(value)
        if not isinstance(value, Mapping):
            self.refuse(key, f"a mapping{' or its JSON' if as_json else ''}", value, TypeError)
        return self._inner(value, self.path_to(key))

    def sections(self, key: str) -> list[Section]:
        """The mappings in the list under a key; a mapping alone counts as a list of one."""
        value = self.value(key)
        if isinstance(value, Mapping):
            return [self._inner(value, self.path_to(key))]
        if not is_list(value) or not all(isinstance(item, Mapping) for item in value):
            self.refuse(key, "a list of mappings", value, TypeError)
        return [self._inner(x, f"{self.path_to(key)}[{n}]") for n, x in enumerate(value)]

    def underscored(self) -> Section:
        """The same with each key spelled as a Python name: `lr_warmup_iters` for --lr-warmup-iters.

        A key that is there in two spellings is refused.
        """
        entries: dict[str, Any] = {}
        for key, value in self.entries.items():
            name = underscored(key)
            if name in entries:
                self.fail(f"{self.path_to(key)} is there twice, as {name}, too")
            entries[name] = value
        return Section(entries, self.title, self.context, self.part, self.path)

    def given(self, name: str, reason: str = "the configuration leaves it out") -> Any:
        """What the call gave as context under a name; if nothing, an error asks for it."""
        if name not in self.context:
            raise ValueError(f"from_config: {self.title}: give {name}=... ({reason})")
        return self.context[name]

    def close(self, *others: str) -> None:
        """Refuse keys that were not read and are none of `others`, which have no effect."""
        for key in self.entries:
            if key not in self._read and key not in others:
                known = ", ".join(sorted(self._read | set(others)))
                raise TypeError(
                    f"from_config: {self.title}: {self.path_to(key)} is unknown (known: {known})"
                )

    def refuse(
        self, key: str, expected: str, got: Any, error: type[Exception] = ValueError
    ) -> NoReturn:
        """Refuse the value of a key."""
        self._refusal(self.path_to(key), expected, got, error)

    def fail(self, reason: str) -> NoReturn:
        """Refuse the configuration as a whole."""
        raise ValueError(f"from_config: {self.title}: {reason}")

    def path_to(self, key: str) -> str:
        """The path of a key from the top of the configuration: `scheduler.params.gamma`."""
        return join_path(self.path, key)

    def _inner(self, entries: Mapping[Any, Any], path: str) -> Section:
        found = entries_or_reasons(entries, path)
        return Section(found, self.title, self.context, self.part, path)

    def _get(self, key: str) -> Any:
        self._read.add(key)
        value = self.entries.get(key)
        if isinstance(value, Unavailable):
            value.fail()
        return value.value if isinstance(value, enum.Enum) else value

    def _items(self, key: str, kind: Kind, default: Any) -> Any:
        value = self.value(key, default)
        if value is default:
            return value
        value = as_list(value)
        if not is_list(value):
            self.refuse(key, "a list of numbers", value, TypeError)
        return tuple(self._convert(f"{key}[{n}]", kind, item) for n, item in enumerate(value))

    def _checked(self, key: str, kind: Kind, default: Any, context: str | None) -> Any:
        value = self._get(key)
        if _is_open(value):
            if context is not None and context in self.context:
                return self._refusal.check(context, kind, self.context[context])
            return self._default(key, value, default, context)
        value = self._convert(key, kind, value)
        given = self.context.get(context or "")
        if given is not None and given != value:
            self.refuse(key, f"{context} ({given}), which was given, or left out", value)
        return value

    def _convert(self, key: str, kind: Kind, value: Any) -> Any:
        return self._refusal.check(self.path_to(key), kind, as_number(value, kind.item_type))

    def _default(self, key: str, value: Any, default: Any, context: str | None) -> Any:
        if value is None and default is not REQUIRED:
            return default
        state = "is missing" if value is None else f"is {value!r}"
        hint = f"; give {context}=..." if context else ""
        raise ValueError(f"from_config: {self.title}: {self.path_to(key)} {state}{hint}")


def _is_open(value: Any) -> bool:
    return value is None or (isinstance(value, str) and value == "auto")


def _amount(least: int) -> Kind:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            raise TypeError
        amount = int(operator.index(value))
        if amount > MAX_VALUE:
            raise ValueError(f"an integer <= {MAX_VALUE:g}")
        if amount < least:
            raise ValueError
        return amount

    return Kind(f"an integer >= {least}", convert, traced=False, item_type=int)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


_TEXT = Kind("a string", _text, traced=False)
