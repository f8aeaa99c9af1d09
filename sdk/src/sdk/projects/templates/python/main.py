"""The sum of all inputs, each a Vec<u64>; the result is a u64."""

import libveracruz
from libveracruz.pinecone import DecodeError, Reader, Writer


def main(inputs):
    total = 0
    for content in inputs:
        reader = Reader(content)
        try:
            total += sum(reader.sequence(reader.u64, least=8))
            reader.finish()
        except DecodeError:
            raise libveracruz.Failure(libveracruz.BAD_INPUT) from None
    return Writer().u64(total % 2**64).content
