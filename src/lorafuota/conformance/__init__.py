"""Named checks against somebody's device or server, and the peers that carry them out."""
