"""Evidence from a TPM 2.0: a quote over the machine's registers by a key that the TPM proves.

Sonora makes the key, or takes one that is there. That it lives in a TPM, and in which, Tabasco
learns by a credential: it encrypts a secret to the endorsement key that the manufacturer certified,
in such a way that the TPM gives the secret away only if it holds the attestation key, too. (TCG,
"TPM 2.0 Library", Part 1, 24: Credential Protection.)
"""

import base64
import contextlib
import hashlib
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Final

from psa_attestation.evidence.native import AuxiliaryPart, NativeEvidence
from sonora.evidence.base import (
    Credential,
    EvidenceUnavailableError,
    KernelFiles,
    KeyEndorsement,
)
from sonora.evidence.tpm.answers import TpmError
from sonora.evidence.tpm.commands import ENDORSEMENT, Tpm
from sonora.evidence.tpm.endorsement import EndorsementCertificate
from sonora.evidence.tpm.keys import ATTESTATION_TEMPLATE, key_in
from sonora.evidence.tpm.transport import DEVICE, Exchange, TpmPlace
from veracruz_utils.frozen import frozen

_LOG: Final = logging.getLogger(__name__)
# The kernel shows its first TPM's log here, whichever of the TPM's devices is used.
_EVENT_LOG: Final = Path("/sys/kernel/security/tpm0/binary_bios_measurements")
# Of what evidence may have in all, which is 64 KiB; machines have logs of 15 to 40 KiB.
_MAX_EVENT_LOG_BYTES: Final = 48 * 1024
_UNCHANGED_ATTEMPTS: Final = 5


@frozen
class TpmSettings:
    """Which TPM, and what of it.

    Attributes:
        place: where it is.
        key_handle: of a persistent attestation key; None has Sonora make one.
        endorsement: a file with the endorsement certificate and those above it; None takes what
            the TPM itself has.
        event_log: a file with the firmware's log; None takes the kernel's, where it can be read.
    """

    place: TpmPlace = field(default_factory=lambda: TpmPlace("device", str(DEVICE)))
    key_handle: int | None = None
    endorsement: Path | None = None
    event_log: Path | None = None


