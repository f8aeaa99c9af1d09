"""How long a test waits for what has to happen.

Nobody waits all of it: it is there for a machine that does other work besides. Where a test is
about a limit that IS reached, the limit is the test's own, and small.
"""

PATIENCE_S = 120.0
