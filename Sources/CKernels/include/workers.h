// Persistent worker threads that share the iterations of one loop at a time.
#ifndef CKERNELS_WORKERS_H
#define CKERNELS_WORKERS_H

#include <stdint.h>

typedef struct kernel_workers kernel_workers;

/// One iteration: `context` is what `workers_run` was given, `index` the iteration's number.
typedef void (*worker_body)(void *context, intptr_t index);

/// Starts `threads - 1` threads (the calling thread is the first worker); NULL without memory. Where
/// the system gives fewer threads, the loops run on those there are.
kernel_workers *workers_create(int threads);

/// Runs body(context, 0) … body(context, count - 1) once each, on any worker and in any order, and
/// returns when all are done. Worker w of n begins with its own share, the iterations from count·w/n
/// on, so loops over the same images find them in the same core's cache; who has finished helps
/// the others. A call from inside a body, or while another thread's loop runs, runs its iterations
/// on the calling thread.
void workers_run(kernel_workers *workers, intptr_t count, worker_body body, void *context);

/// Where the calling thread is: 0 outside of loops, 1 + the worker's number inside.
int workers_place(void);

/// Stops and joins the threads and frees `workers`.
void workers_destroy(kernel_workers *workers);

#endif