class TpmSource:
    """Evidence of the machine we run on, as far as its TPM measured it.

    Everything is opened and read here, so that root can be given up before evidence is made.

    Args:
        settings: which TPM, and what of it.
        exchange: how the TPM is asked, instead of at the place in `settings`.

    Raises:
        EvidenceUnavailableError: there is no TPM, or no such key.
    """

    platform = "tpm"

    def __init__(
        self, settings: TpmSettings | None = None, *, exchange: Exchange | None = None
    ) -> None:
        settings = settings or TpmSettings()
        self._tpm = Tpm(exchange or settings.place.open())
        self._handle = settings.key_handle
        with self._key() as (_, area):
            self._public_key = key_in(area)
        if settings.endorsement is not None:
            self._endorsement: EndorsementCertificate | None = EndorsementCertificate.of_file(
                settings.endorsement
            )
        else:
            self._endorsement = EndorsementCertificate.of_tpm(self._tpm)
        self._event_log = _event_log(settings)

    @property
    def key_digest(self) -> bytes:
        """SHA-256 of the attestation key (DER SubjectPublicKeyInfo), as policies name it."""
        return hashlib.sha256(self._public_key).digest()

    @property
    def endorsement(self) -> EndorsementCertificate | None:
        """What the manufacturer says of the TPM, if it says something."""
        return self._endorsement

    def manufacturer(self) -> str:
        """The four letters of whoever made the TPM.

        Raises:
            EvidenceUnavailableError: it does not say.
        """
        return self._tpm.manufacturer()

    def evidence(self, binding: bytes) -> bytes:
        """A quote over `binding` and all registers of the SHA-256 bank.

        A TPM takes no more than its longest digest, so the binding stands by itself.

        Raises:
            EvidenceUnavailableError: the TPM gives none.
        """
        with self._key() as (handle, _):
            return self._quoted(handle, binding, {})

    def endorsed_evidence(
        self, binding: bytes, credential_for: Callable[[KeyEndorsement], Credential]
    ) -> bytes:
        """As `evidence`, with proof that the key lives in the TPM of the endorsement certificate.

        Without a certificate, or where the TPM refuses the use of the endorsement key, there is no
        such proof: then it is `evidence`.

        Raises:
            EvidenceUnavailableError: the TPM gives none, or is not the certificate's.
        """
        endorsement = self._endorsement
        if endorsement is None:
            _LOG.warning(
                "the TPM has no endorsement certificate: only a policy that names its key, %s, "
                "accepts it; or give the certificate by --tpm-endorsement",
                self.key_digest.hex(),
            )
            return self.evidence(binding)
        with self._key() as (handle, area):
            credential = credential_for(
                KeyEndorsement(endorsement.certificate, endorsement.authorities, area)
            )
            try:
                with endorsement.key_of(self._tpm) as endorsing:
                    secret = self._tpm.activate_credential(
                        handle, endorsing, credential.blob, credential.encrypted_secret
                    )
            except TpmError as error:
                # As without a certificate: whether a policy names the key is its to decide.
                _LOG.warning("the TPM does not prove its key: %s", error)
                return self._quoted(handle, binding, {})
            parts: dict[str, bytes] = {
                AuxiliaryPart.KEY_AREA: area,
                AuxiliaryPart.ENDORSEMENT_CERTIFICATE: endorsement.certificate,
                AuxiliaryPart.ACTIVATED_SECRET: secret,
            }
            if endorsement.authorities:
                parts[AuxiliaryPart.ENDORSEMENT_AUTHORITIES] = endorsement.authorities
            return self._quoted(handle, binding, parts)

    @contextlib.contextmanager
    def _key(self) -> Iterator[tuple[int, bytes]]:
        """The attestation key's handle and public area.

        A key that Sonora makes is made each time, and is always the same: so nothing stays in a
        TPM that has room for three, and nothing is lost when the machine sleeps.
        """
        if self._handle is not None:
            yield self._handle, self._tpm.public_area(self._handle)
            return
        with self._tpm.primary(ENDORSEMENT, ATTESTATION_TEMPLATE) as key:
            yield key

    def _quoted(self, handle: int, binding: bytes, parts: Mapping[str, bytes]) -> bytes:
        message, signature, registers = self._quote_of_now(handle, binding)
        quote = {
            "message": base64.b64encode(message).decode(),
            "signature": base64.b64encode(signature).decode(),
            "pcrs": [value.hex() for value in registers],
        }
        document = {"ak_public": base64.b64encode(self._public_key).decode(), "tpm_quote": quote}
        beside = dict(parts)
        if self._event_log is not None:
            beside[AuxiliaryPart.EVENT_LOG] = self._event_log
        return NativeEvidence(self.platform, json.dumps(document).encode(), beside).encode()

    def _quote_of_now(self, handle: int, binding: bytes) -> tuple[bytes, bytes, list[bytes]]:
        """A quote, and the registers that it is over: it signs a digest of them alone."""
        before = self._tpm.registers()
        for _ in range(_UNCHANGED_ATTEMPTS):
            message, signature = self._tpm.quote(handle, binding)
            after = self._tpm.registers()
            if after == before:
                return message, signature, after
            before = after
        raise EvidenceUnavailableError("the TPM's registers change all the time")


def _event_log(settings: TpmSettings) -> bytes | None:
    if settings.event_log is not None:
        return _read_log(settings.event_log)
    if settings.place.kind != "device":
        return None  # the log of this machine is not that of a software TPM
    try:
        return _read_log(_EVENT_LOG)
    except EvidenceUnavailableError as error:
        _LOG.warning("no event log goes with evidence: %s", error)
        return None


def _read_log(path: Path) -> bytes:
    # Whatever size the kernel's file says, it is 0.
    log = KernelFiles().read(path)
    if len(log) > _MAX_EVENT_LOG_BYTES:
        raise EvidenceUnavailableError(
            f"{path} has {len(log)} bytes, at most {_MAX_EVENT_LOG_BYTES} go with evidence"
        )
    return log
