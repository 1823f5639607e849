/* What the library calls back: a source of uniform numbers that can be played again, and interruptions. */
#ifndef CALLBACKS_H
#define CALLBACKS_H

#include <math.h>
#include <stddef.h>

typedef struct {
    const double *given; /* these, or if NULL the fractional parts of 0, g, 2 g, ... with g the golden ratio */
    size_t taken;
} uniform_numbers;

static double next_uniform_number(void *state)
{
    uniform_numbers *numbers = state;
    const size_t i = numbers->taken++;
    return numbers->given != NULL ? numbers->given[i] : fmod((double)i * 0.61803398874989485, 1);
}

static int never(void *state)
{
    (void)state;
    return 0;
}

/* Counts down, and interrupts at 0. */
static int after_so_many(void *state)
{
    size_t *left = state;
    return --*left == 0;
}

#endif
