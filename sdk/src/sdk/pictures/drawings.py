"""What is drawn of each result. Values are decoded, so they have their type, but any numbers.

What is not finite, or beyond all measure, is left out; where nothing is left, that is said. Of
much, as much is drawn as can be seen.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Final

from sdk.pictures.errors import PictureError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_POINTS: Final = 5_000
_MOST_BARS: Final = 60
_BINS: Final = 40
_LARGEST: Final = 1e100
"""Beyond it the steps of an axis overflow; no measure of anything is that large."""
_FINEST: Final = 1e-9
_LABEL: Final = 24  # characters

_Pair = tuple[float, float]


def line(axes: "Axes", value: Mapping[str, float], data: Sequence[_Pair] | None) -> None:
    """The line of `linear-regression`, over the points that it was fitted to."""
    gradient, intercept = value["gradient"], value["intercept"]
    if not (_drawable(gradient) and _drawable(intercept)):
        raise PictureError("the line is not a number: there are fewer than two different x")
    points = _finite(data or ())
    if points:
        _scatter(axes, points, label="data")
    low, high = (min(x for x, _ in points), max(x for x, _ in points)) if points else (0.0, 1.0)
    ends = [low, high] if low < high else [low - 0.5, low + 0.5]
    axes.plot(
        ends,
        [gradient * x + intercept for x in ends],
        color="C1",
        label=f"y = {gradient:.4g} x {intercept:+.4g}",
    )
    axes.set(xlabel="x", ylabel="y", title="Linear regression")
    axes.legend()


def components(
    axes: "Axes", value: Mapping[str, Any], data: Sequence[Sequence[float]] | None
) -> None:
    """Variances of `principal-components`, or where rows lie on the first two of them."""
    found, means = value["components"], value["means"]
    if not found:
        raise PictureError("there is no component: fewer than two rows were analysed")
    variances = [each["variance"] for each in found]
    whole = math.fsum(each for each in variances if _drawable(each))
    shares = [each / whole if whole > 0 else 0.0 for each in variances]
    if data is None:
        names = [str(number) for number in range(1, len(shares) + 1)]
        _bars(axes, dict(zip(names, [100 * each for each in shares], strict=True)))
        axes.set(xlabel="component", ylabel="variance explained, %", title="Principal components")
        return
    if len(found) < 2 or any(len(row) != len(means) for row in data):
        raise PictureError(f"rows of {len(means)} numbers and two components can be drawn")
    directions = [each["direction"] for each in found[:2]]
    places = _finite(
        (_along(row, means, directions[0]), _along(row, means, directions[1])) for row in data
    )
    if not places:
        raise PictureError("there is no row of finite numbers to be drawn")
    _scatter(axes, places)
    axes.axhline(0, color="0.7", linewidth=0.8)
    axes.axvline(0, color="0.7", linewidth=0.8)
    axes.set(
        xlabel=f"component 1 ({shares[0]:.0%})",
        ylabel=f"component 2 ({shares[1]:.0%})",
        title="Rows on the first two principal components",
    )


def judged_model(axes: "Axes", value: tuple[list[float], float, float], data: Any) -> None:  # noqa: ANN401 - decoded
    """Weights of `idash2017-logistic-regression`, or the ROC curve on the rows for the test."""
    weights, correct, area = value
    if data is None:
        _bars(axes, {str(number): weight for number, weight in enumerate(weights)})
        axes.set(xlabel="feature (0 is the constant)", ylabel="weight")
        axes.set_title(f"Logistic regression: {correct:.1f} % correct, AUC {area:.3f}")
        return
    steps = _roc(_judged(data[1], weights))
    axes.plot([x for x, _ in steps], [y for _, y in steps], label="model")
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", label="by chance")
    axes.set(xlabel="false positives", ylabel="true positives", xlim=(-0.02, 1.02))
    axes.set_title(f"ROC curve, AUC {area:.3f} as the program found it")
    axes.legend(loc="lower right")


def histogram(axes: "Axes", value: Sequence[int], data: Mapping[str, Any] | None) -> None:
    """Counts of `noisy-histogram`, between their edges where these are known."""
    if not value:
        raise PictureError("the histogram has no bins")
    title = "Histogram, with noise"
    if data is None:
        _bars(axes, {str(number): float(count) for number, count in enumerate(value)})
        axes.set(xlabel="bin", ylabel="count", title=title)
        return
    edges = data["edges"]
    if len(edges) != len(value) + 1 or not _rises(edges):
        raise PictureError(f"{len(edges)} edges, rising, do not bound {len(value)} bins")
    counts = [float(count) for count in value]
    if len(counts) > _MOST_BARS:
        every = -(-len(counts) // _MOST_POINTS)
        axes.plot(edges[:-1:every], counts[::every], drawstyle="steps-post")
    else:
        widths = [high - low for low, high in pairwise(edges)]
        axes.bar(edges[:-1], counts, width=widths, align="edge", ec="white")
    axes.set(xlabel="value", ylabel="count", title=f"{title} (ε = {data['epsilon']:g})")


def scores(axes: "Axes", value: Sequence[float], _: object) -> None:
    """How the scores of `forest-inference` are spread."""
    finite = [each for each in value if _drawable(each)]
    if not finite:
        raise PictureError("there is no finite score")
    low, high = min(finite), max(finite)
    width = max((high - low) / _BINS, high * _FINEST, -low * _FINEST) or 1.0
    bins = Counter(min(int((each - low) / width), _BINS - 1) for each in finite)
    axes.bar([low + width * at for at in bins], [*bins.values()], width=width, align="edge")
    axes.set(xlabel="score", ylabel="rows", title=f"Scores of {len(value)} rows")


def labels(axes: "Axes", value: Sequence[int], _: object) -> None:
    """How often each label or class was found."""
    if not value:
        raise PictureError("there are no labels")
    found = Counter(value)
    _bars(axes, {str(label): float(found[label]) for label in sorted(found)})
    axes.set(xlabel="label", ylabel="rows", title=f"Labels of {len(value)} rows")


def groups(axes: "Axes", value: Sequence[Mapping[str, Any]], _: object) -> None:
    """The means of `group-by-join`."""
    if not value:
        raise PictureError("there is no group with enough people")
    _rows(axes, [(f"{row['group']} ({row['people']})", row["mean"]) for row in value])
    axes.set(xlabel="mean", title="Groups (people)")


def tally(axes: "Axes", value: Mapping[str, Any], _: object) -> None:
    """The votes of `secret-ballot`."""
    if not value["tally"]:
        raise PictureError("there is no tally: too few voted")
    _rows(axes, [(choice, float(votes)) for choice, votes in value["tally"]])
    axes.set(xlabel="votes", title=f"{value['voters']} voters, {value['spoiled']} spoiled")


def _scatter(axes: "Axes", points: Sequence[_Pair], *, label: str = "") -> None:
    """Of more points than can be told apart, every so many-th."""
    shown = points[:: -(-len(points) // _MOST_POINTS)]
    xs, ys = [x for x, _ in shown], [y for _, y in shown]
    axes.scatter(xs, ys, s=9, alpha=0.5, label=label)


def _bars(axes: "Axes", heights: Mapping[str, float]) -> None:
    shown = [(name, height) for name, height in heights.items() if _drawable(height)]
    if not shown:
        raise PictureError("there is no finite number to be drawn")
    if len(shown) > _MOST_BARS:
        axes.plot(range(len(shown)), _all_of(height for _, height in shown))
        return
    axes.bar([name for name, _ in shown], [height for _, height in shown])


def _rows(axes: "Axes", rows: Sequence[tuple[str, float]]) -> None:
    """Bars with words beside them, the first at the top."""
    shown = [(_short(name), width) for name, width in rows if _drawable(width)][:_MOST_BARS]
    if not shown:
        raise PictureError("there is no finite number to be drawn")
    places = range(len(shown))
    axes.barh(places, [width for _, width in shown])
    # Words of strangers: as they are, and never read as mathematics.
    axes.set_yticks(places, [name for name, _ in shown], parse_math=False)
    axes.invert_yaxis()


def _judged(rows: Sequence[Sequence[float]], weights: Sequence[float]) -> list[tuple[float, bool]]:
    """Score and label of each row; the program brings every column to at most 1 first."""
    if not rows or any(len(row) != len(weights) for row in rows):
        raise PictureError(f"rows for the test have a label and {max(len(weights) - 1, 0)} numbers")
    tops = [max(map(abs, column)) or 1.0 for column in zip(*rows, strict=True)]
    found = []
    for row in rows:
        label, *numbers = (x / top for x, top in zip(row, tops, strict=True))
        # As the program judges: its rows were multiplied by their label.
        score = label * _dot(numbers, weights[1:])
        if _drawable(score):
            found.append((score, label > 0))
    return found


def _roc(judged: Sequence[tuple[float, bool]]) -> list[_Pair]:
    """False and true positives as shares, from the highest threshold on."""
    positive = sum(label for _, label in judged)
    negative = len(judged) - positive
    if not positive or not negative:
        raise PictureError("a ROC curve takes rows of both labels")
    steps, true, false = [(0.0, 0.0)], 0, 0
    ordered = sorted(judged, key=lambda each: -each[0])
    for at, (score, label) in enumerate(ordered):
        true, false = true + label, false + (not label)
        # Rows of the same score are passed together.
        if at + 1 == len(ordered) or ordered[at + 1][0] != score:
            steps.append((false / negative, true / positive))
    return steps


def _along(row: Sequence[float], means: Sequence[float], direction: Sequence[float]) -> float:
    return _dot([x - mean for x, mean in zip(row, means, strict=True)], direction)


def _dot(left: Sequence[float], right: Sequence[float]) -> float:
    try:
        return math.fsum(a * b for a, b in zip(left, right, strict=True))
    except (OverflowError, ValueError):
        return math.nan


def _drawable(number: float) -> bool:
    return abs(number) <= _LARGEST


def _finite(points: Iterable[_Pair]) -> list[_Pair]:
    return [(x, y) for x, y in points if _drawable(x) and _drawable(y)]


def _all_of(numbers: Iterable[float]) -> list[float]:
    found = list(numbers)
    return found[:: -(-len(found) // _MOST_POINTS)]


def _rises(edges: Sequence[float]) -> bool:
    return all(map(_drawable, edges)) and [*accumulate(edges, max)] == [*edges]


def _short(text: str) -> str:
    printable = "".join(each if each.isprintable() else "�" for each in text[: _LABEL + 1])
    return printable if len(printable) <= _LABEL else f"{printable[:_LABEL]}…"
