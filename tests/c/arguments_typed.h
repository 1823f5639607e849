/* What each door refuses; and a refused call writes nothing, which check_refusal sees to. */

#define OFFSET(call, member) offsetof(TYPED(call), member)

static const size_t TYPED(model_pointers)[] = {
    OFFSET(fastrnn_char_rnn, rnn.Wxh), OFFSET(fastrnn_char_rnn, rnn.Whh), OFFSET(fastrnn_char_rnn, rnn.bh),
    OFFSET(fastrnn_char_rnn, output.Why), OFFSET(fastrnn_char_rnn, output.by)};

static const fastrnn_shape TYPED(plain) = {.T = 3, .B = 2, .H = 5, .V = 7};
static const fastrnn_shape TYPED(plain_sample) = {.T = 1, .B = 1, .H = 5, .V = 7};

/* Limits and temperatures that are not above 0 as a REAL: the last one is only as a double, if at all. */
static const double TYPED(not_positive)[] = {0, -0.0, -1, -INFINITY, NAN, (double)LIMIT(TRUE_MIN) / 4};

static const double TYPED(not_finite)[] = {NAN, INFINITY, -INFINITY, (double)LIMIT(MAX) * 2};

static void TYPED(size_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(size_call) c = TYPED(valid_size_call)(&TYPED(plain));
    const size_t pointers[] = {OFFSET(size_call, shape), OFFSET(size_call, bytes)};
    check_nulls(HERE, TYPED(size_door), &c, &c, COUNT(pointers), pointers);
    check_shapes_refused(HERE, TYPED(size_door), &c, c.shape);

    /* At the limits the size is still a sum without overflow. */
    const size_t units = ((size_t)1 << 24) - 1, cells = ((size_t)1 << 32) - 1;
    const fastrnn_shape largest[] = {{cells, 1, units, units}, {1, cells, units, units}};
    for (size_t i = 0; i < COUNT(largest); i++) {
        *c.shape = largest[i];
        SITUATION("T=%zu B=%zu H=%zu V=%zu", c.shape->T, c.shape->B, c.shape->H, c.shape->V);
        CHECK_OK(TYPED(size_door)(&c));
        const double states_and_scores = 3.0 * (double)cells * (double)units * sizeof(REAL);
        CHECK((double)*c.bytes > states_and_scores, "only %zu bytes", *c.bytes);
    }
}

static void TYPED(loss_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(loss_call) c = TYPED(valid_loss_call)(&TYPED(plain));
    const size_t n = c.shape->T * c.shape->B, V = c.shape->V;
    const size_t pointers[] = {OFFSET(loss_call, shape),   OFFSET(loss_call, model), OFFSET(loss_call, inputs),
                               OFFSET(loss_call, targets), OFFSET(loss_call, hprev), OFFSET(loss_call, hlast),
                               OFFSET(loss_call, loss),    OFFSET(loss_call, workspace)};
    check_nulls(HERE, TYPED(loss_door), &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, TYPED(loss_door), &c, c.model, COUNT(TYPED(model_pointers)), TYPED(model_pointers));
    check_nulls(HERE, TYPED(loss_door), &c, c.gradients, COUNT(TYPED(model_pointers)), TYPED(model_pointers));
    check_shapes_refused(HERE, TYPED(loss_door), &c, c.shape);
    check_indices_refused(HERE, TYPED(loss_door), &c, n, c.inputs, V);
    check_indices_refused(HERE, TYPED(loss_door), &c, n, c.targets, V);
    check_values_refused(HERE, TYPED(loss_door), &c, &c.clip, COUNT(TYPED(not_positive)), TYPED(not_positive));
    CHECK_OK(TYPED(loss_door)(&c)); /* so it was each of these that was refused, not something else */
}

