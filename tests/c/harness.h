/* Checks that count and go on after a failure, and memory faults turned into failures of the case they happen in. */
#ifndef HARNESS_H
#define HARNESS_H

#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "fastrnn.h"
#include "guarded.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST_FAILURES_PRINTED 100

typedef struct {
    const char *file;
    int line;
} place;

#define HERE ((place){__FILE__, __LINE__})

static struct {
    const char *isa, *dtype;
    char situation[160]; /* the shape, or whatever else tells one case from the next */
    place latest;        /* the check or situation passed last, for want of a better place where a fault happens */
    size_t passed, failed;
    bool quick; /* take only a part of the cases */
} run = {.isa = "no instruction set yet", .dtype = "no dtype"};

static void situation_at(place at, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void check_at(place at, bool good, const char *format, ...) __attribute__((format(printf, 3, 4)));

#define SITUATION(...) situation_at(HERE, __VA_ARGS__)
#define CHECK(condition, ...) check_at(HERE, condition, __VA_ARGS__)

static void situation_at(place at, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(run.situation, sizeof run.situation, format, arguments);
    va_end(arguments);
    run.latest = at;
}

static void check_at(place at, bool good, const char *format, ...)
{
    run.latest = at;
    if (good) {
        run.passed++;
        return;
    }
    if (++run.failed > MOST_FAILURES_PRINTED) {
        return; /* counted all the same */
    }
    printf("%s:%d: FAILED [%s, %s, %s, buffers flush at their %s] ", at.file, at.line, run.isa, run.dtype,
           run.situation, memory.flush == FLUSH_START ? "start" : "end");
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

static void check_status(place at, fastrnn_status expected, fastrnn_status actual)
{
    check_at(at, actual == expected, "status is %d (%s), not %d (%s)", (int)actual, fastrnn_status_message(actual),
             (int)expected, fastrnn_status_message(expected));
}

#define CHECK_OK(status) check_status(HERE, FASTRNN_OK, status)

/* ---- cases ----------------------------------------------------------------------------------------------------- */

typedef void test_case(const void *parameters);

static sigjmp_buf beginning_of_case;
static const void *volatile fault_address;

static void on_fault(int signal_number, siginfo_t *information, void *context)
{
    (void)context;
    fault_address = information->si_addr;
    siglongjmp(beginning_of_case, signal_number);
}

static void catch_faults(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}

/* Runs one case and gives its memory back; a fault ends the case, not the program. */
static void run_case(test_case *test, const void *parameters)
{
    snprintf(run.situation, sizeof run.situation, "start of a case");
    int signal_number = sigsetjmp(beginning_of_case, 1);
    if (signal_number == 0) {
        test(parameters);
    } else {
        char where[120];
        describe_address((const void *)fault_address, where, sizeof where);
        fesetenv(FE_DFL_ENV); /* whatever the kernel had switched off or on */
        check_at(run.latest, false, "signal %d after this line: %s", signal_number, where);
    }
    release_since(0);
}

/* The same case with every buffer flush at its end, then at its start. */
static void run_case_guarded(test_case *test, const void *parameters)
{
    memory.flush = FLUSH_END;
    run_case(test, parameters);
    memory.flush = FLUSH_START;
    run_case(test, parameters);
}

/* ---- refusals -------------------------------------------------------------------------------------------------- */

/* A door of the library, with all of its arguments in a struct. */
typedef fastrnn_status door(const void *call);

/* The call must end with this status and write nothing anywhere. */
static void check_refusal(place at, fastrnn_status expected, door *open, const void *call)
{
    remember_memory();
    check_status(at, expected, open(call));
    check_at(at, memory_is_as_remembered(), "memory was written although the call was refused");
}

/* Sets the pointer that lies `offset` bytes into `block`, an argument of the call or the call itself, to NULL for one
 * call each. */
static void check_nulls(place at, door *open, const void *call, void *block, size_t n, const size_t *offsets)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char *pointer = (unsigned char *)block + offsets[i], kept[sizeof(void *)];
        memcpy(kept, pointer, sizeof kept);
        memset(pointer, 0, sizeof kept); /* NULL, whatever the pointer's type, on every machine we build for */
        situation_at(at, "NULL for the pointer at byte %zu", offsets[i]);
        check_refusal(at, FASTRNN_ERROR_NULL, open, call);
        memcpy(pointer, kept, sizeof kept);
    }
}

static void check_shapes_refused(place at, door *open, const void *call, fastrnn_shape *shape)
{
    const fastrnn_shape good = *shape;
    const size_t units = (size_t)1 << 24, cells = (size_t)1 << 32;
    const fastrnn_shape bad[] = {
        {0, good.B, good.H, good.V},
        {good.T, 0, good.H, good.V},
        {good.T, good.B, 0, good.V},
        {good.T, good.B, good.H, 0},
        {good.T, good.B, units, good.V},
        {good.T, good.B, SIZE_MAX, good.V},
        {good.T, good.B, good.H, units},
        {good.T, good.B, good.H, SIZE_MAX},
        {cells, 1, good.H, good.V},
        {1, cells, good.H, good.V},
        {cells / 2, 2, good.H, good.V},
        {2, cells / 2, good.H, good.V},
        {cells << 16, cells >> 16, good.H, good.V}, /* T times B is 0 modulo 2^64 */
        {SIZE_MAX, 1, good.H, good.V},
        {1, SIZE_MAX, good.H, good.V},
        {SIZE_MAX, SIZE_MAX, good.H, good.V}, /* and here it is 1 */
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        *shape = bad[i];
        situation_at(at, "T=%zu B=%zu H=%zu V=%zu", shape->T, shape->B, shape->H, shape->V);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, call);
    }
    *shape = good;
}

static void check_indices_refused(place at, door *open, const void *call, size_t n, int64_t *indices, size_t V)
{
    const int64_t bad[] = {-1, (int64_t)V, (int64_t)1 << 32, INT64_MIN, INT64_MAX};
    const size_t positions[] = {0, n / 2, n - 1};
    for (size_t i = 0; i < COUNT(bad) * COUNT(positions); i++) {
        int64_t *index = &indices[positions[i / COUNT(bad)]], kept = *index;
        *index = bad[i % COUNT(bad)];
        situation_at(at, "character %lld of %zu", (long long)*index, V);
        check_refusal(at, FASTRNN_ERROR_INDEX, open, call);
        *index = kept;
    }
}

static void check_values_refused(place at, door *open, const void *call, double *value, size_t n, const double *bad)
{
    const double kept = *value;
    for (size_t i = 0; i < n; i++) {
        *value = bad[i];
        situation_at(at, "value %g", bad[i]);
        check_refusal(at, FASTRNN_ERROR_VALUE, open, call);
    }
    *value = kept;
}

#endif
