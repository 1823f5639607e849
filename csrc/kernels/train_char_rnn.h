/* Training min-char-rnn's network: the model and the optimizer's memory are packed at the start, stay packed from
 * iteration to iteration, and are unpacked at the end. */

typedef struct {
    fastrnn_shape shape;
    workspace_layout w;
    text_batch batch;
} char_rnn_training;

/* Adagrad as the script has it. */
static const fastrnn_optimizer script_optimizer = {.kind = FASTRNN_ADAGRAD,
                                                   .settings.adagrad = {.eps = 1e-8, .eps_inside_sqrt = 1}};

static bool char_rnn_read(const training_engine *e, const fastrnn_training *training)
{
    const char_rnn_training *t = e->run;
    return read_sequences(&t->batch, training);
}

/* hs[0] holds the state before the iteration, and then after it; of random chunks zeros. */
static fastrnn_status char_rnn_iterate(const training_engine *e, const fastrnn_training *training, double learning_rate,
                                       double *loss)
{
    const char_rnn_training *t = e->run;
    const workspace_layout *w = &t->w;
    const size_t T = t->shape.T, B = t->shape.B, V = t->shape.V, state = B * w->h;
    const TYPED(fastrnn_char_rnn) none = {{0}, {0}};
    const update_rule rule = rule_of(&script_optimizer, learning_rate, training->iterations + 1, (real)training->clip_value);
    /* The five pieces of both models lie alike. */
    const gradient_use update = {.way = GRADIENT_APPLIED,
                                 .rule = &rule,
                                 .buffers = {.parameter = w->parameters.Wxh_rows, .squares = w->memory.Wxh_rows}};
    *loss = char_rnn_forward(&t->shape, w, w->inputs, w->targets) / (double)B;
    if (!isfinite(*loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    if (B > 1) {
        scale_rows(T * B, V, 1 / (real)B, w->ys, w->v);
    }
    states_backward(&t->shape, w);
    if (!rows_finite(T * B, t->shape.H, w->dhs, w->h)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    parameters_backward(&t->shape, w, w->inputs, &update, &none);
    if (!training->random_chunks) {
        memcpy(w->hs, w->hs + T * state, state * sizeof(real));
    }
    return FASTRNN_OK;
}

static void char_rnn_move_on(const training_engine *e, fastrnn_training *training)
{
    const char_rnn_training *t = e->run;
    if (next_sequences(&t->batch, training)) {
        memset(t->w.hs, 0, t->shape.B * t->w.h * sizeof(real));
    }
}

static fastrnn_status char_rnn_train(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model,
                                     const TYPED(fastrnn_char_rnn) *memory, real *hprev, fastrnn_training *training,
                                     size_t iterations, const fastrnn_interruption *interruption, void *workspace)
{
    char_rnn_training t = {.shape = *shape, .w = workspace_at(shape, workspace)};
    const workspace_layout *w = &t.w;
    const training_engine engine = {char_rnn_read, char_rnn_iterate, char_rnn_move_on, &t};
    t.batch = (text_batch){shape->T, shape->B, shape->V, w->inputs, w->targets};
    char_rnn_pack(shape, model, w, &w->parameters);
    char_rnn_transpose(shape, w);
    char_rnn_pack(shape, memory, w, &w->memory);
    if (training->random_chunks) {
        memset(w->hs, 0, shape->B * w->h * sizeof(real));
    } else {
        copy_to_padded(shape->B, shape->H, hprev, w->hs, w->h);
    }

    const fastrnn_status status = run_training(&engine, training, iterations, interruption);

    if (!training->random_chunks) {
        copy_from_padded(shape->B, shape->H, w->hs, w->h, hprev);
    }
    char_rnn_unpack(shape, &w->parameters, w, model);
    char_rnn_unpack(shape, &w->memory, w, memory);
    return status;
}
