/* The module `veracruz_arrays`, which `libveracruz.arrays` is written on: the kernels, called with
   buffers of doubles. Sizes are checked here, whatever the caller says. */

#include "kernels.h"
#include "python.h"

#include <stdlib.h>

#define DOUBLES(buffer) ((size_t)(buffer).len / sizeof(double))

static PyObject *done(int in_order, const char *fault)
{
    if (!in_order) {
        PyErr_SetString(PyExc_ValueError, fault);
        return NULL;
    }
    return Py_BuildValue("");
}

static const char SIZES[] = "the sizes are not those of the buffers";

/* Whether there are so many doubles; products of sizes do not wrap at 64 bits. */
static int has(const Py_buffer *buffer, uint64_t one, uint64_t two, uint64_t three)
{
    const uint64_t most = (uint64_t)1 << 31;
    if (one > most || two > most || three > most || (two && one > most / two)) {
        return 0;
    }
    return (three == 0 || one * two <= most / three)
        && (uint64_t)buffer->len == one * two * three * sizeof(double);
}

/* Whether an operand has an element for each of the result. */
static int reaches(struct operand operand, const Py_buffer *buffer)
{
    return operand.each > 0 && operand.length > 0 && operand.length == DOUBLES(*buffer);
}

static PyObject *binary(PyObject *self, PyObject *arguments)
{
    int operation;
    Py_ssize_t each_a, each_b;
    Py_buffer a, b, out;
    if (!PyArg_ParseTuple(arguments, "iy*ny*nw*", &operation, &a, &each_a, &b, &each_b, &out)) {
        return NULL;
    }
    struct operand left = {a.buf, (size_t)each_a, DOUBLES(a)};
    struct operand right = {b.buf, (size_t)each_b, DOUBLES(b)};
    int in_order = operation >= 0 && operation < BINARY_COUNT && each_a > 0 && each_b > 0
        && (out.len == 0 || (reaches(left, &a) && reaches(right, &b)));
    if (in_order && out.len) {
        k_binary(operation, left, right, out.buf, DOUBLES(out));
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *unary(PyObject *self, PyObject *arguments)
{
    int operation;
    Py_buffer a, out;
    if (!PyArg_ParseTuple(arguments, "iy*w*", &operation, &a, &out)) {
        return NULL;
    }
    int in_order = operation >= 0 && operation < UNARY_COUNT && a.len == out.len;
    if (in_order) {
        k_unary(operation, a.buf, out.buf, DOUBLES(out));
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *reduce(PyObject *self, PyObject *arguments)
{
    int operation;
    Py_ssize_t outer, length, inner;
    Py_buffer a, out;
    if (!PyArg_ParseTuple(arguments, "iy*nnnw*", &operation, &a, &outer, &length, &inner, &out)) {
        return NULL;
    }
    int in_order = operation >= 0 && operation < REDUCTION_COUNT && outer >= 0 && inner >= 0
        && length >= (operation == SUM ? 0 : 1)
        && has(&a, outer, length, inner) && has(&out, outer, inner, 1);
    if (in_order) {
        k_reduce(operation, a.buf, out.buf, outer, length, inner);
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *product(PyObject *self, PyObject *arguments)
{
    Py_ssize_t rows, inner, columns;
    Py_buffer a, b, out;
    if (!PyArg_ParseTuple(arguments, "y*y*nnnw*", &a, &b, &rows, &inner, &columns, &out)) {
        return NULL;
    }
    int in_order = rows >= 0 && inner >= 0 && columns >= 0 && has(&a, rows, inner, 1)
        && has(&b, inner, columns, 1) && has(&out, rows, columns, 1);
    if (in_order) {
        k_product(a.buf, b.buf, out.buf, rows, inner, columns);
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *transpose(PyObject *self, PyObject *arguments)
{
    Py_ssize_t rows, columns;
    Py_buffer a, out;
    if (!PyArg_ParseTuple(arguments, "y*nnw*", &a, &rows, &columns, &out)) {
        return NULL;
    }
    int in_order = rows >= 0 && columns >= 0 && has(&a, rows, columns, 1)
        && has(&out, rows, columns, 1);
    if (in_order) {
        k_transpose(a.buf, out.buf, rows, columns);
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *solve(PyObject *self, PyObject *arguments)
{
    Py_ssize_t n, columns;
    Py_buffer a, b;
    if (!PyArg_ParseTuple(arguments, "w*w*nn", &a, &b, &n, &columns)) {
        return NULL;
    }
    int in_order = n >= 0 && columns >= 0 && has(&a, n, n, 1) && has(&b, n, columns, 1);
    int solved = in_order && k_solve(a.buf, b.buf, n, columns);
    PyBuffer_Release(&a);
    PyBuffer_Release(&b);
    return done(solved, in_order ? "the matrix is singular" : SIZES);
}

static PyObject *order(PyObject *self, PyObject *arguments)
{
    Py_buffer a, out;
    if (!PyArg_ParseTuple(arguments, "y*w*", &a, &out)) {
        return NULL;
    }
    size_t count = DOUBLES(a);
    int in_order = a.len == out.len;
    int32_t *indices = in_order ? malloc(2 * (count + 1) * sizeof *indices) : NULL;
    if (indices) {
        double *result = out.buf;
        k_order(a.buf, indices, indices + count + 1, count);
        for (size_t i = 0; i < count; i++) {
            result[i] = indices[i];
        }
        free(indices);
    }
    PyBuffer_Release(&a);
    PyBuffer_Release(&out);
    return in_order && !indices ? PyErr_NoMemory() : done(in_order, SIZES);
}

static PyObject *ranks(PyObject *self, PyObject *arguments)
{
    int right;
    Py_buffer sorted, a, out;
    if (!PyArg_ParseTuple(arguments, "y*y*w*i", &sorted, &a, &out, &right)) {
        return NULL;
    }
    int in_order = a.len == out.len;
    if (in_order) {
        k_ranks(sorted.buf, DOUBLES(sorted), a.buf, out.buf, DOUBLES(a), right);
    }
    PyBuffer_Release(&sorted);
    PyBuffer_Release(&a);
    PyBuffer_Release(&out);
    return done(in_order, SIZES);
}

static PyObject *take(PyObject *self, PyObject *arguments)
{
    Py_ssize_t rows, width;
    Py_buffer a, which, out;
    if (!PyArg_ParseTuple(arguments, "y*nny*w*", &a, &rows, &width, &which, &out)) {
        return NULL;
    }
    int in_order = rows >= 0 && width >= 0 && has(&a, rows, width, 1)
        && has(&out, DOUBLES(which), width, 1);
    int found = in_order
        && k_take(a.buf, rows, width, which.buf, out.buf, DOUBLES(which));
    PyBuffer_Release(&a);
    PyBuffer_Release(&which);
    PyBuffer_Release(&out);
    return done(found, in_order ? "an index is no whole number, or there is no such row" : SIZES);
}

static PyObject *count(PyObject *self, PyObject *arguments)
{
    Py_buffer which, weights, out;
    if (!PyArg_ParseTuple(arguments, "y*y*w*", &which, &weights, &out)) {
        return NULL;
    }
    int in_order = weights.len == 0 || weights.len == which.len;
    int found = in_order
        && k_count(which.buf, weights.len ? weights.buf : NULL, out.buf, DOUBLES(out),
                   DOUBLES(which));
    PyBuffer_Release(&which);
    PyBuffer_Release(&weights);
    PyBuffer_Release(&out);
    return done(found, in_order ? "an index is no whole number, or there is no such place" : SIZES);
}

/* As Python reads it: to the nearest number, and faster than the C library in the core. */
static int convert(const char *text, char **end, double *value)
{
    *value = PyOS_string_to_double(text, end, NULL);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return 1;
}

/* How many numbers and lines a text has, or with a buffer to put them in, them too. */
static PyObject *parse(PyObject *self, PyObject *arguments)
{
    int separator;
    Py_buffer text, out;
    if (!PyArg_ParseTuple(arguments, "y*iw*", &text, &separator, &out)) {
        return NULL;
    }
    size_t lines;
    long found = k_parse(text.buf, text.len, (char)separator, convert, out.len ? out.buf : NULL,
                         DOUBLES(out), &lines);
    PyBuffer_Release(&text);
    PyBuffer_Release(&out);
    if (found < 0) {
        return PyErr_Format(PyExc_ValueError,
                            "line %ld has a cell that is no number, or not as many as the first",
                            -1 - found);
    }
    return Py_BuildValue("ll", found, (long)lines);
}

static PyMethodDef methods[] = {
    {"binary", binary, METH_VARARGS, NULL},
    {"unary", unary, METH_VARARGS, NULL},
    {"reduce", reduce, METH_VARARGS, NULL},
    {"product", product, METH_VARARGS, NULL},
    {"transpose", transpose, METH_VARARGS, NULL},
    {"solve", solve, METH_VARARGS, NULL},
    {"order", order, METH_VARARGS, NULL},
    {"ranks", ranks, METH_VARARGS, NULL},
    {"take", take, METH_VARARGS, NULL},
    {"count", count, METH_VARARGS, NULL},
    {"parse", parse, METH_VARARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef definition = {
    .head = {1, NULL},
    .name = "veracruz_arrays",
    .size = -1,
    .methods = methods,
};

__attribute__((visibility("default"))) PyObject *PyInit_veracruz_arrays(void)
{
    return PyModule_Create2(&definition, PYTHON_API_VERSION);
}
