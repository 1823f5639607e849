/* What this machine can do. */
#ifndef FASTRNN_CPU_H
#define FASTRNN_CPU_H

#include <stdbool.h>

#if defined(__x86_64__)
#define FASTRNN_X86 1
#else
#define FASTRNN_X86 0
#endif

#if defined(__aarch64__)
#define FASTRNN_ARM64 1
#else
#define FASTRNN_ARM64 0
#endif

/* AMX: the compiler knows it, and how to ask the operating system for it is known. */
#if FASTRNN_X86 && defined(__linux__) && (defined(__clang__) ? __clang_major__ >= 12 : __GNUC__ >= 11)
#define FASTRNN_AMX 1
#else
#define FASTRNN_AMX 0
#endif

bool fastrnn_cpu_has_baseline(void);
bool fastrnn_cpu_has_avx2(void);   /* AVX2 and FMA, and the operating system saves the 256-bit registers */
bool fastrnn_cpu_has_avx512(void); /* AVX-512 F, DQ, BW, VL, likewise for the 512-bit and mask registers */
bool fastrnn_cpu_has_neon(void);

/* AMX for bfloat16 beside AVX-512. The operating system is asked for it, from then on for the whole process: its tiles are
 * 8 KB more to save where a signal is handled, and no process gets them unasked. */
bool fastrnn_cpu_has_amx(void);

#endif
