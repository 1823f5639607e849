/* The character model against the naive implementation. */

/* A probability close to 1 is known to so much; p - 1, a gradient, and -ln p, a loss, can be no better. */
#define PROBABILITY_ROUNDING (4 * (double)LIMIT(EPSILON))

/* n numbers must be what is expected, clipped to [-clip, clip], to within TOLERANCE of the largest one expected. */
static void TYPED(check_close)(place at, const char *name, size_t n, const REAL *actual, const double *expected,
                               double clip)
{
    double largest = 0, worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < n; i++) {
        double value = (double)actual[i], error = fabs(value - fmin(fmax(expected[i], -clip), clip));
        if (isnan(error) || fabs(value) > (double)(REAL)clip) {
            error = INFINITY;
        }
        if (error > worst) {
            worst = error;
            where = i;
        }
        largest = fmax(largest, fabs(expected[i]));
    }
    check_at(at, worst <= TOLERANCE * largest + PROBABILITY_ROUNDING,
             "%s[%zu] of %zu is %.17g, not %.17g (largest %g, clip %g)", name, where, n, (double)actual[where],
             expected[where], largest, clip);
}

static void TYPED(check_gradients)(place at, const fastrnn_shape *s, const TYPED(fastrnn_char_rnn) *actual,
                                   const fastrnn_char_rnn_f64 *expected, double clip)
{
    TYPED(check_close)(at, "dWxh", s->H * s->V, actual->rnn.Wxh, expected->rnn.Wxh, clip);
    TYPED(check_close)(at, "dWhh", s->H * s->H, actual->rnn.Whh, expected->rnn.Whh, clip);
    TYPED(check_close)(at, "dbh", s->H, actual->rnn.bh, expected->rnn.bh, clip);
    TYPED(check_close)(at, "dWhy", s->V * s->H, actual->output.Why, expected->output.Why, clip);
    TYPED(check_close)(at, "dby", s->V, actual->output.by, expected->output.by, clip);
}

static void TYPED(check_loss)(place at, double actual, double expected)
{
    check_at(at, fabs(actual - expected) <= TOLERANCE * expected + PROBABILITY_ROUNDING, "loss is %.17g, not %.17g",
             actual, expected);
}

/* A clip that bites in each of the five gradients. */
static double TYPED(small_clip)(const fastrnn_shape *s, const fastrnn_char_rnn_f64 *gradients)
{
    double bound = smaller_largest(INFINITY, s->H * s->V, gradients->rnn.Wxh);
    bound = smaller_largest(bound, s->H * s->H, gradients->rnn.Whh);
    bound = smaller_largest(bound, s->H, gradients->rnn.bh);
    bound = smaller_largest(bound, s->V * s->H, gradients->output.Why);
    bound = smaller_largest(bound, s->V, gradients->output.by);
    return isfinite(bound) ? 0.3 * bound : 1;
}

/* A door may compute with subnormal numbers as zeros, but must leave its thread able to compute with them. */
static void TYPED(check_subnormals)(place at)
{
    const volatile REAL smallest_normal = LIMIT(MIN);
    const volatile REAL subnormal = smallest_normal / 4;
    check_at(at, subnormal > 0 && subnormal * 4 == smallest_normal, "subnormal numbers have become zeros");
}

/* One call into fresh outputs, or, with `in_place`, with the last state in place of hprev. */
static void TYPED(check_loss_call)(place at, TYPED(loss_call) c, bool in_place, double loss, const double *hlast,
                                   const fastrnn_char_rnn_f64 *gradients)
{
    const fastrnn_shape *s = c.shape;
    const size_t mark = memory.in_use, BH = s->B * s->H;
    TYPED(fastrnn_char_rnn) fresh = TYPED(blank_model)(s);
    c.gradients = gradients != NULL ? &fresh : NULL;
    c.hlast = in_place ? c.hprev : TYPED(blanks)(BH);
    check_status(at, FASTRNN_OK, TYPED(loss_door)(&c));
    TYPED(check_loss)(at, *c.loss, loss);
    TYPED(check_close)(at, "hlast", BH, c.hlast, hlast, INFINITY);
    if (gradients != NULL) {
        TYPED(check_gradients)(at, s, &fresh, gradients, c.clip);
    }
    TYPED(check_subnormals)(at);
    release_since(mark);
}

static void TYPED(loss_case)(const void *shape)
{
    random_state = 1;
    const fastrnn_shape *s = shape;
    const size_t BH = s->B * s->H;
    TYPED(loss_call) c = TYPED(valid_loss_call)(s);

    fastrnn_char_rnn_f64 model = TYPED(widened_model)(s, c.model), gradients = zero_model(s);
    double *hs = zeros(s->T * BH);
    double loss = naive_char_rnn_loss(s, &model, c.inputs, c.targets, TYPED(widened)(BH, c.hprev), &gradients, hs);
    const double *hlast = hs + (s->T - 1) * BH;

    SITUATION("loss, T=%zu B=%zu H=%zu V=%zu", s->T, s->B, s->H, s->V);
    TYPED(check_loss_call)(HERE, c, false, loss, hlast, &gradients);
    TYPED(check_loss_call)(HERE, c, false, loss, hlast, NULL);
    c.clip = TYPED(small_clip)(s, &gradients);
    TYPED(check_loss_call)(HERE, c, true, loss, hlast, &gradients); /* overwrites hprev, so the last one */
}

/* ---- the same input gives the same bits ------------------------------------------------------------------------ */

