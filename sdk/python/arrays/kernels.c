/* Loops over arrays of doubles. Compiled without any licence to reorder or to fuse: the same bits
   on every processor, but for those of exp, log and pow, which are the C library's in the core. */

#include "kernels.h"

#include <math.h>
#include <string.h>

#define EACH(expression)                                                   \
    for (size_t i = 0; i < count; i++) {                                   \
        double x = a.data[whole_a ? i : i / a.each % a.length];            \
        double y = b.data[whole_b ? i : i / b.each % b.length];            \
        out[i] = (expression);                                             \
    }                                                                      \
    break

void k_binary(enum binary operation, struct operand a, struct operand b, double *out, size_t count)
{
    /* Divisions are dear, and most operands are as long as the result, or one number. */
    int whole_a = a.each == 1 && a.length == count, whole_b = b.each == 1 && b.length == count;
    if (whole_a && b.length == 1) {
        double constant = b.data[0];
        for (size_t i = 0; i < count; i++) {
            double x = a.data[i];
            switch (operation) {
            case ADD: out[i] = x + constant; break;
            case SUBTRACT: out[i] = x - constant; break;
            case MULTIPLY: out[i] = x * constant; break;
            case DIVIDE: out[i] = x / constant; break;
            case LESS: out[i] = x < constant; break;
            case LESS_EQUAL: out[i] = x <= constant; break;
            case EQUAL: out[i] = x == constant; break;
            case NOT_EQUAL: out[i] = x != constant; break;
            case MINIMUM: out[i] = x != x || x < constant ? x : constant; break;
            case MAXIMUM: out[i] = x != x || x > constant ? x : constant; break;
            default: out[i] = constant == 2 ? x * x : pow(x, constant); break;
            }
        }
        return;
    }
    switch (operation) {
    case ADD: EACH(x + y);
    case SUBTRACT: EACH(x - y);
    case MULTIPLY: EACH(x * y);
    case DIVIDE: EACH(x / y);
    case LESS: EACH(x < y);
    case LESS_EQUAL: EACH(x <= y);
    case EQUAL: EACH(x == y);
    case NOT_EQUAL: EACH(x != y);
    case MINIMUM: EACH(x != x || x < y ? x : y);
    case MAXIMUM: EACH(x != x || x > y ? x : y);
    default: EACH(y == 2 ? x * x : pow(x, y));
    }
}

void k_unary(enum unary operation, const double *a, double *out, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        switch (operation) {
        case NEGATIVE: out[i] = -a[i]; break;
        case ABSOLUTE: out[i] = fabs(a[i]); break;
        case SQUARE_ROOT: out[i] = sqrt(a[i]); break;
        case EXPONENTIAL: out[i] = exp(a[i]); break;
        case LOGARITHM: out[i] = log(a[i]); break;
        default: out[i] = floor(a[i]); break;
        }
    }
}

void k_reduce(enum reduction operation, const double *a, double *out,
              size_t outer, size_t length, size_t inner)
{
    for (size_t o = 0; o < outer; o++) {
        const double *block = a + o * length * inner;
        double *row = out + o * inner;
        if (operation == SUM) {
            for (size_t i = 0; i < inner; i++) {
                /* With what rounding took away, as Neumaier has it. */
                double sum = 0, lost = 0;
                for (size_t k = 0; k < length; k++) {
                    double x = block[k * inner + i], next = sum + x;
                    if (isfinite(next)) {
                        lost += fabs(sum) >= fabs(x) ? (sum - next) + x : (x - next) + sum;
                    }
                    sum = next;
                }
                row[i] = sum + lost;
            }
            continue;
        }
        memcpy(row, block, inner * sizeof *row);
        for (size_t k = 1; k < length; k++) {
            for (size_t i = 0; i < inner; i++) {
                double x = block[k * inner + i], so_far = row[i];
                int better = operation == LEAST ? x < so_far : x > so_far;
                if (x != x || (better && so_far == so_far)) {
                    row[i] = x;
                }
            }
        }
    }
}

void k_product(const double *a, const double *b, double *out,
               size_t rows, size_t inner, size_t columns)
{
    memset(out, 0, rows * columns * sizeof *out);
    for (size_t r = 0; r < rows; r++) {
        double *row = out + r * columns;
        for (size_t k = 0; k < inner; k++) {
            double x = a[r * inner + k];
            const double *other = b + k * columns;
            for (size_t c = 0; c < columns; c++) {
                row[c] += x * other[c];
            }
        }
    }
}

void k_transpose(const double *a, double *out, size_t rows, size_t columns)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c++) {
            out[c * rows + r] = a[r * columns + c];
        }
    }
}

static void exchange(double *one, double *other, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double kept = one[i];
        one[i] = other[i];
        other[i] = kept;
    }
}

