"""The simulation: a group's computation on made-up data, on one machine, before there is one.

From the ground up: `making` (values of a type), `materials` (the program, and what each place
gets), `stand_in` (the policy with throw-away identities), `report` (what is found out),
`dishonesty` (bridges that lie and tamper), `adversaries` (who tries what), `company` (all of it, in
order), `command` (the command line).
"""
