"""Multi-Package Access (TS007): the device's ANS buffer and how it leaves in pieces.

A command set clears the buffer, and each of its answers is appended to it whole.  The buffer leaves
at once if it fits, otherwise in MultiPackBufferFrag, a piece at each opportunity.  It stays until
the next set, so that a server that missed something can ask for it again::

    command set ----------> [clear, token] -> answers -> whole, or pieces from 0
    MultiPackBufferReq ---> [keep]         -> the error piece, or pieces of the range asked for
"""

from __future__ import annotations

from typing import final

from ..errors import FieldError, require_int
from ..multipackage.v1 import BUFFER_SIZE, NO_SUCH_BYTES, MultiPackBufferFrag, MultiPackBufferReq

__all__ = ["AnswerBuffer"]

_PIECE_OVERHEAD = 3  # identifier, BaseByte, token


@final
class AnswerBuffer:
    """One device's ANS buffer.  Plain data; survives copying and pickling."""

    def __init__(self) -> None:
        """Start empty, as after a reset."""
        self._ans = b""
        self._token = 0
        self._range: range | None = None  # what is still to be sent
        self._whole = False  # ... may leave without being cut
        self._error = False  # ... is the error piece

    @property
    def ans(self) -> bytes:
        """The answers, without token."""
        return self._ans

    @property
    def token(self) -> int:
        """Command Token of the set they answer."""
        return self._token

    def begin(self, token: int) -> None:
        """Clear for a new command set, abandoning what was being sent.

        Raises:
            FieldError: *token* is not 0 to 3.
        """
        require_int("AnswerBuffer", "token", token, 0, 3)
        self._ans, self._token = b"", token
        self._range, self._whole, self._error = range(0), True, False

    def append(self, answer: bytes) -> bool:
        """Append one answer, PackageID included if it has one; return False if it does not fit.

        The text about an overflow is not known to us.  Execution should stop at the first answer
        that does not fit: an answer is kept whole or not at all.
        """
        if len(self._ans) + len(answer) > BUFFER_SIZE:
            return False
        self._ans += answer
        self._range = range(len(self._ans))
        return True

    def request(self, req: MultiPackBufferReq) -> None:
        """Start sending a part again, abandoning what was being sent."""
        stop = min(req.stop_byte, len(self._ans) - 1)
        self._whole = False
        self._error = not req.start_byte <= stop
        self._range = range(req.start_byte, stop + 1)

    def next_frame(self, max_payload: int) -> bytes | None:
        """Return the next payload for FPort 225, or None when there is nothing to send.

        Args:
            max_payload: Octets the next uplink can carry, 4 at least.

        Raises:
            FieldError: *max_payload* leaves no room for an octet of the buffer.
        """
        if max_payload <= _PIECE_OVERHEAD:
            raise FieldError("AnswerBuffer", "max_payload", max_payload, "4 octets at least")
        if self._error:
            self._error, self._range = False, None
            return MultiPackBufferFrag(base_byte=NO_SUCH_BYTES, ans=None, token=None).encode()
        if not self._range:
            return None
        todo = self._range
        if self._whole and todo.start == 0 and len(todo) + 1 <= max_payload:
            self._range = None
            return self._ans + bytes((self._token,))
        piece = todo[: max_payload - _PIECE_OVERHEAD]
        self._range = todo[len(piece) :]
        ans = self._ans[piece.start : piece.stop]
        return MultiPackBufferFrag(base_byte=piece.start, ans=ans, token=self._token).encode()
