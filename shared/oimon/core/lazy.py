"""A value that is worked out when it is first asked for, and kept."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - a decorator
    """What ``functools.cached_property`` is without its lock, which on Python 3.11 takes longer than most of what is worked out here.

    Of two threads that ask at once each may work it out: it must be a pure function of the object, which is no worse for that.
    """

    def __init__(self, function: Callable[[Any], T]) -> None:
        self._function = function
        self.__doc__ = function.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        """Learn the name, under which the object keeps the value from then on."""
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> "lazy[T]": ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> "lazy[T] | T":
        """Return the value."""
        if instance is None:
            return self
        value = self._function(instance)
        vars(instance)[self._name] = value
        return value
