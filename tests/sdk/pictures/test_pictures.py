"""Results as pictures: what is in each, and that hostile results end in words."""

import math
import os
import re
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sdk.cli import main
from sdk.examples import EXAMPLES
from sdk.examples.named_types import SCHEMAS
from sdk.pictures import FORMATS, PICTURES, PictureError, draw, drawings
from support.stack import SCRIPTS
from veracruz_utils.encoding.errors import EncodingError
from veracruz_utils.encoding.pinecone import decode, encode

MAGIC = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}
pytest.importorskip("matplotlib", reason="pip install 'veracruz-sdk[plot]'")


def example(name, size=40):
    """Inputs and expected results of an example, encoded."""
    found = EXAMPLES[name]
    case = found.generate(7, size)
    (value,) = found.expected(case)
    return case, encode(SCHEMAS[picture_of(found)].kind, value)


def picture_of(found):
    (name,) = (each.name for each in found.types if each.name in PICTURES)
    return name


def drawn(name, value, data=None):
    kind = PICTURES[name]
    beside = None if data is None else encode(kind.data_kind, data)
    return draw(name, encode(kind.kind, value), beside)


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_is_a_file_of_its_format_and_the_same_again(form):
    _, result = example("linear-regression")
    one, two = (draw("line", result).to_bytes(form) for _ in range(2))
    assert one.startswith(MAGIC[form])
    assert one == two


def test_another_process_draws_the_same(line, tmp_path):
    words = [SCRIPTS / "veracruz-sdk", "decode", "--type", "line", line, tmp_path / "out.json"]
    pictures = []
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        picture = tmp_path / f"{seed}.svg"
        environment = {**os.environ, "PYTHONHASHSEED": seed, "TZ": zone}
        subprocess.run([*words, "--force", "--plot", picture], env=environment, check=True)
        pictures.append(picture.read_bytes())
    assert pictures[0] == pictures[1]


def test_a_picture_has_neither_time_nor_address_of_elsewhere_to_load():
    text = drawn("line", {"gradient": 2.0, "intercept": 1.0}).to_bytes("svg").decode()
    assert "<dc:date>" not in text
    assert re.findall(r'(?:href|src)="(?!#)[^"]*"', text) == []


def test_a_line_goes_through_its_points():
    case, result = example("linear-regression")
    axes = draw("line", result, case.inputs[0])._figure.axes[0]
    (points,) = axes.collections
    assert len(points.get_offsets()) == 40
    (line,) = axes.lines
    value = decode(SCHEMAS["line"].kind, result)
    for x, y in zip(*line.get_data(), strict=True):
        assert y == pytest.approx(value["gradient"] * x + value["intercept"])


def test_the_area_under_the_drawn_curve_is_what_the_program_found():
    case, result = example("idash2017-logistic-regression", 400)
    _, _, area = decode(SCHEMAS["idash-result"].kind, result)
    axes = draw("idash-result", result, case.inputs[0])._figure.axes[0]
    xs, ys = axes.lines[0].get_data()
    steps = list(zip(xs, ys, strict=True))
    below = sum((x2 - x1) * (y1 + y2) / 2 for (x1, y1), (x2, y2) in pairwise(steps))
    assert below == pytest.approx(area)


def test_rows_lie_where_their_components_say():
    case, result = example("principal-components")
    axes = draw("components", result, case.inputs[0])._figure.axes[0]
    (points,) = axes.collections
    assert len(points.get_offsets()) == 40
    value = decode(SCHEMAS["components"].kind, result)
    row = decode(SCHEMAS["measurements"].kind, case.inputs[0])[0]
    along = [
        sum((x - m) * d for x, m, d in zip(row, value["means"], each["direction"], strict=True))
        for each in value["components"][:2]
    ]
    assert list(points.get_offsets()[0]) == pytest.approx(along)


def test_a_histogram_lies_between_its_edges():
    terms = {"edges": [0.0, 1.0, 4.0], "epsilon": 0.5, "delta": 1e-6}
    axes = drawn("counts", [3, -1], terms)._figure.axes[0]
    assert [(bar.get_x(), bar.get_width(), bar.get_height()) for bar in axes.patches] == [
        (0.0, 1.0, 3.0), (1.0, 3.0, -1.0),
    ]  # fmt: skip


def test_of_many_bins_a_line_is_drawn_with_as_many_steps_as_can_be_seen():
    edges = [float(number) for number in range(20_001)]
    terms = {"edges": edges, "epsilon": 1.0, "delta": 0.0}
    axes = drawn("counts", list(range(20_000)), terms)._figure.axes[0]
    assert len(axes.patches) == 0
    assert len(axes.lines[0].get_xdata()) <= drawings._MOST_POINTS


def test_words_of_strangers_are_drawn_as_they_are():
    value = {"voters": 3, "spoiled": 0, "tally": [("$\\frac{", 2), ("a\x1b[31m\nb" * 40, 1)]}
    picture = drawn("tally", value)
    picture.to_bytes("svg")
    names = [each.get_text() for each in picture._figure.axes[0].get_yticklabels()]
    assert names[0] == "$\\frac{"
    assert len(names[1]) == 25
    assert all(name.isprintable() for name in names)


