"""Noise on a result before it is released, and the budget that releases are paid from.

`sampler` draws the noise, exactly and from integers alone; `mechanisms` says how much of it a
policy asks for; `budget` keeps the account; `noising` adds the noise to every integer of a result.

Nothing here is a float, so no rounding of one can tell what the noise hides. How long a draw takes
depends on what is drawn: constant time is not promised.
"""
