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

bool fastrnn_cpu_has_baseline(void);
bool fastrnn_cpu_has_avx2(void);   /* AVX2 and FMA, and the operating system saves the 256-bit registers */
bool fastrnn_cpu_has_avx512(void); /* AVX-512 F, DQ, BW, VL, likewise for the 512-bit and mask registers */
bool fastrnn_cpu_has_neon(void);

#endif
