"""What ``crds.core.log`` is: the logger ``CRDS``, with its console and its counts.

As in the Python client the logger writes to stderr by a handler of its own, which programs take
away and put back, and passes nothing on to the root logger.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any, NoReturn, TextIO

from crds_core import _native

DEFAULT_VERBOSITY_LEVEL = 50

# How much has to be wanted for a message of each kind to be written.
_LEAST = {logging.ERROR: -2, logging.WARNING: -1, logging.INFO: 0, logging.DEBUG: DEFAULT_VERBOSITY_LEVEL}


def _verbosity() -> int:
    try:
        return int(os.environ.get("CRDS_VERBOSITY") or 0)
    except ValueError:
        return DEFAULT_VERBOSITY_LEVEL


class CrdsLogger:
    """The logger ``CRDS``, and how many errors, warnings and other messages there were."""

    def __init__(self, name: str = "CRDS") -> None:
        self.name = name
        self.logger = logging.getLogger(name)
        self.logger.setLevel(logging.DEBUG)
        self.logger.propagate = False
        self.handlers: list[logging.Handler] = []
        self.console: logging.Handler | None = None
        self.formatter = self.set_formatter()
        self.verbose_level = _verbosity()
        self.reset()
        self.add_console_handler()

    def set_formatter(self, enable_time: bool = False) -> logging.Formatter:
        """Says whether messages begin with the time."""
        time = "%(asctime)s - " if enable_time else ""
        self.formatter = logging.Formatter(f"{time}%(name)s - %(levelname)s - %(message)s")
        for handler in self.handlers:
            handler.setFormatter(self.formatter)
        return self.formatter

    def message(self, level: int, text: str, least: int | None = None) -> None:
        """Counts a message and writes it, if as much is wanted."""
        self._counts[level] += 1
        if self.verbose_level >= (_LEAST[level] if least is None else least):
            self.logger.log(level, " %s", text)

    def from_native(self, level: int, text: str) -> None:
        """A message of the compiled half, which was told how much is wanted."""
        self.message(level, text, least=-3)

    def add_console_handler(self, level: int = logging.DEBUG, stream: TextIO | None = None) -> None:
        """Writes to stderr again."""
        if self.console is None:
            self.console = self.add_stream_handler(sys.stderr if stream is None else stream, level)

    def remove_console_handler(self) -> None:
        """Stops writing to stderr."""
        if self.console is not None:
            self.remove_stream_handler(self.console)
            self.console = None

    def add_stream_handler(self, filelike: TextIO, level: int = logging.DEBUG) -> logging.Handler:
        """Also writes to this stream."""
        handler = logging.StreamHandler(filelike)
        handler.setLevel(level)
        handler.setFormatter(self.formatter)
        self.handlers.append(handler)
        self.logger.addHandler(handler)
        return handler

    def remove_stream_handler(self, handler: logging.Handler) -> None:
        """Stops writing to a stream."""
        self.handlers.remove(handler)
        self.logger.removeHandler(handler)

    def set_verbose(self, level: int | bool = True) -> int:
        """Sets how much is written, -3 to 100; True is 50. Gives what it was."""
        if isinstance(level, bool):
            level = DEFAULT_VERBOSITY_LEVEL if level else 0
        if not -3 <= level <= 100:
            raise AssertionError("verbosity level must be in range -3..100")
        before, self.verbose_level = self.verbose_level, level
        _native.set_verbosity(level)
        return before

    def status(self) -> tuple[int, int, int]:
        """How many errors, warnings and other messages there were."""
        counts = self._counts
        return counts[logging.ERROR], counts[logging.WARNING], counts[logging.INFO]

    def reset(self) -> None:
        """Counts from zero."""
        self._counts = dict.fromkeys(_LEAST, 0)


THE_LOGGER = CrdsLogger()
_native.deliver_to(THE_LOGGER.from_native)

add_console_handler = THE_LOGGER.add_console_handler
remove_console_handler = THE_LOGGER.remove_console_handler
add_stream_handler = THE_LOGGER.add_stream_handler
remove_stream_handler = THE_LOGGER.remove_stream_handler
set_verbose = THE_LOGGER.set_verbose
status = THE_LOGGER.status
reset = THE_LOGGER.reset


def format(*args: object, end: str = "\n", sep: str = " ") -> str:
    """The arguments as one text."""
    return sep.join(str(arg) for arg in args) + end


def error(*args: object, **_: Any) -> None:
    """Writes an error."""
    THE_LOGGER.message(logging.ERROR, format(*args, end=""))


def warning(*args: object, **_: Any) -> None:
    """Writes a warning."""
    THE_LOGGER.message(logging.WARNING, format(*args, end=""))


def info(*args: object, **_: Any) -> None:
    """Writes what is going on."""
    THE_LOGGER.message(logging.INFO, format(*args, end=""))


def debug(*args: object, **_: Any) -> None:
    """Writes a detail, however much is wanted."""
    THE_LOGGER.message(logging.DEBUG, format(*args, end=""), least=-3)


def verbose(*args: object, verbosity: int = DEFAULT_VERBOSITY_LEVEL, **_: Any) -> None:
    """Writes a detail, if as much is wanted."""
    if should_output(verbosity=verbosity):
        debug(*args)


def verbose_warning(*args: object, verbosity: int = DEFAULT_VERBOSITY_LEVEL, **_: Any) -> None:
    """Writes a warning, if as much is wanted."""
    if should_output(verbosity=verbosity):
        warning(*args)


def should_output(*_: object, verbosity: int = DEFAULT_VERBOSITY_LEVEL) -> bool:
    """Whether as much is wanted."""
    return THE_LOGGER.verbose_level >= verbosity


def get_verbose() -> int:
    """How much is written."""
    return THE_LOGGER.verbose_level


def set_log_time(enable_time: bool = False) -> None:
    """Says whether messages begin with the time."""
    THE_LOGGER.set_formatter(enable_time)


def errors() -> int:
    """How many errors there were."""
    return status()[0]


def warnings() -> int:
    """How many warnings there were."""
    return status()[1]


def infos() -> int:
    """How many other messages there were."""
    return status()[2]


def standard_status() -> None:
    """Writes how many errors, warnings and other messages there were."""
    for count, name in zip(status(), ("errors", "warnings", "infos")):
        info(count, name)


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"crds.core.log.{name} is not among what crds_core.compat has")
