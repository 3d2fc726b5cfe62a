"""The receiving end: a block from any fragments that suffice.

How it works.  Plain fragments go straight into the block.  Coded ones are kept as they came.  Each
coded fragment is an equation between plain ones; with those that arrived substituted, L unknowns
are left, the *lost* fragments, and the block can be rebuilt as soon as L independent equations are
there.  The decoder keeps two things apart:

* **The rank**, which tells how many fragments are still missing, needs only the lines of the
  matrix and no payload.  It is brought up to date when somebody asks, and by itself when there are
  as many coded fragments as lost ones, since only then the block can be complete, or when so many
  are waiting that it would take too long at once (:mod:`._rank`).  Feeding is cheap until then.
* **The solution** is computed once, when the block or a check is asked for, or the state to be
  saved; or by :meth:`FragDecoder.feed_all`.  It takes longer than anything else, and
  :meth:`FragDecoder.feed` never computes it: the work for one fragment is bounded, also for the one
  that completes the block and for those after it.

A fragment that adds no rank is not waste.  It must be the XOR of others that arrived, so it is
kept as a check, and tells of a wrong variant and of damaged or forged fragments, which a decoder
otherwise turns into a wrong block without noticing.  The check says *that* something is wrong, not
who: when a fragment disagrees, the liar may as well be among those it disagrees with.

What a decoder knows is plain data: it can be copied, pickled, or saved as JSON and restored.
"""

from __future__ import annotations

import base64
import dataclasses
import enum
from collections.abc import Iterable, Mapping
from struct import iter_unpack
from typing import Final, Self, cast, final

from bitarray import bitarray

from ..errors import FieldError, IntegrityError, StateError, require_int
from . import kernels
from ._rank import RankCount
from ._saved import FLAGS, FORMAT, Saved
from .matrix import MAX_N, packed_lines, require_variant, unpack
from .variant import ParityVariant

__all__ = ["CheckResult", "Fed", "FragDecoder", "State", "memory_bound"]

State = dict[str, int | str | bool | list[int] | None]
"""A saved decoder: what JSON can hold, with octets as base64."""

_MAX_COUNT: Final = 2**63 - 1


class Fed(enum.Enum):
    """What became of a fragment."""

    ACCEPTED = "accepted"
    """News, and kept.  Whether it adds rank, or agrees, is seen later."""
    REPEAT = "repeat"
    """This number was here before, with the same octets."""
    CONFLICT = "conflict"
    """This number was here before, with other octets; the first are kept."""
    DROPPED = "dropped"
    """Adds nothing, and ``max_checks`` such fragments are kept already."""
    AGREES = "agrees"
    """Came after the block was rebuilt, and is what the block makes it."""
    DISAGREES = "disagrees"
    """Came after the block was rebuilt, and is not what the block makes it."""
    GIVEN_UP = "given up"
    """Ignored: more was lost than ``max_lost``."""


