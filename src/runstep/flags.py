"""`tf.flags`: options of a program's command line, made where they are used (source: tf.compat.v1.flags).

    tf.flags.DEFINE_float("learning_rate", 0.1, "How fast.")
    FLAGS = tf.flags.FLAGS
    print(FLAGS.learning_rate)

TensorFlow's are those of absl-py; these have its names and rules, without it. The command line is parsed by
`tf.app.run`, or when a flag is first read.
"""

from __future__ import annotations

import csv
import enum
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

__all__ = [
    "DEFINE",
    "DEFINE_alias",
    "DEFINE_bool",
    "DEFINE_boolean",
    "DEFINE_enum",
    "DEFINE_enum_class",
    "DEFINE_float",
    "DEFINE_integer",
    "DEFINE_list",
    "DEFINE_multi_float",
    "DEFINE_multi_integer",
    "DEFINE_multi_string",
    "DEFINE_string",
    "DuplicateFlagError",
    "Error",
    "FLAGS",
    "Flag",
    "FlagValues",
    "IllegalFlagValueError",
    "UnparsedFlagAccessError",
    "UnrecognizedFlagError",
    "ValidationError",
    "mark_flag_as_required",
    "mark_flags_as_required",
    "register_validator",
    "validator",
]


class Error(Exception):
    """What goes wrong with flags."""


class DuplicateFlagError(Error):
    """A flag is defined twice."""


class IllegalFlagValueError(Error):
    """A value that the flag does not take."""


class UnrecognizedFlagError(Error):
    """A flag that is not defined."""


class UnparsedFlagAccessError(Error, AttributeError):
    """A flag is read before the command line was parsed."""


class ValidationError(Error):
    """A validator refuses."""


class Flag:
    """One option.

    Attributes:
      name, help: of it. default, value: as they are read. present: how often the command line has it.
    """

    def __init__(
        self,
        name: str,
        default: Any,
        help: str | None,
        parse: Callable[[Any], Any],
        boolean: bool = False,
        multiple: bool = False,
        short_name: str | None = None,
    ) -> None:
        self.name, self.help, self.short_name = name, help, short_name
        self.boolean, self.multiple = boolean, multiple
        self.present = 0
        self._parse = parse
        self.default = self._parsed_default(default)
        self.value = self.default

    def _parsed_default(self, default: Any) -> Any:
        if default is None:
            return None
        if self.multiple:
            items = default if isinstance(default, list | tuple) else [default]
            return [self.parsed(item) for item in items]
        return self.parsed(default)

    def parsed(self, text: Any) -> Any:
        try:
            return self._parse(text)
        except (KeyError, TypeError, ValueError) as error:
            raise IllegalFlagValueError(f"flag --{self.name}={text}: {error}") from None

    def set(self, text: Any) -> None:
        """Takes a value of the command line; a flag that may come several times collects them."""
        value = self.parsed(text)
        if self.multiple:
            self.value = [*self.value, value] if self.present else [value]
        else:
            self.value = value
        self.present += 1


