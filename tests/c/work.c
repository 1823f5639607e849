/* A fixed amount of work on fixed data, for its instructions to be counted: see tests/test_instruction_counts.py.
 *
 *     work TASK DTYPE H N        TASK train or sample, DTYPE f32 or f64; N iterations, or N characters
 *
 * The difference between N and 0 is what N of them cost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastrnn.h"

enum { T = 25, V = 65, TEXT = 4096 };

/* Knuth's MMIX generator: the same numbers everywhere. */
static double uniform(void *state)
{
    uint64_t *x = state;
    *x = *x * 6364136223846793005u + 1442695040888963407u;
    return (double)(*x >> 11) * 0x1p-53;
}

#define REAL float
#define TYPED(name) name##_f32
#include "work_typed.h"
#undef REAL
#undef TYPED

#define REAL double
#define TYPED(name) name##_f64
#include "work_typed.h"

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: %s train|sample f32|f64 H N\n", argv[0]);
        return 2;
    }
    const int sample = strcmp(argv[1], "sample") == 0, single = strcmp(argv[2], "f32") == 0;
    const size_t H = strtoul(argv[3], NULL, 10), n = strtoul(argv[4], NULL, 10);
    fastrnn_status status = single ? work_f32(sample, H, n) : work_f64(sample, H, n);
    if (status != FASTRNN_OK) {
        fprintf(stderr, "%s\n", fastrnn_status_message(status));
    }
    return status != FASTRNN_OK;
}
