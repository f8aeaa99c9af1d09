"""Statistics of two tables that are joined by a key: means, variances, and the correlation."""

import csv
import io
import json
import math

import libveracruz


def read_table(content):
    """Key to value, from CSV with a heading line and two columns."""
    rows = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""))
    next(rows, None)
    table = {}
    for row in rows:
        if not row:
            continue
        if len(row) != 2 or row[0] in table:
            raise libveracruz.Failure(libveracruz.BAD_INPUT)
        try:
            value = float(row[1])
        except ValueError:
            raise libveracruz.Failure(libveracruz.BAD_INPUT) from None
        if not math.isfinite(value):
            raise libveracruz.Failure(libveracruz.BAD_INPUT)
        table[row[0]] = value
    return table


def moments(values):
    """Mean, and sample variance (None of fewer than two values)."""
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return mean, None
    return mean, math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def correlation(xs, ys):
    """Pearson's coefficient, None where one of both does not vary."""
    (mean_x, var_x), (mean_y, var_y) = moments(xs), moments(ys)
    if not var_x or not var_y:
        return None
    products = math.fsum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys))
    return products / (len(xs) - 1) / math.sqrt(var_x * var_y)


def main(inputs):
    """JSON: rows of each table and of their join, and the statistics of the joined rows."""
    if len(inputs) != 2:
        raise libveracruz.Failure(libveracruz.DATA_SOURCE_COUNT)
    first, second = map(read_table, inputs)
    keys = sorted(first.keys() & second.keys())
    result = {"rows": [len(first), len(second)], "joined": len(keys)}
    if keys:
        xs, ys = [first[key] for key in keys], [second[key] for key in keys]
        (mean_x, var_x), (mean_y, var_y) = moments(xs), moments(ys)
        result["means"] = [mean_x, mean_y]
        result["variances"] = [var_x, var_y]
        result["correlation"] = correlation(xs, ys)
    return json.dumps(result) + "\n"
