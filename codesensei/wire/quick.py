"""Frozen dataclasses whose methods are shared by all of them, so that Python starts sooner.

`dataclasses.dataclass` compiles six methods for each class. Every preview, and every step on the server, starts Python
again with more than a hundred classes: that took as long as all else that it loads.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(cls: type | None = None, *, frozen: bool = False, kw_only: bool = False) -> Any:
        """Make a class a dataclass: `dataclasses.dataclass`, but sooner where it is frozen."""

        def made(cls: type) -> type:
            if not frozen:
                return dataclasses.dataclass(kw_only=kw_only)(cls)
            found = dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=kw_only)(cls)
            for method in (__init__, __repr__, __eq__, __hash__, __setattr__, __delattr__):
                # As there, a method of the class's own stays.
                if method.__name__ not in vars(cls):
                    setattr(found, method.__name__, method)
            return found

        return made if cls is None else made(cls)


def __init__(self: Any, *values: object, **named: object) -> None:
    cls = type(self)
    given = dict(zip(cls.__match_args__, values, strict=False))
    if len(values) > len(given) or given.keys() & named.keys():
        # Without the values, which may be secret.
        raise TypeError(f"{cls.__name__} takes {len(cls.__match_args__)} positional arguments, and no name twice")
    given |= named
    for each in dataclasses.fields(cls):
        if each.name in given:
            value = given.pop(each.name)
        elif each.default_factory is not dataclasses.MISSING:
            value = each.default_factory()
        elif each.default is not dataclasses.MISSING:
            value = each.default
        else:
            raise TypeError(f"{cls.__name__} lacks {each.name}")
        object.__setattr__(self, each.name, value)
    if given:
        raise TypeError(f"{cls.__name__} has no {', '.join(given)}")


def __repr__(self: Any) -> str:
    shown = (f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def __eq__(self: Any, other: object) -> bool:
    return _compared(self) == _compared(other) if type(other) is type(self) else NotImplemented


def __hash__(self: Any) -> int:
    return hash(_compared(self))


def __setattr__(self: Any, name: str, value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def __delattr__(self: Any, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def _compared(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, each.name) for each in dataclasses.fields(self) if each.compare)
