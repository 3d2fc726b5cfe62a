"""Addresses and identities whose octets stand in the other order, or that are another's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...multicastsetup.v1 import McGroupSetupReq
from ...types import DevAddr, DevEUI
from ..case import Case, Seen
from ..hypothesis import Evidence, Finding, Symptom, Weight
from ..mckey import reversed_address
from ..transfer import Transfer

__all__ = ["look"]


def look(case: Case, transfers: Iterable[Transfer]) -> Iterator[Finding]:
    """Compare addresses in set-ups, in frames, and as they should be."""
    for device in case.devices.values():
        setups = {one.what.mc_addr: one for one in device.sent(McGroupSetupReq)}
        for mc_addr, setup in setups.items():
            yield from _against_known(case, device.dev_eui, mc_addr, setup)
            other = reversed_address(mc_addr)
            if mc_addr not in case.groups and other in case.groups and other != mc_addr:
                first = case.groups[other].frames[0]
                text = f"McGroupSetupReq says {mc_addr}, the frames go to {other}"
                evidence = (Evidence(Weight.STRONG, text, (setup.at, first.at)),)
                yield Finding(Symptom.MC_ADDR_REVERSED, _says(mc_addr), evidence, device.dev_eui)
    yield from _unknown_groups(case)
    yield from _identities(case)


def _says(mc_addr: DevAddr) -> str:
    octets = mc_addr.to_bytes(4, "little").hex(" ")
    return (
        "the octets of McAddr are reversed at one end; all integers travel low octet first, so "
        f"{octets} means {mc_addr}"
    )


def _against_known(
    case: Case, dev_eui: DevEUI | None, mc_addr: DevAddr, setup: Seen[McGroupSetupReq]
) -> Iterator[Finding]:
    wanted = case.known.mc_addr
    if wanted is None or wanted == mc_addr or reversed_address(wanted) != mc_addr:
        return
    text = f"the group is {wanted}, McGroupSetupReq says {mc_addr}"
    evidence = (Evidence(Weight.STRONG, text, (setup.at,)),)
    yield Finding(Symptom.MC_ADDR_REVERSED, _says(mc_addr), evidence, dev_eui)


def _unknown_groups(case: Case) -> Iterator[Finding]:
    told = {
        one.what.mc_addr for device in case.devices.values() for one in device.sent(McGroupSetupReq)
    }
    if not told:
        return
    for mc_addr, group in case.groups.items():
        sent = [one for one in group.frames if case.frames[one.at].mc_addr is not None]
        if mc_addr in told or reversed_address(mc_addr) in told or not sent:
            continue
        text = f"{len(sent)} frames to {mc_addr}; devices were told {', '.join(map(str, told))}"
        evidence = (Evidence(Weight.STRONG, text, (sent[0].at,)),)
        says = f"frames go to {mc_addr}, a group no device in the capture was told of"
        yield Finding(Symptom.MC_ADDR_OTHER, says, evidence)


def _identities(case: Case) -> Iterator[Finding]:
    known = case.known
    if known.dev_eui is None or known.dev_eui in case.devices:
        return
    other = DevEUI(int.from_bytes(known.dev_eui.to_bytes(8, "little")))
    if other in case.devices:
        at = case.devices[other].payloads[0].at
        text = f"the device is {known.dev_eui}, the log says {other}"
        evidence = (Evidence(Weight.STRONG, text, (at,)),)
        says = "DevEUI stands in the log with its octets reversed"
        yield Finding(Symptom.DEV_EUI_REVERSED, says, evidence, other)
    if known.join_eui is not None and known.join_eui in case.devices:
        at = case.devices[known.join_eui].payloads[0].at
        text = f"the log names the device {known.join_eui}, which is its JoinEUI"
        evidence = (Evidence(Weight.STRONG, text, (at,)),)
        says = "JoinEUI stands where DevEUI belongs"
        yield Finding(Symptom.JOIN_EUI_FOR_DEV_EUI, says, evidence, known.join_eui)
