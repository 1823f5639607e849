/* Training: many iterations in one call against the naive ones, and against fewer of them in more calls. */

/* The numbers that training changes, one after the other: a model, the optimizer's memory, the state. */
typedef struct {
    REAL *parts[11];
    size_t sizes[11];
} TYPED(trained);

static TYPED(trained) TYPED(trained_parts)(const TYPED(train_call) *c)
{
    const fastrnn_shape *s = c->shape;
    const TYPED(fastrnn_char_rnn) *m = c->model, *n = c->memory;
    const size_t H = s->H, V = s->V;
    return (TYPED(trained)){{m->rnn.Wxh, m->rnn.Whh, m->rnn.bh, m->output.Why, m->output.by, n->rnn.Wxh, n->rnn.Whh,
                             n->rnn.bh, n->output.Why, n->output.by, c->hprev},
                            {H * V, H * H, H, V * H, V, H * V, H * H, H, V * H, V, s->B * H}};
}

static const char *const TYPED(trained_names)[] = {"Wxh",           "Whh",          "bh",
                                                   "Why",           "by",           "memory of Wxh",
                                                   "memory of Whh", "memory of bh", "memory of Why",
                                                   "memory of by",  "hprev"};

static void TYPED(check_progress)(place at, const fastrnn_training *actual, const fastrnn_training *expected)
{
    check_at(at, actual->position == expected->position, "position is %zu, not %zu", actual->position,
             expected->position);
    check_at(at, actual->iterations == expected->iterations, "%zu iterations, not %zu", actual->iterations,
             expected->iterations);
    TYPED(check_loss)(at, actual->loss, expected->loss);
    TYPED(check_loss)(at, actual->smooth_loss, expected->smooth_loss);
}

/* A text that wraps twice, with a remainder that does not fill a sequence, nor all streams. */
static size_t TYPED(text_length)(const fastrnn_shape *s)
{
    const size_t stream = 2 * s->T + 1 + s->H % (s->T + 1);
    return s->B * stream + s->V % s->B;
}

/* One iteration by the library and one by the naive implementation, from the same point. */
static void TYPED(check_iteration)(place at, const TYPED(train_call) *c)
{
    const fastrnn_shape *s = c->shape;
    fastrnn_char_rnn_f64 model = TYPED(widened_model)(s, c->model), sums = TYPED(widened_model)(s, c->memory);
    double *hprev = TYPED(widened)(s->B * s->H, c->hprev);
    fastrnn_training training = *c->training;

    check_status(at, FASTRNN_OK, TYPED(train_door)(c));
    naive_train(s, &model, &sums, hprev, &training);

    TYPED(check_progress)(at, c->training, &training);
    TYPED(trained) actual = TYPED(trained_parts)(c);
    const double *const expected[] = {model.rnn.Wxh, model.rnn.Whh, model.rnn.bh, model.output.Why, model.output.by,
                                      sums.rnn.Wxh,  sums.rnn.Whh,  sums.rnn.bh,  sums.output.Why,  sums.output.by,
                                      hprev};
    for (size_t j = 0; j < COUNT(expected); j++) {
        TYPED(check_close)(at, TYPED(trained_names)[j], actual.sizes[j], actual.parts[j], expected[j], INFINITY);
    }
}

static void TYPED(train_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    random_state = 13;
    TYPED(train_call) c = TYPED(valid_train_call)(s, TYPED(text_length)(s), 1);
    for (size_t i = 0; i < 3; i++) {
        const size_t mark = memory.in_use;
        SITUATION("train, T=%zu B=%zu H=%zu V=%zu, iteration %zu", s->T, s->B, s->H, s->V, i);
        TYPED(check_iteration)(HERE, &c);
        release_since(mark);
    }
    TYPED(check_subnormals)(HERE);
}

/* ---- the same iterations, differently ended -------------------------------------------------------------------- */

/* Both calls must have got to the same point, to the bit; the loss of an iteration that failed is left out. */
static void TYPED(check_same_point)(place at, const TYPED(train_call) *a, const TYPED(train_call) *b, bool failed)
{
    TYPED(trained) x = TYPED(trained_parts)(a), y = TYPED(trained_parts)(b);
    for (size_t j = 0; j < COUNT(x.parts); j++) {
        check_at(at, TYPED(same_bits)(x.sizes[j], x.parts[j], y.parts[j]), "%s differs", TYPED(trained_names)[j]);
    }
    check_at(at, a->training->position == b->training->position, "position is %zu, not %zu", a->training->position,
             b->training->position);
    check_at(at, a->training->iterations == b->training->iterations, "%zu iterations, not %zu",
             a->training->iterations, b->training->iterations);
    check_at(at, a->training->smooth_loss == b->training->smooth_loss, "the smooth loss differs");
    check_at(at, failed || a->training->loss == b->training->loss, "the loss differs");
}

static TYPED(train_call) TYPED(same_train_call)(const fastrnn_shape *s, size_t iterations)
{
    random_state = 14;
    return TYPED(valid_train_call)(s, s->B * (6 * s->T + 3), iterations);
}