@dataclasses.dataclass(frozen=True, slots=True)
class CheckResult:
    """What the fragments that were not needed say about the others."""

    checked: int
    """Spare fragments that were compared with what the others make them."""
    disagreeing: tuple[int, ...]
    """Numbers of those that differ, ascending."""
    conflicting: tuple[int, ...]
    """Numbers that arrived with different octets, ascending."""

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts anything.  Proves little when *checked* is zero."""
        return not self.disagreeing and not self.conflicting

    def __str__(self) -> str:
        text = f"{len(self.disagreeing)} of {self.checked} spare fragments disagree"
        if self.disagreeing:
            text += f" ({_some(self.disagreeing)})"
        if self.conflicting:
            text += f"; different octets under the same number: {_some(self.conflicting)}"
        return text


def _check_parameters(nb_frag: int, frag_size: int, max_lost: int | None, max_checks: int) -> None:
    """Refuse what cannot be a decoder, before anything is allocated."""
    require_int("FragDecoder", "nb_frag", nb_frag, 1, MAX_N)
    require_int("FragDecoder", "frag_size", frag_size, 1, 255)
    if max_lost is not None:
        require_int("FragDecoder", "max_lost", max_lost, 0, MAX_N)
    require_int("FragDecoder", "max_checks", max_checks, 0, MAX_N)


def memory_bound(
    *, nb_frag: int, frag_size: int, max_lost: int | None = None, max_checks: int = 64
) -> int:
    """Return the most octets a :class:`FragDecoder` with these parameters ever needs.

    With M fragments of S octets, of which at most L are lost (*max_lost*, or all M) and C coded
    ones kept (L and *max_checks*, but no more than there are numbers for)::

        M * S + C * (S + 200) + L * 8 * ceil(L / 64) + 16384                       held
        M * (S + 80) + C * (3 * S + 400 + ceil(M / 4)) + L * (L / 4 + S + 200)     at work, on top
        512 * (S + 64)                                                             and for tables

    What is held while nothing is lost is little more than the block.  Lines of the matrix that are
    remembered for all decoders of a process are not counted: at most :data:`.matrix.CACHE_OCTETS`.

    Raises:
        FieldError: A parameter is out of the range :class:`FragDecoder` takes.
    """
    _check_parameters(nb_frag, frag_size, max_lost, max_checks)
    lost = nb_frag if max_lost is None else min(nb_frag, max_lost)
    coded = min(lost + max_checks, MAX_N - nb_frag)
    held = nb_frag * frag_size + coded * (frag_size + 200) + kernels.basis_octets(lost) + 16384
    work = nb_frag * (frag_size + 80) + coded * (3 * frag_size + 400 + (nb_frag + 3) // 4)
    work += lost * (lost // 4 + frag_size + 200) + 512 * (frag_size + 64)
    return held + work


@final
class FragDecoder:
    """Collects the fragments of one block until it can be rebuilt.

    Attributes:
        nb_frag: M, the number of plain fragments in the block.
        frag_size: Octets in a fragment.
        variant: How lines of the parity matrix are drawn.
        max_lost: How many lost plain fragments the imitated device can make good, None for all.
        max_checks: With so many spare fragments, further ones are dropped until the block is
            rebuilt.
    """

    def __init__(
        self,
        *,
        nb_frag: int,
        frag_size: int,
        variant: ParityVariant,
        max_lost: int | None = None,
        max_checks: int = 64,
    ) -> None:
        """Prepare for a block; see :func:`memory_bound` for what that may take.

        Args:
            nb_frag: M, 1 to 16383.
            frag_size: Octets in a fragment, 1 to 255.
            variant: How lines of the parity matrix are drawn.
            max_lost: Imitate a device whose matrix has this many lines (TS004-2.0.0, MemoryError):
                when the first coded fragment arrives and more plain ones are lost by then, the
                decoder gives up for good, even if the lost ones come later.
            max_checks: Spare fragments to keep until the block is rebuilt, 0 to 16383.

        Raises:
            FieldError: A parameter is out of range.
        """
        _check_parameters(nb_frag, frag_size, max_lost, max_checks)
        self.nb_frag, self.frag_size = nb_frag, frag_size
        self.variant = require_variant("FragDecoder", variant)
        self.max_lost, self.max_checks = max_lost, max_checks
        self._code = self.variant.code

        self._received = bitarray(nb_frag, endian="little")  # plain fragments that arrived
        self._lost = nb_frag  # ... and how many did not
        self._block = bytearray()  # zeros where a fragment is missing; empty until it is needed
        self._coded: dict[int, bytes] = {}  # in order of arrival, and what came after completion
        self._given_up = self._solved = False

        self._rank = RankCount(nb_frag, self._code)  # not saved: it follows from what is above

        self._nb_frag_received = self._repeats = self._conflicts = 0
        self._seen = bitarray(FLAGS, endian="little")  # once solved: numbers that were here before
        self._disagreeing = bitarray(FLAGS, endian="little")
        self._conflicting = bitarray(FLAGS, endian="little")

    # Feeding

    def feed(self, n: int, payload: bytes | bytearray | memoryview) -> Fed:
        """Take fragment *n*, in any order, any number of times.

        The work is bounded: nothing is solved here.  What comes after the block is complete is
        kept to be compared with it, up to ``max_checks`` spare fragments, or compared at once if
        the block has been rebuilt, because :meth:`block`, :meth:`check` or :meth:`save` was called
        since.  So it depends on such a call, and on nothing else that is asked, whether a later
        fragment is ACCEPTED or DROPPED, or AGREES or DISAGREES; whether it counts in
        :attr:`checks` when ``max_checks`` are kept already; and whether a second payload under
        the number of one that disagrees is a conflict if neither is right.  The block does not
        depend on it.

        Args:
            n: Fragment number, 1 to 16383.
            payload: Its ``frag_size`` octets.

        Returns:
            What became of it.

        Raises:
            FieldError: *n* is out of range or *payload* has the wrong length.  What a radio brings
                has to be looked at before; such a fragment is no fragment of this block.
        """
        if type(n) is not int or not 1 <= n <= MAX_N:
            require_int("FragDecoder", "n", n, 1, MAX_N)
        if type(payload) is not bytes:
            payload = bytes(payload)
        size = self.frag_size
        if len(payload) != size:
            expected = f"{size} octets"
            raise FieldError("FragDecoder", "payload", f"{len(payload)} octets", expected)
        if self._given_up:
            return Fed.GIVEN_UP
        if self._solved:
            return self._verify(n, payload)
        if len(self._coded) >= self._lost and self.complete:
            return self._keep(n, payload)
        if self._nb_frag_received < MAX_N:
            self._nb_frag_received += 1
        if n <= self.nb_frag:
            end = n * size
            if self._received[n - 1]:
                return self._again(n, self._block[end - size : end] == payload)
            (self._block or self._begin())[end - size : end] = payload
            self._received[n - 1] = 1
            self._lost -= 1
            if self._coded:
                self._pend(n)
            return Fed.ACCEPTED
        if n in self._coded:
            return self._again(n, self._coded[n] == payload)
        if self.max_lost is not None and self._lost > self.max_lost:
            self._given_up = True
            return Fed.GIVEN_UP
        self._coded[n] = payload
        self._pend(n)
        return self._limit_checks(n) if len(self._coded) >= self._lost else Fed.ACCEPTED

    def feed_all(self, fragments: Iterable[tuple[int, bytes]]) -> list[Fed]:
        """Take many fragments, number and octets, as :meth:`feed` would, only faster.

        The block is rebuilt as soon as it is complete: it is as if :meth:`check` was called then,
        and what comes later AGREES or DISAGREES.

        Returns:
            What became of each.

        Raises:
            FieldError: As for :meth:`feed`.  Those before the wrong fragment are taken.
        """
        waiting = list(fragments)
        fed = self._feed_at_once(waiting)
        while True:
            if len(self._coded) >= self._lost and self.complete:
                self._solve()
            if (start := len(fed)) >= len(waiting):
                return fed
            many = self._feed_plain(waiting, start) or self._feed_coded(waiting, start)
            if many:
                fed += [Fed.ACCEPTED] * many
            else:
                fed += self._feed_spare(waiting, start) or [self.feed(*waiting[start])]

    def _feed_at_once(self, waiting: list[tuple[int, bytes]]) -> list[Fed]:
        """Rebuild the block from *waiting*, if nothing came before and that can be done in one go.

        Whether it can shows only in the time it takes.
        """
        begun = self._nb_frag_received or self._solved
        if begun or self.max_lost is not None or len(waiting) < self.nb_frag:
            return []
        found = kernels.decode(waiting, self.nb_frag, self.frag_size, self._code, self.max_checks)
        if found is None:
            return []
        block, heard, needed = found
        self._block = cast(bytearray, block)  # it is never changed again
        self._seen[1:] = unpack(heard, MAX_N)
        self._received = self._seen[1 : self.nb_frag + 1]
        self._lost = self._received.count(0)
        self._nb_frag_received, self._solved = needed, True
        return [Fed.ACCEPTED] * needed + [Fed.AGREES] * (self._seen.count() - needed)

    def _feed_plain(self, waiting: list[tuple[int, bytes]], start: int) -> int:
        """Take the plain fragments that come next, and are all new; return how many."""
        if self._coded or self._given_up or self._solved:
            return 0
        block = self._block or self._begin()
        taken = kernels.take(block, self._received, self.frag_size, self.nb_frag, waiting, start)
        self._lost -= taken
        self._nb_frag_received = min(self._nb_frag_received + taken, MAX_N)
        return taken

    def _feed_coded(self, waiting: list[tuple[int, bytes]], start: int) -> int:
        """Take the coded fragments that come next, while they are too few for the block."""
        hopeless = self.max_lost is not None and self._lost > self.max_lost
        if self._given_up or self._solved or hopeless:
            return 0
        room = min(self._lost - 1 - len(self._coded), self._rank.lump - len(self._rank.waiting))
        if room <= 0:
            return 0
        taken: dict[int, bytes] = {}
        known, lowest, size = self._coded, self.nb_frag, self.frag_size
        for n, payload in waiting[start : start + room]:
            if type(n) is not int or type(payload) is not bytes or len(payload) != size:
                break
            if not lowest < n <= MAX_N or n in known or n in taken:
                break
            taken[n] = payload
        known.update(taken)
        self._rank.waiting += taken
        self._nb_frag_received = min(self._nb_frag_received + len(taken), MAX_N)
        return len(taken)

    def _feed_spare(self, waiting: list[tuple[int, bytes]], start: int) -> list[Fed]:
        """Compare the fragments that come next with the complete block, while they are new."""
        if not self._solved:
            return []
        new: dict[int, bytes] = {}
        for n, payload in waiting[start : start + self._rank.lump]:
            if type(n) is not int or type(payload) is not bytes or len(payload) != self.frag_size:
                break
            if not 1 <= n <= MAX_N or self._seen[n] or n in new:
                break
            new[n] = payload
        if not new:
            return []
        expected = iter_unpack(f"{self.frag_size}s", self._product(new))
        agree = [part == payload for payload, (part,) in zip(new.values(), expected, strict=True)]
        for n, agrees in zip(new, agree, strict=True):
            self._seen[n], self._disagreeing[n] = 1, not agrees
        return [Fed.AGREES if agrees else Fed.DISAGREES for agrees in agree]

    def _begin(self) -> bytearray:
        self._block = bytearray(self.nb_frag * self.frag_size)
        return self._block

    def _plain(self, n: int) -> bytes:
        return bytes(self._block[(n - 1) * self.frag_size : n * self.frag_size])

    def _pend(self, n: int) -> None:
        """Note that a line waits for the basis, and do not let too many wait."""
        if self._rank.pend(n, self._lost):
            self._rank.count(self._received, self._coded, self._rank.lump + 1)

    def _again(self, n: int, same: bool) -> Fed:
        if not same:
            return self._conflict(n)
        self._repeats += 1
        return Fed.REPEAT

    def _conflict(self, n: int) -> Fed:
        self._conflicts += 1
        self._conflicting[n] = 1
        return Fed.CONFLICT

    def _limit_checks(self, newest: int) -> Fed:
        """Drop *newest* if it is spare, and ``max_checks`` such fragments are kept.

        Called when a coded fragment has arrived and there are enough to count the rank anyway, so
        that what is dropped depends on what was fed and not on what was asked in between.  Plain
        fragments that come late may make more coded ones spare than ``max_checks``; which ones
        they are would take too long to find out for a single fragment.

        The same goes for fragments that were spare before there were enough.  If it should be
        more than the memory was promised for, the last of them goes.  With 64 checks that takes
        as many sums of others among fewer fragments than are lost, so M is small.
        """
        self._count_rank()
        if newest not in self._rank.independent:
            if self.checks <= self.max_checks:
                return Fed.ACCEPTED
            del self._coded[newest]
            return Fed.DROPPED
        most = self.nb_frag if self.max_lost is None else min(self.nb_frag, self.max_lost)
        if len(self._coded) > most + self.max_checks:
            del self._coded[self._spare()[-1]]
        return Fed.ACCEPTED

    def _keep(self, n: int, payload: bytes) -> Fed:
        """Keep what comes when the block is complete, plain or coded, until it is rebuilt."""
        if n in self._coded:
            return self._again(n, self._coded[n] == payload)
        if n <= self.nb_frag and self._received[n - 1]:
            return self._again(n, self._plain(n) == payload)
        if self.checks >= self.max_checks:
            return Fed.DROPPED
        self._coded[n] = payload
        return Fed.ACCEPTED

    def _verify(self, n: int, payload: bytes) -> Fed:
        """Compare a fragment with the rebuilt block."""
        agrees = payload == self._product([n])
        if self._seen[n]:  # only whether the first one agreed is known, not what it was
            return self._again(n, agrees is not bool(self._disagreeing[n]))
        self._seen[n] = 1
        self._disagreeing[n] = not agrees
        return Fed.AGREES if agrees else Fed.DISAGREES

    # Asking

    @property
    def rank(self) -> int:
        """How many independent fragments arrived; ``nb_frag`` when the block is complete."""
        if self._solved:
            return self.nb_frag
        if not self._coded:
            return self.nb_frag - self._lost
        self._count_rank()
        return self._rank.value

    @property
    def missing(self) -> int:
        """How many more independent fragments are needed (MissingFrag of TS004); never rises."""
        return self.nb_frag - self.rank

    def missing_up_to(self, most: int) -> int:
        """Return :attr:`missing`, or *most* if that is less; quick if it is much less."""
        if self._solved or self._lost - len(self._coded) < most:
            return min(self.missing, most)
        return most

    @property
    def complete(self) -> bool:
        """Whether the block can be rebuilt."""
        if self._solved or not self._lost:
            return True
        return len(self._coded) >= self._lost and self.missing == 0

    @property
    def received(self) -> bitarray:
        """A map of the plain fragments that arrived: bit ``i`` for fragment ``i + 1``."""
        return self._received.copy()

    @property
    def lost(self) -> tuple[int, ...]:
        """Numbers of the plain fragments that did not arrive, rebuilt or not."""
        return _numbers(~self._received, 1)

    @property
    def given_up(self) -> bool:
        """Whether more was lost than ``max_lost``; such a decoder never completes."""
        return self._given_up

    @property
    def nb_frag_received(self) -> int:
        """Fragments fed before the block was complete, repeats too (NbFragReceived of TS004)."""
        return self._nb_frag_received

    @property
    def repeats(self) -> int:
        """How often a fragment came again with the same octets."""
        return self._repeats

    @property
    def conflicts(self) -> int:
        """How often a fragment came again with other octets."""
        return self._conflicts

    @property
    def checks(self) -> int:
        """How many spare fragments are there to be compared, or have been."""
        if self._solved:
            return self._seen.count() - self.nb_frag
        if not self._coded:
            return 0
        return len(self._coded) + self.nb_frag - self._lost - self.rank

    def check(self) -> CheckResult:
        """Compare the fragments that add no rank with what the others make them.

        This works before the block is complete, too, and then costs about as much as rebuilding
        it each time there is something to compare.  Afterwards the result is kept.
        """
        checked, disagreeing = self.checks, self._disagreeing
        if self.complete:
            self._solve()
        elif checked:
            disagreeing = self._contradictions()
        return CheckResult(checked, _numbers(disagreeing), _numbers(self._conflicting))

    def block(self) -> bytes:
        """Return the rebuilt block, padding included.

        Raises:
            StateError: Fragments are missing.
            IntegrityError: A spare fragment disagrees, or a number came with different octets.
                Then the variant is wrong, or a fragment was damaged or forged.
        """
        block = self.block_despite_disagreement()
        result = self.check()
        if not result.ok:
            raise IntegrityError("FragDecoder.block", str(result))
        return block

    def block_despite_disagreement(self) -> bytes:
        """Return the rebuilt block even if spare fragments say that it is wrong.

        For callers who hold a MIC or a signature against it.

        Raises:
            StateError: Fragments are missing.
        """
        if not self.complete:
            reason = f"{self.missing} fragments are missing"
            if self._given_up:
                reason = f"given up: more than {self.max_lost} fragments were lost"
            raise StateError("FragDecoder.block", reason)
        self._solve()
        return bytes(self._block)

    # Linear algebra

    def _missing_map(self) -> bytes:
        return (~self._received).tobytes()

    def _count_rank(self) -> None:
        self._rank.count(self._received, self._coded)

    def _spare(self) -> list[int]:
        """Return the coded fragments the lost ones do not need, in order of arrival.

        Counting anew over what is lost now makes those of the rank the ones they do need.
        """
        if not self._rank.is_over(self._received):
            self._rank.forget()
        self._count_rank()
        return [n for n in self._coded if n not in self._rank.independent]

    def _product(self, numbers: Iterable[int]) -> bytes:
        lines = packed_lines(list(numbers), self.nb_frag, self._code)
        block = self._block or self._begin()
        return kernels.ACTIVE.product(block, self.frag_size, self.nb_frag, lines)

    def _solve(self) -> None:
        """Rebuild what was lost, compare what was spare, and forget the coded fragments."""
        if self._solved:
            return
        block, size = self._block or self._begin(), self.frag_size
        spare = self._spare()
        needed = [n for n in self._coded if n in self._rank.independent]
        lost = self.lost
        found = kernels.ACTIVE.solve(
            block,
            self._missing_map(),
            size,
            self.nb_frag,
            packed_lines(needed, self.nb_frag, self._code),
            b"".join([self._coded[n] for n in needed]),
        )
        rebuilt = [
            (n, part) for n, (part,) in zip(lost, iter_unpack(f"{size}s", found), strict=True)
        ]
        kernels.take(block, self._received.copy(), size, self.nb_frag, rebuilt, 0)
        expected = self._product(spare)
        for i, n in enumerate(spare):
            self._disagreeing[n] = self._coded[n] != expected[i * size : (i + 1) * size]
        self._seen[1 : self.nb_frag + 1] = self._received
        self._seen[list(self._coded)] = 1
        self._rank.forget()
        self._coded, self._solved = {}, True

    def _contradictions(self) -> bitarray:
        """Return the spare fragments that are not the XOR of others, with the block incomplete.

        Elimination as in the reference kernels: a row is an integer, payload below, coefficients
        above.  A row without coefficients must have no payload either.
        """
        size, width = self.frag_size, 8 * self.frag_size
        columns = ~self._received
        packed = packed_lines(list(self._coded), self.nb_frag, self._code)
        known = self._product(self._coded)
        line_size = (self.nb_frag + 7) // 8
        rows: dict[int, int] = {}
        disagreeing = bitarray(FLAGS, endian="little")
        for i, (n, payload) in enumerate(self._coded.items()):
            line = unpack(packed[i * line_size : (i + 1) * line_size], self.nb_frag)[columns]
            row = int.from_bytes(line.tobytes(), "little") << width
            row |= int.from_bytes(payload, "little") ^ int.from_bytes(
                known[i * size : (i + 1) * size], "little"
            )
            while (length := row.bit_length()) > width and length in rows:
                row ^= rows[length]
            if length > width:
                rows[length] = row
            else:
                disagreeing[n] = row != 0
        return disagreeing

    # Saving

    def save(self) -> State:
        """Return the whole state as data that JSON can hold; it may be restored anywhere.

        The size is that of the fragments received, a third more for base64, and a few hundred
        octets.  Restoring it needs no other file, and not the same kernels.  What is complete is
        rebuilt first.
        """
        if self.complete:
            self._solve()
        if self._solved:
            fragments = bytes(self._block)
        else:
            fragments = b"".join([self._plain(n) for n in _numbers(self._received, 1)])
        return {
            "format": FORMAT,
            "nb_frag": self.nb_frag,
            "frag_size": self.frag_size,
            "variant": self.variant.value,
            "max_lost": self.max_lost,
            "max_checks": self.max_checks,
            "given_up": self._given_up,
            "solved": self._solved,
            "received": _to_base64(self._received.tobytes()),
            "fragments": _to_base64(fragments),
            "coded": list(self._coded),
            "payloads": _to_base64(b"".join(self._coded.values())),
            "nb_frag_received": self._nb_frag_received,
            "repeats": self._repeats,
            "conflicts": self._conflicts,
            "seen": _to_base64(self._seen.tobytes().rstrip(b"\0")),
            "disagreeing": _to_base64(self._disagreeing.tobytes().rstrip(b"\0")),
            "conflicting": _to_base64(self._conflicting.tobytes().rstrip(b"\0")),
        }

    @classmethod
    def restore(cls, state: Mapping[str, object]) -> Self:
        """Return the decoder that *state* was saved from.

        Raises:
            FieldError: *state* is not what :meth:`save` returns.  Its octets are not
                authenticated: keep it where only you can write, or sign it.
        """
        saved = Saved(state)
        self = cls(
            nb_frag=saved.integer("nb_frag", 1, MAX_N),
            frag_size=saved.integer("frag_size", 1, 255),
            variant=saved.variant(),
            max_lost=None if saved.get("max_lost") is None else saved.integer("max_lost", 0, MAX_N),
            max_checks=saved.integer("max_checks", 0, MAX_N),
        )
        self._given_up, self._solved = saved.flag("given_up"), saved.flag("solved")
        self._received = saved.bits("received", self.nb_frag)
        self._lost = self._received.count(0)
        hopeless = self.max_lost is not None and self._lost > self.max_lost
        if self._given_up and not hopeless:
            raise saved.error("given_up", "false when no more than max_lost are lost")
        if self._solved and hopeless:
            raise saved.error("solved", "false when more than max_lost are lost")
        self._restore_fragments(saved, 0 if self._solved or hopeless else MAX_N)
        if self._rank.overdue(self._lost):
            self._count_rank()  # or the next fragment would have to
        known = self.nb_frag - self._lost + len(self._coded)
        self._nb_frag_received = saved.integer("nb_frag_received", known, MAX_N)
        self._repeats = saved.integer("repeats", 0, _MAX_COUNT)
        self._conflicting = saved.numbers("conflicting")
        self._conflicts = saved.integer("conflicts", self._conflicting.count(), _MAX_COUNT)
        self._restore_checks(saved)
        return self

    def _restore_fragments(self, saved: Saved, most_coded: int) -> None:
        size = self.frag_size
        stored = range(1, self.nb_frag + 1) if self._solved else _numbers(self._received, 1)
        octets = saved.octets("fragments", len(stored) * size)
        block = self._begin() if octets else self._block
        for i, n in enumerate(stored):
            block[(n - 1) * size : n * size] = octets[i * size : (i + 1) * size]
        most_coded = min(most_coded, self.nb_frag + self.max_checks)
        coded = saved.coded(self.nb_frag + 1, most_coded)
        octets = saved.octets("payloads", len(coded) * size)
        self._coded = {n: octets[i * size : (i + 1) * size] for i, n in enumerate(coded)}
        self._rank.waiting = coded

    def _restore_checks(self, saved: Saved) -> None:
        self._seen, self._disagreeing = saved.numbers("seen"), saved.numbers("disagreeing")
        if self._solved:
            enough = self._seen.count() >= self.nb_frag
            if not enough or (self._received & ~self._seen[1 : self.nb_frag + 1]).any():
                raise saved.error("seen", "all fragments received, and enough for the block")
        elif self._seen.any():
            raise saved.error("seen", "no numbers before the block is rebuilt")
        possible = not (self._disagreeing & ~self._seen).any()
        if not possible or self._disagreeing.count() > self.checks:
            raise saved.error("disagreeing", "numbers in seen, no more than were spare")


def _to_base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")


def _numbers(bits: bitarray, first: int = 0) -> tuple[int, ...]:
    """Return the positions of ones, counted from *first*."""
    ones = bits.search(1)
    return tuple([i + first for i in ones]) if first else tuple(ones)


def _some(numbers: tuple[int, ...]) -> str:
    """Return the first few of *numbers*, in words."""
    return ", ".join(map(str, numbers[:8])) + (", ..." if len(numbers) > 8 else "")
