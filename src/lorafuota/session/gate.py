"""What is the same for every command of every package: whether it is let in, and its version.

A session says what its commands do; this module says which ones reach it.  In this order: what must
not come by multicast is ignored if it did (TS003 to TS007, promise S10), then what is of another
package or version, then what travels the other way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from ..package import Package, PackageVersionReq
from ..wire import Command
from .actions import Action, Answer, Dropped, DropReason

__all__ = ["Results", "let_in"]

Results: TypeAlias = list[Answer | Action]


def let_in(
    command: Command,
    package: Package,
    run: Callable[[], Results | None],
    *,
    unicast_only: bool,
) -> Results:
    """Execute one command if it may come this way, else say why not.

    Args:
        command: What was read.
        package: The package of the session it was given to.
        run: Executes a request of *package*; None if the command is no request.
        unicast_only: It arrived by multicast, and the session minds.
    """
    name = type(command).__name__
    if unicast_only and not command.MULTICAST:
        return [Dropped(DropReason.UNICAST_ONLY, name)]
    if type(command) not in package.commands:
        return [Dropped(DropReason.PACKAGE, name)]
    if isinstance(command, PackageVersionReq):
        return [Answer(package.version_ans())]
    results = run()
    return [Dropped(DropReason.DIRECTION, name)] if results is None else results
