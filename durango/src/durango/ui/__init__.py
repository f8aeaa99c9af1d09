"""A principal's own page: the computation of one policy, in a browser on the same machine.

It is another shell over `durango.aio`. The private key stays in this process; the browser shows
what the principal may see, and nothing is loaded from anywhere but here. Whatever else runs on this
machine, or in that browser, is kept out by `veracruz_shells.local_page.door`.
"""
