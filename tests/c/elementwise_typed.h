/* exp, tanh, sigmoid, clip, adagrad, softmax: accuracy, special values, every length, every position. */

/* Lengths up to three of the widest registers: whole registers and every tail. */
#define LONGEST 48

/* ---- accuracy of exp, tanh, sigmoid ---------------------------------------------------------------------------- */

/* Where something happens: the ends of the range, of the normal results, and of each function's own cases. */
static const REAL TYPED(borders)[] = {
    EXP_BORDERS,     (REAL)-0.0,     0,  1,  (REAL)0.34657359, (REAL)0.69314718, (REAL)1.0397207, 10, 20, 22,
    LIMIT(TRUE_MIN), LIMIT(EPSILON), LIMIT(MIN), LIMIT(MAX), (REAL)INFINITY, (REAL)NAN,
};

/* A few numbers from a border, to either side of zero. */
static REAL TYPED(near_border)(void)
{
    REAL x = TYPED(borders)[random_below(COUNT(TYPED(borders)))];
    const REAL towards = (REAL)(random_below(2) ? INFINITY : -INFINITY);
    for (size_t steps = random_below(4); steps > 0; steps--) {
        x = REAL_MATH(nextafter)(x, towards);
    }
    return random_below(2) ? x : -x;
}

/* From all over the range, and denser where the functions change. */
static REAL TYPED(some_argument)(size_t i)
{
    const uint64_t bits = random_bits();
    REAL any;
    switch (i % 7) {
    case 0:
        memcpy(&any, &bits, sizeof any); /* of any exponent, infinite or NaN too */
        return any;
    case 1:
        return (REAL)random_within(EXP_RANGE);
    case 2:
        return (REAL)random_within(25);
    case 3:
        return (REAL)random_within(1);
    case 4:
        return (REAL)ldexp(random_within(1), -(int)random_below(60));
    case 5:
        return (REAL)random_within(1) * LIMIT(MIN); /* subnormal */
    default:
        return TYPED(near_border)();
    }
}

/* |y - exact| in units of the last place of `exact`, as REAL has it. */
static double TYPED(ulps)(REAL y, WIDE exact)
{
    if (isnan(y) || isnan(exact)) {
        return isnan(y) && isnan(exact) ? 0 : INFINITY;
    }
    if (isinf(y) || isinf(exact)) { /* all three are positive where they are large */
        return y > 0 && exact > (WIDE)LIMIT(MAX) * (1 - 4 * (WIDE)LIMIT(EPSILON)) && y >= LIMIT(MAX) ? 0 : INFINITY;
    }
    int exponent = LIMIT(MIN_EXP);
    if (exact != 0) {
        WIDE_MATH(frexp)(exact, &exponent);
    }
    exponent = exponent < LIMIT(MIN_EXP) ? LIMIT(MIN_EXP) : exponent;
    exponent = exponent > LIMIT(MAX_EXP) ? LIMIT(MAX_EXP) : exponent;
    return (double)(WIDE_MATH(fabs)((WIDE)y - exact) / WIDE_MATH(ldexp)(1, exponent - LIMIT(MANT_DIG)));
}

static void TYPED(check_accuracy)(place at, const TYPED(function) *f, size_t n, const REAL *x, const REAL *y)
{
    double worst = -1;
    size_t where = 0;
    for (size_t i = 0; i < n; i++) {
        const WIDE exact = f->exact((WIDE)x[i]);
        double error = TYPED(ulps)(y[i], exact);
        if (!isnan(exact) && !signbit(y[i]) != !signbit(exact)) {
            error = INFINITY; /* this tells -0 from 0 */
        }
        if (error > worst) {
            worst = error;
            where = i;
        }
    }
    check_at(at, worst <= 4, "%s(%a) is %a, not %.25Lg: %g ulp", f->name, (double)x[where], (double)y[where],
             (long double)f->exact((WIDE)x[where]), worst);
}

static void TYPED(accuracy_case)(const void *function)
{
    const TYPED(function) *f = function;
    const size_t n = 5003; /* whole registers and a tail */
    random_state = 6;
    REAL *x = TYPED(blanks)(n), *y = TYPED(blanks)(n);
    SITUATION("%s, %zu numbers", f->name, n);
    for (size_t repeat = run.quick ? 1 : 60; repeat > 0; repeat--) {
        for (size_t i = 0; i < n; i++) {
            x[i] = TYPED(some_argument)(i);
        }
        CHECK_OK(f->apply(n, x, y));
        TYPED(check_accuracy)(HERE, f, n, x, y);
    }
}

