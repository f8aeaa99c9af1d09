/* What `module.c` needs of CPython's interface, by docs.python.org/3.14/c-api: the interpreter in the
   core is 3.14, and has no headers with it. Tests load the module into that of the machine. */

#ifndef VERACRUZ_PYTHON_H
#define VERACRUZ_PYTHON_H

#include <stddef.h>

typedef ptrdiff_t Py_ssize_t;
typedef struct object { Py_ssize_t references; struct object *type; } PyObject;

typedef struct {
    void *buf;
    PyObject *obj;
    Py_ssize_t len, itemsize;
    int readonly, ndim;
    char *format;
    Py_ssize_t *shape, *strides, *suboffsets;
    void *internal;
} Py_buffer;

typedef struct {
    const char *name;
    PyObject *(*function)(PyObject *, PyObject *);
    int flags;
    const char *doc;
} PyMethodDef;

typedef struct {
    PyObject head;
    PyObject *(*init)(void);
    Py_ssize_t index;
    PyObject *copy;
    const char *name, *doc;
    Py_ssize_t size;
    PyMethodDef *methods;
    void *slots, *traverse, *clear, *free;
} PyModuleDef;

#define METH_VARARGS 1
#define PYTHON_API_VERSION 1013

_Static_assert(sizeof(PyModuleDef) == 13 * sizeof(void *), "CPython's own layout");

extern PyObject *PyExc_ValueError;
PyObject *PyModule_Create2(PyModuleDef *, int);
int PyArg_ParseTuple(PyObject *, const char *, ...);
PyObject *Py_BuildValue(const char *, ...);
PyObject *PyErr_Format(PyObject *, const char *, ...);
void PyErr_SetString(PyObject *, const char *);
PyObject *PyErr_NoMemory(void);
PyObject *PyErr_Occurred(void);
void PyErr_Clear(void);
double PyOS_string_to_double(const char *, char **, PyObject *);
void PyBuffer_Release(Py_buffer *);

#endif
