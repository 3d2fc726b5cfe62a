"""The configuration of a campaign as one JSON document, so that a restart needs no other source.

The document has everything but the keys.  Without a wrapper every key in it is null, and whoever
reads it supplies them.  With one, each key stands in it as the wrapper returned it: *wrap* encrypts
the 16 octets of a key, with a key that is kept elsewhere, and *unwrap* undoes that.  A wrapper that
does not authenticate lets a changed key through; the campaign then notices a group's
(:func:`.group.key_check`), and a device whose key is wrong just never understands.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import enum
import typing
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from ..datablock import DataBlock
from ..errors import Described, FieldError
from ..types import AppKey, DevAddr, DevEUI, GenAppKey, Key, McKey
from ..wire import JSON
from .config import CampaignConfig, FirmwareStep, GroupConfig, Member, RetryPolicy
from .events import device_subject, group_subject
from .quirks import StatusQuirk
from .records import Field
from .state import Stage

__all__ = ["CONFIG_SCHEMA", "config_from_json", "config_to_json"]

CONFIG_SCHEMA: Final = 1
"""Version of the document; one that a release does not know is refused."""

Wrapper: TypeAlias = Callable[[bytes], bytes]
"""Turns the octets of a key into octets to be stored, or back."""

_KEYS: Final[Mapping[str, type[Key]]] = {
    "GenAppKey": GenAppKey,
    "AppKey": AppKey,
    "McKey": McKey,
}


def config_to_json(config: CampaignConfig, *, wrap: Wrapper | None = None) -> dict[str, JSON]:
    """Return the document.

    Args:
        config: What to write.
        wrap: Encrypts a key.  Without it no key is written.
    """
    document = _fields(config, skip=("block", "members", "groups"))
    document["schema"] = CONFIG_SCHEMA
    document["block"] = {
        "image": _octets(config.block.image),
        "frag_size": config.block.frag_size,
        "descriptor": config.block.descriptor.hex(),
    }
    document["members"] = [
        {**_fields(one, skip=("root_key",)), "root_key": _key(one.root_key, wrap)}
        for one in config.members
    ]
    document["groups"] = [
        {**_fields(one, skip=("mc_key",)), "mc_key": _key(one.mc_key, wrap)}
        for one in config.groups
    ]
    return document


def config_from_json(
    document: JSON,
    *,
    unwrap: Wrapper | None = None,
    keys: Mapping[str, Key] | None = None,
) -> CampaignConfig:
    """Undo :func:`config_to_json`.

    Args:
        document: What it returned.
        unwrap: Decrypts a key.
        keys: Keys by ``device/<DevEUI>`` and ``group/<name>``.  They go before what is written.

    Raises:
        FieldError: The schema is unknown, something does not fit, or a key is missing; the error
            names whose, and shows none.
    """
    where = "CampaignConfig"
    fields = _object(where, "document", document)
    if fields.get("schema") != CONFIG_SCHEMA or isinstance(fields["schema"], bool):
        raise FieldError(where, "schema", fields.get("schema"), f"{CONFIG_SCHEMA}")
    known = {"schema", *(field.name for field in dataclasses.fields(CampaignConfig))}
    if fields.keys() != known:
        wrong = sorted(fields.keys() ^ known)
        raise FieldError(where, "document", wrong, f"the fields {', '.join(sorted(known))}")
    block = _object(where, "block", fields["block"])
    if block.keys() != {"image", "frag_size", "descriptor"}:
        raise FieldError(where, "block", sorted(block), "image, frag_size, descriptor")
    descriptor = _string("DataBlock", "descriptor", block["descriptor"])
    try:
        octets = bytes.fromhex(descriptor)
    except ValueError:
        raise FieldError("DataBlock", "descriptor", descriptor, "8 hex digits") from None
    safe = _Safe(unwrap, keys or {})
    values = _values(CampaignConfig, fields, skip=("schema", "block", "members", "groups"))
    frag_size = Field.of("frag_size", int).value("DataBlock", block["frag_size"])
    return CampaignConfig(
        block=DataBlock(_read_octets("DataBlock", "image", block["image"]), frag_size, octets),
        members=tuple(
            safe.member(_object(where, "members", one))
            for one in _list(where, "members", fields["members"])
        ),
        groups=tuple(
            safe.group(_object(where, "groups", one))
            for one in _list(where, "groups", fields["groups"])
        ),
        **values,
    )


# Writing


def _fields(value: Any, *, skip: tuple[str, ...]) -> dict[str, JSON]:
    names = (field.name for field in dataclasses.fields(value))
    return {name: _json(getattr(value, name)) for name in names if name not in skip}


def _json(value: Any) -> JSON:
    if isinstance(value, enum.Enum):
        plain: JSON = value.value
        return plain
    if isinstance(value, DevEUI | DevAddr):
        return str(value)
    if isinstance(value, Mapping):
        return {
            key.value if isinstance(key, Stage) else key: _json(one) for key, one in value.items()
        }
    if dataclasses.is_dataclass(value):
        return _fields(value, skip=())
    told: JSON = value
    return told


def _octets(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def _key(key: Key, wrap: Wrapper | None) -> JSON:
    wrapped = None if wrap is None else _octets(wrap(key.reveal()))
    return {"kind": type(key).__name__, "wrapped": wrapped}


# Reading


@dataclasses.dataclass(frozen=True, slots=True)
class _Safe:
    """Where keys come from."""

    unwrap: Wrapper | None
    keys: Mapping[str, Key] = dataclasses.field(repr=False)

    def member(self, fields: Mapping[str, JSON]) -> Member:
        values = _values(Member, fields, skip=("root_key",))
        key = self._key("root_key", device_subject(values["dev_eui"]), fields, GenAppKey, AppKey)
        return Member(**values, root_key=key)

    def group(self, fields: Mapping[str, JSON]) -> GroupConfig:
        values = _values(GroupConfig, fields, skip=("mc_key",))
        key = self._key("mc_key", group_subject(values["name"]), fields, McKey)
        return GroupConfig(**values, mc_key=key)

    def _key(self, field: str, subject: str, fields: Mapping[str, JSON], *kinds: type[Key]) -> Any:
        names = " or ".join(kind.__name__ for kind in kinds)
        own = fields.get(field)
        if not isinstance(own, Mapping) or own.keys() != {"kind", "wrapped"}:
            raise FieldError(subject, field, Described("something else"), "kind and wrapped")
        given = self.keys.get(subject)
        if given is not None:
            if not isinstance(given, kinds):
                raise FieldError(subject, field, Described(type(given).__name__), names)
            return given
        named = own["kind"]
        kind = _KEYS.get(named) if isinstance(named, str) else None
        if kind not in kinds:
            raise FieldError(subject, field, named, names)
        if own["wrapped"] is None or self.unwrap is None:
            what = "none written" if own["wrapped"] is None else "a wrapped key"
            expected = "a key in keys" if own["wrapped"] is None else "unwrap, or a key in keys"
            raise FieldError(subject, field, Described(what), expected)
        octets = self.unwrap(_read_octets(subject, field, own["wrapped"]))
        if len(octets) != 16:
            length = Described(f"{len(octets)} octets")
            raise FieldError(subject, field, length, "16 octets from unwrap")
        return kind(octets)


def _values(cls: type, fields: Mapping[str, JSON], *, skip: tuple[str, ...]) -> dict[str, Any]:
    """Return the arguments of a class, each checked for its kind."""
    hints = typing.get_type_hints(cls)
    names = {field.name for field in dataclasses.fields(cls)}
    wrong = (fields.keys() ^ names) - set(skip)
    if wrong:
        raise FieldError(cls.__name__, "fields", sorted(wrong), ", ".join(sorted(names)))
    owner = cls.__name__
    return {name: _value(owner, name, hints[name], fields[name]) for name in names - set(skip)}


def _value(owner: str, name: str, kind: Any, value: JSON) -> Any:
    if kind in (DevEUI, DevAddr):
        return kind.from_hex(_string(owner, name, value))
    if kind is StatusQuirk:
        number = Field.of(name, int).value(owner, value)
        try:
            return StatusQuirk(number)
        except ValueError:
            raise FieldError(owner, name, value, "known quirks") from None
    if kind is RetryPolicy:
        return RetryPolicy(**_values(RetryPolicy, _object(owner, name, value), skip=()))
    if kind == FirmwareStep | None:
        if value is None:
            return None
        return FirmwareStep(**_values(FirmwareStep, _object(owner, name, value), skip=()))
    if kind == Mapping[str, int]:
        port = Field.of(name, int)
        given = _object(owner, name, value)
        return {package: port.value(owner, fport) for package, fport in given.items()}
    if kind == Mapping[Stage, RetryPolicy]:
        stage = Field.of(name, Stage)
        given = _object(owner, name, value)
        return {
            stage.value(owner, one): _value(owner, name, RetryPolicy, policy)
            for one, policy in given.items()
        }
    return Field.of(name, kind).value(owner, value)


def _object(owner: str, name: str, value: JSON) -> Mapping[str, JSON]:
    if isinstance(value, Mapping):
        return value
    raise FieldError(owner, name, Described(f"a {type(value).__name__}"), "an object")


def _list(owner: str, name: str, value: JSON) -> list[JSON]:
    if isinstance(value, list):
        return value
    raise FieldError(owner, name, Described(f"a {type(value).__name__}"), "a list")


def _string(owner: str, name: str, value: JSON) -> str:
    read: str = Field.of(name, str).value(owner, value)
    return read


def _read_octets(owner: str, name: str, value: JSON) -> bytes:
    text = _string(owner, name, value)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        size = Described(f"{len(text)} characters")
        raise FieldError(owner, name, size, "base64") from None
