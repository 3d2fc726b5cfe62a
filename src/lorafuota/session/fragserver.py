"""The server's messages for one data block and one device (TS004).

A request comes out, an answer is judged; nothing here waits for anything.
"""

from __future__ import annotations

from typing import TypeAlias, final

from ..crypto import derive_data_block_int_key
from ..datablock import DataBlock
from ..errors import FieldError, StateError
from ..fragmentation import v1, v2
from ..types import AppKey, GenAppKey, require_key
from .fragsession import SetupReq
from .profile import FragProfile

__all__ = ["FragServer", "SetupAns"]

SetupAns: TypeAlias = v1.FragSessionSetupAns | v2.FragSessionSetupAns


@final
class FragServer:
    """The server's messages for one block and one device."""

    def __init__(
        self,
        profile: FragProfile,
        block: DataBlock,
        *,
        frag_index: int = 0,
        mc_group_bit_mask: int = 0,
        block_ack_delay: int = 0,
        ack_reception: bool = False,
        session_cnt: int = 0,
        root_key: GenAppKey | AppKey | None = None,
    ) -> None:
        """Describe the session.

        Args:
            profile: The version the device speaks.
            block: What to deliver.
            frag_index: Session on the device, 0 to 3.
            mc_group_bit_mask: Multicast groups that feed it, bit = McGroupID; 0 is unicast only.
            block_ack_delay: Answers spread over 2**(n+4) seconds, 0 to 7.
            ack_reception: Version 2: have the device report by itself.
            session_cnt: Version 2: one more than the last used with this device and index.  Store
                it before the set-up is sent: it must never come back with other data.
            root_key: Version 2: the device's GenAppKey (LoRaWAN 1.0.x) or AppKey (1.1).

        Raises:
            FieldError: A number is out of range, the key is of another class, or version 2 has
                none.
        """
        self.profile, self.block = profile, block
        mic = b""
        if root_key is not None:
            require_key("FragServer", "root_key", root_key, GenAppKey, AppKey)
        if profile.has_mic:
            if root_key is None:
                expected = f"a key, since {profile.package} signs"
                raise FieldError("FragServer", "root_key", None, expected)
            key = derive_data_block_int_key(root_key)
            mic = block.mic(key, session_cnt=session_cnt, frag_index=frag_index)
        common = {
            "mc_group_bit_mask": mc_group_bit_mask,
            "frag_index": frag_index,
            "nb_frag": block.nb_frag,
            "frag_size": block.frag_size,
            "block_ack_delay": block_ack_delay,
            "frag_algo": 0,
            "padding": block.padding,
        }
        self.setup_req: SetupReq = (
            v2.FragSessionSetupReq(
                **common,
                descriptor=block.descriptor,
                ack_reception=ack_reception,
                session_cnt=session_cnt,
                mic=mic,
            )
            if profile.has_mic
            else v1.FragSessionSetupReq(**common, descriptor=block.descriptor)
        )

    def refusal(self, answer: SetupAns) -> str | None:
        """Say why the device refused the set-up, or None when it accepted this session."""
        if answer.frag_index != self.setup_req.frag_index:
            return f"the answer is about FragIndex {answer.frag_index}"
        names = [str(bit.name) for bit in type(answer.errors) if answer.errors & bit]
        return ", ".join(names) or None

    def status_req(self, *, participants: bool) -> v1.FragSessionStatusReq:
        """Ask how far the session has come.

        Args:
            participants: Have devices that are complete answer as well.
        """
        return v1.FragSessionStatusReq(
            participants=participants, frag_index=self.setup_req.frag_index
        )

    def delete_req(self) -> v1.FragSessionDeleteReq:
        """Close the session on the device."""
        return v1.FragSessionDeleteReq(frag_index=self.setup_req.frag_index)

    def received_ans(self) -> v2.FragDataBlockReceivedAns:
        """Acknowledge a FragDataBlockReceivedReq, so that the device stops repeating it.

        Raises:
            StateError: Version 1 has no such exchange.
        """
        if not self.profile.has_mic:
            raise StateError("FragServer.received_ans", f"{self.profile.package} has no reports")
        return v2.FragDataBlockReceivedAns(frag_index=self.setup_req.frag_index)
