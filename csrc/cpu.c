/* CPUID says what the processor has; XGETBV says which registers the operating system saves at a context switch.
 * Both must agree: a kernel that saves only the 128-bit halves would corrupt the rest without a fault. */
#if defined(__linux__)
#define _GNU_SOURCE /* syscall */
#endif
#include "cpu.h"

#include <stdint.h>

#if FASTRNN_AMX
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if FASTRNN_X86
#include <cpuid.h>

typedef struct {
    uint32_t eax, ebx, ecx, edx;
} cpuid_registers;

static cpuid_registers cpuid(uint32_t leaf)
{
    cpuid_registers r = {0, 0, 0, 0};
    __get_cpuid_count(leaf, 0, &r.eax, &r.ebx, &r.ecx, &r.edx); /* leaves zeros where the leaf does not exist */
    return r;
}

static bool all_bits(uint32_t word, uint32_t bits)
{
    return (word & bits) == bits;
}

/* Intel SDM vol. 1, 13.3: bit 1 XMM, 2 YMM, 5 opmask, 6 upper ZMM0-15, 7 ZMM16-31, 17 and 18 the shapes and data of
 * tiles. */
static bool os_saves(uint32_t state)
{
    const uint32_t osxsave = 1u << 27;
    if (!all_bits(cpuid(1).ecx, osxsave)) {
        return false;
    }
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return all_bits(low, state);
}

bool fastrnn_cpu_has_avx2(void)
{
    const uint32_t fma = 1u << 12, avx = 1u << 28, avx2 = 1u << 5;
    return all_bits(cpuid(1).ecx, fma | avx) && all_bits(cpuid(7).ebx, avx2) && os_saves(0x06);
}

bool fastrnn_cpu_has_avx512(void)
{
    const uint32_t f = 1u << 16, dq = 1u << 17, bw = 1u << 30, vl = 1u << 31;
    return fastrnn_cpu_has_avx2() && all_bits(cpuid(7).ebx, f | dq | bw | vl) && os_saves(0xe6);
}
#endif

#if FASTRNN_AMX
/* Linux, Documentation/arch/x86/xstate.rst. */
static bool os_grants_tiles(void)
{
    const long request_permission = 0x1023, tile_data = 18; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
}

bool fastrnn_cpu_has_amx(void)
{
    const uint32_t bf16 = 1u << 22, tile = 1u << 24;
    return fastrnn_cpu_has_avx512() && all_bits(cpuid(7).edx, bf16 | tile) && os_saves(0x600e6) && os_grants_tiles();
}
#endif

bool fastrnn_cpu_has_baseline(void)
{
    return true;
}

bool fastrnn_cpu_has_neon(void)
{
    return FASTRNN_ARM64; /* part of every 64-bit Arm processor */
}
