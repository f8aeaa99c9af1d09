/* Reads tables that nobody else sees: each input is a CSV file with a column `amount`, whose cells
 * are not quoted. The result is the number of their rows, the sum of the amounts, and the mean. */
#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The code that readers get in place of a result, by the convention of Veracruz. */
#define BAD_INPUT (-4)

typedef struct {
  size_t rows;
  double sum;
} total;

/* The cell in a column of a line, which it changes; NULL if the line has fewer. */
static char *cell(char *line, int column) {
  line[strcspn(line, "\r\n")] = '\0';
  for (; column > 0 && line != NULL; column--) {
    line = strchr(line, ',');
    if (line != NULL) line++;
  }
  if (line != NULL) line[strcspn(line, ",")] = '\0';
  return line;
}

/* Which column of a header has a name, or -1. */
static int column_of(char *header, const char *name) {
  int column = 0;
  header[strcspn(header, "\r\n")] = '\0';
  for (char *at = header; at != NULL; column++) {
    size_t size = strcspn(at, ",");
    if (size == strlen(name) && memcmp(at, name, size) == 0) return column;
    at = at[size] == '\0' ? NULL : at + size + 1;
  }
  return -1;
}

/* Adds the rows of a table; false if one has no number where it should. */
static bool add(total *all, FILE *table) {
  char *line = NULL;
  size_t size = 0;
  int column = getline(&line, &size, table) < 0 ? -1 : column_of(line, "amount");
  bool good = column >= 0;
  while (good && getline(&line, &size, table) >= 0) {
    if (line[strspn(line, "\r\n")] == '\0') continue; /* an empty line */
    char *text = cell(line, column), *end = text;
    double amount = text == NULL ? NAN : strtod(text, &end);
    good = text != NULL && end != text && *end == '\0' && isfinite(amount);
    all->rows++;
    all->sum += amount;
  }
  free(line);
  return good;
}

int main(void) {
  total all = {0, 0};
  char name[32];
  for (unsigned input = 0;; input++) { /* the files /input/0, /input/1 and so on */
    snprintf(name, sizeof name, "/input/%u", input);
    FILE *table = fopen(name, "r");
    if (table == NULL && errno == ENOENT) break;
    if (table == NULL || !add(&all, table)) { /* told to the author, where the policy says debug */
      fprintf(stderr, "input %u is no table with a number in each cell of a column amount\n", input);
      return BAD_INPUT;
    }
    fclose(table);
  }
  if (all.rows == 0) return BAD_INPUT;
  fprintf(stderr, "hello from C, %zu rows\n", all.rows);
  printf("rows,sum,mean\n%zu,%.2f,%.2f\n", all.rows, all.sum, all.sum / (double)all.rows);
  return 0;
}
