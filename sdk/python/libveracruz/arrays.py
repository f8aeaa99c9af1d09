"""Vectors and matrices of numbers, with their loops in C: for what would take Python too long.

    from libveracruz import arrays

    def main(inputs):
        table = arrays.from_csv(inputs[0])
        x, y = table[:, 0], table[:, 1]
        line = arrays.least_squares(arrays.columns([arrays.full(len(x), 1), x]), y)
        return line.to_bytes()

An `Array` has a shape of one dimension (a vector) or two (a matrix, by rows), and does not change.
All of its elements are floating-point numbers of 64 bits; whole numbers are exact up to 2 ** 53,
and a comparison gives ones and zeros. Operators and functions take arrays of one shape, or a number
with an array; a vector goes with each row of a matrix, and a matrix of one row or column with all
of them. What does not go together is a `ValueError` that names both shapes.

This is no numpy, of which there is none for the machine that isolates have.
"""

import array as _array
import math as _math

import veracruz_arrays as _loops

_MOST = 2**27
_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE, _POWER, _MINIMUM, _MAXIMUM = range(7)
_LESS, _LESS_EQUAL, _EQUAL, _NOT_EQUAL = range(7, 11)
_NEGATIVE, _ABSOLUTE, _SQUARE_ROOT, _EXPONENTIAL, _LOGARITHM, _FLOOR = range(6)
_SUM, _LEAST, _GREATEST = range(3)


