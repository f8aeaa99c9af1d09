"""What platforms will report of an image, and the forms in which others read it."""

from collections.abc import Iterable, Mapping

from veracruz_utils.frozen import frozen


@frozen
class Prediction:
    """What one platform will report.

    Attributes:
        kind: of evidence, as Tabasco calls it: `tpm`, `sev-snp`, `tdx` or `nitro`.
        measurements: by the platform's names of them, as Tabasco has them; several values are of
            versions of what starts the image, any of which it may be.
        conditions: what it is true of, such as the firmware; for people.
        compared: with what the calculation was compared, and with what not.
    """

    kind: str
    measurements: Mapping[str, tuple[bytes, ...]]
    conditions: tuple[str, ...]
    compared: str

    def facts(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "measurements": {
                name: [value.hex() for value in values]
                for name, values in self.measurements.items()
            },
            "conditions": list(self.conditions),
            "compared": self.compared,
        }


def as_table(predictions: Iterable[Prediction]) -> str:
    """For people."""
    lines: list[str] = []
    for each in predictions:
        lines += [f"{each.kind}: {'; '.join([*each.conditions, each.compared])}"]
        lines += [
            f"  {name:<12} {value.hex()}"
            for name, values in each.measurements.items()
            for value in values
        ]
    return "\n".join(lines)


def as_policy(predictions: Iterable[Prediction]) -> str:
    """Lines for a policy of principals: `[machine.KIND]`."""
    return "\n\n".join(_lines(f"machine.{each.kind}", each) for each in predictions)


def as_appraisal(predictions: Iterable[Prediction]) -> str:
    """Lines for Tabasco's appraisal policy: `[KIND.measurements]`."""
    return "\n\n".join(_lines(f"{each.kind}.measurements", each) for each in predictions)


def _lines(table: str, prediction: Prediction) -> str:
    lines = [f"[{table}]  # {'; '.join([*prediction.conditions, prediction.compared])}"]
    for name, values in prediction.measurements.items():
        listed = ", ".join(f'"{value.hex()}"' for value in values)
        lines.append(f"{name} = [{listed}]")
    return "\n".join(lines)
