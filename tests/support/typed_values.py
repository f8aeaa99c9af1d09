"""Random types of the encoding, with values of them."""

from hypothesis import strategies as st

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.pinecone import encode, parse_type


def _integers(name):
    bits = 64 if name.endswith("size") else int(name[1:])
    least = -(2 ** (bits - 1)) if name[0] == "i" else 0
    return st.integers(least, least + 2**bits - 1)


INTEGERS = ["u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"]
SCALARS = {
    "bool": st.booleans(),
    "char": st.characters(exclude_categories=["Cs"]),
    "f32": st.floats(width=32, allow_nan=False),
    "f64": st.floats(allow_nan=False),
    "String": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    **{name: _integers(name) for name in INTEGERS},
}
LENGTHS = st.integers(0, 3)


def _expressions(inner):
    def named(parts, form):
        return ", ".join(form.format(index, part) for index, part in enumerate(parts))

    some = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map("Vec<{}>".format),
        inner.map("HashSet<{}>".format),
        inner.map("HashMap<String, {}>".format),
        inner.map("HashMap<{}, u8>".format),
        inner.map("[{}; 2]".format),
        inner.map(lambda part: part if part.startswith("Option") else f"Option<{part}>"),
        some.map(lambda parts: f"({''.join(f'{part},' for part in parts)})"),
        some.map(lambda parts: f"{{{named(parts, 'f{}: {}')}}}"),
        some.map(lambda parts: f"enum {{Nothing, {named(parts, 'V{}({})')}}}"),
    )


TYPES = st.recursive(st.sampled_from(sorted(SCALARS)), _expressions, max_leaves=6).map(parse_type)


def draw_value(draw, kind):  # noqa: PLR0911 - one per kind
    match kind:
        case kinds.Sequence(distinct=distinct):
            values = [draw_value(draw, kind.element) for _ in range(draw(LENGTHS))]
            return _distinct(values, kind.element) if distinct else values
        case kinds.Mapping(key=kinds.Text()):
            return {draw(SCALARS["String"]): draw_value(draw, kind.content) for _ in range(2)}
        case kinds.Mapping():
            keys = _distinct([draw_value(draw, kind.key) for _ in range(2)], kind.key)
            return [(key, draw_value(draw, kind.content)) for key in keys]
        case kinds.Option():
            return draw_value(draw, kind.content) if draw(SCALARS["bool"]) else None
        case kinds.Array():
            return [draw_value(draw, kind.element) for _ in range(kind.size)]
        case kinds.Tuple():
            return tuple(draw_value(draw, part) for part in kind.parts)
        case kinds.Struct():
            return {name: draw_value(draw, field) for name, field in kind.fields}
        case kinds.Enum():
            name, content = kind.variants[draw(LENGTHS) % len(kind.variants)]
            return {name: draw_value(draw, content)} if content else name
        case _:
            return draw(SCALARS[str(kind)])


def _distinct(values, kind):
    return list({encode(kind, value): value for value in values}.values())


@st.composite
def typed_values(draw):
    kind = draw(TYPES)
    return kind, draw_value(draw, kind)
