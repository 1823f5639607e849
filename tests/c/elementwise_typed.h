/* exp, tanh, sigmoid, clip, scale, norm, the losses: accuracy, special values, every length, every position. */

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

/* ---- scale, norm ----------------------------------------------------------------------------------------------- */

static void TYPED(scale_case)(const void *parameter)
{
    const double factor = *(const double *)parameter;
    random_state = 9;
    REAL *values = TYPED(blanks)(LONGEST), *expected = TYPED(blanks)(LONGEST);
    TYPED(fill_with_arguments)(values);
    for (size_t i = 0; i < LONGEST; i++) {
        expected[i] = values[i] * (REAL)factor;
    }
    const size_t mark = memory.in_use;
    for (size_t n = 1; n <= LONGEST; n++) {
        REAL *x = TYPED(blanks)(n);
        for (size_t shift = 0; shift < LONGEST; shift += run.quick ? 5 : 1) {
            SITUATION("scale by %g, n=%zu shift=%zu", factor, n, shift);
            TYPED(rotate)(n, x, values, shift);
            CHECK_OK(TYPED(fastrnn_scale)(n, factor, x));
            TYPED(check_same_values)(HERE, n, x, expected, shift);
        }
        release_since(mark);
    }
}

/* Numbers of one size, from the least to the largest, so that their squares overflow and vanish. */
static void TYPED(norm_case)(const void *nothing)
{
    (void)nothing;
    random_state = 10;
    for (int exponent = LIMIT(MIN_EXP) - LIMIT(MANT_DIG); exponent <= LIMIT(MAX_EXP) - 4; exponent += 5) {
        const size_t n = 1 + random_below(100), mark = memory.in_use;
        REAL *x = TYPED(blanks)(n);
        long double sum = 0; /* of squares of x / 2^exponent */
        for (size_t i = 0; i < n; i++) {
            x[i] = (REAL)ldexp(random_within(1), exponent);
            const long double scaled = ldexpl((long double)x[i], -exponent);
            sum += scaled * scaled;
        }
        const double expected = ldexp((double)sqrtl(sum), exponent);
        TYPED(norm_call) c = {n, x, guarded(sizeof(double))};
        SITUATION("norm of %zu numbers up to 2^%d", n, exponent);
        CHECK_OK(TYPED(norm_door)(&c));
        CHECK(fabs(*c.norm - expected) <= 4 * DBL_EPSILON * expected + DBL_TRUE_MIN, "%.17g, not %.17g", *c.norm,
              expected);
        release_since(mark);
    }
}

/* An infinite number or NaN at each place of each length. */
static void TYPED(special_norm_case)(const void *nothing)
{
    (void)nothing;
    for (size_t n = 1; n <= LONGEST; n++) {
        const size_t mark = memory.in_use;
        REAL *x = TYPED(blanks)(n);
        TYPED(norm_call) c = {n, x, guarded(sizeof(double))};
        for (size_t i = 0; i < n; i++) {
            x[i] = 1;
        }
        for (size_t i = 0; i < n; i++) {
            SITUATION("norm, number %zu of %zu", i, n);
            x[i] = (REAL)-INFINITY;
            CHECK_OK(TYPED(norm_door)(&c));
            CHECK(*c.norm == INFINITY, "%g of an infinite number", *c.norm);
            x[i] = (REAL)NAN;
            CHECK_OK(TYPED(norm_door)(&c));
            CHECK(isnan(*c.norm), "%g of NaN", *c.norm);
            x[i] = 1;
        }
        CHECK_OK(TYPED(norm_door)(&c));
        CHECK(fabs(*c.norm - sqrt((double)n)) <= 4 * DBL_EPSILON * sqrt((double)n), "%.17g of %zu ones", *c.norm, n);
        release_since(mark);
    }
}

/* ---- losses over numbers and their targets --------------------------------------------------------------------- */

