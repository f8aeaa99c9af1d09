"""The trusted runtime: lifecycle, roles and the loop of the isolate.

The modules, from the inside out: `lifecycle` (states), `inputs` and `computation` (what the policy
allows), `content` (what is kept), `dialogue` and `session` (one principal), `guest` and
`guest_link` (the program's process), `runtime` (requests), `front` (the loop), `sandbox` (what they
give up) and `isolate` (the start). Each is imported by its name.
"""

__all__: list[str] = []
