/* The list of instruction sets, best first, and the one atomic pointer to the chosen one. */
#include "dispatch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"

static const fastrnn_isa_kernels isas[] = {
#if FASTRNN_AMX
    {"amx", fastrnn_cpu_has_amx, &fastrnn_kernels_avx512_f32, &fastrnn_kernels_avx512_f64, true},
#endif
#if FASTRNN_X86
    {"avx512", fastrnn_cpu_has_avx512, &fastrnn_kernels_avx512_f32, &fastrnn_kernels_avx512_f64, false},
    {"avx2", fastrnn_cpu_has_avx2, &fastrnn_kernels_avx2_f32, &fastrnn_kernels_avx2_f64, false},
#endif
#if FASTRNN_ARM64
    {"neon", fastrnn_cpu_has_neon, &fastrnn_kernels_neon_f32, &fastrnn_kernels_neon_f64, false},
#endif
    {"baseline", fastrnn_cpu_has_baseline, &fastrnn_kernels_baseline_f32, &fastrnn_kernels_baseline_f64, false},
};

static const size_t n_isas = sizeof isas / sizeof isas[0];

static _Atomic(const fastrnn_isa_kernels *) chosen;

bool fastrnn_matrix_unit_in_use(void)
{
    return atomic_load_explicit(&chosen, memory_order_acquire)->matrix_unit;
}

static const fastrnn_isa_kernels *available(size_t i)
{
    for (size_t j = 0; j < n_isas; j++) {
        if (isas[j].supported() && i-- == 0) {
            return &isas[j];
        }
    }
    return NULL;
}

/* Asks of no other instruction set whether it is there. */
static const fastrnn_isa_kernels *find(const char *name)
{
    for (size_t i = 0; i < n_isas; i++) {
        if (strcmp(isas[i].name, name) == 0) {
            return isas[i].supported() ? &isas[i] : NULL;
        }
    }
    return NULL;
}

fastrnn_status fastrnn_select_isa(const char *name)
{
    if (name == NULL) {
        name = getenv("FASTRNN_ISA");
        name = name != NULL && name[0] != '\0' ? name : NULL; /* an empty variable is as good as none */
    }
    const fastrnn_isa_kernels *isa = name != NULL ? find(name) : available(0);
    if (isa == NULL) {
        return FASTRNN_ERROR_ISA;
    }
    atomic_store(&chosen, isa);
    return FASTRNN_OK;
}

const fastrnn_isa_kernels *fastrnn_kernels(void)
{
    const fastrnn_isa_kernels *isa = atomic_load_explicit(&chosen, memory_order_acquire);
    if (isa == NULL && fastrnn_select_isa(NULL) == FASTRNN_OK) {
        isa = atomic_load(&chosen);
    }
    return isa;
}

const char *fastrnn_isa(void)
{
    const fastrnn_isa_kernels *isa = fastrnn_kernels();
    return isa != NULL ? isa->name : NULL;
}

const char *fastrnn_available_isa(size_t i)
{
    const fastrnn_isa_kernels *isa = available(i);
    return isa != NULL ? isa->name : NULL;
}
