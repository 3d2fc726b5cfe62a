/* The kernels of forward error correction in C.

   What they compute is defined in _reference.py, in a few lines each; this file is about how to do
   that as fast as a core can read its first-level cache.  There are four ideas.

   A line of the matrix is a few thousand draws from a shift register, each of which selects the
   column "state mod M".  The states are windows of 23 bits that slide over one string of bits, and
   in this string every bit is the XOR of those 23 and 18 places back.  Squaring that rule doubles
   the distances, as often as one likes: it is also the XOR of those 92 and 72 back, and so 64 bits
   follow from the 128 before them in four shifts.  Eight neighbouring states are one load and a
   vector of shifts; their remainders come from a multiplication by the rounded-down inverse of M in
   floating point, which is exact or one too low.  Scattering draws costs one store each, into a map
   of octets, so that no store has to wait for another; a vector instruction then collects bits.

   XORing fragments is the Method of Four Russians.  32 fragments have few enough sums, in five
   parts, for tables of all of them in 28 KiB; a row of the product is then five loads for every
   32 columns instead of one for each one in its line.  Work is cut into strips 64 octets wide so
   that the tables of a strip stay in the first-level cache while all rows pass by.

   Elimination is the same, with pivot rows in the place of fragments.  Which rows become pivots is
   found out in 32 columns only; the rest of the width follows through the tables.  Coefficients and
   payloads are one row, so the solution falls out and there is no substitution.

   A rank needs no payloads.  For a fleet, the matrix is turned on its side: rows are the fragments
   a device has lost, columns the coded ones it hears, and the column of the last pivot is the
   answer.

   The kernels are in _speedups_kernels.h, which is included once for each instruction set: plain C
   or SSE2, which every x86-64 has, and AVX2 with BMI2, compiled by target attributes whatever the
   flags are and used when the processor can.  Loops are over vectors or 64-bit words by hand, since
   compilers do not find that at -O2.  Memory is read through memcpy, and everything that is octets
   for Python has a byte order, so neither alignment nor byte order of a machine matter.  Buffers are
   those of the caller or are allocated for one call; nothing is static, and the interpreter lock is
   released while a kernel runs.

   Below are what the kernels share, then what Python sees, which checks every length and range
   before a kernel is entered. */

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "_speedups_shared.h"

#define MAX_N 16383

/* Arguments */

static int whole(PyObject *object, const char *name, long lowest, long highest, size_t *value)
{
    if (!PyLong_Check(object)) {
        PyErr_Format(PyExc_TypeError, "%s must be an int", name);
        return -1;
    }
    long x = PyLong_AsLong(object);
    if (x == -1 && PyErr_Occurred()) {
        PyErr_Clear(); /* larger than a long: out of range like others */
        x = LONG_MIN;
    }
    if (x < lowest || x > highest) {
        PyErr_Format(PyExc_ValueError, "%s must be in %ld..%ld", name, lowest, highest);
        return -1;
    }
    *value = (size_t)x;
    return 0;
}

static int arity(const char *name, Py_ssize_t given, Py_ssize_t wanted)
{
    if (given == wanted)
        return 0;
    PyErr_Format(PyExc_TypeError, "%s takes %zd arguments, %zd given", name, wanted, given);
    return -1;
}

static int wrong(const char *what)
{
    PyErr_Format(PyExc_ValueError, "%s", what);
    return -1;
}

/* Buffers of one call, to be released together; at most four. */
typedef struct {
    Py_buffer buffers[4];
    int count;
} held;

static const uint8_t *hold(held *h, PyObject *object, int flags, size_t *octets)
{
    Py_buffer *buffer = &h->buffers[h->count];
    if (PyObject_GetBuffer(object, buffer, flags) < 0)
        return NULL;
    h->count++;
    *octets = (size_t)buffer->len;
    /* an empty buffer may have no address, but we need one to tell it from an error */
    return buffer->buf ? buffer->buf : (const uint8_t *)"";
}

static void let_go(held *h)
{
    while (h->count)
        PyBuffer_Release(&h->buffers[--h->count]);
}

/* Lines of the matrix: any number of whole ones. */
static const uint8_t *hold_lines(held *h, PyObject *object, size_t nb_frag, size_t *count)
{
    size_t octets, size = (nb_frag + 7) / 8;
    const uint8_t *lines = hold(h, object, PyBUF_SIMPLE, &octets);
    if (!lines)
        return NULL;
    *count = octets / size;
    if (octets % size) {
        wrong("lines must be whole lines");
        return NULL;
    }
    return lines;
}

