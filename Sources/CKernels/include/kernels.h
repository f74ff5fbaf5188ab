// What the Swift modules may call: worker threads and the vector kernels (kernels.h is the one header).
#ifndef CKERNELS_KERNELS_H
#define CKERNELS_KERNELS_H

#include "workers.h"

#endif
