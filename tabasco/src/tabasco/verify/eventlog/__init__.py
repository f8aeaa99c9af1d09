"""Event logs of measured boot: what was extended into the registers that a quote is over."""