static const uint8_t *hold_block(held *h, PyObject *object, size_t nb_frag, size_t frag_size)
{
    size_t octets;
    const uint8_t *block = hold(h, object, PyBUF_SIMPLE, &octets);
    if (block && octets != nb_frag * frag_size) {
        wrong("block must have nb_frag * frag_size octets");
        return NULL;
    }
    return block;
}

static const uint8_t *hold_missing(held *h, PyObject *object, size_t nb_frag, size_t *lost)
{
    size_t octets, size = (nb_frag + 7) / 8;
    const uint8_t *missing = hold(h, object, PyBUF_SIMPLE, &octets);
    if (!missing)
        return NULL;
    if (octets != size || (nb_frag % 8 && missing[size - 1] >> (nb_frag % 8))) {
        wrong("missing must be a map of nb_frag bits");
        return NULL;
    }
    *lost = count_ones(missing, size);
    return missing;
}

/* A new bytes object of count * size octets, and where they are. */
static PyObject *result(size_t count, size_t size, uint8_t **octets)
{
    *octets = NULL;
    if (size && count > (size_t)PY_SSIZE_T_MAX / 2 / size)
        return PyErr_NoMemory();
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(count * size));
    if (bytes)
        *octets = (uint8_t *)PyBytes_AsString(bytes);
    return bytes;
}

/* The result, or NULL and an exception when `status` says so. */
static PyObject *finish(PyObject *bytes, held *h, int status)
{
    let_go(h);
    if (status >= 0)
        return bytes;
    Py_XDECREF(bytes);
    if (status == -1)
        return PyErr_NoMemory();
    wrong("basis is not an echelon basis");
    return NULL;
}

/* The kernels of one instruction set, as an object with methods */

typedef struct {
    PyObject_HEAD
    const kernels *kernels;
    const char *simd;
    int fast_extract;
} KernelsObject;

static int may_use_avx2(void)
{
#if defined(HAVE_AVX2)
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
           __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
#else
    return 0;
#endif
}

static PyObject *kernels_lines(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t nb_frag, variant, n;
    if (arity("lines", nargs, 3) < 0 || whole(args[0], "nb_frag", 1, MAX_N, &nb_frag) < 0 ||
        whole(args[2], "variant", 0, 3, &variant) < 0)
        return NULL;
    int is_list = PyList_Check(args[1]);
    Py_ssize_t count = PySequence_Size(args[1]);
    if (count < 0)
        return NULL;
    uint8_t *octets;
    PyObject *bytes = result((size_t)count, (nb_frag + 7) / 8, &octets);
    if (!bytes)
        return NULL;
    uint16_t few[16], *numbers = count <= 16 ? few : malloc((size_t)count * sizeof *numbers);
    if (!numbers) {
        Py_DECREF(bytes);
        return PyErr_NoMemory();
    }
    int status = 0;
    for (Py_ssize_t i = 0; i < count && status == 0; i++) {
        PyObject *item = is_list ? PyList_GetItem(args[1], i) : PySequence_GetItem(args[1], i);
        status = item ? whole(item, "number", 1, MAX_N, &n) : -1;
        if (!is_list)
            Py_XDECREF(item);
        if (status == 0)
            numbers[i] = (uint16_t)n;
    }
    if (status == 0) {
        Py_BEGIN_ALLOW_THREADS
        status = self->kernels->lines(octets, numbers, (size_t)count, nb_frag, (int)variant);
        Py_END_ALLOW_THREADS
        if (status < 0)
            PyErr_NoMemory();
    }
    if (numbers != few)
        free(numbers);
    if (status == 0)
        return bytes;
    Py_DECREF(bytes);
    return NULL;
}

static PyObject *kernels_product(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t frag_size, nb_frag, count;
    const uint8_t *block, *lines;
    uint8_t *octets;
    held h = {0};
    PyObject *bytes = NULL;
    int status = 0;
    if (arity("product", nargs, 4) < 0 || whole(args[1], "frag_size", 1, 255, &frag_size) < 0 ||
        whole(args[2], "nb_frag", 1, MAX_N, &nb_frag) < 0)
        return NULL;
    if ((block = hold_block(&h, args[0], nb_frag, frag_size)) &&
        (lines = hold_lines(&h, args[3], nb_frag, &count)) &&
        (bytes = result(count, frag_size, &octets))) {
        Py_BEGIN_ALLOW_THREADS
        status = self->kernels->product(octets, lines, count, nb_frag, block, frag_size);
        Py_END_ALLOW_THREADS
    }
    return finish(bytes, &h, status);
}

