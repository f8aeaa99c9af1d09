/* The tables of the inputs, as tables of SQLite. */
#ifndef TABLES_H
#define TABLES_H

#include <veracruz.h>

#include "sqlite3.h"

/* How a cell is encoded: enum {Null, Integer(i64), Real(f64), Text(String)}. */
enum cell_variant { CELL_NULL, CELL_INTEGER, CELL_REAL, CELL_TEXT, CELL_VARIANTS };

/* The code to leave with, for what SQLite answers where nothing but an input can be wrong. */
int32_t load_code(int status);

/* Makes the table `name` of what follows in the input, its content; returns a `vc_code`. */
int32_t load_table(sqlite3 *database, vc_bytes name, vc_reader *input);

#endif