/* What no door that trains takes, whatever it learns from. */
static void TYPED(check_run_refused)(place at, door *open, const void *call, fastrnn_training *training)
{
    const fastrnn_training good = *training;
    fastrnn_schedule *schedule = &training->schedule;
    const double no_factor[] = {-0.1, 1.5, NAN}, no_limit[] = {0, -1, -INFINITY, NAN};
    check_values_refused(at, open, call, &training->clip_value, COUNT(TYPED(not_positive)), TYPED(not_positive));
    check_values_refused(at, open, call, &training->clip_norm, COUNT(no_limit), no_limit);
    check_values_refused(at, open, call, &training->dropout, 3, (double[]){-0.1, 1, NAN});
    check_values_refused(at, open, call, &schedule->learning_rate, COUNT(TYPED(not_finite)), TYPED(not_finite));
    schedule->n = 1;
    for (fastrnn_decay decay = FASTRNN_STEPS; decay <= FASTRNN_COSINE; decay++) {
        schedule->decay = decay;
        check_values_refused(at, open, call, &schedule->factor, COUNT(no_factor), no_factor);
    }
    const fastrnn_schedule bad[] = {{1, FASTRNN_STEPS, 0, 0, 0.5},
                                    {1, FASTRNN_COSINE, 0, 0, 0.5},
                                    {1, (fastrnn_decay)(FASTRNN_COSINE + 1), 0, 1, 0.5},
                                    {1, (fastrnn_decay)-1, 0, 1, 0.5}};
    for (size_t i = 0; i < COUNT(bad); i++) {
        *schedule = bad[i];
        situation_at(at, "schedule %zu", i);
        check_refusal(at, FASTRNN_ERROR_VALUE, open, call);
    }
    *training = good;
}

/* Nor over a text, of which it reads B sequences of T tokens. */
static void TYPED(check_training_refused)(place at, door *open, const void *call, fastrnn_training *training, size_t T,
                                          size_t B)
{
    const fastrnn_training good = *training;
    const size_t stream = good.text.length / B;
    check_nulls(at, open, call, training, 1, &(size_t){offsetof(fastrnn_training, text.tokens)});
    TYPED(check_run_refused)(at, open, call, training);
    for (size_t width = 0; width < 10; width++) {
        training->text.width = width;
        situation_at(at, "tokens of %zu bytes", width);
        if (width != 1 && width != 2 && width != 4 && width != 8) {
            check_refusal(at, FASTRNN_ERROR_VALUE, open, call);
        }
    }
    *training = good;
    training->text.length = SIZE_MAX;
    situation_at(at, "a text longer than there are places");
    check_refusal(at, FASTRNN_ERROR_VALUE, open, call);

    const struct {
        size_t length;
        int random_chunks;
    } too_short[] = {{0, 0}, {T, 0}, {B * (T + 1) - 1, 0}, {0, 1}, {T, 1}};
    for (size_t i = 0; i < COUNT(too_short); i++) {
        training->text.length = too_short[i].length;
        training->random_chunks = too_short[i].random_chunks;
        situation_at(at, "length %zu", training->text.length);
        check_refusal(at, FASTRNN_ERROR_SHAPE, open, call);
    }
    *training = good;
    const size_t late_positions[] = {stream - T, stream, SIZE_MAX};
    for (size_t i = 0; i < COUNT(late_positions); i++) {
        training->position = late_positions[i];
        situation_at(at, "position %zu", training->position);
        check_refusal(at, FASTRNN_ERROR_VALUE, open, call);
    }
    *training = good;
}

static void TYPED(train_arguments_case)(const void *nothing)
{
    (void)nothing;
    const fastrnn_shape *s = &TYPED(plain);
    TYPED(train_call) c = TYPED(valid_train_call)(s, s->B * (s->T + 4) + 1, 2);
    const size_t pointers[] = {OFFSET(train_call, shape), OFFSET(train_call, model),    OFFSET(train_call, memory),
                               OFFSET(train_call, hprev), OFFSET(train_call, training), OFFSET(train_call, workspace)};
    check_nulls(HERE, TYPED(train_door), &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, TYPED(train_door), &c, c.model, COUNT(TYPED(model_pointers)), TYPED(model_pointers));
    check_nulls(HERE, TYPED(train_door), &c, c.memory, COUNT(TYPED(model_pointers)), TYPED(model_pointers));
    check_nulls(HERE, TYPED(train_door), &c, c.interruption, 1, &(size_t){offsetof(fastrnn_interruption, poll)});
    check_shapes_refused(HERE, TYPED(train_door), &c, c.shape);
    TYPED(check_training_refused)(HERE, TYPED(train_door), &c, c.training, s->T, s->B);
    check_values_refused(HERE, TYPED(train_door), &c, &c.training->dropout, 1, (double[]){0.5}); /* it has none */
    check_values_refused(HERE, TYPED(train_door), &c, &c.training->clip_norm, 1, (double[]){5});
    CHECK_OK(TYPED(train_door)(&c));
}