class Array:
    """A vector or matrix; made by the functions of this module."""

    __slots__ = ("_numbers", "shape")
    __hash__ = None

    def __init__(self, numbers, shape):
        self._numbers = numbers
        self.shape = shape

    def __len__(self):
        return self.shape[0]

    @property
    def size(self):
        """How many numbers it has."""
        return _math.prod(self.shape)

    @property
    def T(self):  # noqa: N802 - as mathematics writes it
        """The matrix with rows for columns."""
        rows, columns = _matrix(self)
        out = _room(rows * columns)
        _loops.transpose(self._numbers, rows, columns, out)
        return Array(out, (columns, rows))

    def __repr__(self):
        return f"Array of shape {self.shape}"

    def __iter__(self):
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key):
        """A row, number or part: by number, slice, vector of numbers, or for matrices two of them.

        `a[2]`, `a[-1]`, `a[1:5]`, `a[order]`, `a[:, 0]`, `a[3, 1]`; by a mask see `where`.
        """
        if not isinstance(key, tuple):
            return self._rows(key)
        rows, columns = key
        _matrix(self)
        return self.T._rows(columns)._across(rows) if columns != slice(None) else self._rows(rows)

    def _across(self, rows):
        """Of what was picked by columns, and has them first, the rows."""
        return self._rows(rows) if len(self.shape) == 1 else self.T._rows(rows)

    def _rows(self, key):
        width = _math.prod(self.shape[1:])
        if isinstance(key, slice):
            begin, end, step = key.indices(len(self))
            if step != 1:
                return self._rows(arange(begin, end, step))
            end = max(begin, end)
            part = memoryview(self._numbers)[8 * begin * width : 8 * end * width]
            return Array(part, (end - begin, *self.shape[1:]))
        if isinstance(key, Array):
            (count,) = _vector(key)
            out = _room(count * width)
            _loops.take(self._numbers, len(self), width, key._numbers, out)
            return Array(out, (count, *self.shape[1:]))
        index = key + len(self) if key < 0 else key
        if not 0 <= index < len(self):
            raise IndexError(f"there is no row {key} of {len(self)}")
        part = memoryview(self._numbers)[8 * index * width : 8 * (index + 1) * width]
        return Array(part, self.shape[1:]) if len(self.shape) == 2 else part.cast("d")[0]

    def __add__(self, other):
        return _binary(_ADD, self, other)

    def __sub__(self, other):
        return _binary(_SUBTRACT, self, other)

    def __mul__(self, other):
        return _binary(_MULTIPLY, self, other)

    def __truediv__(self, other):
        return _binary(_DIVIDE, self, other)

    def __pow__(self, other):
        return _binary(_POWER, self, other)

    def __radd__(self, other):
        return _binary(_ADD, other, self)

    def __rsub__(self, other):
        return _binary(_SUBTRACT, other, self)

    def __rmul__(self, other):
        return _binary(_MULTIPLY, other, self)

    def __rtruediv__(self, other):
        return _binary(_DIVIDE, other, self)

    def __rpow__(self, other):
        return _binary(_POWER, other, self)

    def __lt__(self, other):
        return _binary(_LESS, self, other)

    def __le__(self, other):
        return _binary(_LESS_EQUAL, self, other)

    def __gt__(self, other):
        return _binary(_LESS, other, self)

    def __ge__(self, other):
        return _binary(_LESS_EQUAL, other, self)

    def __eq__(self, other):
        return _binary(_EQUAL, self, other)

    def __ne__(self, other):
        return _binary(_NOT_EQUAL, self, other)

    def __bool__(self):
        raise TypeError("an array is neither true nor false: ask for `.sum()` or `.size`")

    def __neg__(self):
        return _unary(_NEGATIVE, self)

    def __abs__(self):
        return _unary(_ABSOLUTE, self)

    def __matmul__(self, other):
        """The product of matrices; a vector counts as a row before it, as a column behind it."""
        left = self.reshape(1, -1) if len(self.shape) == 1 else self
        right = other.reshape(-1, 1) if len(other.shape) == 1 else other
        (rows, inner), (as_many, columns_) = left.shape, right.shape
        if inner != as_many:
            raise ValueError(f"no product of shapes {self.shape} and {other.shape}")
        out = _room(rows * columns_)
        _loops.product(left._numbers, right._numbers, rows, inner, columns_, out)
        shape = (rows,) * (len(self.shape) == 2) + (columns_,) * (len(other.shape) == 2)
        return Array(out, shape) if shape else _number(out)

    def sum(self, axis=None):
        """The sum of all, as one number; or down the rows (0), or along each row (1).

        What rounding takes away is kept aside and added at the end.
        """
        return self._reduce(_SUM, axis)

    def min(self, axis=None):
        """The least, as `sum`; NaN if one is among them."""
        return self._reduce(_LEAST, axis)

    def max(self, axis=None):
        """The greatest, as `sum`; NaN if one is among them."""
        return self._reduce(_GREATEST, axis)

    def mean(self, axis=None):
        """The mean, as `sum`."""
        total = self.sum(axis)
        return total / (self.size if axis is None else self.shape[axis])

    def variance(self, axis=None):
        """The mean square of the distance from the mean, as `sum`."""
        mean = self.mean(axis)
        if axis == 1:
            mean = mean.reshape(-1, 1)
        return ((self - mean) ** 2).mean(axis)

    def _reduce(self, operation, axis):
        if axis is not None and axis not in range(len(self.shape)):
            raise ValueError(f"shape {self.shape} has no dimension {axis}")
        if operation != _SUM and 0 in self.shape:
            raise ValueError(f"shape {self.shape} has neither a least nor a greatest number")
        if axis is None or len(self.shape) == 1:
            out = _room(1)
            _loops.reduce(operation, self._numbers, 1, self.size, 1, out)
            return _number(out)
        rows, columns_ = self.shape
        sizes = (1, rows, columns_) if axis == 0 else (rows, columns_, 1)
        out = _room(self.shape[1 - axis])
        _loops.reduce(operation, self._numbers, *sizes, out)
        return Array(out, (self.shape[1 - axis],))

    def reshape(self, *shape):
        """The same numbers in another shape; one size may be -1, for as many as are left."""
        if shape.count(-1) == 1:
            known = -_math.prod(shape)
            missing = self.size // known if known else 0
            shape = tuple(missing if each == -1 else each for each in shape)
        shape = _shape(shape)
        if _math.prod(shape) != self.size:
            raise ValueError(f"shape {self.shape} does not become {shape}")
        return Array(self._numbers, shape)

    def to_list(self):
        """The numbers as a list; of a matrix, a list for each row."""
        flat = memoryview(self._numbers).cast("d").tolist()
        if len(self.shape) == 1:
            return flat
        rows, columns_ = self.shape
        return [flat[row * columns_ : (row + 1) * columns_] for row in range(rows)]

    def to_bytes(self):
        """The numbers one after another, by rows, little-endian, 8 bytes each."""
        return bytes(self._numbers)


def array(values):
    """An array of a sequence of numbers, or of sequences of them, which are its rows."""
    if isinstance(values, Array):
        return values
    values = list(values)
    if not values or not hasattr(values[0], "__len__"):
        return Array(_filled(values), (len(values),))
    widths = {len(row) for row in values}
    if len(widths) > 1:
        raise ValueError(f"rows are of {min(widths)} to {max(widths)} numbers: not of one length")
    (width,) = widths
    return Array(_filled([each for row in values for each in row]), _shape((len(values), width)))


