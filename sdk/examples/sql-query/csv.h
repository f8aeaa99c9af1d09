/* CSV as RFC 4180 has it, cell by cell. */
#ifndef CSV_H
#define CSV_H

#include <veracruz.h>

typedef struct csv_cell {
  vc_bytes text; /* valid until the next cell is read; a zero byte follows it */
  bool quoted;
  bool last; /* of its row */
} csv_cell;

typedef struct csv_reader {
  const uint8_t *at;
  const uint8_t *end;
  uint8_t *room; /* as long as the longest cell there can be */
  bool failed;
} csv_reader;

csv_reader csv_reader_of(vc_bytes text);

/* Skips empty lines; false at the end of the text. */
bool csv_has_row(csv_reader *reader);

/* The next cell of a row. What is no CSV sets `failed`, and the cell is empty and the last. */
csv_cell csv_next(csv_reader *reader);

#endif
