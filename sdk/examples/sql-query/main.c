/* One SELECT over tables of several owners, in SQLite, in memory.
 *
 * Input 0 is the query, a String. Every other input is a table:
 * {name: String, queries: Option<Vec<String>>, content: enum {Csv(String),
 * Rows({columns: Vec<String>, rows: Vec<Vec<Cell>>})}}, where Cell is
 * enum {Null, Integer(i64), Real(f64), Text(String)}. The result is
 * {columns: Vec<String>, rows: Vec<Vec<Cell>>}.
 *
 * A table's owner lists the queries that may see it, text by text: who gives the query cannot run
 * another one. The query can read these tables and do nothing else (`authorize`).
 */
#include <veracruz.h>

#include "sqlite3.h"
#include "tables.h"

enum query_code {
  NOT_AGREED = 1,   /* an owner of a table does not list the query */
  NOT_A_QUERY = 2,  /* not one SELECT that SQLite and `authorize` accept on these tables */
  QUERY_FAILED = 3, /* an error while it ran, such as an overflow, or bytes in the result */
};

/* ---- Inputs -------------------------------------------------------------------------------- */

static int32_t read_query(vc_bytes *query) {
  vc_bytes input;
  int32_t code = vc_read_input(0, &input);
  if (code != VC_SUCCESS) return code;
  vc_reader reader = vc_reader_of(input);
  *query = vc_read_string(&reader);
  if (!vc_reader_done(&reader) || memchr(query->data, 0, query->size) != NULL) return VC_BAD_INPUT;
  return VC_SUCCESS;
}

/* Whether the owner whose list comes next lets the query see the table. All of it is read. */
static bool agrees(vc_reader *input, vc_bytes query) {
  if (!vc_read_option(input)) return true;
  bool listed = false;
  for (size_t left = vc_read_count(input, 1); left > 0; left--) {
    if (vc_equal(vc_read_string(input), query)) listed = true;
  }
  return listed;
}

static int32_t read_table(sqlite3 *database, uint32_t index, vc_bytes query, bool *agreed) {
  vc_bytes input;
  int32_t code = vc_read_input(index, &input);
  if (code != VC_SUCCESS) return code;
  vc_reader reader = vc_reader_of(input);
  vc_bytes name = vc_read_string(&reader);
  if (!agrees(&reader, query)) *agreed = false;
  if (reader.failed) return VC_BAD_INPUT;
  code = load_table(database, name, &reader);
  return code == VC_SUCCESS && !vc_reader_done(&reader) ? VC_BAD_INPUT : code;
}

static int32_t read_tables(sqlite3 *database, vc_bytes query) {
  bool agreed = true;
  int32_t code = load_code(sqlite3_exec(database, "BEGIN", NULL, NULL, NULL));
  for (uint32_t i = 1; i < vc_input_count() && code == VC_SUCCESS; i++) {
    code = read_table(database, i, query, &agreed);
  }
  if (code == VC_SUCCESS) code = load_code(sqlite3_exec(database, "COMMIT", NULL, NULL, NULL));
  if (code == VC_SUCCESS && !agreed) return NOT_AGREED;
  return code;
}

/* ---- The query ----------------------------------------------------------------------------- */

/* SQLite asks this of everything that a statement would do. Functions are those built in, which
 * have no effects; the random ones are out, so that a result depends on its inputs only. */
static int authorize(void *nothing, int action, const char *first, const char *second,
                     const char *database, const char *inside) {
  (void)nothing, (void)database, (void)inside;
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ: /* not what SQLite keeps about the tables */
      return first != NULL && sqlite3_strnicmp(first, "sqlite_", 7) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION:
      return sqlite3_stricmp(second, "random") == 0 || sqlite3_stricmp(second, "randomblob") == 0
                 ? SQLITE_DENY
                 : SQLITE_OK;
    default: return SQLITE_DENY;
  }
}

