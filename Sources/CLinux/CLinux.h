// What Swift cannot import from C headers by itself: variadic calls, CPUID.
// No feature macro is set here: types that Glibc's module has too must look the same in both.
// Nothing here does more than one call.
#pragma once
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Names the calling thread; at most 15 bytes.
static inline void martlet_name_thread(const char *name) {
    (void)prctl(PR_SET_NAME, name);
}

/// CPUID of the processor this runs on: EAX, EBX, ECX, EDX. All 0 for leaves it does not have, and where there is no such instruction.
static inline void martlet_cpuid(unsigned int leaf, unsigned int subleaf, unsigned int registers[4]) {
    registers[0] = registers[1] = registers[2] = registers[3] = 0;
#if defined(__x86_64__) || defined(__i386__)
    // The compiler's header for this would bring a module of its own that Swift then takes other types to be of.
    unsigned int most, b, c, d;
    __asm__ volatile("cpuid" : "=a"(most), "=b"(b), "=c"(c), "=d"(d) : "a"(leaf & 0x80000000u), "c"(0));
    if (leaf > most) return;
    __asm__ volatile("cpuid" : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3]) : "a"(leaf), "c"(subleaf));
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

/// The mode of fallocate(2) that gives a range's blocks back and makes it read as zeros.
static const int martlet_punch_hole_mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

static inline long martlet_punch_hole(int file, long offset, long length) {
    return syscall(SYS_fallocate, file, martlet_punch_hole_mode, offset, length);
}

/// Bytes of a block device's logical sector; -1 for anything else.
static inline int martlet_block_sector_size(int file) {
    int size = 0;
    return ioctl(file, BLKSSZGET, &size) == 0 ? size : -1;
}

/// Bytes of a block device's physical sector; -1 for anything else.
static inline int martlet_block_physical_size(int file) {
    unsigned size = 0;
    return ioctl(file, BLKPBSZGET, &size) == 0 ? (int)size : -1;
}

/// A file without a name that goes with its last descriptor.
static inline int martlet_memory_file(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1u /* MFD_CLOEXEC */);
}

/// pipe2(2): both ends at once with their flags, so that no program started meanwhile inherits one.
static inline int martlet_pipe(int ends[2], int flags) {
    return (int)syscall(SYS_pipe2, ends, flags);
}

/// accept4(2), without the peer's address.
static inline int martlet_accept(int listener, int flags) {
    return (int)syscall(SYS_accept4, listener, (void *)0, (void *)0, flags);
}
