/* Sampling. The naive model reads the characters that the library drew, so that one mistake is not counted again with
 * every character after it. */

/* u must fall into the part of the naive cdf that belongs to the character drawn, give or take CDF_TOLERANCE. */
static void TYPED(check_drawn)(place at, size_t V, const double *cdf, double u, int64_t drawn)
{
    const bool valid = drawn >= 0 && drawn < (int64_t)V;
    check_at(at, valid, "character %lld of %zu drawn", (long long)drawn, V);
    if (!valid) {
        return;
    }
    if (CDF_TOLERANCE == 0) {
        int64_t expected = naive_draw(V, cdf, u);
        check_at(at, drawn == expected, "u=%.17g drew %lld, not %lld", u, (long long)drawn, (long long)expected);
        return;
    }
    double low = drawn == 0 ? 0 : cdf[drawn - 1], high = cdf[drawn];
    check_at(at, low - CDF_TOLERANCE <= u && u <= high + CDF_TOLERANCE, "u=%.9g drew %lld, which has [%.9g, %.9g)", u,
             (long long)drawn, low, high);
}

static void TYPED(check_sample)(place at, const TYPED(sample_call) *c, uniform_numbers *numbers)
{
    const fastrnn_shape *s = c->shape;
    fastrnn_char_rnn_f64 model = TYPED(widened_model)(s, c->model);
    double *h = TYPED(widened)(s->H, c->h), *cdf = zeros(s->V);
    const uniform_numbers begin = *numbers;

    check_status(at, FASTRNN_OK, TYPED(sample_door)(c));
    check_at(at, numbers->taken - begin.taken == c->n, "%zu numbers taken from the source, not %zu",
             numbers->taken - begin.taken, c->n);
    *numbers = begin;
    for (size_t i = 0; i < c->n; i++) {
        naive_next_cdf(s, &model, i == 0 ? c->first : c->characters[i - 1], c->temperature, h, cdf);
        TYPED(check_drawn)(at, s->V, cdf, next_uniform_number(numbers), c->characters[i]);
    }
    TYPED(check_close)(at, "h", s->H, c->h, h, INFINITY);
}

static void TYPED(sample_case)(const void *shape)
{
    const fastrnn_shape *s = shape;
    const double temperatures[] = {0.5, 1, 2, (double)LIMIT(TRUE_MIN), (double)LIMIT(MIN), (double)LIMIT(MAX)};
    for (size_t i = 0; i < COUNT(temperatures); i++) {
        const size_t mark = memory.in_use;
        random_state = 5 + i;
        uniform_numbers numbers = {.taken = 0};
        TYPED(sample_call) c = TYPED(valid_sample_call)(s, 40, &numbers);
        c.temperature = temperatures[i];
        SITUATION("sample, H=%zu V=%zu, temperature %g", s->H, s->V, c.temperature);
        TYPED(check_sample)(HERE, &c, &numbers);
        release_since(mark);
    }
}

/* By hand: p = (0, 1/4, 0, 1/2, 1/4, 0) whatever the state. A character whose probability is 0 is never drawn, not
 * even by the smallest and the largest u that there are. */
static void TYPED(by_hand_case)(const void *nothing)
{
    (void)nothing;
    const double quarter = log(0.25), by[] = {-1e4, quarter, -1e4, log(0.5), quarter, -1e4};
    const double u[] = {0, 0.2, 0.3, 0.7, 0.8, 1 - 0x1p-53};
    const int64_t expected[] = {1, 1, 3, 3, 4, 4};
    uniform_numbers numbers = {.given = u};
    TYPED(sample_call) c =
        TYPED(valid_sample_call)(&(fastrnn_shape){.T = 1, .B = 1, .H = 3, .V = COUNT(by)}, COUNT(u), &numbers);
    memset(c.model->output.Why, 0, 3 * COUNT(by) * sizeof(REAL));
    for (size_t i = 0; i < COUNT(by); i++) {
        c.model->output.by[i] = (REAL)by[i];
    }
    SITUATION("sample by hand");
    CHECK_OK(TYPED(sample_door)(&c));
    CHECK(memcmp(c.characters, expected, sizeof expected) == 0, "%lld %lld %lld %lld %lld %lld drawn",
          (long long)c.characters[0], (long long)c.characters[1], (long long)c.characters[2],
          (long long)c.characters[3], (long long)c.characters[4], (long long)c.characters[5]);
}

