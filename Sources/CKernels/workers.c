// Why not a queue library: a training step has some two hundred parallel loops of 0.1–2 ms, so a
// wake-up of 50 µs would cost 5–10 % of the step. Idle workers spin briefly before they sleep.
//
// Why each worker has a share of its own: the next loop then finds its images in the caches of the
// core that wrote them. Between cores that share no cache, lines travel far more slowly.

#include "workers.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define RELAX() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

enum { SPINS = 4000, LINE = 128 };

// A worker and the iterations that it takes first. Each has lines of its own: every worker writes
// its `next` at every iteration.
struct worker {
  _Alignas(LINE) _Atomic intptr_t next;
  intptr_t end;
  int number;  // 0 is the calling thread
  pthread_t thread;
  kernel_workers *pool;
};

struct kernel_workers {
  int count;  // threads beside the caller
  struct worker *members;  // count + 1
  pthread_mutex_t lock;
  pthread_cond_t wake;
  _Atomic uint64_t generation;  // goes up by one when a loop starts
  _Atomic int busy;             // a loop is running
  _Atomic int sleeping;         // workers waiting on `wake`
  _Atomic int active;           // workers that have not left the current loop
  _Atomic bool stop;
  // The current loop.
  worker_body body;
  void *context;
};

// 0 outside of loops.
static _Thread_local int place = 0;

int workers_place(void) { return place; }

// The worker's own share, then what the others have left of theirs.
static void work(kernel_workers *w, int number) {
  place = number + 1;
  for (int k = 0; k <= w->count; k++) {
    struct worker *owner = &w->members[(number + k) % (w->count + 1)];
    for (;;) {
      intptr_t i = atomic_fetch_add_explicit(&owner->next, 1, memory_order_relaxed);
      if (i >= owner->end) break;
      w->body(w->context, i);
    }
  }
  place = 0;
}

static uint64_t await_generation(kernel_workers *w, uint64_t seen) {
  for (int i = 0; i < SPINS; i++) {
    uint64_t now = atomic_load_explicit(&w->generation, memory_order_acquire);
    if (now != seen) return now;
    RELAX();
  }
  pthread_mutex_lock(&w->lock);
  atomic_fetch_add(&w->sleeping, 1);
  uint64_t now;
  while ((now = atomic_load(&w->generation)) == seen) pthread_cond_wait(&w->wake, &w->lock);
  atomic_fetch_sub(&w->sleeping, 1);
  pthread_mutex_unlock(&w->lock);
  return now;
}

static void *worker_main(void *argument) {
  struct worker *self = argument;
  kernel_workers *w = self->pool;
  uint64_t seen = 0;
  for (;;) {
    seen = await_generation(w, seen);
    if (atomic_load(&w->stop)) return NULL;
    work(w, self->number);
    atomic_fetch_sub_explicit(&w->active, 1, memory_order_release);
  }
}

static void announce(kernel_workers *w) {
  // Sequentially consistent on both sides: either the sleeper sees the new generation before it
  // waits, or we see that it sleeps.
  atomic_fetch_add(&w->generation, 1);
  if (atomic_load(&w->sleeping) > 0) {
    pthread_mutex_lock(&w->lock);
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
  }
}

kernel_workers *workers_create(int threads) {
  kernel_workers *w = calloc(1, sizeof *w);
  if (!w) return NULL;
  size_t bytes = (size_t)(threads > 1 ? threads : 1) * sizeof *w->members;
  w->members = aligned_alloc(LINE, bytes);
  if (!w->members) {
    free(w);
    return NULL;
  }
  memset(w->members, 0, bytes);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->wake, NULL);
  for (int i = 0; i < threads - 1; i++) {
    // Fewer threads than asked for is slower, not wrong: results do not depend on their number.
    struct worker *member = &w->members[i + 1];
    member->number = i + 1;
    member->pool = w;
    if (pthread_create(&member->thread, NULL, worker_main, member) != 0) break;
    w->count++;
  }
  return w;
}

void workers_run(kernel_workers *w, intptr_t count, worker_body body, void *context) {
  int idle = 0;
  bool alone = place != 0 || w->count == 0 || count <= 1;
  if (alone || !atomic_compare_exchange_strong(&w->busy, &idle, 1)) {
    for (intptr_t i = 0; i < count; i++) body(context, i);
    return;
  }
  w->body = body;
  w->context = context;
  intptr_t members = w->count + 1;
  for (intptr_t m = 0; m < members; m++) {
    atomic_store_explicit(&w->members[m].next, count * m / members, memory_order_relaxed);
    w->members[m].end = count * (m + 1) / members;
  }
  atomic_store_explicit(&w->active, w->count, memory_order_relaxed);
  announce(w);
  work(w, 0);
  // On a machine with fewer free cores than workers a pure spin would hold the core they need.
  int spins = 0;
  while (atomic_load_explicit(&w->active, memory_order_acquire) != 0) {
    if (spins < SPINS) {
      RELAX();
      spins++;
    } else {
      sched_yield();
    }
  }
  atomic_store(&w->busy, 0);
}

void workers_destroy(kernel_workers *w) {
  atomic_store(&w->stop, true);
  announce(w);
  for (int i = 0; i < w->count; i++) pthread_join(w->members[i + 1].thread, NULL);
  pthread_cond_destroy(&w->wake);
  pthread_mutex_destroy(&w->lock);
  free(w->members);
  free(w);
}
