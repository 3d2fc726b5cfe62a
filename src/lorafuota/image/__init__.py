"""What travels in a block: signed images, deltas, and the gate that lets a device install them."""
