"""What leads to what, and what to do about it: the doctor's book, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from .hypothesis import Symptom as S

__all__ = ["LEADS_TO", "TRY_NEXT"]

_DEAF: Final = frozenset({S.NOTHING_HEARD, S.NOT_ENOUGH_PARITY, S.SHORT_TRANSFER})
_DELIVERED: Final = frozenset(
    {S.BLOCK_WITH_PADDING, S.BLOCK_LENGTH, S.BLOCK_BLANK, S.BLOCK_SWAPPED, S.BLOCK_FEW}
) | {S.BLOCK_OTHER}
_MIC: Final = frozenset({S.MIC_ERROR})
_WRONG_BLOCK: Final = _MIC | _DELIVERED
_UNREAD: Final = frozenset({S.NO_ANSWER, S.SESSION_ABSENT}) | _DEAF | _WRONG_BLOCK
_CLOCK: Final = frozenset({S.WINDOW_MISSED, S.WINDOW_TOO_SHORT, S.SENT_BEFORE_START}) | _DEAF
_NOT_SET_UP: Final = frozenset({S.NO_ANSWER}) | _DEAF

LEADS_TO: Final[Mapping[S, frozenset[S]]] = {
    S.NOT_IN_CLEAR: _UNREAD,
    S.V2_SETUP_TO_V1: _UNREAD
    | {S.WRONG_MATRIX, S.SEED_BASE, S.STATUS_IN_V1_ORDER, S.MISSING_NEVER_FALLS, S.MEMORY_ERROR}
    | {S.REPORT_UNANSWERED, S.ORDER, S.PARTICIPANTS},
    S.V1_SETUP_TO_V2: _UNREAD | {S.WRONG_MATRIX},
    S.STATUS_IN_V1_ORDER: frozenset({S.MISSING_NEVER_FALLS, S.MEMORY_ERROR, S.NOT_ENOUGH_PARITY})
    | _WRONG_BLOCK,
    S.ROOT_KEY_ROLE: _DEAF | _MIC | {S.MC_KEYS_UNKNOWN, S.MIC_UNKNOWN},
    S.ROOT_KEY_AS_KEK: _DEAF,
    S.MC_KEY_IN_CLEAR: _DEAF,
    S.MC_KE_KEY_ZERO: _DEAF | {S.MC_KEY_IN_CLEAR},
    S.MC_KEY_DIRECTION: _DEAF,
    S.MC_ADDR_REVERSED: _DEAF | {S.MC_ADDR_OTHER, S.MC_KEYS_UNKNOWN},
    S.MC_ADDR_OTHER: _DEAF,
    S.MC_KEYS_UNKNOWN: _DEAF,
    S.MIC_ZERO_DESCRIPTOR: _MIC,
    S.MIC_DESCRIPTOR_REVERSED: _MIC,
    S.MIC_WITH_PADDING: _MIC,
    S.MIC_OCTET_ORDER: _MIC,
    S.MIC_OTHER_COUNTER: _MIC,
    S.MIC_OTHER_INDEX: _MIC,
    S.MIC_ADDRESS: _MIC,
    S.MIC_UNKNOWN: _MIC,
    S.ZERO_BASED: _DEAF
    | _WRONG_BLOCK
    | {S.WRONG_MATRIX, S.FOREIGN_MATRIX, S.OTHER_IMAGE, S.DAMAGED_FRAGMENTS, S.MIC_UNKNOWN},
    S.SEED_BASE: _WRONG_BLOCK,
    S.WRONG_MATRIX: _WRONG_BLOCK,
    S.FOREIGN_MATRIX: _WRONG_BLOCK,
    S.OTHER_IMAGE: _WRONG_BLOCK | {S.MIC_UNKNOWN},
    S.DAMAGED_FRAGMENTS: _WRONG_BLOCK,
    S.FRAGMENT_LENGTH: _DEAF | _DELIVERED,
    **dict.fromkeys(_DELIVERED, _MIC),
    S.FRAG_INDEX: _DEAF | {S.PARTICIPANTS},
    S.GROUP_NOT_IN_MASK: _DEAF,
    S.CLOCK_LEAP_SECONDS: _CLOCK,
    S.CLOCK_EPOCH: _CLOCK | {S.CLOCK_OFF},
    S.CLOCK_OFF: _CLOCK,
    S.SERVER_CLOCK: _CLOCK | {S.CLOCK_OFF},
    S.WINDOW_MISSED: _DEAF,
    S.SENT_BEFORE_START: _DEAF,
    S.WINDOW_TOO_SHORT: _DEAF,
    S.FCNT_REUSED: _DEAF,
    S.FCNT_RESTARTED: _DEAF | {S.FCNT_REUSED},
    S.FCNT_OUTSIDE: _DEAF,
    S.FCNT_ABOVE_16_BITS: _DEAF,
    S.SESSION_CNT_REPLAY: _DEAF,
    S.FRAG_ALGO: _DEAF,
    S.NOT_ENOUGH_MEMORY: _DEAF,
    S.FRAG_INDEX_REFUSED: _DEAF,
    S.WRONG_DESCRIPTOR: _DEAF,
    S.MC_GROUP_ID: _DEAF | {S.MC_GROUP_UNDEFINED},
    S.MC_GROUP_UNDEFINED: _DEAF,
    S.FREQUENCY: _DEAF,
    S.DATA_RATE: _DEAF,
    S.MEMORY_ERROR: frozenset({S.NOT_ENOUGH_PARITY, S.MISSING_NEVER_FALLS, S.ORDER}) | _DELIVERED,
    S.SESSION_ABSENT: _DEAF | {S.PARTICIPANTS},
    S.DELAY_IN_MILLISECONDS: frozenset({S.ANSWER_STORM}),
    S.ORDER: frozenset({S.NOT_ENOUGH_PARITY}),
    S.MISSING_ONE: frozenset({S.NOT_ENOUGH_PARITY, S.ORDER, S.MISSING_NEVER_FALLS}),
    S.MISSING_NEVER_FALLS: frozenset({S.NOT_ENOUGH_PARITY, S.ORDER}),
    S.ONE_FRAGMENT: frozenset({S.NOT_ENOUGH_PARITY, S.MISSING_NEVER_FALLS}),
    S.EVEN_PARITY: frozenset({S.NOT_ENOUGH_PARITY, S.MISSING_NEVER_FALLS}),
    S.SHORT_TRANSFER: frozenset({S.NOT_ENOUGH_PARITY}) | _DELIVERED,
    S.NOT_ENOUGH_PARITY: _DELIVERED,
    S.NO_ANSWER: _DEAF,
}
"""What a symptom explains.  What it explains is named after it, however sure it is."""

TRY_NEXT: Final[Mapping[S, str]] = {
    S.NOT_IN_CLEAR: "Take the payloads from a log that shows them decrypted, or give the network "
    "server the device's AppSKey.",
    S.V2_SETUP_TO_V1: "Ask the device with PackageVersionReq (00 on FPort 201), and send it the "
    "set-up of the version it names; code its fragments with matrix v1.",
    S.V1_SETUP_TO_V2: "Ask the device with PackageVersionReq (00 on FPort 201), and send it the "
    "set-up of version 2, with SessionCnt and MIC.",
    S.STATUS_IN_V1_ORDER: "Read this device's status answers in version 1's order (ST middleware "
    "in version 2); everything else stays version 2.",
    S.ROOT_KEY_ROLE: "Give the server the key of the device's link layer: GenAppKey for LoRaWAN "
    "1.0.x, AppKey for 1.1. `lorafuota keys` shows every step.",
    S.ROOT_KEY_AS_KEK: "Do every step: root key, McRootKey, McKEKey. `lorafuota keys` shows them.",
    S.MC_KEY_IN_CLEAR: "Wrap McKey with the device's McKEKey, and take a new McKey: this one was "
    "on air under AppSKey only.",
    S.MC_KE_KEY_ZERO: "Derive McKEKey from the root key, and take a new McKey. For a Conduit, set "
    "the device's McKEKey to zeros too, and know that it protects nothing.",
    S.MC_KEY_DIRECTION: "Make McKey_encrypted with AES *decryption*, so that the device's "
    "encryption undoes it.",
    S.MC_ADDR_REVERSED: "Write McAddr low octet first in McGroupSetupReq, in the frames, and in "
    "the blocks that session keys come from.",
    S.MC_ADDR_OTHER: "Compare the address of the server's multicast group with McGroupSetupReq.",
    S.DEV_EUI_REVERSED: "Turn the octets round where the device is registered.",
    S.JOIN_EUI_FOR_DEV_EUI: "Register the device with its DevEUI; JoinEUI (AppEUI) names the join "
    "server.",
    S.MC_KEYS_UNKNOWN: "Check that the keys given here are this device's; then compare check "
    "values step by step with `lorafuota keys` at both ends.",
    S.MIC_ZERO_DESCRIPTOR: "Update the server (ChirpStack from April 2026 on), or send a "
    "Descriptor of zeros.",
    S.MIC_DESCRIPTOR_REVERSED: "Put the four octets of Descriptor into B0 as they travel.",
    S.MIC_WITH_PADDING: "Compute the MIC over NbFrag * FragSize - Padding octets, and put that "
    "length into B0.",
    S.MIC_OCTET_ORDER: "Send the first four octets of the CMAC, cmac[0] first.",
    S.MIC_OTHER_COUNTER: "Compute the MIC anew for every set-up: SessionCnt is part of it.",
    S.MIC_OTHER_INDEX: "Compute the MIC for the FragIndex of the set-up.",
    S.MIC_ADDRESS: "Leave octets 8 to 11 of B0 zero.",
    S.MIC_UNKNOWN: "Check that the image and the root key given here are the right ones; compare "
    "B0 octet by octet (docs/guides/keys.md).",
    S.ZERO_BASED: "Number fragments from 1. A device for a Conduit needs its dialect.",
    S.SEED_BASE: "Switch one end: variant v2 seeds with N - M, v2-annex with N.",
    S.WRONG_MATRIX: "Code with v1 for version 1 devices and with v2 for version 2; compare M = 10, "
    "N = 11.",
    S.FOREIGN_MATRIX: "Compare the first coded fragment of both ends with the parity vectors; see "
    "docs/explanation/parity-code.md.",
    S.OTHER_IMAGE: "Give the image that was sent, or send the one that was meant.",
    S.DAMAGED_FRAGMENTS: "Look at the fragments named: same counter with other octets, a forger, "
    "or a log that mixes sessions.",
    S.FRAGMENT_LENGTH: "Send every fragment with FragSize octets, the last one padded.",
    S.FRAG_INDEX: "Use one FragIndex in the set-up and in the fragments.",
    S.GROUP_NOT_IN_MASK: "Set the bit of the group's McGroupID in McGroupBitMask.",
    S.BLOCK_WITH_PADDING: "Give the boot loader NbFrag * FragSize - Padding octets: the device "
    "cuts off at the end what the set-up calls Padding.",
    S.BLOCK_LENGTH: "Check that the file given here is the whole block, and that the device reads "
    "NbFrag * FragSize - Padding octets back from flash.",
    S.BLOCK_BLANK: "Check that the device writes to flash at all, and that the file was read from "
    "where it wrote.",
    S.BLOCK_SWAPPED: "Check where the device writes a fragment: fragment N belongs at "
    "(N - 1) * FragSize, in whatever order fragments come.",
    S.BLOCK_FEW: "Look at how the device writes these fragments, repaired ones above all: flash "
    "that was not erased, a page's end, an index. If its MIC was right, this happened afterwards.",
    S.BLOCK_OTHER: "Check that block, image and capture are of the same update and device; then "
    "the address the block was read from, and the parity matrix.",
    S.CLOCK_LEAP_SECONDS: "Count GPS seconds, which are 18 s ahead of UTC; convert with "
    "lorafuota.gpstime.",
    S.CLOCK_EPOCH: "Count from 1980-01-06 and not from 1970-01-01; convert with lorafuota.gpstime.",
    S.CLOCK_OFF: "Synchronise the device (ForceDeviceResync, TS003, or DeviceTimeReq), then send "
    "the session request again.",
    S.SERVER_CLOCK: "Check the clock of the server, and that it answers with the time the uplink "
    "began.",
    S.WINDOW_MISSED: "Ask earlier, or start later: a class A device hears a request only after an "
    "uplink of its own.",
    S.SENT_BEFORE_START: "Send from SessionTime on, not before.",
    S.WINDOW_TOO_SHORT: "Choose TimeOut for all fragments at their spacing, or several windows; "
    "`lorafuota plan` computes both.",
    S.FCNT_REUSED: "Use every counter once, and keep it in a store that survives; two frames with "
    "one counter and one key also give away both payloads. Take a new McKey.",
    S.FCNT_RESTARTED: "Go on with the counter, or send a new McKey with McGroupSetupReq.",
    S.FCNT_OUTSIDE: "Set minMcFCount to the next counter and maxMcFCount well above the last one; "
    "never send maxMcFCount itself.",
    S.FCNT_ABOVE_16_BITS: "Give the group a new McKey and count from 0 again.",
    S.SESSION_CNT_REPLAY: "Raise SessionCnt above the last one used on this FragIndex, and store "
    "it; the device does not tell its own.",
    S.FRAG_ALGO: "Send FragAlgo 0.",
    S.NOT_ENOUGH_MEMORY: "Send a smaller block (a delta), other fragments, or delete another "
    "session first.",
    S.FRAG_INDEX_REFUSED: "Use FragIndex 0, or delete the session that occupies the device.",
    S.WRONG_DESCRIPTOR: "Ask the maker of the device what Descriptor it wants; its octet order is "
    "a vendor's matter.",
    S.MC_GROUP_ID: "Use a lower McGroupID, and minMcFCount not above maxMcFCount.",
    S.MC_GROUP_UNDEFINED: "Set up the group first, with the same McGroupID.",
    S.FREQUENCY: "Use a frequency of the device's region, in steps of 100 Hz; 0 hops in class B.",
    S.DATA_RATE: "Use a data rate the device can *receive* (DR8 to 13 in US915 and AU915).",
    S.MEMORY_ERROR: "Send anew with fewer losses, or in smaller blocks; this session never "
    "completes.",
    S.SESSION_ABSENT: "Send the set-up again, with a new SessionCnt in version 2.",
    S.ANSWER_STORM: "Raise BlockAckDelay, or ask with Participants 0.",
    S.DELAY_IN_MILLISECONDS: "Ask such devices one by one, by unicast.",
    S.REPORT_UNANSWERED: "Answer each FragDataBlockReceivedReq with FragDataBlockReceivedAns.",
    S.ORDER: "Repair with new coded fragments, of higher numbers than any before.",
    S.MISSING_ONE: "Take 0 or 1 missing with NbFragReceived of NbFrag or more for complete (LoRa "
    "Basics Modem up to 4.8).",
    S.MISSING_NEVER_FALLS: "Do not wait for 0: send parity for the number told, and ask the "
    "application.",
    S.PARTICIPANTS: "Ask again with Participants 1: a complete device answers then.",
    S.ONE_FRAGMENT: "Send the fragment again, or cut the block smaller.",
    S.EVEN_PARITY: "Send plain fragments again, or another NbFrag.",
    S.SHORT_TRANSFER: "Send all plain fragments; look at what stopped the server.",
    S.NOT_ENOUGH_PARITY: "Send more coded fragments, of new numbers; they help every device at "
    "once.",
    S.MIC_ERROR: "Give the device's root key and the image here: then the doctor can tell the key, "
    "the MIC's input and the matrix apart.",
    S.NOTHING_HEARD: "Check key, address, counter, frequency, data rate and window, in this order.",
    S.NO_ANSWER: "Check that the device runs the package on this port, that downlinks reach it, "
    "and ask for PackageVersion.",
}
"""What to do about each symptom, or how to find out more."""
