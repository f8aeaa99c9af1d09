"""Languages that authors ask for by other names than ours, and how to have them."""

from typing import Final

_STD: Final = "`--language rust --std` makes a Cargo package, for std and crates"
_CPP: Final = "`--language c++` has the library of C++"
_TYPESCRIPT: Final = "`--language assemblyscript` is like TypeScript; JavaScript does not run"
_WASI: Final = "`--language c-wasi`, `rust-wasi` and `go` speak WASI 0.1"
_ADAPTED: Final = (
    "there is no template: build for WASI 0.1 by its own toolchain, and run `veracruz-sdk adapt`"
)
_OF_OTHERS: Final = {
    "rust-std": _STD,
    "rust-cargo": _STD,
    "cargo": _STD,
    "std": _STD,
    "rust-wasip1": "`--language rust-wasi` is built for it",
    "rust-wasip2": f"components of WASI 0.2 do not run; {_WASI}",
    "wasi": _WASI,
    "wasip1": _WASI,
    "wasip2": f"components of WASI 0.2 do not run; {_WASI}",
    "cpp": _CPP,
    "cxx": _CPP,
    "c++-libc": _CPP,
    "c++-wasi": _CPP,
    "golang": "`--language go`",
    "tinygo": f"`--language go` is built by Go itself; of TinyGo {_ADAPTED}",
    "ts": _TYPESCRIPT,
    "typescript": _TYPESCRIPT,
    "as": _TYPESCRIPT,
    "asc": _TYPESCRIPT,
    "js": _TYPESCRIPT,
    "javascript": _TYPESCRIPT,
    "py": "`--language python`",
    "python3": "`--language python`",
    "swift": _ADAPTED,
    "dotnet": _ADAPTED,
    "csharp": _ADAPTED,
    "c#": _ADAPTED,
}


def asked_otherwise(said: str) -> str:
    """How to have a language that was asked for by another name than ours; empty if none knows."""
    return _OF_OTHERS.get(said.strip().lower().replace("_", "-"), "")
