"""The command line: a thin reader of the public API, one small file per subcommand.

Each of these modules has ``add(subparsers)``, which declares its arguments, and ``run(args)``,
which does the work and returns an exit status (:class:`lorafuota.cli.arguments.Status`).
Everything that goes wrong is raised and becomes one sentence in :mod:`lorafuota.cli.main`.
"""

from __future__ import annotations

from .main import main

__all__ = ["main"]
