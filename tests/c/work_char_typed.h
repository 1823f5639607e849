/* Training a character model, and drawing from it. Included by work.c once per dtype. */

/* The five arrays of a character model, one after the other in one allocation. */
static TYPED(fastrnn_char_rnn) TYPED(model)(size_t H, double scale, uint64_t *random)
{
    const size_t n = H * V + H * H + V * H + H + V;
    REAL *numbers = malloc(n * sizeof(REAL));
    for (size_t i = 0; i < n; i++) {
        numbers[i] = (REAL)(scale * (2 * uniform(random) - 1));
    }
    REAL *Whh = numbers + H * V, *Why = Whh + H * H, *bh = Why + V * H, *by = bh + H;
    return (TYPED(fastrnn_char_rnn)){{numbers, Whh, bh}, {Why, by}};
}

static fastrnn_status TYPED(work_char)(const work *w)
{
    const bool sample = strcmp(w->task, "sample") == 0;
    const size_t H = w->H, n = w->n + (sample ? ONCE : 0);
    const fastrnn_shape shape = {.T = sample ? 1 : T, .B = w->B, .H = H, .V = V};
    uint64_t random = 1;
    size_t bytes;
    fastrnn_status status = TYPED(fastrnn_workspace_size)(&shape, &bytes);
    if (status != FASTRNN_OK) {
        return status;
    }
    void *workspace = malloc(bytes);
    TYPED(fastrnn_char_rnn) model = TYPED(model)(H, 0.1, &random), memory = TYPED(model)(H, 0, &random);
    REAL *h = calloc(H, sizeof(REAL));
    int64_t *text = malloc(TEXT * sizeof(int64_t));
    for (size_t i = 0; i < TEXT; i++) {
        text[i] = (int64_t)(V * uniform(&random) * uniform(&random));
    }
    if (sample) {
        const fastrnn_uniform_source source = {uniform, &random};
        int64_t *characters = malloc(n * sizeof(int64_t));
        status = TYPED(fastrnn_char_rnn_sample)(&shape, &model, h, text[0], n, 1, &source, characters, workspace);
        free(characters);
    } else {
        fastrnn_training training = {.text = {text, TEXT, sizeof(int64_t)},
                                     .schedule.learning_rate = 0.01,
                                     .clip_value = 5,
                                     .clip_norm = INFINITY};
        status = TYPED(fastrnn_char_rnn_train)(&shape, &model, &memory, h, &training, n, NULL, workspace);
    }
    free(text);
    free(h);
    free(memory.rnn.Wxh);
    free(model.rnn.Wxh);
    free(workspace);
    return status;
}
