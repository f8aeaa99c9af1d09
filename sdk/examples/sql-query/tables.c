#include "tables.h"

#include <errno.h>
#include <stdlib.h>

#include "csv.h"

enum content_variant { CONTENT_CSV, CONTENT_ROWS, CONTENT_VARIANTS };

/* A table that is being filled; `code` is the first thing that went wrong. */
typedef struct filling {
  sqlite3 *database;
  sqlite3_stmt *insert;
  size_t columns;
  int32_t code;
} filling;

int32_t load_code(int status) {
  if (status == SQLITE_OK) return VC_SUCCESS;
  return status == SQLITE_NOMEM || status == SQLITE_TOOBIG ? VC_GENERIC : VC_BAD_INPUT;
}

static void note(filling *table, int status) {
  if (table->code == VC_SUCCESS) table->code = load_code(status);
}

/* ---- SQL ----------------------------------------------------------------------------------- */

static bool is_name(vc_bytes text) {
  return text.size > 0 && text.size <= 1000 && memchr(text.data, 0, text.size) == NULL;
}

static void append_name(sqlite3_str *sql, vc_bytes name) {
  char *text = sqlite3_mprintf("%.*s", (int)name.size, (const char *)name.data);
  sqlite3_str_appendf(sql, "\"%w\"", text); /* %w doubles quotes in it */
  sqlite3_free(text);
}

/* Runs the SQL of a builder, which is freed, or prepares it if `made` is not NULL. */
static int finish(sqlite3 *database, sqlite3_str *sql, sqlite3_stmt **made) {
  char *text = sqlite3_str_finish(sql);
  if (text == NULL) return SQLITE_NOMEM;
  int status = made == NULL ? sqlite3_exec(database, text, NULL, NULL, NULL)
                            : sqlite3_prepare_v2(database, text, -1, made, NULL);
  sqlite3_free(text);
  return status;
}

typedef struct creation {
  sqlite3_str *create, *insert;
  size_t columns;
  bool failed;
} creation;

static creation begin_creation(sqlite3 *database, vc_bytes name) {
  creation made = {sqlite3_str_new(database), sqlite3_str_new(database), 0, !is_name(name)};
  if (made.failed) return made;
  sqlite3_str_appendall(made.create, "CREATE TABLE ");
  append_name(made.create, name);
  sqlite3_str_appendall(made.insert, "INSERT INTO ");
  append_name(made.insert, name);
  return made;
}

/* Columns have no type, so that every cell stays what it is. */
static void add_column(creation *made, vc_bytes name) {
  if (!is_name(name)) made->failed = true;
  if (made->failed) return;
  sqlite3_str_appendall(made->create, made->columns == 0 ? "(" : ",");
  append_name(made->create, name);
  sqlite3_str_appendall(made->insert, made->columns == 0 ? " VALUES(?" : ",?");
  made->columns++;
}

static filling end_creation(sqlite3 *database, creation *made) {
  filling table = {database, NULL, made->columns, VC_SUCCESS};
  if (made->columns == 0) made->failed = true;
  sqlite3_str_appendall(made->create, ")");
  sqlite3_str_appendall(made->insert, ")");
  if (made->failed) table.code = VC_BAD_INPUT;
  int created = finish(database, made->create, NULL);
  note(&table, created);
  note(&table, finish(database, made->insert, &table.insert));
  return table;
}

static void insert_row(filling *table) {
  if (table->code != VC_SUCCESS) return;
  sqlite3_step(table->insert);
  note(table, sqlite3_reset(table->insert));
}

/* ---- Cells --------------------------------------------------------------------------------- */

static void bind_text(filling *table, int at, vc_bytes text) {
  note(table, sqlite3_bind_text64(table->insert, at, (const char *)text.data, text.size,
                                  SQLITE_TRANSIENT, SQLITE_UTF8));
}

static void bind_encoded(filling *table, int at, vc_reader *input) {
  switch (vc_read_variant(input, CELL_VARIANTS)) {
    case CELL_INTEGER: {
      int64_t value = (int64_t)vc_read_u64(input);
      note(table, sqlite3_bind_int64(table->insert, at, value));
      break;
    }
    case CELL_REAL: note(table, sqlite3_bind_double(table->insert, at, vc_read_f64(input))); break;
    case CELL_TEXT: bind_text(table, at, vc_read_string(input)); break;
    default: note(table, sqlite3_bind_null(table->insert, at));
  }
}

