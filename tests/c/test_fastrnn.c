/* Tests of the C API alone: every door, both dtypes, every instruction set of this machine, or the one that
 * FASTRNN_ISA names. csrc/Makefile builds and runs it (make -C csrc check).
 *
 * The results are held against a naive implementation in float64 (naive.h and its like). Every buffer lies between
 * unreadable pages (guarded.h). A failure is a line of its own, and the tests go on; the last line counts.
 *
 * FASTRNN_TEST_QUICK, set and not empty, takes a part of the cases, for slow emulators. */
#define _DEFAULT_SOURCE   /* mmap, sigaction, setenv on Linux */
#define _DARWIN_C_SOURCE  /* and on macOS */

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fastrnn.h"

#include "bad_networks.h"
#include "callbacks.h"
#include "example_shapes.h"
#include "guarded.h"
#include "harness.h"
#include "naive.h"
#include "naive_examples.h"
#include "naive_network.h"
#include "naive_stack.h"
#include "naive_train.h"
#include "network_shapes.h"
#include "parameter_parts.h"
#include "random.h"
#include "shapes.h"
#include "stack_shapes.h"

#define REAL float
#define REAL_NAME "f32"
#define TYPED(name) name##_f32
#define LIMIT(name) FLT_##name
#define REAL_MATH(name) name##f
#define WIDE double
#define WIDE_MATH(name) name
#define TOLERANCE 1e-4
#define CDF_TOLERANCE 1e-5
#define EXP_BORDERS 88.72283f, -87.33654f, -103.27893f, -103.97208f
#define EXP_RANGE 110
#include "test_typed.h"

#define REAL double
#define REAL_NAME "f64"
#define TYPED(name) name##_f64
#define LIMIT(name) DBL_##name
#define REAL_MATH(name) name
#define WIDE long double
#define WIDE_MATH(name) name##l
#define TOLERANCE 1e-10
#define CDF_TOLERANCE 0
#define EXP_BORDERS 709.78271289338397, -708.39641853226408, -744.44007192138122, -745.13321910194122
#define EXP_RANGE 750
#include "test_typed.h"

/* ---- what has no dtype ----------------------------------------------------------------------------------------- */

static void messages_case(const void *nothing)
{
    (void)nothing;
    SITUATION("status messages");
    for (int status = FASTRNN_OK; status <= FASTRNN_ERROR_ISA; status++) {
        const char *message = fastrnn_status_message((fastrnn_status)status);
        CHECK(message != NULL && message[0] != '\0', "status %d has no message", status);
        for (int other = FASTRNN_OK; other < status; other++) {
            CHECK(strcmp(message, fastrnn_status_message((fastrnn_status)other)) != 0,
                  "statuses %d and %d have the same message", status, other);
        }
    }
    const char *unknown = fastrnn_status_message((fastrnn_status)(FASTRNN_ERROR_ISA + 1));
    CHECK(unknown != NULL && unknown[0] != '\0', "an unknown status has no message");
}

static void stack_parameters_case(const void *nothing)
{
    (void)nothing;
    SITUATION("numbers of parameters");
    for (size_t i = 0; i < STACK_OPTIONS; i++) {
        const stack_shape shape = option_shape(i);
        const fastrnn_stack *s = &shape.stack;
        double *begin = guarded(0);
        const naive_weights end = naive_weights_of(s, begin, s->layers * s->directions);
        CHECK(fastrnn_stack_parameters(s) == (size_t)(end.W_ih - begin), "stack %zu has %zu parameters, not %td", i,
              fastrnn_stack_parameters(s), end.W_ih - begin);
        release_since(0);
    }
    CHECK(fastrnn_stack_parameters(NULL) == 0, "no stack has parameters");
    const size_t units = (size_t)1 << 24;
    const fastrnn_stack beyond[] = {{FASTRNN_GRU, 0, 1, 1, 1, 1}, {FASTRNN_GRU, units, 1, 1, 1, 1},
                                    {FASTRNN_GRU, 1, 0, 1, 1, 1}, {FASTRNN_GRU, 1, units, 1, 1, 1},
                                    {FASTRNN_GRU, 1, 1, 0, 1, 1}, {FASTRNN_GRU, 1, 1, 256, 1, 1},
                                    {FASTRNN_GRU, 1, 1, 1, 0, 1}, {FASTRNN_GRU, 1, 1, 1, 3, 1}};
    for (size_t i = 0; i < COUNT(beyond); i++) {
        CHECK(fastrnn_stack_parameters(&beyond[i]) == 0, "stack %zu beyond the limits has parameters", i);
    }
}