/* Where the exact result is a REAL, it must be hit. */
static void TYPED(special_values_case)(const void *function)
{
    const TYPED(function) *f = function;
    const REAL x[] = {(REAL)0.0, (REAL)-0.0, (REAL)INFINITY, (REAL)-INFINITY, (REAL)NAN, LIMIT(MAX), -LIMIT(MAX)};
    for (size_t i = 0; i < COUNT(x); i++) {
        SITUATION("%s", f->name);
        REAL *y = guarded_copy(&x[i], sizeof(REAL));
        CHECK_OK(f->apply(1, y, y));
        const WIDE exact = f->exact((WIDE)x[i]);
        CHECK(TYPED(ulps)(*y, exact) == 0 && (isnan(exact) || !signbit(*y) == !signbit(exact)),
              "%s(%g) is %g, not %g", f->name, (double)x[i], (double)*y, (double)exact);
    }
}

/* ---- every length and position --------------------------------------------------------------------------------- */

/* NaNs are one value here: which one comes out of a processor is not promised. */
static bool TYPED(same_value)(REAL a, REAL b)
{
    return (isnan(a) && isnan(b)) || TYPED(same_bits)(1, &a, &b);
}

static void TYPED(check_same_values)(place at, size_t n, const REAL *actual, const REAL *expected, size_t shift)
{
    size_t i = 0;
    while (i < n && TYPED(same_value)(actual[i], expected[(i + shift) % LONGEST])) {
        i++;
    }
    check_at(at, i == n, "element %zu of %zu is %a, not %a as it is alone", i, n, (double)actual[i % n],
             (double)expected[(i + shift) % LONGEST]);
}

/* dst (n) = src (LONGEST), from `shift` on and round again. */
static void TYPED(rotate)(size_t n, REAL *dst, const REAL *src, size_t shift)
{
    for (size_t i = 0; i < n; i++) {
        dst[i] = src[(i + shift) % LONGEST];
    }
}

static void TYPED(fill_with_arguments)(REAL *x)
{
    for (size_t i = 0; i < LONGEST; i++) {
        x[i] = i < COUNT(TYPED(borders)) ? TYPED(borders)[i] : TYPED(some_argument)(i);
    }
}

/* Each of LONGEST numbers alone, then in rows of every length at every position, to another place and in place. */
static void TYPED(function_positions_case)(const void *function)
{
    const TYPED(function) *f = function;
    random_state = 7;
    REAL *values = TYPED(blanks)(LONGEST), *alone = TYPED(blanks)(LONGEST);
    TYPED(fill_with_arguments)(values);
    for (size_t i = 0; i < LONGEST; i++) {
        CHECK_OK(f->apply(1, values + i, alone + i));
    }
    SITUATION("%s, numbers alone", f->name);
    TYPED(check_accuracy)(HERE, f, LONGEST, values, alone);
    const size_t mark = memory.in_use;
    for (size_t n = 1; n <= LONGEST; n++) {
        REAL *x = TYPED(blanks)(n), *y = TYPED(blanks)(n);
        for (size_t shift = 0; shift < LONGEST; shift += run.quick ? 5 : 1) {
            SITUATION("%s, n=%zu shift=%zu", f->name, n, shift);
            TYPED(rotate)(n, x, values, shift);
            CHECK_OK(f->apply(n, x, y));
            TYPED(check_same_values)(HERE, n, y, alone, shift);
            CHECK_OK(f->apply(n, x, x));
            TYPED(check_same_values)(HERE, n, x, alone, shift);
        }
        release_since(mark);
    }
}

/* ---- clip ------------------------------------------------------------------------------------------------------ */

static REAL TYPED(clipped)(REAL x, REAL limit)
{
    return x > limit ? limit : x < -limit ? -limit : x;
}

static void TYPED(clip_case)(const void *parameter)
{
    const double limit = *(const double *)parameter;
    random_state = 8;
    REAL *values = TYPED(blanks)(LONGEST), *expected = TYPED(blanks)(LONGEST);
    TYPED(fill_with_arguments)(values);
    values[20] = (REAL)limit;
    values[21] = -(REAL)limit;
    values[22] = REAL_MATH(nextafter)((REAL)limit, (REAL)INFINITY);
    values[23] = REAL_MATH(nextafter)(-(REAL)limit, (REAL)-INFINITY);
    for (size_t i = 0; i < LONGEST; i++) {
        expected[i] = TYPED(clipped)(values[i], (REAL)limit);
    }
    const size_t mark = memory.in_use;
    for (size_t n = 1; n <= LONGEST; n++) {
        REAL *x = TYPED(blanks)(n);
        for (size_t shift = 0; shift < LONGEST; shift += run.quick ? 5 : 1) {
            SITUATION("clip to %g, n=%zu shift=%zu", limit, n, shift);
            TYPED(rotate)(n, x, values, shift);
            CHECK_OK(TYPED(fastrnn_clip)(n, limit, x));
            TYPED(check_same_values)(HERE, n, x, expected, shift);
        }
        release_since(mark);
    }
}

