"""The keys somebody gave, and the ways in which stacks have mixed them up, to be tried in turn.

Nothing here is ever shown: a mix-up has a name, and the name is all that leaves.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from ..crypto import derive_mc_root_key
from ..types import AppKey, GenAppKey, LorawanVersion, McRootKey, require_key
from .case import Known

__all__ = ["Root", "mc_root_keys", "roots"]


@dataclasses.dataclass(frozen=True, slots=True)
class Root:
    """A root key in one of the two roles.

    Attributes:
        key: The key, in the class of its role.
        mistake: What somebody who uses it has mixed up; empty for the right one.
    """

    key: GenAppKey | AppKey
    mistake: str

    def __post_init__(self) -> None:
        """Check the key.

        Raises:
            FieldError: It is of another class.
        """
        require_key("Root", "key", self.key, GenAppKey, AppKey)


def roots(known: Known) -> Iterator[Root]:
    """Return the device's root key, then every other way to use the keys that were given."""
    right = known.root
    if right is not None:
        yield Root(right, "")
        name = type(right).__name__
        yield Root(_other_role(right), f"{name} used by the rules of {_link(_other_role(right))}")
    for other in (known.gen_app_key, known.app_key):
        if other is None or other is right:
            continue
        name = type(other).__name__
        wanted = "the root key" if right is None else type(right).__name__
        join = name == AppKey.__name__ and known.lorawan is not LorawanVersion.V1_1
        what = "AppKey, the key it joins with," if join else name
        yield Root(other, f"{what} used by the rules of {_link(other)}, instead of {wanted}")
        text = f"{what} used by the rules of {_link(_other_role(other))}, instead of {wanted}"
        yield Root(_other_role(other), text)


def mc_root_keys(root: Root) -> Iterator[tuple[McRootKey, str]]:
    """Return McRootKey, and the root key itself in its place."""
    yield derive_mc_root_key(root.key), root.mistake
    skipped = f"{type(root.key).__name__} used as McRootKey, the derivation left out"
    yield McRootKey(root.key.reveal()), f"{root.mistake}; {skipped}" if root.mistake else skipped


def _other_role(key: GenAppKey | AppKey) -> GenAppKey | AppKey:
    octets = key.reveal()
    return AppKey(octets) if isinstance(key, GenAppKey) else GenAppKey(octets)


def _link(key: GenAppKey | AppKey) -> str:
    return "LoRaWAN 1.0.x (0x00)" if isinstance(key, GenAppKey) else "LoRaWAN 1.1 (0x20)"