/* Four iterations and three more are seven, and so are a hundred of which the seventh is interrupted. */
static void TYPED(interrupted_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    TYPED(train_call) whole = TYPED(same_train_call)(s, 7), parts = TYPED(same_train_call)(s, 4),
                      interrupted = TYPED(same_train_call)(s, 100);
    size_t left = 7;
    *interrupted.interruption = (fastrnn_interruption){after_so_many, &left};
    whole.interruption = NULL;
    SITUATION("train, T=%zu B=%zu H=%zu V=%zu", s->T, s->B, s->H, s->V);
    CHECK_OK(TYPED(train_door)(&whole));
    CHECK_OK(TYPED(train_door)(&parts));
    parts.iterations = 3;
    CHECK_OK(TYPED(train_door)(&parts));
    CHECK_OK(TYPED(train_door)(&interrupted));
    TYPED(check_same_point)(HERE, &parts, &whole, false);
    TYPED(check_same_point)(HERE, &interrupted, &whole, false);

    whole.iterations = 0;
    CHECK_OK(TYPED(train_door)(&whole));
    TYPED(check_same_point)(HERE, &whole, &parts, false);
}

/* An iteration that fails, the fourth, leaves everything as the third did. */
static void TYPED(failing_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const size_t second_stream = 6 * s->T + 3, last_of_fourth = second_stream + 4 * s->T;
    TYPED(train_call) three = TYPED(same_train_call)(s, 3), failing = TYPED(same_train_call)(s, 7);
    int64_t *text = (int64_t *)failing.training->text.tokens;
    size_t left = 100;
    *failing.interruption = (fastrnn_interruption){after_so_many, &left};
    CHECK_OK(TYPED(train_door)(&three));

    /* The first of these fails in the fourth iteration, what comes after it in its first. */
    const int64_t kept = text[last_of_fourth], bad[] = {-1, (int64_t)s->V, INT64_MIN, INT64_MAX};
    for (size_t i = 0; i < COUNT(bad); i++) {
        SITUATION("train, character %lld of %zu", (long long)bad[i], s->V);
        text[last_of_fourth] = bad[i];
        check_status(HERE, FASTRNN_ERROR_INDEX, TYPED(train_door)(&failing));
        TYPED(check_same_point)(HERE, &failing, &three, false);
    }
    text[last_of_fourth] = kept;
    CHECK(left + 3 + COUNT(bad) >= 100, "it went on after it had failed");

    SITUATION("train, the first character is outside");
    failing.training->position = three.training->position = 0;
    const int64_t first = text[0];
    text[0] = (int64_t)s->V;
    check_status(HERE, FASTRNN_ERROR_INDEX, TYPED(train_door)(&failing));
    TYPED(check_same_point)(HERE, &failing, &three, false);
    text[0] = first;

    SITUATION("train, hprev is NaN");
    failing.hprev[0] = three.hprev[0] = (REAL)NAN;
    check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(train_door)(&failing));
    CHECK(isnan(failing.training->loss), "loss is %g", failing.training->loss);
    TYPED(check_same_point)(HERE, &failing, &three, true);
    TYPED(check_subnormals)(HERE);
}

/* A sequence that ends with the text, and one that leaves T + 2 characters or one fewer: only the latter wraps. */
static void TYPED(wrap_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const size_t stream = 3 * s->T + 4, positions[] = {stream - (s->T + 1), stream - (2 * s->T + 2),
                                                       stream - (2 * s->T + 1)};
    const bool wraps[] = {true, false, true};
    for (size_t i = 0; i < COUNT(positions); i++) {
        random_state = 15;
        const size_t mark = memory.in_use, BH = s->B * s->H;
        TYPED(train_call) c = TYPED(valid_train_call)(s, s->B * stream, 1);
        c.training->position = positions[i];
        SITUATION("train, T=%zu B=%zu, from %zu of %zu on", s->T, s->B, positions[i], stream);
        CHECK_OK(TYPED(train_door)(&c));
        CHECK(c.training->position == (wraps[i] ? 0 : positions[i] + s->T), "position is %zu", c.training->position);
        CHECK(filled_with(0, (unsigned char *)c.hprev, (unsigned char *)(c.hprev + BH)) == wraps[i],
              wraps[i] ? "the state is not zero" : "the state is zero");
        release_since(mark);
    }
}

static void TYPED(test_train)(void)
{
    run_over_short_shapes(TYPED(train_case));
    const fastrnn_shape long_sums[] = {{40, 7, 64, 20}, {40, 25, 5, 6}}; /* taken in blocks, as in known_shape */
    for (size_t i = 0; i < COUNT(long_sums); i += run.quick ? QUICK_STEP : 1) {
        run_case_guarded(TYPED(train_case), &long_sums[i]);
    }
    const fastrnn_shape shapes[] = {{2, 2, 7, 5}, {5, 3, 33, 20}, {1, 2, 100, 66}, {4, 2, 1, 1}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        run_case_guarded(TYPED(interrupted_case), &shapes[i]);
        run_case_guarded(TYPED(failing_case), &shapes[i]);
        run_case_guarded(TYPED(wrap_case), &shapes[i]);
    }
}
