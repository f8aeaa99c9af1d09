// The words of input 0, a Vec<String>, each with how often it is there, by name: in C++, for its test.
#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <veracruz.h>

namespace {

struct Greeting {
  std::string text;
  explicit Greeting(std::string_view name) : text("counted by ") { text += name; }
};

// Made before `main` runs.
const Greeting greeting("words.cpp");
const std::map<std::string, std::string> aliases = {{"colour", "color"}};

using Counts = std::unordered_map<std::string, std::uint32_t>;

bool count_words(vc_reader &reader, Counts &counts) {
  for (auto left = vc_read_count(&reader, 1); left > 0; left--) {
    const auto text = vc_read_string(&reader);
    std::string word(reinterpret_cast<const char *>(text.data), text.size);
    if (const auto found = aliases.find(word); found != aliases.end()) word = found->second;
    counts[word]++;
  }
  return vc_reader_done(&reader);
}

void put_text(vc_writer &writer, std::string_view text) {
  vc_put_string(&writer, {reinterpret_cast<const std::uint8_t *>(text.data()), text.size()});
}

}  // namespace

VC_ENTRY std::int32_t program() {
  vc_bytes input;
  if (const auto code = vc_read_input(0, &input); code != VC_SUCCESS) return code;
  auto reader = vc_reader_of(input);
  const auto counts = std::make_unique<Counts>();
  if (!count_words(reader, *counts)) return VC_BAD_INPUT;
  std::vector<std::pair<std::string, std::uint32_t>> sorted(counts->begin(), counts->end());
  std::sort(sorted.begin(), sorted.end());
  auto result = vc_writer_of(64);
  put_text(result, greeting.text);
  vc_put_varint(&result, sorted.size());
  for (const auto &[word, count] : sorted) {
    put_text(result, word);
    vc_put_u32(&result, count);
  }
  return vc_write_result(&result);
}
