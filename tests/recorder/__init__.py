"""Makes the bundled sample: records real cargo output and composes ninety days of an invented repository from it."""