/* A tie between two characters: the cdf is exactly 1/2 after the first, and u = 1/2 belongs to the second. */
static void TYPED(tie_case)(const void *nothing)
{
    (void)nothing;
    const double u[] = {0.5, 0.5 - 0x1p-53, 0, 1 - 0x1p-53};
    const int64_t expected[] = {1, 0, 0, 1};
    uniform_numbers numbers = {.given = u};
    TYPED(sample_call) c =
        TYPED(valid_sample_call)(&(fastrnn_shape){.T = 1, .B = 1, .H = 1, .V = 2}, COUNT(u), &numbers);
    memset(c.model->output.Why, 0, 2 * sizeof(REAL));
    memset(c.model->output.by, 0, 2 * sizeof(REAL));
    SITUATION("sample a tie");
    CHECK_OK(TYPED(sample_door)(&c));
    CHECK(memcmp(c.characters, expected, sizeof expected) == 0, "%lld %lld %lld %lld drawn",
          (long long)c.characters[0], (long long)c.characters[1], (long long)c.characters[2],
          (long long)c.characters[3]);
}

/* All characters alike, and u just to either side of each border k / V: the cdf is a sum in float64. */
static void TYPED(uniform_case)(const void *nothing)
{
    (void)nothing;
    const size_t V = 200, n = 2 * (V - 1);
    double *u = zeros(n);
    for (size_t i = 0; i < n; i++) {
        u[i] = ((double)(i / 2 + 1) + (i % 2 ? 1e-9 : -1e-9)) / (double)V;
    }
    uniform_numbers numbers = {.given = u};
    TYPED(sample_call) c = TYPED(valid_sample_call)(&(fastrnn_shape){.T = 1, .B = 1, .H = 1, .V = V}, n, &numbers);
    memset(c.model->output.Why, 0, V * sizeof(REAL));
    memset(c.model->output.by, 0, V * sizeof(REAL));
    SITUATION("sample, all characters alike");
    CHECK_OK(TYPED(sample_door)(&c));
    for (size_t i = 0; i < n; i++) {
        CHECK(c.characters[i] == (int64_t)((i + 1) / 2), "u=%.17g drew %lld", u[i], (long long)c.characters[i]);
    }
}

static void TYPED(no_characters_case)(const void *nothing)
{
    (void)nothing;
    uniform_numbers numbers = {.taken = 0};
    TYPED(sample_call) c = TYPED(valid_sample_call)(&(fastrnn_shape){.T = 1, .B = 1, .H = 19, .V = 7}, 0, &numbers);
    REAL *h = guarded_copy(c.h, 19 * sizeof(REAL));
    c.characters = NULL;
    SITUATION("n = 0");
    CHECK_OK(TYPED(sample_door)(&c));
    CHECK(TYPED(same_bits)(19, h, c.h), "the state moved");
    CHECK(numbers.taken == 0, "a number was taken from the source");
}

static void TYPED(sample_not_finite_case)(const void *nothing)
{
    (void)nothing;
    const fastrnn_shape shape = {.T = 1, .B = 1, .H = 19, .V = 37};
    for (size_t i = 0; i < shape.V; i++) {
        const size_t mark = memory.in_use;
        uniform_numbers numbers = {.taken = 0};
        TYPED(sample_call) c = TYPED(valid_sample_call)(&shape, 3, &numbers);
        c.model->output.by[i] = (REAL)(i % 2 ? NAN : INFINITY);
        REAL *h = guarded_copy(c.h, shape.H * sizeof(REAL));
        SITUATION("by[%zu] = %g", i, (double)c.model->output.by[i]);
        check_status(HERE, FASTRNN_ERROR_NOT_FINITE, TYPED(sample_door)(&c));
        CHECK(numbers.taken == 0, "a number was taken from the source");
        CHECK(TYPED(same_bits)(shape.H, h, c.h), "the state moved");
        CHECK(c.characters[0] == -1, "a character was written");
        release_since(mark);
    }
}

static void TYPED(test_sample)(void)
{
    for (size_t i = 0; i < 64; i += run.quick ? QUICK_STEP : 1) {
        fastrnn_shape shape = {.T = 1 + i % 3, .B = 1, .H = 1 + i, .V = 1 + i * 37 % 64}; /* T means nothing here */
        run_case_guarded(TYPED(sample_case), &shape);
    }
    const fastrnn_shape large[] = {{.T = 1, .B = 1, .H = 100, .V = 65}, {.T = 1, .B = 1, .H = 200, .V = 210}};
    for (size_t i = 0; i < COUNT(large); i += run.quick ? QUICK_STEP : 1) {
        run_case_guarded(TYPED(sample_case), &large[i]);
    }
    run_case_guarded(TYPED(by_hand_case), NULL);
    run_case_guarded(TYPED(tie_case), NULL);
    run_case_guarded(TYPED(uniform_case), NULL);
    run_case_guarded(TYPED(no_characters_case), NULL);
    run_case_guarded(TYPED(sample_not_finite_case), NULL);
}
