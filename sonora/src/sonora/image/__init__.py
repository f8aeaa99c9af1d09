"""The runtime image: built from an installation, found, and started as the zygote.

`build` makes one: `collect` and `compiling` run in processes of their own, `elf` reads native
files. `source` finds the image to use. `launch` starts it by `starter`, which is a process too.
`signing` says for a release what its images measure; `commands` are the command line.
"""

__all__: list[str] = []
