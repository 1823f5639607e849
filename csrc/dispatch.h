/* Which compiled kernels to call. */
#ifndef FASTRNN_DISPATCH_H
#define FASTRNN_DISPATCH_H

#include "kernels/kernels.h"

/* The chosen instruction set; chooses one at the first call. NULL if FASTRNN_ISA names one that is not available. */
const fastrnn_isa_kernels *fastrnn_kernels(void);

#endif
