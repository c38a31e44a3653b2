// What Swift cannot import from Linux's headers by itself: variadic calls.
// No feature macro is set here: types that Glibc's module has too must look the same in both.
// Nothing here does more than one call.
#pragma once
#include <sys/prctl.h>

/// Names the calling thread; at most 15 bytes.
static inline void martlet_name_thread(const char *name) {
    (void)prctl(PR_SET_NAME, name);
}
