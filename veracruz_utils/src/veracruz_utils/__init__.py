"""Values that everything uses: import them from `address`, `digest`, `errors`, `secret`, `policy`.

`strict_json` reads JSON and `public_keys` public keys, in one way for the whole tree.
"""

__all__: list[str] = []
