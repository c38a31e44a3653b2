// What Swift cannot import from C headers by itself: variadic calls, CPUID.
// No feature macro is set here: types that Glibc's module has too must look the same in both.
// Nothing here does more than one call.
#pragma once
#include <sys/prctl.h>

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