/* Logits that are near 0, large, and so large that only one of the terms counts; targets 0 and 1 among others. */
static void TYPED(targets_case)(const void *function)
{
    const TYPED(loss_function) *f = function;
    random_state = 11;
    for (size_t n = 1; n <= LONGEST; n++) {
        const size_t mark = memory.in_use;
        TYPED(targets_call) c = TYPED(valid_targets_call)(f, n);
        c.scale = n % 2 ? 1 : 0.3;
        for (size_t i = 0; i < n; i++) {
            c.targets[i] = i % 3 == 2 ? c.targets[i] : (REAL)(i % 3);
            c.x[i] = (REAL)ldexp((double)c.x[i], (int)random_below(9) - 3);
        }
        REAL *x = guarded_copy(c.x, n * sizeof(REAL));
        SITUATION("%s, n=%zu", f->name, n);
        CHECK_OK(TYPED(targets_door)(&c));
        double loss = 0, size = 0;
        for (size_t i = 0; i < n; i++) {
            const WIDE wide_x = (WIDE)x[i], t = (WIDE)c.targets[i];
            loss += (double)f->loss(wide_x, t);
            size += (double)(WIDE_MATH(fabs)(wide_x * t) + f->loss(wide_x, t));
            const double expected = (double)(REAL)c.scale * (double)f->gradient(wide_x, t);
            CHECK(fabs((double)c.x[i] - expected) <= 4 * (double)LIMIT(EPSILON) * fmax(1, fabs(expected)),
                  "gradient %zu is %.17g, not %.17g", i, (double)c.x[i], expected);
        }
        CHECK(fabs(*c.loss - loss) <= 8 * (double)LIMIT(EPSILON) * size, "loss is %.17g, not %.17g", *c.loss, loss);
        release_since(mark);
    }
}

/* What a confident and right prediction loses is small, and not lost in rounding; the largest logits do not
 * overflow. */
static void TYPED(confident_case)(const void *nothing)
{
    (void)nothing;
    const double logits[] = {1, 10, 30, 60, 80, (double)LIMIT(MAX)};
    for (size_t i = 0; i < 2 * COUNT(logits); i++) {
        const size_t mark = memory.in_use;
        const double x = i % 2 ? logits[i / 2] : -logits[i / 2], expected = log1p(exp(-fabs(x)));
        TYPED(targets_call) c = TYPED(valid_targets_call)(&TYPED(loss_functions)[0], 1);
        c.x[0] = (REAL)x;
        c.targets[0] = (REAL)(i % 2);
        SITUATION("cross-entropy of %g", x);
        CHECK_OK(TYPED(targets_door)(&c));
        CHECK(fabs(*c.loss - expected) <= 8 * (double)LIMIT(EPSILON) * expected, "loss is %.17g, not %.17g", *c.loss,
              expected);
        release_since(mark);
    }
}

/* A number that is infinite or NaN, at each position. */
static void TYPED(special_targets_case)(const void *function)
{
    const size_t n = 37;
    TYPED(targets_call) c = TYPED(valid_targets_call)(function, n);
    const double specials[] = {NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < COUNT(specials) * n; i++) {
        for (size_t j = 0; j < n; j++) {
            c.x[j] = (REAL)random_within(3);
            c.targets[j] = (REAL)0.5;
        }
        c.x[i % n] = (REAL)specials[i / n];
        SITUATION("%s, number %zu is %g", c.function->name, i % n, specials[i / n]);
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(targets_door)(&c));
        CHECK(!isfinite(*c.loss), "loss is %g", *c.loss);
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
    const double factors[] = {1, -0.37, 0, 1e30};
    for (size_t i = 0; i < COUNT(factors); i++) {
        run_case_guarded(TYPED(scale_case), &factors[i]);
    }
    run_case_guarded(TYPED(norm_case), NULL);
    run_case_guarded(TYPED(special_norm_case), NULL);
    for (size_t i = 0; i < COUNT(TYPED(loss_functions)); i++) {
        run_case_guarded(TYPED(targets_case), &TYPED(loss_functions)[i]);
        run_case_guarded(TYPED(special_targets_case), &TYPED(loss_functions)[i]);
    }
    run_case_guarded(TYPED(confident_case), NULL);
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
