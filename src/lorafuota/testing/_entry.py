"""What Hypothesis calls when it is imported, so that ``from_type`` knows our types.

The entry point is declared in pyproject.toml.  Strategies are made when they are first asked for;
what is imported here is what has to be there to be registered.
"""

from __future__ import annotations

from typing import Any

__all__ = ["register"]


def register() -> None:
    """Tell Hypothesis how to draw each command, record, address, key and data block."""
    from hypothesis import strategies as st

    from ..catalogue import PACKAGES
    from ..datablock import DataBlock
    from ..package import Package
    from ..types import DevAddr, DevEUI, Key
    from ..wire import Command, Record, Repeat

    def messages(cls: Any) -> st.SearchStrategy[Any]:
        from .strategies import records

        return records(cls)

    def some_keys(cls: Any) -> st.SearchStrategy[Any]:
        from .strategies import keys

        return keys(cls)

    def addresses(cls: Any) -> st.SearchStrategy[Any]:
        from .strategies import dev_addrs, dev_euis

        return dev_addrs() if cls is DevAddr else dev_euis()

    def some_blocks(cls: Any) -> st.SearchStrategy[Any]:
        from .blocks import blocks

        return blocks()

    found: dict[type[Record], None] = {}
    for package in PACKAGES:
        for command in package.commands:
            found[command] = None
            for kind in command.KINDS.values():
                if isinstance(kind, Repeat):
                    found[kind.item] = None
    for cls in found:
        st.register_type_strategy(cls, messages)
    commands = [cls for cls in found if issubclass(cls, Command)]
    st.register_type_strategy(Command, lambda _: st.sampled_from(commands).flatmap(st.from_type))
    kinds = Key.__subclasses__()
    for key in kinds:
        st.register_type_strategy(key, some_keys)
    st.register_type_strategy(Key, lambda _: st.sampled_from(kinds).flatmap(st.from_type))
    for address in (DevAddr, DevEUI):
        st.register_type_strategy(address, addresses)
    st.register_type_strategy(DataBlock, some_blocks)
    st.register_type_strategy(Package, st.sampled_from(PACKAGES))
