"""Random numbers for each kind of isolate."""
