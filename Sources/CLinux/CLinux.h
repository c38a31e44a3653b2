// What Swift cannot import from Linux's headers by itself: variadic calls and bare system calls.
// No feature macro is set here: types that Glibc's module has too must look the same in both.
// Nothing here does more than one call.
#pragma once
#include <fcntl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// memfd_create(2) with MFD_CLOEXEC.
static inline int martlet_memfd_create(const char *name) {
    return (int)syscall(SYS_memfd_create, name, 1u);
}

/// Names the calling thread; at most 15 bytes.
static inline void martlet_name_thread(const char *name) {
    (void)prctl(PR_SET_NAME, name);
}

/// open(2) with a mode, which Swift sees only as a variadic function.
static inline int martlet_open(const char *path, int flags, unsigned mode) {
    return open(path, flags, mode);
}
