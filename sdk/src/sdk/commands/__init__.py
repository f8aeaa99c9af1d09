"""The commands of the command lines, by the room that they are about: parse, call, print.

`sdk.cli` puts them together as `veracruz-sdk`; `sdk.freestanding.cli` takes those of `encoding`.
"""
