// What Swift cannot import from C headers by itself: variadic calls, CPUID.
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

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

/// CPUID of the processor this runs on: EAX, EBX, ECX, EDX. All 0 for leaves it does not have, and where there is no such instruction.
static inline void martlet_cpuid(unsigned int leaf, unsigned int subleaf, unsigned int registers[4]) {
    registers[0] = registers[1] = registers[2] = registers[3] = 0;
#if defined(__x86_64__) || defined(__i386__)
    (void)__get_cpuid_count(leaf, subleaf, &registers[0], &registers[1], &registers[2], &registers[3]);
#else
    (void)leaf;
    (void)subleaf;
#endif
}

/// The calling thread's number, as in /proc/self/task.
static inline int martlet_thread_id(void) {
    return (int)syscall(SYS_gettid);
}

/// Where a thread may run: bit n stands for processor n. 0, or -1 and errno.
static inline long martlet_set_affinity(int thread, const void *mask, unsigned long byte_count) {
    return syscall(SYS_sched_setaffinity, thread, byte_count, mask);
}
