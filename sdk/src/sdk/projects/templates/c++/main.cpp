// The sum of all inputs, each a Vec<u64>; the result is a u64. With the library of C++, without
// exceptions: what would throw ends the program as a trap does.
#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include <veracruz.h>

namespace {

// The numbers of an input, if it decodes.
std::optional<std::vector<std::uint64_t>> numbers_in(vc_bytes input) {
  vc_reader reader = vc_reader_of(input);
  std::vector<std::uint64_t> numbers(vc_read_count(&reader, sizeof(std::uint64_t)));
  for (auto &number : numbers) number = vc_read_u64(&reader);
  if (!vc_reader_done(&reader)) return std::nullopt;
  return numbers;
}

}  // namespace

VC_ENTRY std::int32_t program() {
  std::uint64_t sum = 0;
  for (std::uint32_t i = 0; i < vc_input_count(); i++) {
    vc_bytes input;
    if (std::int32_t code = vc_read_input(i, &input); code != VC_SUCCESS) return code;
    const auto numbers = numbers_in(input);
    if (!numbers) return VC_BAD_INPUT;
    sum = std::accumulate(numbers->begin(), numbers->end(), sum);
  }
  vc_writer result = vc_writer_of(sizeof sum);
  vc_put_u64(&result, sum);
  return vc_write_result(&result);
}