class FlagValues:
    """All flags of a program: their values as attributes, and `FLAGS(argv)` to parse a command line."""

    def __init__(self) -> None:
        vars(self).update(_flags={}, _parsed=False, _validators=[])

    def _add(self, flag: Flag) -> None:
        if flag.name in self._flags:
            raise DuplicateFlagError(f"The flag '{flag.name}' is defined twice.")
        self._flags[flag.name] = flag
        if flag.short_name:
            self._flags[flag.short_name] = flag

    def __call__(self, argv: Sequence[str], known_only: bool = False) -> list[str]:
        """Parses a command line; returns the program's name and what is no flag.

        Args:
          known_only: leave flags that are not defined.

        Raises:
          UnrecognizedFlagError, IllegalFlagValueError: the command line is wrong.
        """
        if isinstance(argv, str):
            raise TypeError("argv should be a tuple/list of strings, not bytes or string.")
        rest, words = list(argv[:1]), iter(argv[1:])
        for word in words:
            if word == "--":
                rest.extend(words)
            elif not word.startswith("-") or word == "-":
                rest.append(word)
            elif not self._take(word, words):
                if not known_only:
                    raise UnrecognizedFlagError(f"Unknown command line flag '{word.lstrip('-').partition('=')[0]}'")
                rest.append(word)
        vars(self)["_parsed"] = True
        self._validate_all()
        return rest

    def _take(self, word: str, words: Iterator[str]) -> bool:
        name, equals, text = word.lstrip("-").partition("=")
        if name == "help" and "help" not in self._flags:
            print(self.get_help())
            sys.exit(1)
        flag = self._flags.get(name)
        if flag is None and name.startswith("no") and not equals:
            negated = self._flags.get(name[2:])
            if negated is not None and negated.boolean:
                negated.set(False)
                return True
        if flag is None:
            return False
        if not equals:
            text = True if flag.boolean else next(words, None)  # type: ignore[assignment]
            if text is None:
                raise Error(f"Missing value for flag --{name}")
        flag.set(text)
        return True

    def _validate_all(self, name: str | None = None) -> None:
        for names, check, message in self._validators:
            if name is None or name in names:
                values = {one: self._flags[one].value for one in names}
                if not check(values if len(names) > 1 else values[names[0]]):
                    raise IllegalFlagValueError(f"flag --{names[0]}={values[names[0]]}: {message}")

    def __getattr__(self, name: str) -> Any:
        flags = vars(self)["_flags"]
        if name not in flags:
            raise AttributeError(name)
        if not self._parsed:
            self(sys.argv, known_only=True)  # as tf.app.flags always did
        return flags[name].value

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self._flags:
            raise AttributeError(name)
        self._flags[name].value = value
        self._flags[name].present += 1
        self._validate_all(name)

    def __delattr__(self, name: str) -> None:
        flag = self._flags.pop(name, None)
        if flag is None:
            raise AttributeError(name)

    def __getitem__(self, name: str) -> Flag:
        return self._flags[name]

    def __contains__(self, name: str) -> bool:
        return name in self._flags

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._flags))

    def __len__(self) -> int:
        return len(self._flags)

    def __dir__(self) -> list[str]:
        return sorted(self._flags)

    def is_parsed(self) -> bool:
        return self._parsed

    def mark_as_parsed(self) -> None:
        """From now on flags can be read without a command line."""
        vars(self)["_parsed"] = True

    def unparse_flags(self) -> None:
        """Forgets the command line."""
        vars(self)["_parsed"] = False
        for flag in self._flags.values():
            flag.value, flag.present = flag.default, 0

    def flag_values_dict(self) -> dict[str, Any]:
        return {name: flag.value for name, flag in self._flags.items()}

    def set_default(self, name: str, value: Any) -> None:
        flag = self._flags[name]
        flag.default = flag._parsed_default(value)
        if not flag.present:
            flag.value = flag.default

    def get_help(self) -> str:
        lines = [
            f"  --{name}: {flag.help or ''}\n    (default: {flag.default!r})" for name, flag in self._flags.items()
        ]
        return "\n".join(sorted(lines))

    def get_flag_value(self, name: str, default: Any) -> Any:
        flag = self._flags.get(name)
        return default if flag is None or flag.value is None else flag.value


def _boolean(text: Any) -> bool:
    if isinstance(text, str):
        return {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}[text.lower()]
    if text in (0, 1):
        return bool(text)
    raise ValueError("Non-boolean argument to boolean flag")


def _ranged(convert: Callable[[Any], Any], low: Any, high: Any) -> Callable[[Any], Any]:
    def parse(text: Any) -> Any:
        if isinstance(text, bool):
            raise ValueError(f"{text!r} is not a number")
        value = convert(text)
        if (low is not None and value < low) or (high is not None and value > high):
            raise ValueError(f"{text} is not in the range [{low}, {high}]")
        return value

    return parse


def _integer(text: Any) -> int:
    if isinstance(text, str):
        return int(text, 16 if text.lower().startswith("0x") else 10)
    if text != int(text):
        raise ValueError(f"{text!r} is not an integer")
    return int(text)


def _list(text: Any) -> list[str]:
    if isinstance(text, list | tuple):
        return list(text)
    return [item.strip() for item in next(csv.reader([text]), [])] if text else []


FLAGS: Any = FlagValues()
Definition = Callable[..., Any]


def _define(flag_values: Any, *args: Any, **kwargs: Any) -> None:
    (FLAGS if flag_values is None else flag_values)._add(Flag(*args, **kwargs))


def DEFINE_string(name: str, default: Any, help: str | None, flag_values: Any = None, **args: Any) -> None:  # noqa: N802
    """A flag that is a string."""
    _define(flag_values, name, default, help, str, short_name=args.get("short_name"))


def DEFINE_boolean(name: str, default: Any, help: str | None, flag_values: Any = None, **args: Any) -> None:  # noqa: N802
    """A flag that is true (`--name`) or false (`--noname`)."""
    _define(flag_values, name, default, help, _boolean, boolean=True, short_name=args.get("short_name"))


DEFINE_bool = DEFINE_boolean


