"""`durango policy`: the contract of a computation, from its writing to its signing."""

from typing import Final

from veracruz_shells.console import subgroup

_COMMANDS: Final = {
    "build": (
        "durango.cli.policy.text:build",
        "Make the policy that SOURCE, in TOML, describes: canonical JSON, with its digest.",
    ),
    "check": (
        "durango.cli.policy.meaning:check",
        "Check POLICY by all rules, and against what you have in hand.",
    ),
    "consent": (
        "durango.cli.consent:consent",
        "Hand in consents to POLICY: your own, which is signed now, or those in files.",
    ),
    "convert": (
        "durango.cli.policy.text:convert",
        "Write POLICY in another form, as far as that can say the same; it is another policy then.",
    ),
    "diff": (
        "durango.cli.policy.meaning:diff",
        "Say in what the policies FIRST and SECOND differ; exit status 1 if they are two.",
    ),
    "explain": (
        "durango.cli.policy.meaning:explain",
        "Say in plain words what POLICY means: who learns what, who can do what, what is not safe.",
    ),
    "new": ("durango.cli.policy.new:new", "Write a policy."),
    "revoke": (
        "durango.cli.consent:revoke",
        "Take back your consent to POLICY, as long as the program has not been run.",
    ),
    "schema": ("durango.cli.policy.text:schema", "Print the JSON schema of the current format."),
    "show": (
        "durango.cli.policy.meaning:show",
        "Show who may do what under POLICY, and what is accepted.",
    ),
    "sign": ("durango.cli.policy.signing:sign", "Sign that you agree to POLICY, to its last byte."),
    "status": (
        "durango.cli.consent:status",
        (
            "Say who agrees to POLICY and whose consent is missing: by files, or as the isolate "
            "has it."
        ),
    ),
}


@subgroup("policy", help="Write, explain, check, compare and sign policies.")
def policy() -> None:
    """The group."""


policy.elsewhere = _COMMANDS
