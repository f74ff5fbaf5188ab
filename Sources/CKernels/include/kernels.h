#ifndef KERNELS_H
#define KERNELS_H

int kernel_level(void);

#endif
