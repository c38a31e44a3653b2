// Before liburing.h, which asks for X/Open: types that Glibc's module has too must look the same in both.
#include <sys/select.h>
#include <liburing.h>