static void TYPED(copy_gradients)(const fastrnn_shape *s, const TYPED(fastrnn_char_rnn) *src, REAL *dst)
{
    memcpy(dst, src->rnn.Wxh, s->H * s->V * sizeof(REAL));
    memcpy(dst += s->H * s->V, src->rnn.Whh, s->H * s->H * sizeof(REAL));
    memcpy(dst += s->H * s->H, src->rnn.bh, s->H * sizeof(REAL));
    memcpy(dst += s->H, src->output.Why, s->V * s->H * sizeof(REAL));
    memcpy(dst += s->V * s->H, src->output.by, s->V * sizeof(REAL));
}

/* The workspace may begin anywhere and hold anything: the results are the same, and nothing around it is written. */
static void TYPED(workspace_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const size_t n = 2 * s->H * s->V + s->H * s->H + s->H + s->V;
    random_state = 3;
    uniform_numbers numbers = {.taken = 0};
    TYPED(loss_call) loss = TYPED(valid_loss_call)(s);
    TYPED(sample_call) sample = TYPED(valid_sample_call)(s, 5, &numbers);
    TYPED(train_call) train = TYPED(valid_train_call)(s, 10 * (s->T + 1), 1);
    REAL *first = TYPED(blanks)(n), *now = TYPED(blanks)(n);
    size_t bytes;
    CHECK_OK(TYPED(fastrnn_workspace_size)(s, &bytes));
    unsigned char *around = guarded(bytes + 64);
    for (size_t offset = 0; offset <= 64; offset++) {
        SITUATION("T=%zu B=%zu H=%zu V=%zu, workspace %zu bytes into a buffer", s->T, s->B, s->H, s->V, offset);
        const unsigned char filler = offset % 2 ? 0xff : 0x3f; /* NaN and ordinary numbers */
        memset(around, filler, bytes + 64);
        sample.workspace = train.workspace = loss.workspace = around + offset;
        CHECK_OK(TYPED(loss_door)(&loss));
        CHECK_OK(TYPED(sample_door)(&sample));
        CHECK_OK(TYPED(train_door)(&train));
        CHECK(filled_with(filler, around, around + offset), "written before the workspace");
        CHECK(filled_with(filler, around + offset + bytes, around + bytes + 64), "written past the workspace");
        TYPED(copy_gradients)(s, loss.gradients, offset == 0 ? first : now);
        CHECK(offset == 0 || TYPED(same_bits)(n, first, now), "the gradients depend on where the workspace lies");
    }
}

/* ---- what is not finite ---------------------------------------------------------------------------------------- */

/* With *spoilt = value the loss must be `expected`, and only that be written. */
static void TYPED(check_not_finite)(place at, const TYPED(loss_call) *c, REAL *spoilt, REAL value, double expected)
{
    const REAL kept = *spoilt;
    const size_t BH = c->shape->B * c->shape->H;
    *spoilt = value;
    memset(c->hlast, 0xff, BH * sizeof(REAL));
    check_status(at, FASTRNN_ERROR_NOT_FINITE, TYPED(loss_door)(c));
    check_at(at, isnan(expected) ? isnan(*c->loss) : *c->loss == expected, "loss is %g, not %g", *c->loss, expected);
    check_at(at, filled_with(0xff, (unsigned char *)c->hlast, (unsigned char *)(c->hlast + BH)), "hlast was written");
    TYPED(check_subnormals)(at);
    *spoilt = kept;
}

static void TYPED(not_finite_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const size_t H = s->H, V = s->V;
    random_state = 4;
    TYPED(loss_call) c = TYPED(valid_loss_call)(s);
    SITUATION("not finite, T=%zu B=%zu H=%zu V=%zu", s->T, s->B, H, V);
    for (size_t j = 0; j < H; j++) {
        TYPED(check_not_finite)(HERE, &c, &c.model->rnn.bh[j], (REAL)NAN, NAN);
        TYPED(check_not_finite)(HERE, &c, &c.model->rnn.Whh[j], (REAL)NAN, NAN);
        TYPED(check_not_finite)(HERE, &c, &c.model->rnn.Wxh[j * V + (size_t)c.inputs[0]], (REAL)NAN, NAN);
        TYPED(check_not_finite)(HERE, &c, &c.hprev[j], (REAL)NAN, NAN);
    }
    for (size_t i = 0; i < V; i++) {
        TYPED(check_not_finite)(HERE, &c, &c.model->output.by[i], (REAL)NAN, NAN);
        TYPED(check_not_finite)(HERE, &c, &c.model->output.Why[i * H + H - 1], (REAL)NAN, NAN);
    }
    TYPED(check_not_finite)(HERE, &c, &c.model->output.by[c.targets[0]], (REAL)-INFINITY, INFINITY);

    CHECK_OK(TYPED(loss_door)(&c)); /* all is as it was */
}

static void TYPED(test_network)(void)
{
    run_over_short_shapes(TYPED(loss_case));
    run_over_long_shapes(TYPED(loss_case));
    for (size_t V = 1; V <= 16; V++) {
        run_case_guarded(TYPED(workspace_case), &(fastrnn_shape){.T = 2, .B = 1, .H = 2 * V, .V = V});
    }
    run_case_guarded(TYPED(not_finite_case), &(fastrnn_shape){.T = 1, .B = 1, .H = 37, .V = 41});
    run_case_guarded(TYPED(not_finite_case), &(fastrnn_shape){.T = 3, .B = 2, .H = 19, .V = 21});
}
