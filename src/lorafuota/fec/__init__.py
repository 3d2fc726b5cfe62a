"""Forward error correction of TS004: parity variants, matrix, encoder, decoder."""