static void TYPED(sample_arguments_case)(const void *nothing)
{
    (void)nothing;
    uniform_numbers numbers = {.taken = 0};
    TYPED(sample_call) c = TYPED(valid_sample_call)(&TYPED(plain_sample), 4, &numbers);
    const size_t pointers[] = {OFFSET(sample_call, shape),      OFFSET(sample_call, model),
                               OFFSET(sample_call, h),          OFFSET(sample_call, uniform),
                               OFFSET(sample_call, characters), OFFSET(sample_call, workspace)};
    const size_t next[] = {offsetof(fastrnn_uniform_source, next)};
    check_nulls(HERE, TYPED(sample_door), &c, &c, COUNT(pointers), pointers);
    check_nulls(HERE, TYPED(sample_door), &c, c.model, COUNT(TYPED(model_pointers)), TYPED(model_pointers));
    check_nulls(HERE, TYPED(sample_door), &c, c.uniform, 1, next);
    check_shapes_refused(HERE, TYPED(sample_door), &c, c.shape);
    c.shape->B = 2;
    SITUATION("B=2");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(sample_door), &c);
    c.shape->B = 1;
    check_indices_refused(HERE, TYPED(sample_door), &c, 1, &c.first, c.shape->V);
    const double beyond[] = {INFINITY, ldexp((double)LIMIT(MAX), 1)}; /* the latter is infinite as a REAL */
    check_values_refused(HERE, TYPED(sample_door), &c, &c.temperature, COUNT(TYPED(not_positive)),
                         TYPED(not_positive));
    check_values_refused(HERE, TYPED(sample_door), &c, &c.temperature, COUNT(beyond), beyond);
    CHECK(numbers.taken == 0, "a number was taken from the source although the call was refused");
    CHECK_OK(TYPED(sample_door)(&c));
}

static void TYPED(softmax_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(softmax_call) c = TYPED(valid_softmax_call)(3, 5);
    const size_t pointers[] = {OFFSET(softmax_call, targets), OFFSET(softmax_call, logits),
                               OFFSET(softmax_call, loss)};
    check_nulls(HERE, TYPED(softmax_door), &c, &c, COUNT(pointers), pointers);
    check_indices_refused(HERE, TYPED(softmax_door), &c, c.N, c.targets, c.V);
    c.N = 0;
    SITUATION("N=0");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(softmax_door), &c);
    c.N = 3;
    c.V = 0;
    SITUATION("V=0");
    check_refusal(HERE, FASTRNN_ERROR_SHAPE, TYPED(softmax_door), &c);
    c.V = 5;
    CHECK_OK(TYPED(softmax_door)(&c));
}