/* The parts of a network follow one another, each at a multiple of 16 numbers, and nearer to the one before than
 * that. */
static void check_network_parts(place at, const fastrnn_network *n)
{
    const fastrnn_network_offsets o = offsets_of(n);
    const size_t begins[] = {o.embedding, o.stack, o.W, o.b, o.end};
    const size_t sizes[] = {n->embeddings * (n->stack.input_size - n->context), fastrnn_stack_parameters(&n->stack),
                            n->outputs * n->stack.directions * n->stack.hidden_size, n->without_bias ? 0 : n->outputs};
    check_at(at, o.embedding == 0, "the first part begins at %zu", o.embedding);
    for (size_t k = 0; k < COUNT(sizes); k++) {
        const size_t end = begins[k] + sizes[k];
        check_at(at, begins[k + 1] % 16 == 0 && begins[k + 1] >= end && begins[k + 1] < end + 16,
                 "part %zu ends at %zu, and the next one begins at %zu", k, end, begins[k + 1]);
    }
}

static void network_parameters_case(const void *nothing)
{
    (void)nothing;
    SITUATION("parts of a network's parameters");
    fastrnn_network_offsets at;
    for (size_t i = 0; i < EXAMPLE_OPTIONS; i++) {
        const fastrnn_network texts = network_option_shape(i % NETWORK_OPTIONS).network;
        const fastrnn_conditioned model = example_option_shape(i).model;
        check_network_parts(HERE, &texts);
        check_network_parts(HERE, &model.network);
        if (model.source == FASTRNN_ENCODER) {
            check_network_parts(HERE, &model.encoder);
        }
    }
    check_status(HERE, FASTRNN_ERROR_NULL, fastrnn_network_parameters(NULL, &at));
    check_status(HERE, FASTRNN_ERROR_NULL, fastrnn_network_parameters(&(fastrnn_network){.outputs = 1}, NULL));
    for (size_t i = 0; i < BAD_NETWORKS; i++) {
        const fastrnn_network bad = bad_network(i);
        memset(&at, 0xff, sizeof at);
        SITUATION("bad network %zu", i);
        check_status(HERE, FASTRNN_ERROR_SHAPE, fastrnn_network_parameters(&bad, &at));
        CHECK(filled_with(0xff, (unsigned char *)&at, (unsigned char *)(&at + 1)), "offsets were written");
    }
}

/* First the source's, each at a multiple of 16 numbers, then the network's. */
static void conditioned_parameters_case(const void *nothing)
{
    (void)nothing;
    fastrnn_conditioned_offsets at;
    for (size_t i = 0; i < EXAMPLE_OPTIONS; i++) {
        const fastrnn_conditioned m = example_option_shape(i).model;
        const size_t states = naive_source_states(&m.network.stack), b = m.network.without_bias ? 0 : states;
        SITUATION("parts of model %zu", i);
        CHECK_OK(fastrnn_conditioned_parameters(&m, &at));
        CHECK(at.end == at.network + offsets_of(&m.network).end, "the end is %zu", at.end);
        if (m.source == FASTRNN_FEATURES) {
            CHECK(at.W == 0 && at.b % 16 == 0 && at.network % 16 == 0, "W at %zu, b at %zu", at.W, at.b);
            CHECK(at.b >= states * m.features && at.b < states * m.features + 16, "b begins at %zu", at.b);
            CHECK(at.network >= at.b + b && at.network < at.b + b + 16, "the network begins at %zu", at.network);
        } else {
            const size_t source = m.source == FASTRNN_ENCODER ? offsets_of(&m.encoder).end : 0;
            CHECK(at.encoder == 0 && at.network == source, "the network begins at %zu", at.network);
        }
    }
    const fastrnn_conditioned good = example_option_shape(0).model;
    check_status(HERE, FASTRNN_ERROR_NULL, fastrnn_conditioned_parameters(NULL, &at));
    check_status(HERE, FASTRNN_ERROR_NULL, fastrnn_conditioned_parameters(&good, NULL));
    for (size_t i = 0; i < BAD_MODELS; i++) {
        const fastrnn_conditioned bad = bad_model(i);
        memset(&at, 0xff, sizeof at);
        SITUATION("bad model %zu", i);
        check_status(HERE, FASTRNN_ERROR_SHAPE, fastrnn_conditioned_parameters(&bad, &at));
        CHECK(filled_with(0xff, (unsigned char *)&at, (unsigned char *)(&at + 1)), "offsets were written");
    }
}

