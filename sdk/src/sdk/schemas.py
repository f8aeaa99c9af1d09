"""The types that the example programs read and write, by name, for `--type`."""

from dataclasses import dataclass
from typing import Final

from sdk.errors import TypeExpressionError
from sdk.pinecone import Kind, parse_type


@dataclass(frozen=True, slots=True)
class Schema:
    """A type with a name; `expression` is what `sdk.pinecone.parse_type` reads."""

    name: str
    expression: str
    summary: str

    @property
    def kind(self) -> Kind:
        """The parsed type."""
        return parse_type(self.expression)


SCHEMAS: Final = {
    schema.name: schema
    for schema in (
        Schema(
            "people",
            "HashSet<{name: String, employee_id: String, age: u8, grade: u8}>",
            "inputs and result of private-set-intersection",
        ),
        Schema("points", "Vec<(f64, f64)>", "input of linear-regression: x and y"),
        Schema("line", "{gradient: f64, intercept: f64}", "result of linear-regression"),
        Schema("number", "f64", "inputs, streams and result of number-stream-accumulation"),
        Schema("viewers", "Vec<{id: String}>", "input 0 of intersection-set-sum"),
        Schema(
            "customers",
            "Vec<{id: String, total_spend: f64}>",
            "input 1 of intersection-set-sum",
        ),
        Schema(
            "labelled-points",
            "{points: Vec<{point: Vec<f64>, classification: bool}>}",
            "inputs of logistic-regression",
        ),
        Schema(
            "sampled",
            "{data: Vec<((u64, u64), u32)>, sample: Vec<(u64, u64)>}",
            "input of private-set-intersection-sum",
        ),
        Schema("matches", "(usize, u64)", "result of private-set-intersection-sum"),
        Schema(
            "numbers",
            "Vec<f64>",
            "prices and decisions of moving-average-convergence-divergence; parameters of "
            "logistic-regression",
        ),
        Schema(
            "idash",
            "(Vec<Vec<f64>>, Vec<Vec<f64>>, u32, u32, i32, i32)",
            "input of idash2017-logistic-regression: train, test, iterations, degree, gamma up "
            "and down",
        ),
        Schema(
            "idash-result",
            "(Vec<f64>, f64, f64)",
            "result of idash2017-logistic-regression: weights, correctness in percent, AUC",
        ),
        Schema("random-bytes", "Vec<u8>", "result of random-source"),
        Schema("similarity", "f64", "result of string-edit-distance, from 0 to 1"),
    )
}


def resolve(text: str) -> Kind:
    """The type that `text` names or, as an expression, describes.

    Raises:
        TypeExpressionError: it does neither.
    """
    if text in SCHEMAS:
        return SCHEMAS[text].kind
    try:
        return parse_type(text)
    except TypeExpressionError as error:
        raise TypeExpressionError(f"{error}; named types are {', '.join(SCHEMAS)}") from None