int k_solve(double *a, double *b, size_t n, size_t columns)
{
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t r = k + 1; r < n; r++) {
            if (fabs(a[r * n + k]) > fabs(a[pivot * n + k])) {
                pivot = r;
            }
        }
        if (a[pivot * n + k] == 0) {
            return 0;
        }
        if (pivot != k) {
            exchange(a + k * n, a + pivot * n, n);
            exchange(b + k * columns, b + pivot * columns, columns);
        }
        for (size_t r = k + 1; r < n; r++) {
            double factor = a[r * n + k] / a[k * n + k];
            if (factor == 0) {
                continue;
            }
            for (size_t c = k + 1; c < n; c++) {
                a[r * n + c] -= factor * a[k * n + c];
            }
            for (size_t c = 0; c < columns; c++) {
                b[r * columns + c] -= factor * b[k * columns + c];
            }
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t c = 0; c < columns; c++) {
            double x = b[k * columns + c];
            for (size_t j = k + 1; j < n; j++) {
                x -= a[k * n + j] * b[j * columns + c];
            }
            b[k * columns + c] = x / a[k * n + k];
        }
    }
    return 1;
}

static int before(double x, double y)
{
    return x < y || (x == x && y != y);
}

void k_order(const double *a, int32_t *order, int32_t *spare, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        order[i] = (int32_t)i;
    }
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t begin = 0; begin < count; begin += 2 * width) {
            size_t middle = begin + width < count ? begin + width : count;
            size_t end = begin + 2 * width < count ? begin + 2 * width : count;
            size_t left = begin, right = middle;
            for (size_t at = begin; at < end; at++) {
                int from_right = left == middle
                    || (right < end && before(a[order[right]], a[order[left]]));
                spare[at] = from_right ? order[right++] : order[left++];
            }
        }
        memcpy(order, spare, count * sizeof *order);
    }
}

void k_ranks(const double *sorted, size_t length, const double *a, double *out, size_t count,
             int right)
{
    for (size_t i = 0; i < count; i++) {
        size_t low = 0, high = length;
        while (low < high) {
            size_t middle = low + (high - low) / 2;
            int below = right ? !before(a[i], sorted[middle]) : before(sorted[middle], a[i]);
            if (below) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        out[i] = (double)low;
    }
}

static int index_of(double x, size_t bound, size_t *index)
{
    if (!(x >= 0 && x < (double)bound) || x != floor(x)) {
        return 0;
    }
    *index = (size_t)x;
    return 1;
}

int k_take(const double *a, size_t rows, size_t width, const double *which, double *out,
           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t row;
        if (!index_of(which[i], rows, &row)) {
            return 0;
        }
        memcpy(out + i * width, a + row * width, width * sizeof *out);
    }
    return 1;
}

int k_count(const double *which, const double *weights, double *out, size_t bins, size_t count)
{
    memset(out, 0, bins * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        size_t bin;
        if (!index_of(which[i], bins, &bin)) {
            return 0;
        }
        out[bin] += weights ? weights[i] : 1;
    }
    return 1;
}

#define LONGEST_CELL 63

/* A cell as a number; false if it is none. Hexadecimal, `inf` and `nan` are none. */
static int number(const char *begin, const char *end, converter convert, double *value)
{
    char cell[LONGEST_CELL + 1], *stop;
    while (begin < end && (*begin == ' ' || *begin == '\t')) {
        begin++;
    }
    while (begin < end && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r')) {
        end--;
    }
    size_t size = (size_t)(end - begin);
    if (size == 0 || size > LONGEST_CELL) {
        return 0;
    }
    for (size_t i = 0; i < size; i++) {
        if (begin[i] == 0 || !strchr("0123456789+-.eE", begin[i])) {
            return 0;
        }
        cell[i] = begin[i];
    }
    cell[size] = 0;
    return convert(cell, &stop, value) && stop == cell + size;
}

static int blank(const char *begin, const char *end)
{
    return begin == end || (end - begin == 1 && *begin == '\r');
}

long k_parse(const char *text, size_t length, char separator, converter convert, double *out,
             size_t room, size_t *lines)
{
    const char *at = text, *end = text + length;
    size_t found = 0, line = 0;
    *lines = 0;
    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        line_end = line_end ? line_end : end;
        line++;
        if (!blank(at, line_end)) {
            size_t before_line = found;
            for (;;) {
                const char *cell_end = memchr(at, separator, (size_t)(line_end - at));
                cell_end = cell_end ? cell_end : line_end;
                if (out && (found == room || !number(at, cell_end, convert, out + found))) {
                    return -1 - (long)line;
                }
                found++;
                if (cell_end == line_end) {
                    break;
                }
                at = cell_end + 1;
            }
            /* Every line has as many cells as the first. */
            if (*lines && (found - before_line) * *lines != before_line) {
                return -1 - (long)line;
            }
            ++*lines;
        }
        at = line_end + 1;
    }
    return (long)found;
}