static bool is_available(const char *name)
{
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        if (strcmp(fastrnn_available_isa(i), name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_selection(place at, const char *name, fastrnn_status expected, const char *in_use_after)
{
    SITUATION("select %s", name != NULL ? name : "NULL");
    check_status(at, expected, fastrnn_select_isa(name));
    const char *isa = fastrnn_isa();
    check_at(at, isa != NULL && strcmp(isa, in_use_after) == 0, "%s is in use, not %s", isa != NULL ? isa : "none",
             in_use_after);
}

/* Leaves "baseline" chosen. */
static void selection_case(const void *nothing)
{
    (void)nothing;
    const char *known[] = {"amx", "avx512", "avx2", "neon", "baseline"}, *unknown[] = {"nonesuch", "AVX2", "avx", "avx2 "};
    check_selection(HERE, "baseline", FASTRNN_OK, "baseline");
    for (size_t i = 0; i < COUNT(unknown); i++) {
        check_selection(HERE, unknown[i], FASTRNN_ERROR_ISA, "baseline");
    }
    for (size_t i = 0; i < COUNT(known); i++) {
        bool available = is_available(known[i]);
        check_selection(HERE, known[i], available ? FASTRNN_OK : FASTRNN_ERROR_ISA, available ? known[i] : "baseline");
        check_selection(HERE, "baseline", FASTRNN_OK, "baseline");
    }
    CHECK(fastrnn_available_isa(COUNT(known)) == NULL, "more instruction sets than there are names");
    CHECK(fastrnn_available_isa(SIZE_MAX) == NULL, "there is a last instruction set");
}

/* Leaves the best one chosen. */
static void environment_case(const void *nothing)
{
    (void)nothing;
    setenv("FASTRNN_ISA", "baseline", 1);
    check_selection(HERE, NULL, FASTRNN_OK, "baseline");
    setenv("FASTRNN_ISA", "nonesuch", 1);
    check_selection(HERE, NULL, FASTRNN_ERROR_ISA, "baseline");
    setenv("FASTRNN_ISA", "", 1);
    check_selection(HERE, NULL, FASTRNN_OK, fastrnn_available_isa(0));
    unsetenv("FASTRNN_ISA");
    check_selection(HERE, NULL, FASTRNN_OK, fastrnn_available_isa(0));
}

static void no_isa_case(const void *nothing)
{
    (void)nothing;
    SITUATION("FASTRNN_ISA is unknown");
    CHECK(fastrnn_isa() == NULL, "%s is in use", fastrnn_isa());
    check_status(HERE, FASTRNN_ERROR_ISA, fastrnn_select_isa(NULL));
    CHECK(fastrnn_isa() == NULL, "%s is in use", fastrnn_isa());
}

/* Must come before anything chooses an instruction set. */
static void test_without_isa(void)
{
    setenv("FASTRNN_ISA", "nonesuch", 1);
    run_case(no_isa_case, NULL);
    test_case *cases[][5] = {{no_isa_case_f32, no_isa_stack_case_f32, no_isa_feedforward_case_f32,
                              no_isa_token_case_f32, no_isa_example_case_f32},
                             {no_isa_case_f64, no_isa_stack_case_f64, no_isa_feedforward_case_f64,
                              no_isa_token_case_f64, no_isa_example_case_f64}};
    for (size_t i = 0; i < COUNT(cases) * COUNT(cases[0]); i++) {
        run.dtype = i < COUNT(cases[0]) ? "f32" : "f64";
        run_case_guarded(cases[i / COUNT(cases[0])][i % COUNT(cases[0])], NULL);
    }
    run.dtype = "no dtype";
    run_case(no_isa_case, NULL);
}

static void test_selection(void)
{
    run_case(messages_case, NULL);
    run_case(stack_parameters_case, NULL);
    run_case(network_parameters_case, NULL);
    run_case(conditioned_parameters_case, NULL);
    run_case(selection_case, NULL);
    run_case(environment_case, NULL);
}

/* The caller may choose another instruction set after it has allocated the workspace. */
static void test_workspace_sizes(void)
{
    for (size_t V = 1; V <= 100; V++) {
        const fastrnn_shape shape = {.T = 2, .B = 3, .H = 101 - V, .V = V};
        run.dtype = "f32";
        run_case(workspace_size_case_f32, &shape);
        run.dtype = "f64";
        run_case(workspace_size_case_f64, &shape);
    }
    for (size_t i = 0; i < STACK_OPTIONS; i++) {
        const stack_shape shape = option_shape(i);
        const feedforward_sizes sizes = {1 + i % 50, 1 + i % 41, 1 + i % 37};
        run.dtype = "f32";
        run_case(stack_bytes_case_f32, &shape);
        run_case(linear_bytes_case_f32, &sizes);
        run.dtype = "f64";
        run_case(stack_bytes_case_f64, &shape);
        run_case(linear_bytes_case_f64, &sizes);
    }
    for (size_t i = 0; i < EXAMPLE_OPTIONS; i += QUICK_STEP) {
        const example_shape shape = example_option_shape(i);
        run.dtype = "f32";
        run_case(example_bytes_case_f32, &shape);
        run_case(outputs_bytes_case_f32, &shape);
        run.dtype = "f64";
        run_case(example_bytes_case_f64, &shape);
        run_case(outputs_bytes_case_f64, &shape);
    }
    for (size_t i = 0; i < NETWORK_OPTIONS; i++) {
        const network_shape shape = network_option_shape(i);
        run.dtype = "f32";
        run_case(token_bytes_case_f32, &shape);
        run.dtype = "f64";
        run_case(token_bytes_case_f64, &shape);
    }
}

static void test_isa(const char *isa)
{
    run.isa = isa;
    need(fastrnn_select_isa(isa) == FASTRNN_OK, "FASTRNN_ISA names an instruction set that is not available");
    test_dtype_f32();
    if (strcmp(isa, "amx") != 0) { /* whose unit multiplies float32 numbers only */
        test_dtype_f64();
    }
}

static void set_up(void)
{
    const char *quick = getenv("FASTRNN_TEST_QUICK");
    run.quick = quick != NULL && quick[0] != '\0';
    if (run.quick) {
        printf("quick: one shape in %d, and fewer numbers\n", QUICK_STEP);
    }
    map_memory();
    catch_faults();
}

int main(void)
{
    static char only[32]; /* a copy, because the tests set the variable themselves */
    const char *named = getenv("FASTRNN_ISA");
    snprintf(only, sizeof only, "%s", named != NULL ? named : "");

    set_up();
    test_without_isa();
    test_selection();
    test_workspace_sizes();
    for (size_t i = 0; only[0] == '\0' && fastrnn_available_isa(i) != NULL; i++) {
        test_isa(fastrnn_available_isa(i));
    }
    if (only[0] != '\0') {
        test_isa(only);
    }
    printf("%zu passed, %zu failed\n", run.passed, run.failed);
    return run.failed == 0 ? 0 : 1;
}
