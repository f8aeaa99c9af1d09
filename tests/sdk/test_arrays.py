"""Arrays for programs in Python compute what numpy does, and refuse what has no answer."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sdk.toolchains.python_arrays import MODULE, compile_arrays
from sdk.toolchains.sources import source_folder

np = pytest.importorskip("numpy")
pytest.importorskip("ziglang")
NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
ANY = st.floats(allow_nan=True, allow_infinity=True)
SIZES = st.integers(0, 6)


@st.composite
def shaped(draw, shapes, numbers=NUMBERS):
    shape = draw(shapes)
    size = math.prod(shape)
    return np.array(draw(st.lists(numbers, min_size=size, max_size=size)), float).reshape(shape)


MATRICES = shaped(st.tuples(SIZES, SIZES))
VECTORS = shaped(st.tuples(SIZES), ANY)
BOTH = st.one_of(st.tuples(SIZES), st.tuples(SIZES, SIZES))


def ours(arrays, theirs):
    return arrays.from_bytes(theirs.tobytes(), *theirs.shape)


def same(one, theirs):
    theirs = np.asarray(theirs, float)
    assert one.shape == theirs.shape
    assert np.array_equal(np.frombuffer(one.to_bytes()), theirs.reshape(-1), equal_nan=True)


def near(one, theirs):
    theirs = np.asarray(theirs, float)
    assert one.shape == theirs.shape
    assert np.allclose(
        np.frombuffer(one.to_bytes()), theirs.reshape(-1), rtol=1e-12, atol=1e-9, equal_nan=True
    )


def test_the_module_that_is_shipped_is_what_its_sources_build():
    folder = source_folder("python")
    assert (folder / MODULE).read_bytes() == compile_arrays(folder / "arrays")


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(st.data())
def test_operators_broadcast_as_numpy_does(arrays, data):
    a, b = data.draw(shaped(BOTH, ANY)), data.draw(shaped(BOTH, ANY))
    try:
        expected = a + b
    except ValueError:
        with pytest.raises(ValueError, match="do not go together"):
            ours(arrays, a) + ours(arrays, b)
        return
    one, other = ours(arrays, a), ours(arrays, b)
    same(one + other, expected)
    same(one - other, a - b)
    same(one * other, a * b)
    same(one / other, a / b)
    same(one < other, a < b)
    same(one <= other, a <= b)
    same(one == other, a == b)
    same(one != other, a != b)
    same(arrays.maximum(one, other), np.maximum(a, b))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(shaped(BOTH, ANY), ANY)
def test_numbers_go_with_arrays_from_both_sides(arrays, a, number):
    one = ours(arrays, a)
    same(one + number, a + number)
    same(number - one, number - a)
    same(number * one, number * a)
    same(one / number, a / np.float64(number))
    same(one > number, a > number)
    same(number > one, number > a)
    same(arrays.minimum(one, number), np.minimum(a, number))
    same(-one, -a)
    same(abs(one), abs(a))
    same(arrays.sqrt(one), np.sqrt(a))
    same(arrays.floor(one), np.floor(a))
    near(arrays.log(one), np.log(a))
    same(one**2, a * a)


@given(MATRICES)
def test_reductions_go_over_all_down_and_along(arrays, a):
    one = ours(arrays, a)
    assert one.sum() == pytest.approx(math.fsum(a.reshape(-1)), rel=1e-12, abs=1e-9)
    for axis in (0, 1):
        near(one.sum(axis), a.sum(axis))
        if a.size:
            same(one.min(axis), a.min(axis))
            same(one.max(axis), a.max(axis))
            near(one.mean(axis), a.mean(axis))
            assert np.allclose(one.variance(axis).to_list(), a.var(axis), rtol=1e-9, atol=1e-6)
    with pytest.raises(ValueError, match="has no dimension 2"):
        one.sum(2)


@given(VECTORS)
def test_order_and_what_depends_on_it(arrays, a):
    one = ours(arrays, a)
    same(arrays.sort(one), np.sort(a))
    same(arrays.argsort(one), np.argsort(a, kind="stable"))
    plain = a[~np.isnan(a)]
    same(arrays.unique(ours(arrays, plain)), np.unique(plain))
    same(arrays.ranks(arrays.sort(one), one), np.searchsorted(np.sort(a), a))
    same(arrays.ranks(arrays.sort(one), one, right=True), np.searchsorted(np.sort(a), a, "right"))
    same(arrays.where(one > 0), np.flatnonzero(a > 0))


@given(shaped(st.tuples(SIZES)), st.lists(st.integers(-100, 100), min_size=2, max_size=6))
def test_a_histogram_counts_as_numpys_does(arrays, a, edges):
    edges = np.unique(np.array(edges, float))
    assume(len(edges) > 1)
    same(arrays.histogram(ours(arrays, a), ours(arrays, edges)), np.histogram(a, edges)[0])


@given(st.data())
def test_products_of_matrices_and_vectors(arrays, data):
    rows, inner, columns = (data.draw(st.integers(1, 6)) for _ in range(3))
    a = data.draw(shaped(st.just((rows, inner))))
    b = data.draw(shaped(st.just((inner, columns))))
    one, other = ours(arrays, a), ours(arrays, b)
    assert np.allclose((one @ other).to_list(), a @ b, rtol=1e-9, atol=1e-3)
    assert np.allclose((one @ other[:, 0]).to_list(), a @ b[:, 0], rtol=1e-9, atol=1e-3)
    assert np.allclose((one[0] @ other).to_list(), a[0] @ b, rtol=1e-9, atol=1e-3)
    assert one[0] @ other[:, 0] == pytest.approx(a[0] @ b[:, 0], rel=1e-9, abs=1e-3)
    same(one.T, a.T)
    if inner != rows:
        with pytest.raises(ValueError, match="no product of shapes"):
            one @ one


@given(st.data())
def test_parts_are_those_of_numpy(arrays, data):
    a = data.draw(shaped(st.tuples(st.integers(1, 6), st.integers(1, 6))))
    one = ours(arrays, a)
    bounds = st.one_of(st.none(), st.integers(-8, 8))
    rows = slice(data.draw(bounds), data.draw(bounds), data.draw(st.sampled_from([None, 1, 2, -1])))
    columns = slice(data.draw(bounds), data.draw(bounds))
    row, column = data.draw(st.integers(0, len(a) - 1)), data.draw(st.integers(-a.shape[1], -1))
    same(one[rows], a[rows])
    same(one[rows, columns], a[rows, columns])
    same(one[row], a[row])
    same(one[rows, column], a[rows, column])
    assert one[row, column] == a[row, column]
    picked = data.draw(st.lists(st.integers(0, len(a) - 1), max_size=9))
    same(one[arrays.array(picked)], a[np.array(picked, int)])
    same(arrays.rows([one, one[row]]), np.vstack([a, a[row]]))
    same(arrays.columns([one, one[:, column]]), np.column_stack([a, a[:, column]]))
    assert [each.to_list() for each in one] == one.to_list() == a.tolist()


@given(shaped(st.integers(1, 6).map(lambda size: (size, size))), st.data())
def test_equations_are_solved_or_have_no_solution(arrays, a, data):
    b = data.draw(shaped(st.just((len(a),))))
    assume(np.linalg.cond(a) < 1e6 and np.abs(a).max() > 1e-3)
    found = ours(arrays, a)
    x = np.array(arrays.solve(found, ours(arrays, b)).to_list())
    assert np.allclose(a @ x, b, rtol=1e-6, atol=1e-4)
    assert ours(arrays, a).to_bytes() == found.to_bytes()
    again = np.array(arrays.least_squares(found, ours(arrays, b)).to_list())
    assert np.allclose(a @ again, b, rtol=1e-6, atol=1e-3)


def test_a_line_is_laid_through_points_as_numpy_lays_it(arrays):
    x = np.linspace(0, 1, 50)
    a = np.column_stack([np.ones(50), x, x**2])
    b = np.exp(x)
    found = arrays.least_squares(ours(arrays, a), ours(arrays, b)).to_list()
    assert np.allclose(found, np.linalg.lstsq(a, b, rcond=None)[0], rtol=1e-10)


@given(shaped(st.tuples(st.integers(1, 5), st.integers(1, 5)), ANY.filter(math.isfinite)))
def test_a_text_of_numbers_is_read_to_the_last_bit(arrays, a):
    text = "\n".join(",".join(map(repr, row)) for row in a.tolist()).encode()
    same(arrays.from_csv(text), a)
    same(arrays.from_csv(b"a,b\r\n\n" + text.replace(b"\n", b" \r\n") + b"\n", header=True), a)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"1,2\n3", 2), (b"1\n\nx", 3), (b"1,", 1), (b",1", 1), (b"1,2\n3,4,5", 2), (b"nan", 1),
        (b"0x10", 1), (b"inf", 1), (b"1 2", 1), (b"1\x00", 1), (b"1e", 1), (b"--1", 1), (b"e", 1),
        (b"1" * 64, 1), (b"1,2\n3,4\n5,6,7,8", 3),
    ],
)  # fmt: skip
def test_a_text_with_anything_else_is_refused_by_its_line(arrays, text, line):
    with pytest.raises(ValueError, match=rf"^line {line} has a cell that is no number"):
        arrays.from_csv(text)


def test_of_a_text_without_lines_there_is_nothing(arrays):
    for text, header in ((b"", False), (b"\n\r\n", False), (b"a,b", True), (b"a,b\n", True)):
        assert arrays.from_csv(text, header=header).shape == (0, 0)


def test_what_has_no_answer_says_why(arrays):
    vector, matrix = arrays.arange(3), arrays.zeros(2, 3)
    for ask, error, words in (
        (lambda: vector[3], IndexError, "no row 3 of 3"),
        (lambda: vector[-4], IndexError, "no row -4 of 3"),
        (lambda: vector[arrays.array([0.5])], ValueError, "no whole number"),
        (lambda: vector[arrays.array([math.nan])], ValueError, "no whole number"),
        (lambda: vector[arrays.array([-1])], ValueError, "no such row"),
        (lambda: vector[0, 0], ValueError, r"shape \(3,\) is no matrix"),
        (lambda: arrays.count(vector, 2), ValueError, "no such place"),
        (lambda: arrays.count(vector, 3, matrix), ValueError, r"\(2, 3\) for shape \(3,\)"),
        (lambda: arrays.solve(matrix, vector), ValueError, r"\(2, 3\) and \(3,\)"),
        (lambda: arrays.solve(arrays.zeros(2, 2), arrays.zeros(2)), ValueError, "singular"),
        (lambda: arrays.least_squares(arrays.zeros(3, 1), vector), ValueError, "column 0 depends"),
        (lambda: arrays.zeros(0).max(), ValueError, "neither a least nor"),
        (lambda: arrays.zeros(-1), ValueError, "no shape"),
        (lambda: arrays.zeros(1, 1, 1), ValueError, "no shape"),
        (lambda: matrix.reshape(4, -1), ValueError, "does not become"),
        (lambda: arrays.array([[1], [1, 2]]), ValueError, "not of one length"),
        (lambda: arrays.rows([vector, arrays.zeros(2)]), ValueError, "not of one length"),
        (lambda: arrays.from_bytes(b"1234567"), ValueError, "7 bytes"),
        (lambda: bool(vector), TypeError, "neither true nor false"),
        (lambda: {vector}, TypeError, "unhashable"),
        (lambda: arrays.exp([1]), TypeError, "an Array is wanted, not list"),
        (lambda: vector + "1", TypeError, "unsupported"),
        (lambda: arrays.zeros(2**20, 2**20), MemoryError, "at most 134217728"),
    ):
        with pytest.raises(error, match=words):
            ask()


def test_the_compiled_part_believes_no_sizes(arrays):
    loops, eight = arrays._loops, bytes(8)
    out = bytearray(8)
    for call in (
        lambda: loops.binary(0, eight, 1, b"", 1, out),
        lambda: loops.binary(0, eight, 0, eight, 1, out),
        lambda: loops.binary(0, eight, -1, eight, 1, out),
        lambda: loops.binary(99, eight, 1, eight, 1, out),
        lambda: loops.unary(-1, eight, out),
        lambda: loops.unary(0, bytes(16), out),
        lambda: loops.reduce(0, eight, 1, 2, 1, out),
        lambda: loops.reduce(0, eight, 2**31, 2**31, 4, out),
        lambda: loops.reduce(1, b"", 1, 0, 1, out),
        lambda: loops.product(eight, eight, 1, 1, 2, out),
        lambda: loops.product(eight, eight, -1, -1, -1, out),
        lambda: loops.transpose(eight, 2, 1, out),
        lambda: loops.solve(bytearray(8), out, 2, 1),
        lambda: loops.order(bytes(16), out),
        lambda: loops.ranks(eight, bytes(16), out, 0),
        lambda: loops.take(eight, 1, 2, eight, out),
        lambda: loops.count(eight, bytes(16), out),
    ):
        with pytest.raises(ValueError, match="sizes"):
            call()
    assert out == bytearray(8)