static PyObject *kernels_rank_add(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t nb_frag, count, lost, size;
    const uint8_t *basis, *missing, *lines;
    uint8_t *octets;
    held h = {0};
    PyObject *bytes = NULL;
    int status = 0;
    if (arity("rank_add", nargs, 4) < 0 || whole(args[2], "nb_frag", 1, MAX_N, &nb_frag) < 0)
        return NULL;
    if ((basis = hold(&h, args[0], PyBUF_WRITABLE, &size)) &&
        (missing = hold_missing(&h, args[1], nb_frag, &lost)) &&
        (lines = hold_lines(&h, args[3], nb_frag, &count))) {
        if (size != lost * ((lost + 63) / 64 * 8)) {
            wrong("basis must have basis_octets of missing");
        } else if ((bytes = result(count, 1, &octets))) {
            Py_BEGIN_ALLOW_THREADS
            status = self->kernels->rank_add((uint8_t *)basis, missing, nb_frag, lines, count,
                                             octets, self->fast_extract);
            Py_END_ALLOW_THREADS
        }
    }
    return finish(bytes, &h, status);
}

static PyObject *kernels_solve(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t frag_size, nb_frag, count, lost, size;
    const uint8_t *block, *missing, *lines, *payloads;
    uint8_t *octets;
    held h = {0};
    PyObject *bytes = NULL;
    int status = 0;
    if (arity("solve", nargs, 6) < 0 || whole(args[2], "frag_size", 1, 255, &frag_size) < 0 ||
        whole(args[3], "nb_frag", 1, MAX_N, &nb_frag) < 0)
        return NULL;
    if ((block = hold_block(&h, args[0], nb_frag, frag_size)) &&
        (missing = hold_missing(&h, args[1], nb_frag, &lost)) &&
        (lines = hold_lines(&h, args[4], nb_frag, &count)) &&
        (payloads = hold(&h, args[5], PyBUF_SIMPLE, &size))) {
        if (size / frag_size != count || size % frag_size) {
            wrong("payloads must have frag_size octets for each line");
        } else if ((bytes = result(lost, frag_size, &octets))) {
            Py_BEGIN_ALLOW_THREADS
            status = self->kernels->solve(octets, block, missing, frag_size, nb_frag, lines, count,
                                          payloads, self->fast_extract);
            Py_END_ALLOW_THREADS
            if (status >= 0 && (size_t)status < lost) {
                PyErr_Format(PyExc_ValueError, "rank %d for %zd missing fragments", status,
                             (Py_ssize_t)lost);
                Py_DECREF(bytes);
                bytes = NULL;
            }
        }
    }
    return finish(bytes, &h, status);
}

static PyObject *kernels_completions(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t nb_frag, nb_coded, count, size;
    const uint8_t *lines, *heard;
    uint8_t *octets;
    held h = {0};
    PyObject *bytes = NULL;
    int status = 0;
    if (arity("completions", nargs, 4) < 0 || whole(args[0], "nb_frag", 1, MAX_N, &nb_frag) < 0 ||
        whole(args[1], "nb_coded", 0, MAX_N - (long)nb_frag, &nb_coded) < 0)
        return NULL;
    if ((lines = hold_lines(&h, args[2], nb_frag, &count)) &&
        (heard = hold(&h, args[3], PyBUF_SIMPLE, &size))) {
        size_t row = (nb_frag + nb_coded + 7) / 8;
        if (count != nb_coded) {
            wrong("lines must be nb_coded lines");
        } else if (size % row) {
            wrong("receptions must be maps of nb_frag + nb_coded bits");
        } else if ((bytes = result(size / row, 2, &octets))) {
            Py_BEGIN_ALLOW_THREADS
            status = self->kernels->completions(octets, nb_frag, nb_coded, lines, heard, size / row);
            Py_END_ALLOW_THREADS
        }
    }
    return finish(bytes, &h, status);
}

/* Whether `item` is a tuple of an int in lowest..highest and of `frag_size` octets of bytes. */
static int is_fragment(PyObject *item, size_t lowest, size_t highest, size_t frag_size,
                       size_t *number, const uint8_t **octets)
{
    if (!PyTuple_CheckExact(item) || PyTuple_Size(item) != 2)
        return 0;
    PyObject *first = PyTuple_GetItem(item, 0), *payload = PyTuple_GetItem(item, 1);
    if (!PyLong_CheckExact(first) || !PyBytes_CheckExact(payload) ||
        PyBytes_Size(payload) != (Py_ssize_t)frag_size)
        return 0;
    int overflow;
    long n = PyLong_AsLongAndOverflow(first, &overflow);
    if (overflow || n < (long)lowest || n > (long)highest)
        return 0;
    *number = (size_t)n;
    *octets = (const uint8_t *)PyBytes_AsString(payload);
    return 1;
}