def from_bytes(data, *shape):
    """An array of numbers that lie one after another, as `to_bytes` writes them; not copied.

    Without a shape, a vector. `data` may be of `array.array('d')` too.
    """
    view = memoryview(data).cast("B")
    if view.nbytes % 8:
        raise ValueError(f"{view.nbytes} bytes are no whole count of numbers of 8 bytes")
    found = Array(view, (view.nbytes // 8,))
    return found.reshape(*shape) if shape else found


def from_csv(data, separator=",", *, header=False):
    """The matrix of a text in which every line has as many numbers, decimal, between separators.

    Args:
        data: bytes of ASCII. Empty lines are passed over.
        separator: one character.
        header: whether the first line is of names, and is left out.
    """
    if header:
        data = memoryview(data)[data.find(b"\n") + 1 or len(data) :]
    numbers, lines = _loops.parse(data, ord(separator), bytearray())
    out = _room(numbers)
    if numbers:
        _loops.parse(data, ord(separator), out)
    return Array(out, (lines, numbers // lines if lines else 0))


def zeros(*shape):
    """An array of zeros."""
    shape = _shape(shape)
    return Array(_room(_math.prod(shape)), shape)


def full(shape, value):
    """An array of one number; the shape is a number or a tuple of two."""
    return zeros(*(shape if isinstance(shape, tuple) else (shape,))) + value


def arange(*bounds):
    """The vector of the whole numbers of a `range`."""
    return array(range(*bounds))


def rows(arrays):
    """The matrix of vectors as rows, or of the rows of matrices, one below the other."""
    found = [each.reshape(1, -1) if len(each.shape) == 1 else each for each in arrays]
    widths = {each.shape[1] for each in found}
    if len(widths) != 1:
        raise ValueError(f"rows are of {sorted(widths)} numbers: not of one length")
    numbers = bytearray().join(each._numbers for each in found)
    return Array(numbers, _shape((sum(map(len, found)), *widths)))


def columns(arrays):
    """The matrix of vectors as columns, or of the columns of matrices, side by side."""
    return rows([each if len(each.shape) == 1 else each.T for each in arrays]).T


def exp(a):
    """E to the power of each number."""
    return _unary(_EXPONENTIAL, a)


def log(a):
    """The natural logarithm of each number; of zero -infinity, of less NaN."""
    return _unary(_LOGARITHM, a)


def sqrt(a):
    """The square root of each number; of less than zero NaN."""
    return _unary(_SQUARE_ROOT, a)


def floor(a):
    """The greatest whole number that is not greater than each."""
    return _unary(_FLOOR, a)


def minimum(a, b):
    """The lesser of two, one by one."""
    return _binary(_MINIMUM, a, b)


def maximum(a, b):
    """The greater of two, one by one."""
    return _binary(_MAXIMUM, a, b)


def where(mask):
    """The positions of what is not zero in a vector, in order: to index other arrays by."""
    _vector(mask)
    flags = mask.to_list()
    return array([index for index, flag in enumerate(flags) if flag])


def argsort(a):
    """The positions of a vector's numbers in their order; equal ones stay, NaN come last."""
    (count,) = _vector(a)
    out = _room(count)
    _loops.order(a._numbers, out)
    return Array(out, (count,))


def sort(a):
    """A vector's numbers in their order; NaN come last."""
    return a[argsort(a)]


def unique(a):
    """The different numbers of a vector, in their order."""
    ordered = sort(a)
    if len(ordered) < 2:
        return ordered
    changes = where(ordered[1:] != ordered[:-1])
    return ordered[array([0, *(change + 1 for change in changes.to_list())])]


def ranks(ordered, a, *, right=False):
    """How many numbers of an ordered vector are less than each of a vector; or not greater."""
    _vector(ordered)
    (count,) = _vector(a)
    out = _room(count)
    _loops.ranks(ordered._numbers, a._numbers, out, int(right))
    return Array(out, (count,))


def count(which, places, weights=None):
    """How often each of 0, 1, ... up to a count of places is in a vector; or the sum of weights."""
    _vector(which)
    if weights is not None and weights.shape != which.shape:
        raise ValueError(f"weights of shape {weights.shape} for shape {which.shape}")
    (places,) = _shape((places,))
    out = _room(places)
    _loops.count(which._numbers, weights._numbers if weights is not None else b"", out)
    return Array(out, (places,))


def histogram(a, edges):
    """How many numbers lie from each edge to before the next; the last bin has its end too.

    Numbers outside of the edges, and NaN, are in none.
    """
    bins = len(edges) - 1
    inside = a[where((a >= edges[0]) * (a <= edges[-1]))]
    return count(minimum(ranks(edges, inside, right=True) - 1, bins - 1), bins)


def solve(a, b):
    """X with a @ x = b; b is a vector or a matrix.

    Raises:
        ValueError: the matrix is singular, or shapes do not fit.
    """
    size, columns_ = _matrix(a)
    if size != columns_ or len(b) != size:
        raise ValueError(f"no solution of shapes {a.shape} and {b.shape}")
    used, out = bytearray(a._numbers), bytearray(b._numbers)
    _loops.solve(used, out, size, b.size // size if size else 0)
    return Array(out, b.shape)


def least_squares(a, b):
    """X with the least sum of squares of a @ x - b, by orthogonal columns (Gram and Schmidt).

    Raises:
        ValueError: columns depend on each other, or shapes do not fit.
    """
    height, width = _matrix(a)
    if b.shape != (height,) or height < width:
        raise ValueError(f"no least squares of shapes {a.shape} and {b.shape}")
    left, triangle, goal = list(a.T), [], []
    for at, column in enumerate(left):
        length = _math.sqrt(column @ column)
        # What is left of a column that depends on those before it is rounding.
        if length <= 1e-13 * _math.sqrt(a[:, at] @ a[:, at]):
            raise ValueError(f"column {at} depends on those before it")
        unit = column / length
        others = [unit @ each for each in left[at + 1 :]]
        left[at + 1 :] = [
            each - unit * part for each, part in zip(left[at + 1 :], others, strict=True)
        ]
        triangle.append([0.0] * at + [length, *others])
        goal.append(unit @ b)
        b = b - unit * goal[-1]
    return solve(array(triangle), array(goal)) if width else zeros(0)


def _binary(operation, a, b):
    left, right = _operand(a), _operand(b)
    if left is None or right is None:
        return NotImplemented
    shape = _together(left.shape, right.shape)
    out = _room(_math.prod(shape))
    _loops.binary(
        operation, left._numbers, _each(left, shape), right._numbers, _each(right, shape), out
    )
    return Array(out, shape)


def _operand(value):
    if isinstance(value, Array):
        return value
    if isinstance(value, (int, float)):
        return Array(_filled([value]), ())
    return None


def _together(one, other):
    if one == other or not other:
        return one
    if not one:
        return other
    (rows_, columns_), (rows, columns) = (1, *one)[-2:], (1, *other)[-2:]
    if (rows_ != rows and 1 not in (rows_, rows)) or (
        columns_ != columns and 1 not in (columns_, columns)
    ):
        raise ValueError(f"shapes {one} and {other} do not go together")
    shape = (rows if rows_ == 1 else rows_, columns if columns_ == 1 else columns_)
    return shape[2 - max(len(one), len(other)) :]


def _each(operand, shape):
    """For how many elements of the result, one after another, one of the operand stands."""
    column = len(operand.shape) == 2 and operand.shape[1] == 1
    return max(shape[1], 1) if column and len(shape) == 2 else 1


def _unary(operation, a):
    if not isinstance(a, Array):
        raise TypeError(f"an Array is wanted, not {type(a).__name__}")
    out = _room(a.size)
    _loops.unary(operation, a._numbers, out)
    return Array(out, a.shape)


def _matrix(a):
    if len(a.shape) != 2:
        raise ValueError(f"shape {a.shape} is no matrix's")
    return a.shape


def _vector(a):
    if len(a.shape) != 1:
        raise ValueError(f"shape {a.shape} is no vector's")
    return a.shape


def _shape(shape):
    if not 1 <= len(shape) <= 2 or not all(isinstance(each, int) and each >= 0 for each in shape):
        raise ValueError(f"{shape} is no shape: one or two sizes, none less than 0")
    return tuple(shape)


def _room(count):
    if count > _MOST:
        raise MemoryError(f"an array of {count} numbers: at most {_MOST}")
    return bytearray(8 * count)


def _filled(values):
    return memoryview(_array.array("d", values)).cast("B")


def _number(buffer):
    return memoryview(buffer).cast("d")[0]
