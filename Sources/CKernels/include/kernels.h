// What the Swift modules may call: worker threads and vector kernels.
#ifndef CKERNELS_KERNELS_H
#define CKERNELS_KERNELS_H

#include "channels.h"
#include "convolution.h"
#include "elementwise.h"
#include "kernel_level.h"
#include "normalization.h"
#include "winograd.h"
#include "workers.h"

#endif