static void TYPED(elementwise_arguments_case)(const void *nothing)
{
    (void)nothing;
    TYPED(clip_call) clip = {5, 1, TYPED(randoms)(5, 3)};
    check_nulls(HERE, TYPED(clip_door), &clip, &clip, 1, &(size_t){OFFSET(clip_call, x)});
    check_values_refused(HERE, TYPED(clip_door), &clip, &clip.limit, COUNT(TYPED(not_positive)), TYPED(not_positive));
    CHECK_OK(TYPED(clip_door)(&clip));

    TYPED(scale_call) scale = {5, 1, TYPED(randoms)(5, 3)};
    check_nulls(HERE, TYPED(scale_door), &scale, &scale, 1, &(size_t){OFFSET(scale_call, x)});
    check_values_refused(HERE, TYPED(scale_door), &scale, &scale.factor, COUNT(TYPED(not_finite)), TYPED(not_finite));
    CHECK_OK(TYPED(scale_door)(&scale));

    TYPED(norm_call) norm = {5, TYPED(randoms)(5, 3), guarded(sizeof(double))};
    const size_t x_and_norm[] = {OFFSET(norm_call, x), OFFSET(norm_call, norm)};
    check_nulls(HERE, TYPED(norm_door), &norm, &norm, COUNT(x_and_norm), x_and_norm);
    CHECK_OK(TYPED(norm_door)(&norm));

    const size_t x_and_y[] = {OFFSET(function_call, x), OFFSET(function_call, y)};
    for (size_t i = 0; i < COUNT(TYPED(functions)); i++) {
        TYPED(function_call) c = {&TYPED(functions)[i], 5, TYPED(randoms)(5, 1), TYPED(blanks)(5)};
        check_nulls(HERE, TYPED(function_door), &c, &c, COUNT(x_and_y), x_and_y);
        CHECK_OK(TYPED(function_door)(&c));
    }
}

static void TYPED(targets_arguments_case)(const void *nothing)
{
    (void)nothing;
    const size_t pointers[] = {OFFSET(targets_call, targets), OFFSET(targets_call, x), OFFSET(targets_call, loss)};
    for (size_t i = 0; i < COUNT(TYPED(loss_functions)); i++) {
        TYPED(targets_call) c = TYPED(valid_targets_call)(&TYPED(loss_functions)[i], 5);
        check_nulls(HERE, TYPED(targets_door), &c, &c, COUNT(pointers), pointers);
        check_values_refused(HERE, TYPED(targets_door), &c, &c.scale, COUNT(TYPED(not_finite)), TYPED(not_finite));
        CHECK_OK(TYPED(targets_door)(&c));
    }
    const double bad_targets[] = {NAN, -1e-3, 1.001, INFINITY};
    TYPED(targets_call) c = TYPED(valid_targets_call)(&TYPED(loss_functions)[0], 5);
    for (size_t i = 0; i < COUNT(bad_targets) * c.n; i++) {
        const REAL kept = c.targets[i % c.n];
        c.targets[i % c.n] = (REAL)bad_targets[i / c.n];
        SITUATION("target %g", bad_targets[i / c.n]);
        check_refusal(HERE, FASTRNN_ERROR_VALUE, TYPED(targets_door), &c);
        c.targets[i % c.n] = kept;
    }
}

/* Every optimizer's pointers, NULL one after the other: those of arrays that it does not need are NULL anyway. */
static void TYPED(optimizer_pointers_case)(const void *parameter)
{
    const TYPED(optimizer) *optimizer = parameter;
    TYPED(optimizer_call) c = TYPED(valid_optimizer_call)(optimizer, 5);
    const size_t pointers[] = {OFFSET(optimizer_call, settings), OFFSET(optimizer_call, arrays)};
    check_nulls(HERE, TYPED(optimizer_door), &c, &c, COUNT(pointers), pointers);
    const size_t needed[] = {OFFSET(fastrnn_update, parameter), OFFSET(fastrnn_update, gradient)};
    check_nulls(HERE, TYPED(optimizer_door), &c, c.arrays, COUNT(needed), needed);
    if (optimizer->momentum) {
        check_nulls(HERE, TYPED(optimizer_door), &c, c.arrays, 1, &(size_t){OFFSET(fastrnn_update, momentum)});
    }
    if (optimizer->mean) {
        check_nulls(HERE, TYPED(optimizer_door), &c, c.arrays, 1, &(size_t){OFFSET(fastrnn_update, mean)});
    }
    if (optimizer->squares) {
        check_nulls(HERE, TYPED(optimizer_door), &c, c.arrays, 1, &(size_t){OFFSET(fastrnn_update, squares)});
    }
    CHECK_OK(TYPED(optimizer_door)(&c));
    c.n = 0;
    SITUATION("n = 0");
    *c.arrays = (TYPED(fastrnn_update)){.parameter = NULL};
    CHECK_OK(TYPED(optimizer_door)(&c));
}

