"""Components of our world, and of others, from the text format."""

from wasmtime import wat2wasm

from execution_engine import world

# The interface as the text format has it, with what its functions share named first.
_TYPES = """
  (type $sizes (result u32 (error s32)))
  (type $bytes (list u8))
  (type $pieces (result $bytes (error s32)))
  (type $done (result (error s32)))
"""
_FUNCTIONS = {
    "input-count": "(func (result u32))",
    "input-size": '(func (param "index" u32) (result $sizes))',
    "read-input": (
        '(func (param "index" u32) (param "offset" u32) (param "size" u32) (result $pieces))'
    ),
    "write-output": '(func (param "piece" $bytes) (param "last" bool) (result $done))',
    "getrandom": '(func (param "size" u32) (result $pieces))',
    "read-previous-result": '(func (param "offset" u32) (param "size" u32) (result $pieces))',
    "previous-result-size": "(func (result u32))",
    "has-previous-result": "(func (result bool))",
    "message": '(func (param "text" $bytes) (result $done))',
    "stream-count": "(func (result u32))",
    "stream-size": '(func (param "index" u32) (result $sizes))',
    "read-stream": (
        '(func (param "index" u32) (param "offset" u32) (param "size" u32) (result $pieces))'
    ),
}
_CORE = {
    "input-count": "(result i32)",
    "input-size": "(param i32 i32)",
    "read-input": "(param i32 i32 i32 i32)",
    "write-output": "(param i32 i32 i32 i32)",
    "getrandom": "(param i32 i32)",
    "read-previous-result": "(param i32 i32 i32)",
    "previous-result-size": "(result i32)",
    "has-previous-result": "(result i32)",
    "message": "(param i32 i32 i32)",
    "stream-count": "(result i32)",
    "stream-size": "(param i32 i32)",
    "read-stream": "(param i32 i32 i32 i32)",
}


def interface(*, name=world.INTERFACE, functions=None):
    """The import of an interface; ours, unless told otherwise."""
    exports = "\n".join(
        f'(export "{each}" {type_})' for each, type_ in (functions or _FUNCTIONS).items()
    )
    return f'(import "{name}" (instance $host {_TYPES} {exports}))'


def component(body, *, memory="1", heap=1024, calls=tuple(_FUNCTIONS), more="", code=""):
    """A component whose `main` has this body; host calls are `$input-count` and so on.

    What host calls give is put from `heap` on, one after another; a result that does not fit an
    i32 goes where the last argument points.
    """
    lowered = "\n".join(
        f'(core func ${each} (canon lower (func $host "{each}") (memory $mem)'
        f' (realloc (core func $libc "realloc"))))'
        for each in calls
    )
    offered = "\n".join(f'(export "{each}" (func ${each}))' for each in calls)
    wanted = "\n".join(f'(import "host" "{each}" (func ${each} {_CORE[each]}))' for each in calls)
    text = f"""(component
      {interface()}
      (core module $Libc
        (memory (export "memory") {memory})
        (global $next (mut i32) (i32.const {heap}))
        (func (export "realloc") (param i32 i32 i32 i32) (result i32)
          (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 3)))))
      (core instance $libc (instantiate $Libc))
      (alias core export $libc "memory" (core memory $mem))
      {lowered}
      (core module $Main
        (import "libc" "memory" (memory 0))
        {wanted}
        {code}
        (func (export "main") (result i32) {body}))
      (core instance $main (instantiate $Main
        (with "libc" (instance $libc)) (with "host" (instance {offered}))))
      (func $lifted (result s32) (canon lift (core func $main "main")))
      (export "main" (func $lifted))
      {more})"""
    return assembled(text)


def assembled(text):
    """The bytes of a component in the text format."""
    return bytes(wat2wasm(text))


def component_of_wasi():
    """As the tools for WASI 0.2 make them: resources, and interfaces whose types come from others.

    Its imports are `wasi:io/error`, `wasi:io/streams`, `wasi:cli/exit`; it exports `wasi:cli/run`.
    """
    return assembled("""(component
      (import "wasi:io/error@0.2.6" (instance $error (export "error" (type (sub resource)))))
      (alias export $error "error" (type $failure))
      (import "wasi:io/streams@0.2.6" (instance
        (export "output-stream" (type (sub resource)))
        (alias outer 1 $failure (type $own))
        (export "error" (type (eq $own)))))
      (import "wasi:cli/exit@0.2.6" (instance (export "exit" (func (param "status" u32)))))
      (core module $main (func (export "run") (result i32) (i32.const 0)))
      (core instance $made (instantiate $main))
      (func $run (result u32) (canon lift (core func $made "run")))
      (instance $all (export "run" (func $run)))
      (export "wasi:cli/run@0.2.6" (instance $all)))""")
