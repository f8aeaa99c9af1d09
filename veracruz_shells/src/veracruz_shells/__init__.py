"""What the command lines and services share; no isolate loads it.

`console` (extra `cli`), `service` and `listening` (extra `service`), `files`.
"""

__all__: list[str] = []