/* Numbers that must be >= 0, and fractions, in [0, 1). */
static const double TYPED(negative)[] = {-1, -1e-3, NAN, INFINITY, (double)LIMIT(MAX) * 2};
static const double TYPED(no_fraction)[] = {-0.1, 1, 1.5, NAN, INFINITY};

static void TYPED(check_rates_refused)(place at, const TYPED(optimizer_call) *c, double *learning_rate, double *decay)
{
    check_values_refused(at, TYPED(optimizer_door), c, learning_rate, COUNT(TYPED(not_finite)), TYPED(not_finite));
    check_values_refused(at, TYPED(optimizer_door), c, decay, COUNT(TYPED(negative)), TYPED(negative));
}

static void TYPED(check_iteration_refused)(place at, const TYPED(optimizer_call) *c, uint64_t *iteration)
{
    const uint64_t kept = *iteration;
    *iteration = 0;
    situation_at(at, "iteration 0");
    check_refusal(at, FASTRNN_ERROR_VALUE, TYPED(optimizer_door), c);
    *iteration = kept;
}

static void TYPED(optimizer_settings_case)(const void *parameter)
{
    const TYPED(optimizer) *optimizer = parameter;
    const TYPED(optimizer_call) c = TYPED(valid_optimizer_call)(optimizer, 5);
    door *open = TYPED(optimizer_door);
    if (optimizer->naive == naive_sgd) {
        fastrnn_sgd *s = &c.settings->sgd;
        TYPED(check_rates_refused)(HERE, &c, &s->learning_rate, &s->weight_decay);
        if (optimizer->momentum) {
            check_values_refused(HERE, open, &c, &s->momentum, COUNT(TYPED(negative)), TYPED(negative));
        }
        check_values_refused(HERE, open, &c, &s->dampening, COUNT(TYPED(not_finite)), TYPED(not_finite));
        TYPED(check_iteration_refused)(HERE, &c, &s->iteration);
        s->nesterov = 1;
        s->dampening = 0.5;
        SITUATION("Nesterov's momentum with dampening");
        check_refusal(HERE, FASTRNN_ERROR_VALUE, open, &c);
        s->dampening = 0;
        s->momentum = 0;
        SITUATION("Nesterov's momentum without momentum");
        check_refusal(HERE, FASTRNN_ERROR_VALUE, open, &c);
    } else if (optimizer->naive == naive_adagrad) {
        fastrnn_adagrad *s = &c.settings->adagrad;
        TYPED(check_rates_refused)(HERE, &c, &s->learning_rate, &s->weight_decay);
        check_values_refused(HERE, open, &c, &s->eps, COUNT(TYPED(negative)), TYPED(negative));
        s->eps_inside_sqrt = 1;
        check_values_refused(HERE, open, &c, &s->eps, 2, (double[]){0, (double)LIMIT(MIN) / 2});
    } else if (optimizer->naive == naive_rmsprop) {
        fastrnn_rmsprop *s = &c.settings->rmsprop;
        TYPED(check_rates_refused)(HERE, &c, &s->learning_rate, &s->weight_decay);
        check_values_refused(HERE, open, &c, &s->eps, COUNT(TYPED(negative)), TYPED(negative));
        check_values_refused(HERE, open, &c, &s->alpha, COUNT(TYPED(no_fraction)), TYPED(no_fraction));
        if (optimizer->momentum) {
            check_values_refused(HERE, open, &c, &s->momentum, COUNT(TYPED(negative)), TYPED(negative));
        }
    } else {
        fastrnn_adam *s = &c.settings->adam;
        TYPED(check_rates_refused)(HERE, &c, &s->learning_rate, &s->weight_decay);
        check_values_refused(HERE, open, &c, &s->eps, COUNT(TYPED(negative)), TYPED(negative));
        check_values_refused(HERE, open, &c, &s->beta1, COUNT(TYPED(no_fraction)), TYPED(no_fraction));
        check_values_refused(HERE, open, &c, &s->beta2, COUNT(TYPED(no_fraction)), TYPED(no_fraction));
        TYPED(check_iteration_refused)(HERE, &c, &s->iteration);
    }
}

