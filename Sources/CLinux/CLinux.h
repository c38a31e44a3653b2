// What Swift cannot import from Linux's headers by itself: variadic calls.
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