/* Mark bit n - 1; return whether it was marked before. */
static int mark(uint8_t *map, size_t n)
{
    uint8_t *octet = map + (n - 1) / 8, bit = (uint8_t)(1u << ((n - 1) % 8));
    int before = *octet & bit;
    *octet |= bit;
    return before;
}

/* Not arithmetic, but what feeding costs: see lorafuota.fec.kernels.take. */
static PyObject *kernels_take(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t frag_size, nb_frag, start, size, octets;
    uint8_t *block, *received;
    held h = {0};
    (void)self;
    if (arity("take", nargs, 6) < 0 || whole(args[2], "frag_size", 1, 255, &frag_size) < 0 ||
        whole(args[3], "nb_frag", 1, MAX_N, &nb_frag) < 0 ||
        whole(args[5], "start", 0, LONG_MAX, &start) < 0)
        return NULL;
    if (!PyList_Check(args[4])) {
        PyErr_SetString(PyExc_TypeError, "fragments must be a list");
        return NULL;
    }
    if (!(block = (uint8_t *)hold(&h, args[0], PyBUF_WRITABLE, &octets)) ||
        !(received = (uint8_t *)hold(&h, args[1], PyBUF_WRITABLE, &size)))
        return finish(NULL, &h, 0);
    if (octets != nb_frag * frag_size || size != (nb_frag + 7) / 8) {
        wrong("block must have nb_frag * frag_size octets, received nb_frag bits");
        return finish(NULL, &h, 0);
    }
    /* nothing below runs any code of Python, so the list stays as it is */
    Py_ssize_t count = PyList_Size(args[4]), i = (Py_ssize_t)start;
    for (; i < count; i++) {
        const uint8_t *payload;
        size_t n;
        if (!is_fragment(PyList_GetItem(args[4], i), 1, nb_frag, frag_size, &n, &payload) ||
            mark(received, n))
            break;
        memcpy(block + (n - 1) * frag_size, payload, frag_size);
    }
    return finish(PyLong_FromSsize_t(i < (Py_ssize_t)start ? 0 : i - (Py_ssize_t)start), &h, 0);
}

/* All of decoding in one call: see lorafuota.fec.batch.  What came is copied while the lock is
   held, and nothing of that runs any code of Python. */
static PyObject *kernels_decode(KernelsObject *self, PyObject *const *args, Py_ssize_t nargs)
{
    size_t nb_frag, frag_size, variant, max_checks, n, lost;
    if (arity("decode", nargs, 5) < 0 || whole(args[1], "nb_frag", 1, MAX_N, &nb_frag) < 0 ||
        whole(args[2], "frag_size", 1, 255, &frag_size) < 0 ||
        whole(args[3], "variant", 0, 3, &variant) < 0 ||
        whole(args[4], "max_checks", 0, MAX_N, &max_checks) < 0)
        return NULL;
    if (!PyList_Check(args[0])) {
        PyErr_SetString(PyExc_TypeError, "fragments must be a list");
        return NULL;
    }
    uint8_t heard[(MAX_N + 7) / 8] = {0}, missing[sizeof heard], *block;
    const uint8_t *payload;
    PyObject *fragments = args[0], *bytes = result(nb_frag, frag_size, &block);
    if (!bytes)
        return NULL;
    Py_ssize_t given = PyList_Size(fragments), i = 0;
    for (; i < given; i++) {
        if (!is_fragment(PyList_GetItem(fragments, i), 1, nb_frag, frag_size, &n, &payload) ||
            mark(heard, n))
            break;
        memcpy(block + (n - 1) * frag_size, payload, frag_size);
    }
    lost = nb_frag - (size_t)i;
    size_t count = (size_t)(given - i), most = lost + max_checks;
    if (count > most)
        count = most;
    scratch memory = {0};
    size_t numbers_at = reserve(&memory, count, sizeof(uint16_t));
    size_t payloads_at = reserve(&memory, count, frag_size);
    int status = count >= lost && count <= MAX_N - nb_frag; /* or some are missing, some repeated */
    if (status && allocate(&memory) < 0)
        status = -1;
    uint16_t *numbers = status > 0 ? (uint16_t *)(memory.start + numbers_at) : NULL;
    uint8_t *payloads = status > 0 ? memory.start + payloads_at : NULL;
    for (size_t k = 0; k < count && status > 0; k++) {
        PyObject *item = PyList_GetItem(fragments, i + (Py_ssize_t)k);
        status = is_fragment(item, nb_frag + 1, MAX_N, frag_size, &n, &payload) && !mark(heard, n);
        if (status) {
            numbers[k] = (uint16_t)n;
            memcpy(payloads + k * frag_size, payload, frag_size);
        }
    }
    if (status > 0) {
        for (size_t at = 0; 8 * at < nb_frag; at++)
            missing[at] = (uint8_t)~heard[at];
        if (nb_frag % 8)
            missing[nb_frag / 8] &= (uint8_t)((1u << nb_frag % 8) - 1);
        Py_BEGIN_ALLOW_THREADS
        status = self->kernels->decode(block, missing, frag_size, nb_frag, numbers, count,
                                       (int)variant, payloads, self->fast_extract);
        Py_END_ALLOW_THREADS
    }
    release(&memory);
    if (status > 0) {
        PyObject *map = PyBytes_FromStringAndSize((const char *)heard, sizeof heard);
        return Py_BuildValue("(NNn)", bytes, map, i + status - 1);
    }
    Py_DECREF(bytes);
    if (status < 0)
        return PyErr_NoMemory();
    Py_RETURN_NONE;
}