/* No numbers at all are as good as any, and need no memory. */
static void TYPED(nothing_to_do_case)(const void *nothing)
{
    (void)nothing;
    SITUATION("n = 0");
    CHECK_OK(TYPED(fastrnn_clip)(0, 1, NULL));
    CHECK_OK(TYPED(fastrnn_scale)(0, 1, NULL));
    double number = -1;
    CHECK_OK(TYPED(fastrnn_norm)(0, NULL, &number));
    CHECK(number == 0, "the norm of nothing is %g", number);
    for (size_t i = 0; i < COUNT(TYPED(loss_functions)); i++) {
        CHECK_OK(TYPED(loss_functions)[i].apply(0, 1, NULL, NULL, &number));
        CHECK(number == 0, "the loss of nothing is %g", number);
    }
    for (size_t i = 0; i < COUNT(TYPED(functions)); i++) {
        CHECK_OK(TYPED(functions)[i].apply(0, NULL, NULL));
        CHECK_OK(TYPED(functions)[i].apply(0, guarded(0), guarded(0)));
    }
    CHECK_OK(TYPED(fastrnn_clip)(0, 1, guarded(0)));
    check_status(HERE, FASTRNN_ERROR_VALUE, TYPED(fastrnn_clip)(0, 0, NULL));
}

static void TYPED(test_arguments)(void)
{
    test_case *cases[] = {TYPED(size_arguments_case),    TYPED(loss_arguments_case),
                          TYPED(train_arguments_case),   TYPED(sample_arguments_case),
                          TYPED(softmax_arguments_case), TYPED(elementwise_arguments_case),
                          TYPED(targets_arguments_case), TYPED(nothing_to_do_case)};
    for (size_t i = 0; i < COUNT(cases); i++) {
        random_state = 12;
        run_case_guarded(cases[i], NULL);
    }
    for (size_t i = 0; i < COUNT(TYPED(optimizers)); i++) {
        run_case_guarded(TYPED(optimizer_pointers_case), &TYPED(optimizers)[i]);
        run_case_guarded(TYPED(optimizer_settings_case), &TYPED(optimizers)[i]);
    }
}

/* With FASTRNN_ISA naming an instruction set that is not there, and none chosen before, every door refuses. */
static void TYPED(no_isa_case)(const void *nothing)
{
    (void)nothing;
    uniform_numbers numbers = {.taken = 0};
    TYPED(size_call) size = TYPED(valid_size_call)(&TYPED(plain));
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(size_door), &size);
    TYPED(loss_call) loss = TYPED(valid_loss_call)(&TYPED(plain));
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(loss_door), &loss);
    TYPED(train_call) train = TYPED(valid_train_call)(&TYPED(plain), 20, 2);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(train_door), &train);
    TYPED(sample_call) sample = TYPED(valid_sample_call)(&TYPED(plain_sample), 4, &numbers);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(sample_door), &sample);
    TYPED(softmax_call) softmax = TYPED(valid_softmax_call)(3, 5);
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(softmax_door), &softmax);
    TYPED(clip_call) clip = {5, 1, TYPED(randoms)(5, 3)};
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(clip_door), &clip);
    TYPED(scale_call) scale = {5, 1, TYPED(randoms)(5, 3)};
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(scale_door), &scale);
    TYPED(norm_call) norm = {5, TYPED(randoms)(5, 3), guarded(sizeof(double))};
    check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(norm_door), &norm);
    for (size_t i = 0; i < COUNT(TYPED(loss_functions)); i++) {
        TYPED(targets_call) c = TYPED(valid_targets_call)(&TYPED(loss_functions)[i], 5);
        check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(targets_door), &c);
    }
    for (size_t i = 0; i < COUNT(TYPED(functions)); i++) {
        TYPED(function_call) function = {&TYPED(functions)[i], 5, TYPED(randoms)(5, 1), TYPED(blanks)(5)};
        check_refusal(HERE, FASTRNN_ERROR_ISA, TYPED(function_door), &function);
    }
}
