"""What an isolate gives up, layer by layer, before there is any secret in it.

One module per layer: `descriptors`, `namespaces`, `privileges` (capabilities, dumps, parents),
`limits`, `landlock` and `seccomp` (whose `programs` are made outside); `failures` sees to what may
be printed, `loading` to what may be loaded. `entry` joins them in the order that makes them hold.
`kernel` makes the system calls that Python has no function for.
"""

__all__: list[str] = []