static size_t digits(const uint8_t *text) {
  size_t count = 0;
  while (text[count] >= '0' && text[count] <= '9') count++;
  return count;
}

enum number { NO_NUMBER, WHOLE, DECIMAL };

/* What a cell's text, with a zero byte after it, is. Leading zeros make it none: 01234 may be a
 * postal code. */
static enum number number_in(vc_bytes text) {
  const uint8_t *at = text.data;
  if (*at == '-') at++;
  size_t whole = digits(at);
  if (whole == 0 || (*at == '0' && whole > 1)) return NO_NUMBER;
  at += whole;
  enum number found = WHOLE;
  if (*at == '.') {
    size_t fraction = digits(++at);
    if (fraction == 0) return NO_NUMBER;
    at += fraction;
    found = DECIMAL;
  }
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    size_t exponent = digits(at);
    if (exponent == 0) return NO_NUMBER;
    at += exponent;
    found = DECIMAL;
  }
  return at == text.data + text.size ? found : NO_NUMBER;
}

static void bind_csv(filling *table, int at, csv_cell cell) {
  const char *text = (const char *)cell.text.data;
  enum number kind = cell.quoted ? NO_NUMBER : number_in(cell.text);
  errno = 0;
  long long whole = kind == WHOLE ? strtoll(text, NULL, 10) : 0;
  if (cell.text.size == 0 && !cell.quoted) {
    note(table, sqlite3_bind_null(table->insert, at));
  } else if (kind == WHOLE && errno == 0) {
    note(table, sqlite3_bind_int64(table->insert, at, whole));
  } else if (kind == DECIMAL) {
    note(table, sqlite3_bind_double(table->insert, at, strtod(text, NULL)));
  } else {
    bind_text(table, at, cell.text);
  }
}

/* ---- Tables -------------------------------------------------------------------------------- */

static int32_t end_filling(filling *table) {
  sqlite3_finalize(table->insert);
  return table->code;
}

static int32_t load_csv(sqlite3 *database, vc_bytes name, vc_bytes text) {
  csv_reader reader = csv_reader_of(text);
  if (reader.room == NULL) return VC_GENERIC;
  creation made = begin_creation(database, name);
  bool more = csv_has_row(&reader);
  while (more) {
    csv_cell cell = csv_next(&reader);
    add_column(&made, cell.text);
    more = !cell.last;
  }
  filling table = end_creation(database, &made);
  while (table.code == VC_SUCCESS && csv_has_row(&reader)) {
    size_t count = 0;
    for (more = true; more && count < table.columns; count++) {
      csv_cell cell = csv_next(&reader);
      bind_csv(&table, (int)count + 1, cell);
      more = !cell.last;
    }
    if (more || count != table.columns || reader.failed) table.code = VC_BAD_INPUT;
    insert_row(&table);
  }
  return end_filling(&table);
}

static int32_t load_rows(sqlite3 *database, vc_bytes name, vc_reader *input) {
  creation made = begin_creation(database, name);
  for (size_t left = vc_read_count(input, 1); left > 0; left--) {
    add_column(&made, vc_read_string(input));
  }
  filling table = end_creation(database, &made);
  size_t rows = table.code == VC_SUCCESS ? vc_read_count(input, 1) : 0;
  for (; rows > 0 && table.code == VC_SUCCESS; rows--) {
    size_t cells = vc_read_count(input, 1);
    if (cells != table.columns) table.code = VC_BAD_INPUT;
    for (size_t at = 0; at < cells && table.code == VC_SUCCESS; at++) {
      bind_encoded(&table, (int)at + 1, input);
    }
    if (input->failed) table.code = VC_BAD_INPUT;
    insert_row(&table);
  }
  return end_filling(&table);
}

int32_t load_table(sqlite3 *database, vc_bytes name, vc_reader *input) {
  uint32_t content = vc_read_variant(input, CONTENT_VARIANTS);
  if (input->failed) return VC_BAD_INPUT;
  if (content == CONTENT_ROWS) return load_rows(database, name, input);
  vc_bytes text = vc_read_string(input);
  return input->failed ? VC_BAD_INPUT : load_csv(database, name, text);
}