/* ---- adagrad --------------------------------------------------------------------------------------------------- */

/* Gradients of many sizes, on both sides of the square root of epsilon. And what NumPy has an answer to as well: 0 with
 * an empty memory, infinity, NaN, a memory that is no sum of squares. */
static TYPED(adagrad_call) TYPED(some_updates)(void)
{
    const double specials[][3] = {
        /* gradient, memory, parameter */
        {0, 0, 1},   {0, 1, 1},        {LIMIT(MAX) / 2, 1, 1}, {INFINITY, 1, 1}, {NAN, 1, 1},
        {1, NAN, 1}, {1, INFINITY, 1}, {1, -4, 1},             {1, 1, NAN},      {1, 1, INFINITY},
    };
    TYPED(adagrad_call) c = TYPED(valid_adagrad_call)(LONGEST);
    for (size_t i = 0; i < LONGEST; i++) {
        c.gradient[i] = (REAL)ldexp((double)c.gradient[i], -(int)random_below(25));
        c.memory[i] = i % 3 == 0 ? 0 : (REAL)ldexp((double)c.memory[i], -(int)random_below(30));
    }
    for (size_t i = 0; i < COUNT(specials); i++) {
        c.gradient[4 * i] = (REAL)specials[i][0];
        c.memory[4 * i] = (REAL)specials[i][1];
        c.parameter[4 * i] = (REAL)specials[i][2];
    }
    return c;
}

/* The same to within so many EPSILON of `size`; the same infinity; NaN both. */
static bool TYPED(is_near)(REAL actual, double expected, double size)
{
    if (!isfinite(expected)) {
        return isnan(expected) ? isnan(actual) : (double)actual == expected;
    }
    return fabs((double)actual - expected) <= 4 * (double)LIMIT(EPSILON) * size;
}

static void TYPED(check_update)(place at, double rate, REAL gradient, REAL memory_before, REAL before,
                                REAL memory_after, REAL after)
{
    const double g = (double)gradient, wide_sum = g * g + (double)memory_before;
    const double sum = wide_sum > (double)LIMIT(MAX) ? INFINITY : wide_sum;
    check_at(at, TYPED(is_near)(memory_after, sum, fabs(sum)), "memory %g with gradient %g became %.17g, not %.17g",
             (double)memory_before, g, (double)memory_after, sum);
    const double step = rate * g / sqrt(sum + 1e-8), expected = (double)before - step;
    check_at(at, TYPED(is_near)(after, expected, fabs((double)before) + fabs(step)),
             "parameter %g with memory %g and gradient %g became %.17g, not %.17g", (double)before,
             (double)memory_before, g, (double)after, expected);
}

static void TYPED(adagrad_case)(const void *nothing)
{
    (void)nothing;
    random_state = 9;
    const TYPED(adagrad_call) given = TYPED(some_updates)(), alone = TYPED(some_updates)();
    memcpy(alone.memory, given.memory, LONGEST * sizeof(REAL));
    memcpy(alone.parameter, given.parameter, LONGEST * sizeof(REAL));
    for (size_t i = 0; i < LONGEST; i++) {
        SITUATION("adagrad, number %zu", i);
        CHECK_OK(TYPED(fastrnn_adagrad)(1, 0.1, given.gradient + i, alone.memory + i, alone.parameter + i));
        TYPED(check_update)(HERE, 0.1, given.gradient[i], given.memory[i], given.parameter[i], alone.memory[i],
                            alone.parameter[i]);
    }
    const size_t mark = memory.in_use;
    for (size_t n = 1; n <= LONGEST; n++) {
        REAL *gradient = TYPED(blanks)(n), *sums = TYPED(blanks)(n), *parameter = TYPED(blanks)(n);
        for (size_t shift = 0; shift < LONGEST; shift += run.quick ? 5 : 1) {
            SITUATION("adagrad, n=%zu shift=%zu", n, shift);
            TYPED(rotate)(n, gradient, given.gradient, shift);
            TYPED(rotate)(n, sums, given.memory, shift);
            TYPED(rotate)(n, parameter, given.parameter, shift);
            CHECK_OK(TYPED(fastrnn_adagrad)(n, 0.1, gradient, sums, parameter));
            TYPED(check_same_values)(HERE, n, gradient, given.gradient, shift);
            TYPED(check_same_values)(HERE, n, sums, alone.memory, shift);
            TYPED(check_same_values)(HERE, n, parameter, alone.parameter, shift);
        }
        release_since(mark);
    }
}

/* ---- softmax cross-entropy ------------------------------------------------------------------------------------- */

