#include "csv.h"

static const uint8_t byte_order_mark[] = {0xef, 0xbb, 0xbf}; /* spreadsheets put it in front */

csv_reader csv_reader_of(vc_bytes text) {
  uint8_t *room = vc_alloc(text.size + 1);
  csv_reader reader = {text.data, text.data + text.size, room, room == NULL};
  if (text.size >= 3 && memcmp(text.data, byte_order_mark, 3) == 0) reader.at += 3;
  return reader;
}

static bool is_next(const csv_reader *reader, uint8_t byte) {
  return reader->at < reader->end && *reader->at == byte;
}

/* Takes the end of a line, \n or \r\n, if it is next. */
static bool take_line_end(csv_reader *reader) {
  if (is_next(reader, '\n')) {
    reader->at++;
    return true;
  }
  if (!is_next(reader, '\r') || reader->end - reader->at < 2 || reader->at[1] != '\n') return false;
  reader->at += 2;
  return true;
}

bool csv_has_row(csv_reader *reader) {
  while (take_line_end(reader)) continue;
  return !reader->failed && reader->at < reader->end;
}

/* The content of a quoted cell, whose quote was taken; a doubled quote is one. */
static size_t take_quoted(csv_reader *reader) {
  size_t size = 0;
  while (reader->at < reader->end) {
    uint8_t byte = *reader->at++;
    if (byte == '"' && !is_next(reader, '"')) return size;
    if (byte == '"') reader->at++;
    reader->room[size++] = byte;
  }
  reader->failed = true; /* no closing quote */
  return 0;
}

static size_t take_plain(csv_reader *reader) {
  size_t size = 0;
  for (; reader->at < reader->end; reader->at++) {
    uint8_t byte = *reader->at;
    if (byte == ',' || byte == '\n' || byte == '\r') break;
    if (byte == '"') reader->failed = true;
    reader->room[size++] = byte;
  }
  return size;
}

csv_cell csv_next(csv_reader *reader) {
  csv_cell cell = {{reader->room, 0}, is_next(reader, '"'), false};
  if (cell.quoted) reader->at++;
  cell.text.size = cell.quoted ? take_quoted(reader) : take_plain(reader);
  if (is_next(reader, ',')) {
    reader->at++;
  } else if (reader->at == reader->end || take_line_end(reader)) {
    cell.last = true;
  } else {
    reader->failed = true; /* text after a closing quote, or a carriage return by itself */
  }
  if (reader->failed) {
    reader->at = reader->end;
    cell = (csv_cell){{reader->room, 0}, false, true};
  }
  if (reader->room != NULL) reader->room[cell.text.size] = 0;
  return cell;
}
