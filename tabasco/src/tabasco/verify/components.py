"""Software that a platform lists piece by piece, as tokens of PSA and CCA do."""

from collections.abc import Iterator, Sequence

from veracruz_utils.frozen import frozen


@frozen
class FirmwareComponent:
    """One measured piece of software (RFC 9783 section 4.4.1).

    Attributes:
        name: what its measurement is called among those of the evidence; no two have the same.
        kind: its measurement type, such as `BL` or `PRoT`; None if the token gives none.
        measurement: its digest.
        signer: the digest of the key that signed it.
        version: as its makers call it; None if the token gives none.
    """

    name: str
    kind: str | None
    measurement: bytes
    signer: bytes
    version: str | None

    def __str__(self) -> str:
        return f"component {self.name}"


def measurements_of_components(
    components: Sequence[FirmwareComponent],
) -> Iterator[tuple[str, bytes]]:
    """What was measured of each, and who signed it."""
    for each in components:
        yield each.name, each.measurement
        yield f"{each.name}.signer", each.signer
