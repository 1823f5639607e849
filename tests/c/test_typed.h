/* The half of the tests that exists once per dtype. test_fastrnn.c includes it twice, with
 *
 *     REAL, REAL_NAME, TYPED(name)     float, "f32", name_f32
 *     LIMIT(name)                      FLT_MAX and its like
 *     REAL_MATH(name)                  nextafterf and its like
 *     WIDE, WIDE_MATH(name)            a wider type and its mathematics, to judge exp, tanh and sigmoid by
 *     TOLERANCE                        of a result against the naive implementation, relative to the largest
 *     CDF_TOLERANCE                    of the borders between characters drawn
 *     EXP_BORDERS, EXP_RANGE           where exp overflows and underflows, and a little more than that
 */
#include "calls_typed.h"
#include "network_typed.h"
#include "train_typed.h"
#include "sample_typed.h"
#include "elementwise_typed.h"
#include "optimizers_typed.h"
#include "arguments_typed.h"
#include "stack_calls_typed.h"
#include "stack_typed.h"
#include "stack_arguments_typed.h"
#include "feedforward_typed.h"
#include "token_calls_typed.h"
#include "token_typed.h"
#include "token_arguments_typed.h"
#include "token_sample_typed.h"
#include "example_calls_typed.h"
#include "example_typed.h"
#include "outputs_typed.h"
#include "example_arguments_typed.h"

static void TYPED(test_dtype)(void)
{
    run.dtype = REAL_NAME;
    TYPED(test_arguments)();
    TYPED(test_elementwise)();
    TYPED(test_optimizers)();
    TYPED(test_network)();
    TYPED(test_train)();
    TYPED(test_sample)();
    TYPED(test_stack_arguments)();
    TYPED(test_stack)();
    TYPED(test_feedforward)();
    TYPED(test_token_arguments)();
    TYPED(test_tokens)();
    TYPED(test_token_sample)();
    TYPED(test_example_arguments)();
    TYPED(test_examples)();
    TYPED(test_outputs)();
}

static void TYPED(workspace_size_case)(const void *shape)
{
    size_t first = 0;
    for (size_t i = 0; fastrnn_available_isa(i) != NULL; i++) {
        size_t bytes = 0;
        CHECK_OK(fastrnn_select_isa(fastrnn_available_isa(i)));
        CHECK_OK(TYPED(fastrnn_workspace_size)(shape, &bytes));
        first = i == 0 ? bytes : first;
        SITUATION("workspace of V=%zu", ((const fastrnn_shape *)shape)->V);
        CHECK(bytes == first, "%zu bytes for %s, %zu for %s", bytes, fastrnn_available_isa(i), first,
              fastrnn_available_isa(0));
    }
}

#undef REAL
#undef REAL_NAME
#undef TYPED
#undef LIMIT
#undef REAL_MATH
#undef WIDE
#undef WIDE_MATH
#undef TOLERANCE
#undef CDF_TOLERANCE
#undef EXP_BORDERS
#undef EXP_RANGE
#undef PROBABILITY_ROUNDING
#undef LONGEST
#undef OFFSET
#undef EXAMPLE_INDICES
