/* The shapes that the network is tested on. */
#ifndef SHAPES_H
#define SHAPES_H

#include "harness.h"

/* Remainders modulo 16 decide which tails a kernel meets, so their pairs all come up; a shape's other sizes are
 * scattered by multiplication with primes. The quick run takes every QUICK_STEP-th shape, and QUICK_STEP is odd so
 * that it still meets every remainder. */
#define QUICK_STEP 5

/* H and V of every pair of remainders, over few steps. */
static fastrnn_shape remainder_shape(size_t i)
{
    return (fastrnn_shape){
        .T = 1 + i % 3, .B = 1 + i % 5, .H = 1 + i / 16 + 16 * (i * 7 % 4), .V = 1 + i % 16 + 16 * (i / 16 * 5 % 4)};
}

/* Every H from 1 to 70, every V likewise, every T from 1 to 40. */
static fastrnn_shape middle_shape(size_t i)
{
    return (fastrnn_shape){.T = 1 + i * 11 % 40, .B = 1 + i * 3 % 5, .H = 1 + i, .V = 1 + i * 37 % 70};
}

/* Wide enough for every width of a panel of the product, and for two panels, at 16 numbers to a register; the seven
 * sequences go four, two and one to a tile. */
static fastrnn_shape large_shape(size_t i)
{
    static const size_t H[] = {80, 96, 100, 112, 128, 144, 160, 176, 192, 193, 200, 210};
    return (fastrnn_shape){.T = 1 + i % 2, .B = 7, .H = H[i], .V = H[COUNT(H) - 1 - i]};
}
#define LARGE_SHAPES 12

/* The sizes of the script that this library speeds up, and some like it; the least there are; recurrent weights that
 * are multiplied as they lie; and sums over so many steps and sequences that a product takes them in blocks, the last
 * of them with a wide gradient too. */
static fastrnn_shape known_shape(size_t i)
{
    static const fastrnn_shape shapes[] = {{25, 1, 100, 65}, {1, 1, 1, 1},   {40, 5, 1, 1},
                                           {40, 5, 2, 3},    {8, 1, 128, 96}, {3, 1, 384, 5},
                                           {3, 4, 200, 64},  {40, 25, 5, 6}, {1, 260, 320, 2}};
    return shapes[i];
}
#define KNOWN_SHAPES 9

static void run_over(size_t n, fastrnn_shape (*make)(size_t), test_case *test)
{
    for (size_t i = 0; i < n; i += run.quick ? QUICK_STEP : 1) {
        fastrnn_shape shape = make(i);
        run_case_guarded(test, &shape);
    }
}

static void run_over_short_shapes(test_case *test)
{
    run_over(256, remainder_shape, test);
    run_over(LARGE_SHAPES, large_shape, test);
}

static void run_over_long_shapes(test_case *test)
{
    run_over(70, middle_shape, test);
    run_over(KNOWN_SHAPES, known_shape, test);
}

#endif
