"""Where the examples that there were in 2021 differ from the programs of then."""

from typing import Final

_REST: Final = "bytes left over after an input, which it ignored, are refused here"

DIFFERENCES: Final = {
    "nop": "no difference",
    "random-source": "no difference",
    "linear-regression": _REST,
    "intersection-set-sum": _REST,
    "private-set-intersection-sum": _REST,
    "number-stream-accumulation": _REST,
    "private-set-intersection": (
        "its result was in no certain order, here it is in that of the first register; " + _REST
    ),
    "string-edit-distance": (
        "it counted common beginnings without end and transpositions otherwise, so that "
        "`Hello world!` and `Hello world.` were wholly alike (1.0; here 0.97)"
    ),
    "moving-average-convergence-divergence": (
        "with fewer than 34 prices it trapped, here it ends with code 1; " + _REST
    ),
    "logistic-regression": (
        "it left out the data of the first party that had any, here all count; " + _REST
    ),
    "idash2017-logistic-regression": (
        "where all test rows have one label there is no area under the curve: it gave NaN, here "
        "it is 0.0; the files of its generator have numbers of 64 bits in place of 32, which it "
        "read wrongly and which are refused here, as are all bytes left over after an input"
    ),
}
"""For each what differs, in words that go on from "compared with the original:"."""
