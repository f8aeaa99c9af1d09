/* What is done with arrays of doubles, for programs in Python; `kernels.c` says how.

   Nothing here allocates or checks: whoever calls has made sure that every array is as long as its
   sizes say. Sizes are counts of elements. */

#ifndef VERACRUZ_KERNELS_H
#define VERACRUZ_KERNELS_H

#include <stddef.h>
#include <stdint.h>

enum binary { ADD, SUBTRACT, MULTIPLY, DIVIDE, POWER, MINIMUM, MAXIMUM,
              LESS, LESS_EQUAL, EQUAL, NOT_EQUAL, BINARY_COUNT };
enum unary { NEGATIVE, ABSOLUTE, SQUARE_ROOT, EXPONENTIAL, LOGARITHM, FLOOR, UNARY_COUNT };
enum reduction { SUM, LEAST, GREATEST, REDUCTION_COUNT };

/* An operand that is repeated: element i of the result is of its element i / each % length. */
struct operand { const double *data; size_t each, length; };

void k_binary(enum binary operation, struct operand a, struct operand b, double *out, size_t count);
void k_unary(enum unary operation, const double *a, double *out, size_t count);

/* The middle one of three dimensions goes: a[outer][length][inner] to out[outer][inner]. */
void k_reduce(enum reduction operation, const double *a, double *out,
              size_t outer, size_t length, size_t inner);

/* out[rows][columns] = a[rows][inner] b[inner][columns] */
void k_product(const double *a, const double *b, double *out,
               size_t rows, size_t inner, size_t columns);
void k_transpose(const double *a, double *out, size_t rows, size_t columns);

/* Solve a x = b by elimination with row exchanges; a[n][n] is used up, b[n][columns] becomes x.
   False if a is singular. */
int k_solve(double *a, double *b, size_t n, size_t columns);

/* Indices in the order of values, equal ones as they were, NaN last; `spare` has room for them. */
void k_order(const double *a, int32_t *order, int32_t *spare, size_t count);

/* out[i] = how many of sorted[length] are less than a[i], or not greater if `right`. */
void k_ranks(const double *sorted, size_t length, const double *a, double *out, size_t count,
             int right);

/* Rows by their numbers; false at one that is no whole number from 0 to rows - 1. */
int k_take(const double *a, size_t rows, size_t width, const double *which, double *out,
           size_t count);
int k_count(const double *which, const double *weights, double *out, size_t bins, size_t count);

/* Reads a number at the begin of a text that ends by NUL, and says where it ends; or false. */
typedef int (*converter)(const char *text, char **end, double *value);

/* Numbers of a text of lines and cells, see `arrays.py`; how many there are, or -1 - the line with a
   fault. Without `out` they are counted, and not read. */
long k_parse(const char *text, size_t length, char separator, converter convert, double *out,
             size_t room, size_t *lines);

#endif
