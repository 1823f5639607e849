/* A fixed amount of work on fixed data, for its instructions to be counted: see tests/test_instruction_counts.py.
 *
 *     work TASK DTYPE SIZE N     DTYPE f32 or f64
 *
 *     train, sample    a character model of SIZE = H units: N iterations, or N characters
 *     gru, lstm        a layer over one-hot inputs, SIZE = BxH: N times forward and backward
 *
 * The difference between N and 0 is what N of them cost. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastrnn.h"

enum { T = 25, V = 65, TEXT = 4096 };

/* Characters that are always drawn, so that N of them cost nothing that a call does only once. */
enum { ONCE = 16 };

/* Knuth's MMIX generator: the same numbers everywhere. */
static double uniform(void *state)
{
    uint64_t *x = state;
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (double)(*x >> 11) * 0x1p-53;
}

/* What is to be done, and how often. */
typedef struct {
    const char *task;
    size_t B, H, n;
} work;

#define REAL float
#define TYPED(name) name##_f32
#include "work_char_typed.h"
#include "work_stack_typed.h"
#undef REAL
#undef TYPED

#define REAL double
#define TYPED(name) name##_f64
#include "work_char_typed.h"
#include "work_stack_typed.h"

/* H, or BxH */
static void read_size(const char *text, work *w)
{
    char *end;
    w->H = strtoul(text, &end, 10);
    w->B = 1;
    if (*end == 'x') {
        w->B = w->H;
        w->H = strtoul(end + 1, NULL, 10);
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s train|sample|gru|lstm f32|f64 SIZE N\n", argv[0]);
        return 2;
    }
    work w = {.task = argv[1], .n = strtoul(argv[4], NULL, 10)};
    read_size(argv[3], &w);
    const bool single = strcmp(argv[2], "f32") == 0, stack = strcmp(w.task, "gru") == 0 || strcmp(w.task, "lstm") == 0;
    const fastrnn_status status = stack ? (single ? work_stack_f32 : work_stack_f64)(&w)
                                        : (single ? work_char_f32 : work_char_f64)(&w);
    if (status != FASTRNN_OK) {
        fprintf(stderr, "%s\n", fastrnn_status_message(status));
    }
    return status != FASTRNN_OK;
}
