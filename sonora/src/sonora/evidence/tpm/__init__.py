"""Evidence from a TPM 2.0, by commands of our own marshalling (docs/adr/0021).

`transport` carries bytes to a TPM and back, `answers` reads what it says, `commands` are those that
enrolment needs, `keys` says which keys are made and what their public areas hold, `endorsement`
finds the TPM's certificate, `source` puts the evidence together.
"""