static void TYPED(check_softmax)(place at, const TYPED(softmax_call) *c)
{
    const size_t NV = c->N * c->V;
    double *logits = TYPED(widened)(NV, c->logits);
    const double loss = naive_softmax_cross_entropy(c->N, c->V, c->targets, logits);
    check_status(at, FASTRNN_OK, TYPED(softmax_door)(c));
    TYPED(check_loss)(at, *c->loss, loss);
    TYPED(check_close)(at, "dlogits", NV, c->logits, logits, INFINITY);
}

static void TYPED(softmax_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    random_state = 10;
    TYPED(softmax_call) c = TYPED(valid_softmax_call)(s->B, s->V);
    SITUATION("softmax, N=%zu V=%zu", s->B, s->V);
    TYPED(check_softmax)(HERE, &c);
}

/* So many rows that neither the product of their sums nor that of their probabilities is a double. */
static void TYPED(many_rows_case)(const void *nothing)
{
    (void)nothing;
    const size_t N = 1000, V = 64;
    TYPED(softmax_call) c = TYPED(valid_softmax_call)(N, V);
    SITUATION("softmax, %zu rows", N);
    TYPED(check_softmax)(HERE, &c);
    for (size_t i = 0; i < N * V; i++) {
        c.logits[i] = 3; /* each sum is exactly 64 */
    }
    SITUATION("softmax, %zu rows of equal logits", N);
    TYPED(check_softmax)(HERE, &c);
}

/* Logits of either sign and such a size, all the same or one apart, with the target on each of them. */
static void TYPED(large_logits_case)(const void *parameter)
{
    const double size = *(const double *)parameter;
    const size_t V = 21;
    TYPED(softmax_call) c = TYPED(valid_softmax_call)(1, V);
    const size_t mark = memory.in_use;
    for (size_t i = 0; i < 4 * V * V; i++) {
        const double all = i & 1 ? size : -size, one = i & 2 ? size : 0;
        for (size_t j = 0; j < V; j++) {
            c.logits[j] = (REAL)(j == i / 4 / V ? one : all);
        }
        *c.targets = (int64_t)(i / 4 % V);
        SITUATION("softmax, all logits %g but number %zu %g, target %lld", all, i / 4 / V, one, (long long)*c.targets);
        TYPED(check_softmax)(HERE, &c);
        release_since(mark);
    }
}

/* One logit that is infinite or NaN, at each position, with the target on it and beside it. */
static void TYPED(special_logits_case)(const void *nothing)
{
    (void)nothing;
    const size_t V = 37;
    random_state = 11;
    TYPED(softmax_call) c = TYPED(valid_softmax_call)(1, V);
    const size_t mark = memory.in_use;
    const double specials[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(specials) * V * 2; i++) {
        const double special = specials[i / 2 / V];
        const size_t where = i / 2 % V;
        const bool on_target = i % 2;
        for (size_t j = 0; j < V; j++) {
            c.logits[j] = (REAL)random_within(3);
        }
        c.logits[where] = (REAL)special;
        *c.targets = (int64_t)((where + !on_target) % V);
        SITUATION("softmax, logit %zu is %g, target %lld", where, special, (long long)*c.targets);
        if (special < 0 && !on_target) { /* a character with probability 0 */
            TYPED(check_softmax)(HERE, &c);
        } else {
            check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(softmax_door)(&c));
            CHECK(special < 0 ? *c.loss == INFINITY : isnan(*c.loss), "loss is %g", *c.loss);
        }
        release_since(mark);
    }
}

/* ---- all of them ----------------------------------------------------------------------------------------------- */

static void TYPED(test_elementwise)(void)
{
    for (size_t i = 0; i < COUNT(TYPED(functions)); i++) {
        run_case_guarded(TYPED(accuracy_case), &TYPED(functions)[i]);
        run_case_guarded(TYPED(special_values_case), &TYPED(functions)[i]);
        run_case_guarded(TYPED(function_positions_case), &TYPED(functions)[i]);
    }
    const double limits[] = {5, 0.1, 1e30, INFINITY};
    for (size_t i = 0; i < COUNT(limits); i++) {
        run_case_guarded(TYPED(clip_case), &limits[i]);
    }
    run_case_guarded(TYPED(adagrad_case), NULL);
    for (size_t i = 0; i < 5 * 70; i += run.quick ? QUICK_STEP : 1) {
        run_case_guarded(TYPED(softmax_case), &(fastrnn_shape){.B = 1 + i % 5, .V = 1 + i / 5});
    }
    run_case_guarded(TYPED(many_rows_case), NULL);
    const double sizes[] = {1e4, 1e30};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        run_case_guarded(TYPED(large_logits_case), &sizes[i]);
    }
    run_case_guarded(TYPED(special_logits_case), NULL);
}
