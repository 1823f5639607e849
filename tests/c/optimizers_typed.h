/* One update of each optimizer: against the naive one, with special values, over every length and at every position. */

/* What NumPy has an answer to as well: 0 with nothing remembered, infinity, NaN, a square that overflows. */
static void TYPED(put_specials)(const TYPED(optimizer_call) *c)
{
    const double specials[][3] = {
        /* gradient, squares, parameter */
        {0, 0, 1},   {0, 1, 1},        {INFINITY, 1, 1}, {NAN, 1, 1},           {1, NAN, 1},
        {1, 1, NAN}, {1, 1, INFINITY}, {1, INFINITY, 1}, {LIMIT(MAX) / 2, 1, 1}, {1, -4, 1},
    };
    /* The mean's square overflows too in the last but one; and squares below 0 have no root, which all but eps
     * inside the root may show in another way. */
    const size_t count = c->arrays->mean != NULL ? COUNT(specials) - 2
                         : c->optimizer->naive == naive_adagrad && c->settings->adagrad.eps_inside_sqrt
                             ? COUNT(specials)
                             : COUNT(specials) - 1;
    for (size_t i = 0; i < count; i++) {
        TYPED(put)((REAL *)c->arrays->gradient, 4 * i, specials[i][0]);
        TYPED(put)(c->arrays->squares, 4 * i, specials[i][1]);
        TYPED(put)(c->arrays->parameter, 4 * i, specials[i][2]);
    }
}

static double TYPED(number)(const REAL *array, size_t i)
{
    return array != NULL ? (double)array[i] : 0;
}

static naive_numbers TYPED(numbers)(const TYPED(fastrnn_update) *a, size_t i)
{
    return (naive_numbers){(double)a->parameter[i],       (double)a->gradient[i],        TYPED(number)(a->momentum, i),
                          TYPED(number)(a->mean, i), TYPED(number)(a->squares, i), (double)LIMIT(MAX)};
}

/* The same to within some EPSILON of the terms that it is the sum of; the same infinity; NaN both. */
static void TYPED(check_number)(place at, const char *name, double actual, double expected, double before)
{
    const bool good = isfinite(expected) ? fabs(actual - expected) <= 8 * (double)LIMIT(EPSILON) *
                                                                          (fabs(before) + fabs(expected - before))
                      : isnan(expected) ? isnan(actual)
                                        : actual == expected;
    check_at(at, good, "%s %.17g became %.17g, not %.17g", name, before, actual, expected);
}

/* Number i of c, updated alone. */
static void TYPED(check_alone)(const TYPED(optimizer_call) *c, size_t i)
{
    const naive_numbers before = TYPED(numbers)(c->arrays, i);
    naive_numbers expected = before;
    c->optimizer->naive(c->settings, &expected);
    const TYPED(fastrnn_update) *a = c->arrays;
    const TYPED(fastrnn_update) alone = {
        .parameter = a->parameter + i,
        .gradient = a->gradient + i,
        .momentum = a->momentum != NULL ? a->momentum + i : NULL,
        .mean = a->mean != NULL ? a->mean + i : NULL,
        .squares = a->squares != NULL ? a->squares + i : NULL,
    };
    SITUATION("%s (%zu), number %zu, gradient %g", c->optimizer->name, (size_t)(c->optimizer - TYPED(optimizers)), i,
              before.gradient);
    CHECK_OK(c->optimizer->apply(c->settings, 1, &alone));
    const naive_numbers after = TYPED(numbers)(a, i);
    TYPED(check_number)(HERE, "momentum", after.momentum, expected.momentum, before.momentum);
    TYPED(check_number)(HERE, "mean", after.mean, expected.mean, before.mean);
    TYPED(check_number)(HERE, "squares", after.squares, expected.squares, before.squares);
    TYPED(check_number)(HERE, "parameter", after.parameter, expected.parameter, before.parameter);
}

static void TYPED(rotate_slot)(size_t n, REAL *dst, const REAL *src, size_t shift)
{
    if (dst != NULL) {
        TYPED(rotate)(n, dst, src, shift);
    }
}

static void TYPED(check_slot)(place at, size_t n, const REAL *actual, const REAL *expected, size_t shift)
{
    if (actual != NULL) {
        TYPED(check_same_values)(at, n, actual, expected, shift);
    }
}

static void TYPED(optimizer_case)(const void *parameter)
{
    const TYPED(optimizer) *optimizer = parameter;
    TYPED(optimizer_call) calls[2]; /* the same numbers twice: as they are given, and as they become */
    for (size_t i = 0; i < 2; i++) {
        random_state = 12;
        calls[i] = TYPED(valid_optimizer_call)(optimizer, LONGEST);
        TYPED(put_specials)(&calls[i]);
    }
    for (size_t i = 0; i < LONGEST; i++) {
        TYPED(check_alone)(&calls[1], i);
    }
    const TYPED(fastrnn_update) *given = calls[0].arrays, *alone = calls[1].arrays;
    const size_t mark = memory.in_use;
    for (size_t n = 1; n <= LONGEST; n++) {
        const TYPED(optimizer_call) c = TYPED(blank_optimizer_call)(optimizer, n);
        for (size_t shift = 0; shift < LONGEST; shift += run.quick ? 5 : 1) {
            SITUATION("%s (%zu), n=%zu shift=%zu", optimizer->name, (size_t)(optimizer - TYPED(optimizers)), n, shift);
            TYPED(rotate)(n, c.arrays->parameter, given->parameter, shift);
            TYPED(rotate)(n, (REAL *)c.arrays->gradient, given->gradient, shift);
            TYPED(rotate_slot)(n, c.arrays->momentum, given->momentum, shift);
            TYPED(rotate_slot)(n, c.arrays->mean, given->mean, shift);
            TYPED(rotate_slot)(n, c.arrays->squares, given->squares, shift);
            CHECK_OK(TYPED(optimizer_door)(&c));
            TYPED(check_same_values)(HERE, n, c.arrays->parameter, alone->parameter, shift);
            TYPED(check_same_values)(HERE, n, c.arrays->gradient, given->gradient, shift);
            TYPED(check_slot)(HERE, n, c.arrays->momentum, alone->momentum, shift);
            TYPED(check_slot)(HERE, n, c.arrays->mean, alone->mean, shift);
            TYPED(check_slot)(HERE, n, c.arrays->squares, alone->squares, shift);
        }
        release_since(mark);
    }
}

static void TYPED(test_optimizers)(void)
{
    for (size_t i = 0; i < COUNT(TYPED(optimizers)); i++) {
        run_case_guarded(TYPED(optimizer_case), &TYPED(optimizers)[i]);
    }
}