static void restrict_to_queries(sqlite3 *database) {
  static const int limits[][2] = {
      {SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024}, /* of one text */
      {SQLITE_LIMIT_SQL_LENGTH, 256 * 1024},
      {SQLITE_LIMIT_EXPR_DEPTH, 100},
      {SQLITE_LIMIT_COMPOUND_SELECT, 100},
      {SQLITE_LIMIT_FUNCTION_ARG, 32},
      {SQLITE_LIMIT_VARIABLE_NUMBER, 0},
      {SQLITE_LIMIT_TRIGGER_DEPTH, 0},
  };
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    sqlite3_limit(database, limits[i][0], limits[i][1]);
  }
  sqlite3_db_config(database, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(database, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_set_authorizer(database, authorize, NULL);
}

/* The next statement of a text, which `*at` moves past. */
static int prepare(sqlite3 *database, const char **at, const char *end, sqlite3_stmt **made) {
  return sqlite3_prepare_v3(database, *at, (int)(end - *at), SQLITE_PREPARE_NO_VTAB, made, at);
}

/* The query, if it is one SELECT and nothing after it but space and comments. */
static int32_t prepare_query(sqlite3 *database, vc_bytes query, sqlite3_stmt **made) {
  const char *at = (const char *)query.data;
  const char *end = at + query.size;
  int status = prepare(database, &at, end, made);
  sqlite3_stmt *more = NULL;
  while (status == SQLITE_OK && more == NULL && at < end) status = prepare(database, &at, end, &more);
  if (status == SQLITE_NOMEM) return VC_GENERIC;
  if (status != SQLITE_OK || *made == NULL || more != NULL) return NOT_A_QUERY;
  if (!sqlite3_stmt_readonly(*made) || sqlite3_stmt_isexplain(*made)) return NOT_A_QUERY;
  return sqlite3_column_count(*made) > 0 ? (int32_t)VC_SUCCESS : NOT_A_QUERY;
}

/* ---- The result ---------------------------------------------------------------------------- */

static vc_bytes text_in(sqlite3_stmt *query, int column) {
  const uint8_t *text = sqlite3_column_text(query, column);
  return (vc_bytes){text, (size_t)sqlite3_column_bytes(query, column)};
}

/* False if the cell is none that a result can have. Text that a query cut to pieces is refused. */
static bool put_cell(vc_writer *rows, sqlite3_stmt *query, int column) {
  switch (sqlite3_column_type(query, column)) {
    case SQLITE_NULL: vc_put_varint(rows, CELL_NULL); return true;
    case SQLITE_INTEGER:
      vc_put_varint(rows, CELL_INTEGER);
      vc_put_u64(rows, (uint64_t)sqlite3_column_int64(query, column));
      return true;
    case SQLITE_FLOAT:
      vc_put_varint(rows, CELL_REAL);
      vc_put_f64(rows, sqlite3_column_double(query, column));
      return true;
    case SQLITE_TEXT: {
      vc_bytes text = text_in(query, column);
      if (text.data == NULL || !vc_is_utf8(text)) return false;
      vc_put_varint(rows, CELL_TEXT);
      vc_put_string(rows, text);
      return true;
    }
    default: return false;
  }
}

static int32_t put_rows(vc_writer *rows, uint64_t *count, sqlite3_stmt *query) {
  int columns = sqlite3_column_count(query);
  int status;
  while ((status = sqlite3_step(query)) == SQLITE_ROW && !rows->failed) {
    vc_put_varint(rows, (uint64_t)columns);
    for (int at = 0; at < columns; at++) {
      if (!put_cell(rows, query, at)) return QUERY_FAILED;
    }
    ++*count;
  }
  if (status == SQLITE_NOMEM || rows->failed) return VC_GENERIC;
  return status == SQLITE_DONE ? (int32_t)VC_SUCCESS : QUERY_FAILED;
}

static int32_t run_query(sqlite3_stmt *query) {
  uint64_t count = 0;
  vc_writer rows = vc_writer_of(4096);
  int32_t code = put_rows(&rows, &count, query);
  if (code != VC_SUCCESS) return code;
  vc_writer result = vc_writer_of(rows.size + 4096);
  int columns = sqlite3_column_count(query);
  vc_put_varint(&result, (uint64_t)columns);
  for (int at = 0; at < columns; at++) {
    const char *name = sqlite3_column_name(query, at);
    if (name == NULL) return VC_GENERIC;
    vc_put_string(&result, (vc_bytes){(const uint8_t *)name, strlen(name)});
  }
  vc_put_varint(&result, count);
  vc_put_bytes(&result, (vc_bytes){rows.data, rows.size});
  return vc_write_result(&result);
}

VC_ENTRY int32_t program(void) {
  if (vc_input_count() < 2) return VC_DATA_SOURCE_COUNT;
  vc_bytes query;
  int32_t code = read_query(&query);
  if (code != VC_SUCCESS) return code;
  sqlite3 *database;
  if (sqlite3_open(":memory:", &database) != SQLITE_OK) return VC_GENERIC;
  code = read_tables(database, query);
  if (code != VC_SUCCESS) return code;
  restrict_to_queries(database);
  sqlite3_stmt *prepared = NULL;
  code = prepare_query(database, query, &prepared);
  return code == VC_SUCCESS ? run_query(prepared) : code;
}
