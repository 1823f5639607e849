/* Many iterations of training in one call. What is the same for every network and whatever it learns from is here: the
 * learning rate, the smooth loss, looking whether somebody wants it to end. */

/* A network in training: where it gets what it learns from, and what computes an iteration. */
typedef struct training_engine training_engine;
struct training_engine {
    /* Takes what the next iteration learns from. False if a token lies outside its vocabulary: tokens are only looked at
     * here, as they are read. */
    bool (*read)(const training_engine *engine, const fastrnn_training *training);
    /* One iteration at this learning rate; *loss is its loss. Where it returns an error it has changed nothing. */
    fastrnn_status (*iterate)(const training_engine *engine, const fastrnn_training *training, double learning_rate,
                              double *loss);
    /* Goes on to what follows: training->position, and the states where they begin anew. */
    void (*move_on)(const training_engine *engine, fastrnn_training *training);
    const void *run; /* the engine's own */
};

static double scheduled_rate(const fastrnn_schedule *s, uint64_t iteration)
{
    const double warm = s->warmup > iteration ? (double)(iteration + 1) / (double)s->warmup : 1;
    const double rate = s->learning_rate * (warm < 1 ? warm : 1);
    switch (s->decay) {
    case FASTRNN_STEPS:
        return rate * pow(s->factor, (double)(iteration / s->n));
    case FASTRNN_COSINE:
        return rate * (s->factor + (1 - s->factor) * 0.5 *
                                       (1 + cos(3.14159265358979323846 *
                                                (iteration < s->n ? (double)iteration / (double)s->n : 1))));
    default:
        return rate;
    }
}

static fastrnn_status train_iteration(const training_engine *e, fastrnn_training *training)
{
    if (!e->read(e, training)) {
        return FASTRNN_ERROR_INDEX;
    }
    const double rate = scheduled_rate(&training->schedule, training->iterations);
    const fastrnn_status status = e->iterate(e, training, rate, &training->loss);
    if (status != FASTRNN_OK) {
        return status;
    }
    training->smooth_loss = isnan(training->smooth_loss) ? training->loss
                                                         : training->smooth_loss * 0.999 + training->loss * 0.001;
    training->iterations++;
    e->move_on(e, training);
    return FASTRNN_OK;
}

static fastrnn_status run_training(const training_engine *e, fastrnn_training *training, size_t iterations,
                                   const fastrnn_interruption *interruption)
{
    fastrnn_status status = FASTRNN_OK;
    bool interrupted = false;
    for (size_t i = 0; i < iterations && status == FASTRNN_OK && !interrupted; i++) {
        const uint64_t subnormals = subnormals_as_zero();
        status = train_iteration(e, training);
        subnormals_restore(subnormals);
        interrupted = interruption != NULL && interruption->poll(interruption->state);
    }
    return status;
}
