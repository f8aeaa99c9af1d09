"""Columns of Arrow, in files of Parquet or of Arrow itself, to rows and back; by `pyarrow`."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import singledispatch
from importlib import import_module
from itertools import islice
from types import ModuleType
from typing import Any, BinaryIO, Final, Literal, TypeAlias

from veracruz_utils.encoding import kinds
from veracruz_utils.encoding.errors import TableError
from veracruz_utils.encoding.kinds import Value
from veracruz_utils.encoding.rows.reading import Reading
from veracruz_utils.encoding.rows.table import Table
from veracruz_utils.encoding.rows.value_rows import ValueRow, chosen_of

ArrowForm: TypeAlias = Literal["parquet", "arrow"]

_AT_ONCE: Final = 8192
_FILE_MAGIC: Final = b"ARROW1"


def pyarrow() -> ModuleType:
    """The library.

    Raises:
        TableError: it is not installed.
    """
    try:
        # Large, and an extra: loaded where it is wanted.
        library = import_module("pyarrow")
        import_module("pyarrow.ipc")
        import_module("pyarrow.parquet")
    except ImportError:
        raise TableError(
            "files of Parquet and Arrow need pyarrow: pip install 'veracruz-utils[arrow]'"
        ) from None
    return library


def arrow_rows(
    table: Table, source: BinaryIO, reading: Reading, form: ArrowForm
) -> Iterator[ValueRow]:
    """The rows of a file, numbered from 1.

    Raises:
        TableError: it is no such file, or has other columns than the table.
    """
    library = pyarrow()
    number = 0
    with _as_table_error(library, form):
        names, batches = _opened(library, source, form)
        places = table.places(names, reading.columns)
        if len(places) != len(names) and reading.columns is None:
            raise TableError(
                f"the file has {len(names)} columns, {table.row} has {len(places)}: "
                "--columns chooses some"
            )
        renamed = Reading(nfc=reading.nfc, trim=reading.trim)
        take = chosen_of(table, renamed)
        for batch in batches:
            columns = [batch.column(place).to_pylist() for place in places]
            for values in zip(*columns, strict=True):
                number += 1
                yield number, take(_row(table, values))


def _row(table: Table, values: Sequence[object]) -> object:
    if table.names:
        return dict(zip(table.names, values, strict=True))
    return values if isinstance(table.row, kinds.Tuple) else values[0]


def _opened(
    library: ModuleType, source: BinaryIO, form: ArrowForm
) -> tuple[Sequence[str], Iterable[Any]]:
    """The names of a file's columns, and its batches."""
    if form == "parquet":
        parquet = library.parquet.ParquetFile(source)
        return parquet.schema_arrow.names, parquet.iter_batches(batch_size=_AT_ONCE)
    start = source.read(len(_FILE_MAGIC))
    source.seek(-len(start), 1)
    if start != _FILE_MAGIC:
        stream = library.ipc.open_stream(source)
        return stream.schema.names, stream
    file = library.ipc.open_file(source)
    return file.schema.names, map(file.get_batch, range(file.num_record_batches))


@contextmanager
def _as_table_error(library: ModuleType, form: ArrowForm) -> Iterator[None]:
    try:
        yield
    except (library.ArrowException, OSError) as error:
        raise TableError(f"the file is not {form.title()}: {str(error)[:200]}") from error


def write_arrow(table: Table, rows: Iterable[Value], out: BinaryIO, form: ArrowForm) -> None:
    """Write rows to a file.

    Raises:
        TableError: a type has none that is its own in Arrow.
    """
    library = pyarrow()
    names = table.names or [str(number) for number in range(1, len(table.kinds) + 1)]
    schema = library.schema(
        [
            library.field(name, type_of(kind, library), isinstance(kind, kinds.Option))
            for name, kind in zip(names, table.kinds, strict=True)
        ]
    )
    left = iter(rows)
    opened: Callable[..., Any] = (
        library.parquet.ParquetWriter if form == "parquet" else library.ipc.new_file
    )
    with opened(out, schema) as writer:
        while some := list(islice(left, _AT_ONCE)):
            columns = zip(*(_fields(row, table) for row in some), strict=True)
            arrays = [
                library.array(column, field.type)
                for column, field in zip(columns, schema, strict=True)
            ]
            writer.write_batch(library.record_batch(arrays, schema=schema))


def _fields(row: Value, table: Table) -> Iterable[Value]:
    if isinstance(row, dict):
        return row.values()
    return row if isinstance(row, tuple) and isinstance(table.row, kinds.Tuple) else (row,)


_SCALARS: Final = {"f32": "float32", "f64": "float64", "usize": "uint64", "isize": "int64"}


@singledispatch
def type_of(kind: kinds.TypeKind, library: ModuleType) -> Any:  # noqa: ANN401, ARG001 - pyarrow's
    """The type of Arrow that holds the values of a type.

    Raises:
        TableError: there is none.
    """
    raise TableError(f"a column of Arrow cannot hold {kind}; use JSON")


@type_of.register
def _(kind: kinds.Integer | kinds.Float, library: ModuleType) -> Any:  # noqa: ANN401
    name = kind.name.replace("u", "uint", 1) if kind.name[0] == "u" else f"int{kind.name[1:]}"
    return getattr(library, _SCALARS.get(kind.name, name))()


@type_of.register
def _(_: kinds.Bool, library: ModuleType) -> Any:  # noqa: ANN401
    return library.bool_()


@type_of.register
def _(_: kinds.Text | kinds.Char, library: ModuleType) -> Any:  # noqa: ANN401
    return library.string()


@type_of.register
def _(kind: kinds.Option, library: ModuleType) -> Any:  # noqa: ANN401
    return type_of(kind.content, library)


@type_of.register
def _(kind: kinds.Sequence, library: ModuleType) -> Any:  # noqa: ANN401
    return library.list_(type_of(kind.element, library))


@type_of.register
def _(kind: kinds.Array, library: ModuleType) -> Any:  # noqa: ANN401
    return library.list_(type_of(kind.element, library), kind.size)


@type_of.register
def _(kind: kinds.Struct, library: ModuleType) -> Any:  # noqa: ANN401
    return library.struct([(name, type_of(field, library)) for name, field in kind.fields])