@pytest.mark.parametrize(
    ("name", "value", "data", "words"),
    [
        ("line", {"gradient": math.nan, "intercept": 0.0}, None, "not a number"),
        ("components", {"means": [], "components": []}, None, "no component"),
        ("components", {"means": [0.0], "components": [{"variance": 1.0, "direction": [1.0]}]},
         [[1.0]], "two components"),
        ("counts", [], None, "no bins"),
        ("counts", [1], {"edges": [1.0], "epsilon": 1.0, "delta": 0.0}, "do not bound 1 bins"),
        ("counts", [1], {"edges": [2.0, math.nan], "epsilon": 1.0, "delta": 0.0}, "do not bound"),
        ("scores", [math.nan, math.inf], None, "no finite score"),
        ("scores", [-1.7e308, 1.7e308], None, "no finite score"),
        ("line", {"gradient": 1e300, "intercept": 0.0}, None, "not a number"),
        ("labels", [], None, "no labels"),
        ("groups", [], None, "no group"),
        ("tally", {"voters": 0, "spoiled": 0, "tally": []}, None, "no tally"),
        ("idash-result", ([math.nan], 0.0, 0.0), None, "no finite number"),
        ("idash-result", ([0.0, 1.0], 0.0, 0.0), ([], [[1.0]], 1, 5, 1, 1), "have a label and 1"),
        ("idash-result", ([0.0, 1.0], 0.0, 0.0), ([], [[1.0, 1.0]], 1, 5, 1, 1), "both labels"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_said(name, value, data, words):
    with pytest.raises(PictureError, match=words):
        drawn(name, value, data)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(), max_size=30))
def test_any_scores_are_drawn_or_refused(values):
    with suppress(PictureError):
        assert drawn("scores", values).to_bytes("png")


@settings(max_examples=25, deadline=None)
@given(st.floats(), st.floats(), st.lists(st.tuples(st.floats(), st.floats()), max_size=9))
def test_any_line_is_drawn_or_refused(gradient, intercept, points):
    with suppress(PictureError):
        assert drawn("line", {"gradient": gradient, "intercept": intercept}, points).to_bytes("png")


def test_of_many_points_as_many_are_drawn_as_can_be_seen():
    points = [(float(x), float(x)) for x in range(100_000)]
    axes = drawn("line", {"gradient": 1.0, "intercept": 0.0}, points)._figure.axes[0]
    assert len(axes.collections[0].get_offsets()) <= drawings._MOST_POINTS


def test_a_type_without_a_picture_says_which_have_one():
    with pytest.raises(PictureError, match=r"type 'sale' has no picture.*line, components"):
        draw("sale", b"\0")


def test_data_that_are_not_of_their_type_are_told_from_the_result():
    with pytest.raises(EncodingError, match="data beside it, of type 'points'"):
        draw("line", bytes(16), b"\xff")


def test_every_picture_is_of_the_result_of_an_example():
    results = {str(each.result) for each in EXAMPLES.values()}
    for kind in PICTURES.values():
        assert SCHEMAS[kind.name].expression in results
        assert kind.data is None or kind.data in SCHEMAS


def test_a_notebook_shows_a_picture_by_itself():
    picture = drawn("labels", [1, 2, 2])
    assert picture._repr_png_().startswith(MAGIC["png"])
    assert repr(picture) == "<picture of labels>"


@pytest.fixture
def line(tmp_path):
    file = tmp_path / "result.dat"
    file.write_bytes(encode(SCHEMAS["line"].kind, {"gradient": 2.0, "intercept": 1.0}))
    return file


def decoded(*words):
    return CliRunner().invoke(main, ["decode", *map(str, words)])


def test_decode_draws_and_prints(line, tmp_path):
    told = decoded("--type", "line", "--plot", tmp_path / "line.svg", line)
    assert (told.exit_code, told.stdout) == (0, '{"gradient": 2.0, "intercept": 1.0}\n')
    assert (tmp_path / "line.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "line.svg").stat().st_mode & 0o777 == 0o600


def test_decode_overwrites_no_picture_without_being_told(line, tmp_path):
    (tmp_path / "line.png").write_bytes(b"mine")
    words = ["--type", "line", "--plot", tmp_path / "line.png", line]
    assert decoded(*words).exit_code == 1
    assert (tmp_path / "line.png").read_bytes() == b"mine"
    assert decoded("--force", *words).exit_code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--type", "line", "--plot", "x.jpeg"], "pictures are files that end in .svg, .png, .pdf"),
        (["--type", "f64", "--plot", "x.svg"], "'f64' has no picture"),
        (["--type", "line", "--plot-data", "x"], "name a picture by --plot"),
    ],
)
def test_decode_says_what_is_wrong_and_writes_nothing(line, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    told = decoded(*words, line)
    assert told.exit_code in {1, 2}
    assert said in told.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["result.dat"]


def test_without_a_picture_matplotlib_is_not_loaded(line):
    code = (
        "import sys; from sdk.cli import main\n"
        f"try: main(['decode', '--type', 'line', {str(line)!r}])\n"
        "except SystemExit: pass\n"
        "sys.exit('matplotlib' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