static PyObject *kernels_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    const char *simd;
    if (keywords && PyDict_Size(keywords)) {
        PyErr_SetString(PyExc_TypeError, "Kernels takes no keyword arguments");
        return NULL;
    }
    if (!PyArg_ParseTuple(args, "s:Kernels", &simd))
        return NULL;
    int avx2 = !strcmp(simd, "avx2") || (!strcmp(simd, "auto") && may_use_avx2());
    if (strcmp(simd, "auto") && strcmp(simd, "baseline") && !(avx2 && may_use_avx2())) {
        PyErr_Format(PyExc_ValueError, "no kernels for %s here", simd);
        return NULL;
    }
    allocfunc allocate_object = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    KernelsObject *self = (KernelsObject *)allocate_object(type, 0);
    if (!self)
        return NULL;
    self->kernels = &kernels_baseline;
    self->simd = "baseline";
    self->fast_extract = 0;
#if defined(HAVE_AVX2)
    if (avx2) {
        self->kernels = &kernels_avx2;
        self->simd = "avx2";
        /* AMD processors before Zen 3 have the instruction, but in microcode */
        self->fast_extract = !__builtin_cpu_is("amdfam15h") && !__builtin_cpu_is("amdfam17h");
    }
#endif
    return (PyObject *)self;
}

static void kernels_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc free_object = (freefunc)PyType_GetSlot(type, Py_tp_free);
    free_object(self);
    Py_DECREF(type);
}

static PyObject *kernels_simd(PyObject *self, void *closure)
{
    (void)closure;
    return PyUnicode_FromString(((KernelsObject *)self)->simd);
}

#define METHOD(name)                                                                               \
    {#name, (PyCFunction)(void (*)(void))kernels_##name, METH_FASTCALL,                            \
     "See lorafuota.fec.kernels.Kernels."}

static PyMethodDef kernels_methods[] = {METHOD(lines),       METHOD(product), METHOD(rank_add),
                                        METHOD(solve),       METHOD(completions), METHOD(take),
                                        METHOD(decode),
                                        {NULL, NULL, 0, NULL}};

static PyGetSetDef kernels_members[] = {
    {"simd", kernels_simd, NULL, "Name of the instruction set.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot kernels_slots[] = {
    {Py_tp_doc, "Kernels for one instruction set: \"baseline\", \"avx2\", or \"auto\"."},
    {Py_tp_new, kernels_new},
    {Py_tp_dealloc, kernels_dealloc},
    {Py_tp_methods, kernels_methods},
    {Py_tp_getset, kernels_members},
    {0, NULL}};

static PyType_Spec kernels_spec = {"lorafuota.fec._speedups.Kernels", sizeof(KernelsObject), 0,
                                   Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, kernels_slots};

/* The module */

static PyObject *instruction_sets(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return may_use_avx2() ? Py_BuildValue("(ss)", "baseline", "avx2")
                          : Py_BuildValue("(s)", "baseline");
}

static int execute(PyObject *module)
{
    PyObject *type = PyType_FromModuleAndSpec(module, &kernels_spec, NULL);
    if (!type)
        return -1;
    int status = PyModule_AddType(module, (PyTypeObject *)type);
    Py_DECREF(type);
    return status;
}

static PyMethodDef module_methods[] = {
    {"instruction_sets", instruction_sets, METH_NOARGS,
     "Return the names of the instruction sets that can be used here, slowest first."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, execute}, {0, NULL}};

static struct PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT, "_speedups", "Kernels of forward error correction in C.", 0,
    module_methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__speedups(void)
{
    return PyModuleDef_Init(&module_definition);
}
