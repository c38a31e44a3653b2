// What Swift cannot import from Linux's headers by itself: variadic calls.
// No feature macro is set here: types that Glibc's module has too must look the same in both.
// Nothing here does more than one call.
#pragma once
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Names the calling thread; at most 15 bytes.
static inline void martlet_name_thread(const char *name) {
    (void)prctl(PR_SET_NAME, name);
}

/// The calling thread's number, as in /proc/self/task.
static inline int martlet_thread_id(void) {
    return (int)syscall(SYS_gettid);
}

/// Where a thread may run: bit n stands for processor n. 0, or -1 and errno.
static inline long martlet_set_affinity(int thread, const void *mask, unsigned long byte_count) {
    return syscall(SYS_sched_setaffinity, thread, byte_count, mask);
}
