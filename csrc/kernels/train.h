/* Many iterations of min-char-rnn in one call: the model and the optimizer's memory are packed at the start, stay packed
 * from iteration to iteration, and are unpacked at the end. */

/* inputs and targets (T, B) from B streams, each 1 / B of the text. False if one lies outside [0, V): the text is only
 * looked at here, as it is read. */
static bool read_sequences(const fastrnn_shape *shape, const workspace_layout *w, const fastrnn_training *training)
{
    const size_t stream = training->length / shape->B;
    bool inside = true;
    for (size_t t = 0; t < shape->T; t++) {
        for (size_t b = 0; b < shape->B; b++) {
            const int64_t *x = training->text + b * stream + training->position + t;
            w->inputs[t * shape->B + b] = x[0];
            w->targets[t * shape->B + b] = x[1];
            inside &= x[0] >= 0 && (uint64_t)x[0] < shape->V && x[1] >= 0 && (uint64_t)x[1] < shape->V;
        }
    }
    return inside;
}

/* One iteration on packed parameters; hs[0] holds the state before it, and then after it. What it finds wrong it finds
 * before it changes anything. */
static fastrnn_status train_iteration(const fastrnn_shape *shape, const workspace_layout *w, fastrnn_training *training,
                                      const gradient_use *update)
{
    const TYPED(fastrnn_char_rnn) none = {{0}, {0}};
    const size_t state = shape->B * w->h, stream = training->length / shape->B;
    if (!read_sequences(shape, w, training)) {
        return FASTRNN_ERROR_INDEX;
    }
    training->loss = char_rnn_forward(shape, w, w->inputs, w->targets);
    if (!isfinite(training->loss)) {
        return FASTRNN_ERROR_NOT_FINITE;
    }
    char_rnn_backward(shape, w, w->inputs, update, &none);
    training->smooth_loss = training->smooth_loss * 0.999 + training->loss * 0.001;
    training->iterations++;
    training->position += shape->T;
    if (training->position + shape->T + 1 >= stream) { /* the text wraps: start over, with nothing remembered */
        training->position = 0;
        memset(w->hs, 0, state * sizeof(real));
    } else {
        memcpy(w->hs, w->hs + shape->T * state, state * sizeof(real));
    }
    return FASTRNN_OK;
}

static fastrnn_status char_rnn_train(const fastrnn_shape *shape, const TYPED(fastrnn_char_rnn) *model,
                                     const TYPED(fastrnn_char_rnn) *memory, real *hprev, fastrnn_training *training,
                                     size_t iterations, const fastrnn_interruption *interruption, void *workspace)
{
    const workspace_layout w = workspace_at(shape, workspace);
    const gradient_use update = {.way = GRADIENT_APPLIED,
                                 .limit = (real)training->clip,
                                 .learning_rate = (real)training->learning_rate};
    char_rnn_pack_parameters(shape, model, &w);
    char_rnn_pack(shape, memory, &w, &w.memory);
    copy_to_padded(shape->B, shape->H, hprev, w.hs, w.h);

    fastrnn_status status = FASTRNN_OK;
    bool interrupted = false;
    for (size_t i = 0; i < iterations && status == FASTRNN_OK && !interrupted; i++) {
        const uint64_t subnormals = subnormals_as_zero();
        status = train_iteration(shape, &w, training, &update);
        subnormals_restore(subnormals);
        interrupted = interruption != NULL && interruption->poll(interruption->state);
    }

    copy_from_padded(shape->B, shape->H, w.hs, w.h, hprev);
    char_rnn_unpack(shape, &w.parameters, &w, model);
    char_rnn_unpack(shape, &w.memory, &w, memory);
    return status;
}
