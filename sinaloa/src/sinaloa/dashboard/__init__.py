"""The delegate's page: what a bridge serves, who is connected as far as it knows, what it refused.

It shows what the log and the metrics say: digests, numbers and states. Nothing of it is a secret of
principals, and no name of theirs is known to a bridge.
"""

__all__: list[str] = []
