"""The policy as people meet it: written in TOML, explained, checked and compared.

`source` is the TOML, `building` makes the canonical text of it, `conversion` leads back. `facts`,
`explanation`, `rules` and `differences` say what a policy means; `page` shows it to a lawyer.
"""
