"""Attestation as values: nothing here does input or output or reads a clock.

Import from the rooms; this package itself loads none of them:

    errors      why something was refused
    binding     digests that tie evidence to its subject
    cbor, cose  strict reading and deterministic writing of both
    statements  the header of what we sign for everybody: a Signed Statement of SCITT
    receipts    what a runtime did, signed; an isolate loads the writing half and nothing else
    consents    that a principal agrees to a policy, signed; an isolate verifies them by comparing
    tokens      PSA attestation tokens, and the token about a runtime
    evidence    what a root attester enrols with
    results     attestation results (EAR), as CWT and as JWT
    jose        JSON Web Signatures and Keys
    corim       bundles of reference values and attestation keys
"""

__all__: list[str] = []