def DEFINE_float(  # noqa: N802
    name: str,
    default: Any,
    help: str | None,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    flag_values: Any = None,
    **args: Any,
) -> None:
    """A flag that is a number."""
    parse = _ranged(float, lower_bound, upper_bound)
    _define(flag_values, name, default, help, parse, short_name=args.get("short_name"))


def DEFINE_integer(  # noqa: N802
    name: str,
    default: Any,
    help: str | None,
    lower_bound: int | None = None,
    upper_bound: int | None = None,
    flag_values: Any = None,
    **args: Any,
) -> None:
    """A flag that is an integer."""
    parse = _ranged(_integer, lower_bound, upper_bound)
    _define(flag_values, name, default, help, parse, short_name=args.get("short_name"))


def DEFINE_enum(  # noqa: N802
    name: str, default: Any, enum_values: Sequence[str], help: str | None, flag_values: Any = None, **args: Any
) -> None:
    """A flag that is one of some strings."""

    def parse(text: Any) -> str:
        if text not in enum_values:
            raise ValueError(f"value should be one of <{'|'.join(enum_values)}>")
        return text

    _define(flag_values, name, default, help, parse, short_name=args.get("short_name"))


def DEFINE_enum_class(  # noqa: N802
    name: str, default: Any, enum_class: type[enum.Enum], help: str | None, flag_values: Any = None, **args: Any
) -> None:
    """A flag that is a member of an Enum, by its name."""

    def parse(text: Any) -> enum.Enum:
        return text if isinstance(text, enum_class) else enum_class[text]

    _define(flag_values, name, default, help, parse, short_name=args.get("short_name"))


def DEFINE_list(name: str, default: Any, help: str | None, flag_values: Any = None, **args: Any) -> None:  # noqa: N802
    """A flag that is a list of strings, with commas between them."""
    _define(flag_values, name, default, help, _list, short_name=args.get("short_name"))


def DEFINE_multi_string(name: str, default: Any, help: str | None, flag_values: Any = None, **args: Any) -> None:  # noqa: N802
    """A flag that may come several times; its value is a list of strings."""
    _define(flag_values, name, default, help, str, multiple=True, short_name=args.get("short_name"))


def DEFINE_multi_integer(  # noqa: N802
    name: str,
    default: Any,
    help: str | None,
    lower_bound: int | None = None,
    upper_bound: int | None = None,
    flag_values: Any = None,
    **args: Any,
) -> None:
    """A flag that may come several times; its value is a list of integers."""
    _define(flag_values, name, default, help, _ranged(_integer, lower_bound, upper_bound), multiple=True)


def DEFINE_multi_float(  # noqa: N802
    name: str,
    default: Any,
    help: str | None,
    lower_bound: float | None = None,
    upper_bound: float | None = None,
    flag_values: Any = None,
    **args: Any,
) -> None:
    """A flag that may come several times; its value is a list of numbers."""
    _define(flag_values, name, default, help, _ranged(float, lower_bound, upper_bound), multiple=True)


def DEFINE_alias(name: str, original_name: str, flag_values: Any = None, module_name: str | None = None) -> None:  # noqa: N802
    """Another name for a flag."""
    flags = FLAGS if flag_values is None else flag_values
    flags._flags[name] = flags[original_name]


def DEFINE(  # noqa: N802
    parser: Any, name: str, default: Any, help: str | None, flag_values: Any = None, serializer: Any = None, **args: Any
) -> None:
    """A flag whose values `parser.parse` reads."""
    _define(flag_values, name, default, help, parser.parse)


def register_validator(
    flag_name: str, checker: Callable[[Any], bool], message: str = "Flag validation failed", flag_values: Any = None
) -> None:
    """`checker(value)` has to be true when the command line is parsed and when the flag is set."""
    (FLAGS if flag_values is None else flag_values)._validators.append(((flag_name,), checker, message))


def validator(flag_name: str, message: str = "Flag validation failed", flag_values: Any = None) -> Definition:
    """As a decorator: see `register_validator`."""

    def decorate(function: Callable[[Any], bool]) -> Callable[[Any], bool]:
        register_validator(flag_name, function, message, flag_values)
        return function

    return decorate


def mark_flag_as_required(flag_name: str, flag_values: Any = None) -> None:
    """The command line has to have this flag."""
    message = f"Flag --{flag_name} must have a value other than None."
    register_validator(flag_name, lambda value: value is not None, message, flag_values)


def mark_flags_as_required(flag_names: Iterable[str], flag_values: Any = None) -> None:
    """The command line has to have these flags."""
    for name in flag_names:
        mark_flag_as_required(name, flag_values)
