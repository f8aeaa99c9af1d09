"""The steps of the gate in words for people: what each is called, and why it is there."""

from typing import Final

from durango.evidence import GateCheck
from durango.ui.texts import N_

NAMES: Final = {
    GateCheck.RESULT_SIGNATURE: N_("Signature of the attestation service"),
    GateCheck.RESULT_FORM: N_("Form of its answer"),
    GateCheck.RESULT_CHALLENGE: N_("Its answer is fresh"),
    GateCheck.RESULT_TIME: N_("Its answer is in force"),
    GateCheck.RESULT_SUBJECT: N_("Its answer is about this isolate"),
    GateCheck.RESULT_STATUS: N_("Its verdict"),
    GateCheck.TOKEN_FORM: N_("Form of the isolate's proof"),
    GateCheck.TOKEN_CHALLENGE: N_("The isolate's proof is fresh"),
    GateCheck.PLATFORM: N_("Kind of machine"),
    GateCheck.MEASUREMENT: N_("Runtime"),
    GateCheck.MACHINE: N_("Machine"),
    GateCheck.POLICY: N_("Policy"),
    GateCheck.LIFECYCLE: N_("Not open to debugging"),
    GateCheck.ISOLATION: N_("Walls of the isolate"),
    GateCheck.CERTIFICATE: N_("Key of the isolate"),
}

EXPLAINED: Final = {
    GateCheck.RESULT_SIGNATURE: N_(
        "The answer is signed by the attestation service that your policy names, and by nobody "
        "else."
    ),
    GateCheck.RESULT_FORM: N_("The answer of the attestation service can be read."),
    GateCheck.RESULT_CHALLENGE: N_(
        "The answer has the random number that was just made here: it is no old answer."
    ),
    GateCheck.RESULT_TIME: N_("The answer says from when to when it may be relied on."),
    GateCheck.RESULT_SUBJECT: N_(
        "The answer is about the very proof that the isolate gave, and about no other isolate's."
    ),
    GateCheck.RESULT_STATUS: N_(
        "The attestation service vouches for every part of what it looked at."
    ),
    GateCheck.TOKEN_FORM: N_("The isolate's proof can be read."),
    GateCheck.TOKEN_CHALLENGE: N_(
        "The proof has the same random number: it is not the proof of an earlier isolate."
    ),
    GateCheck.PLATFORM: N_("It runs on a kind of machine that your policy accepts by name."),
    GateCheck.MEASUREMENT: N_(
        "The software in it is, to the last byte, one that your policy accepts."
    ),
    GateCheck.MACHINE: N_(
        "What the hardware measured of the machine around it is what your policy names."
    ),
    GateCheck.POLICY: N_("It holds your policy, and not another that looks like it."),
    GateCheck.LIFECYCLE: N_("Nobody can look into it with a debugger."),
    GateCheck.ISOLATION: N_("It has every layer of isolation that your policy asks for."),
    GateCheck.CERTIFICATE: N_(
        "This program speaks to the holder of this one key and to nobody else; the key never left "
        "the isolate."
    ),
}
